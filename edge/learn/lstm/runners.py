"""Who runs the networks minute by minute: TFLite with int8 weights, or numpy with the weights as they are."""

from collections.abc import Callable, Generator
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from ..terms import Array
from .interpreter import interpreter
from .network import Real, Shape
from .tflite_file import model_file

_T = TypeVar("_T")


class Runner(Protocol):
    """A stack of networks and their state."""

    def rest(self) -> None:
        """Forget the past."""

    def step(self, inputs: Array) -> Array:
        """One minute: inputs (M, n) to outputs (M, outputs)."""

    def state(self) -> list[Array]:
        """The state, to come back to."""

    def come_back(self, state: list[Array]) -> None:
        """Go on from a state."""


class TfliteRunner:
    """The file of the networks in an interpreter."""

    def __init__(self, shape: Shape, file: bytes) -> None:
        self._interpreter = interpreter(file)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        ends = [name + str(layer) for layer in range(shape.layers) for name in ("/hidden", "/cell")]
        self._variables = [
            details["index"]
            for details in self._interpreter.get_tensor_details()
            if details["name"].endswith(tuple(ends))
        ]

    def rest(self) -> None:
        """See `Runner`."""
        self._interpreter.reset_all_variables()

    def step(self, inputs: Array) -> Array:
        """See `Runner`."""
        self._interpreter.set_tensor(self._input, inputs[:, None])
        self._interpreter.invoke()
        outputs: Array = self._interpreter.get_tensor(self._output)
        return outputs

    def state(self) -> list[Array]:
        """See `Runner`."""
        return [self._interpreter.get_tensor(index) for index in self._variables]

    def come_back(self, state: list[Array]) -> None:
        """See `Runner`."""
        for index, values in zip(self._variables, state, strict=True):
            self._interpreter.set_tensor(index, values)


class NumpyRunner:
    """The weights themselves: what the other is compared with, and where there is no TFLite."""

    def __init__(self, shape: Shape, weights: Real) -> None:
        self._shape, self._weights = shape, shape.views(weights)
        self._state = [np.zeros((len(weights), shape.cells), np.float32) for _ in range(2 * shape.layers)]

    def rest(self) -> None:
        """See `Runner`."""
        for values in self._state:
            values[:] = 0.0

    def step(self, inputs: Array) -> Array:
        """See `Runner`."""
        flow, weights = inputs, self._weights
        for layer in range(self._shape.layers):
            hidden, cell = self._state[2 * layer : 2 * layer + 2]
            sums = (
                _each(flow, weights[f"x{layer}"]) + _each(hidden, weights[f"h{layer}"]) + weights[f"b{layer}"]
            )
            enter, forget, new, leave = np.split(sums, 4, axis=-1)
            cell[:] = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
            hidden[:] = _sigmoid(leave) * np.tanh(cell)
            flow = hidden
        outputs: Array = _each(flow, weights["out"]) + weights["bias"]
        return outputs + _each(inputs, weights["skip"]) if self._shape.skip else outputs

    def state(self) -> list[Array]:
        """See `Runner`."""
        return [values.copy() for values in self._state]

    def come_back(self, state: list[Array]) -> None:
        """See `Runner`."""
        for values, kept in zip(self._state, state, strict=True):
            values[:] = kept


def _each(values: Real, weights: Real) -> Real:
    """(M, n) by (M, n, k)."""
    found: Real = (values[:, None] @ weights)[:, 0]
    return found


def _sigmoid(values: Real) -> Real:
    found: Real = 0.5 * np.tanh(0.5 * values) + 0.5
    return found


Making: TypeAlias = Generator[None, None, Runner]


def make_tflite(shape: Shape, weights: Real) -> Making:
    """A runner of int8 weights, in pieces. Raises NoRuntime."""
    file = yield from model_file(shape, weights)
    yield
    return TfliteRunner(shape, file)


def make_numpy(shape: Shape, weights: Real) -> Making:
    """A runner of the weights as they are."""
    yield
    return NumpyRunner(shape, weights)


def finished(pieces: Generator[None, None, _T]) -> _T:
    """What comes out of work in pieces, all done at once."""
    while True:
        try:
            next(pieces)
        except StopIteration as done:
            result: _T = done.value
            return result


RUNNERS: dict[str, Callable[[Shape, Real], Making]] = {"tflite": make_tflite, "numpy": make_numpy}
