"""The .tflite files that are written, in the installed runtimes."""

import random
import sys
import types

import numpy as np
import pytest

from edge.learn.lstm import runtime
from edge.learn.lstm.quantise import quantised
from edge.learn.lstm.runners import NumpyRunner, make_numpy, make_tflite
from edge.learn.lstm.runtime import NoRuntime, interpreter
from edge.learn.lstm.stack import Shape
from edge.learn.lstm.tflite_file import model_file, read_weights
from edge.learn.model import finish

# On Python 3.11 both are installed for the tests; from 3.12 on there is only the successor.
INSTALLED = runtime._RUNTIMES if sys.version_info < (3, 12) else runtime._RUNTIMES[1:]
SHAPES = [Shape(25, 32, 1, 28), Shape(3, 50, 2, 28), Shape(1, 6, 3, 10, skip=False)]


def through(runner, inputs):
    runner.reset()
    return np.stack([runner.step(inputs[:, step]).copy() for step in range(inputs.shape[1])], 1)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_computes_the_same_as_its_weights(shape, name, monkeypatch):
    monkeypatch.setattr(runtime, "_RUNTIMES", (name,))
    models = 3
    weights = shape.random_weights(models, random.Random(1))
    inputs = np.random.default_rng(1).normal(size=(models, 80, shape.inputs)).astype(np.float32)
    runner = finish(make_tflite(shape, weights))
    stored = read_weights(interpreter(finish(model_file(shape, weights))), shape, models)
    expected = through(NumpyRunner(shape, stored), inputs)
    assert np.abs(through(runner, inputs) - expected).max() < 0.05 * expected.std()
    assert np.abs(through(runner, inputs) - expected).mean() < 0.01 * expected.std()


@pytest.mark.parametrize("make", [make_tflite, make_numpy])
def test_a_runner_returns_to_a_state(make):
    shape = SHAPES[1]
    inputs = np.random.default_rng(2).normal(size=(2, 20, shape.inputs)).astype(np.float32)
    runner = finish(make(shape, shape.random_weights(2, random.Random(1))))
    through(runner, inputs[:, :10])
    kept = runner.state()
    first = [runner.step(inputs[:, step]).copy() for step in range(10, 20)]
    runner.restore(kept)
    again = [runner.step(inputs[:, step]).copy() for step in range(10, 20)]
    assert (np.array(first) == np.array(again)).all()


def test_the_greatest_error_of_a_code_is_half_a_scale():
    weights = np.random.default_rng(1).normal(size=(50, 40)).astype(np.float32)
    codes, scale = quantised(weights)
    assert codes.dtype == np.int8
    assert np.abs(codes * scale - weights).max() <= scale / 2 * 1.001
    assert not quantised(np.zeros((2, 2), np.float32))[0].any()


def test_weights_of_another_shape_are_not_read():
    shape = Shape(5, 8, 1, 28)
    built = interpreter(finish(model_file(shape, shape.random_weights(1, random.Random(1)))))
    with pytest.raises(ValueError, match="not a network of this shape"):
        read_weights(built, Shape(5, 9, 1, 28), 1)
    with pytest.raises(ValueError, match="not a network of this shape"):
        read_weights(built, shape, 2)


def test_an_invalid_model_is_rejected():
    with pytest.raises(ValueError):  # noqa: PT011
        interpreter(b"no model at all")


def fake(monkeypatch, name, build):
    module = types.ModuleType(name)
    module.Interpreter = build
    monkeypatch.setitem(sys.modules, name, module)


def test_a_runtime_that_cannot_build_an_interpreter_is_skipped(monkeypatch):
    def broken(**_):
        raise SystemError("CreateWrapperFromBuffer returned a result with an exception set")

    class Working:
        def __init__(self, **_):
            self.ready = False

        def allocate_tensors(self):
            self.ready = True

    fake(monkeypatch, "old_runtime", broken)
    fake(monkeypatch, "new_runtime", Working)
    monkeypatch.setattr(runtime, "_RUNTIMES", ("no_such_runtime", "old_runtime", "new_runtime"))
    assert interpreter(b"").ready
    monkeypatch.setattr(runtime, "_RUNTIMES", ("no_such_runtime", "old_runtime"))
    with pytest.raises(NoRuntime, match=r"no_such_runtime.*CreateWrapper"):
        interpreter(b"")
