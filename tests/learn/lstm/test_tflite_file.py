"""Our .tflite files, in the runtime that is installed."""

import random
import sys
import types

import numpy as np
import pytest

from edge.learn.lstm import interpreter as runtimes
from edge.learn.lstm.interpreter import NoRuntime, interpreter
from edge.learn.lstm.network import Shape
from edge.learn.lstm.quantise import quantised
from edge.learn.lstm.runners import NumpyRunner, finished, make_numpy, make_tflite
from edge.learn.lstm.tflite_file import model_file, read_weights

# On Python 3.11 both are installed for the tests; from 3.12 on there is only the successor.
INSTALLED = runtimes._RUNTIMES if sys.version_info < (3, 12) else runtimes._RUNTIMES[1:]
SHAPES = [Shape(25, 32, 1, 28), Shape(3, 50, 2, 28), Shape(1, 6, 3, 10, skip=False)]


def through(runner, inputs):
    runner.rest()
    return np.stack([runner.step(inputs[:, step]).copy() for step in range(inputs.shape[1])], 1)


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_computes_what_its_weights_say(shape, runtime, monkeypatch):
    monkeypatch.setattr(runtimes, "_RUNTIMES", (runtime,))
    models = 3
    weights = shape.drawn(models, random.Random(1))
    inputs = np.random.default_rng(1).normal(size=(models, 80, shape.inputs)).astype(np.float32)
    runner = finished(make_tflite(shape, weights))
    stored = read_weights(interpreter(finished(model_file(shape, weights))), shape, models)
    expected = through(NumpyRunner(shape, stored), inputs)
    assert np.abs(through(runner, inputs) - expected).max() < 0.05 * expected.std()
    assert np.abs(through(runner, inputs) - expected).mean() < 0.01 * expected.std()


@pytest.mark.parametrize("make", [make_tflite, make_numpy])
def test_a_runner_comes_back_to_a_state(make):
    shape = SHAPES[1]
    inputs = np.random.default_rng(2).normal(size=(2, 20, shape.inputs)).astype(np.float32)
    runner = finished(make(shape, shape.drawn(2, random.Random(1))))
    through(runner, inputs[:, :10])
    kept = runner.state()
    first = [runner.step(inputs[:, step]).copy() for step in range(10, 20)]
    runner.come_back(kept)
    again = [runner.step(inputs[:, step]).copy() for step in range(10, 20)]
    assert (np.array(first) == np.array(again)).all()


def test_codes_are_off_by_half_a_scale_at_most():
    weights = np.random.default_rng(1).normal(size=(50, 40)).astype(np.float32)
    codes, scale = quantised(weights)
    assert codes.dtype == np.int8
    assert np.abs(codes * scale - weights).max() <= scale / 2 * 1.001
    assert not quantised(np.zeros((2, 2), np.float32))[0].any()


def test_weights_of_another_shape_are_not_read():
    shape = Shape(5, 8, 1, 28)
    built = interpreter(finished(model_file(shape, shape.drawn(1, random.Random(1)))))
    with pytest.raises(ValueError, match="not a network of this shape"):
        read_weights(built, Shape(5, 9, 1, 28), 1)
    with pytest.raises(ValueError, match="not a network of this shape"):
        read_weights(built, shape, 2)


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError):  # noqa: PT011
        interpreter(b"no model at all")


def fake(monkeypatch, name, build):
    module = types.ModuleType(name)
    module.Interpreter = build
    monkeypatch.setitem(sys.modules, name, module)


def test_a_runtime_that_imports_but_builds_nothing_is_passed_over(monkeypatch):
    def broken(**_):
        raise SystemError("CreateWrapperFromBuffer returned a result with an exception set")

    class Working:
        def __init__(self, **_):
            self.ready = False

        def allocate_tensors(self):
            self.ready = True

    fake(monkeypatch, "old_runtime", broken)
    fake(monkeypatch, "new_runtime", Working)
    monkeypatch.setattr(runtimes, "_RUNTIMES", ("no_such_runtime", "old_runtime", "new_runtime"))
    assert interpreter(b"").ready
    monkeypatch.setattr(runtimes, "_RUNTIMES", ("no_such_runtime", "old_runtime"))
    with pytest.raises(NoRuntime, match=r"no_such_runtime.*CreateWrapper"):
        interpreter(b"")
