"""Run the networks minute by minute: TFLite with int8 weights, or numpy with float weights."""

from collections.abc import Callable, Generator
from typing import Protocol, TypeAlias

import numpy as np

from ..terms import Array
from .runtime import interpreter
from .stack import Real, Shape
from .tflite_file import model_file


class Runner(Protocol):
    """A stack of networks and their state."""

    def reset(self) -> None:
        """Set the state to zero."""

    def step(self, inputs: Array) -> Array:
        """Go on by one minute: inputs (M, n) to outputs (M, outputs)."""

    def state(self) -> list[Array]:
        """A copy of the state."""

    def restore(self, state: list[Array]) -> None:
        """Return to a state."""


class TfliteRunner:
    """Networks in a TFLite interpreter."""

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

    def reset(self) -> None:
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

    def restore(self, state: list[Array]) -> None:
        """See `Runner`."""
        for index, values in zip(self._variables, state, strict=True):
            self._interpreter.set_tensor(index, values)


class NumpyRunner:
    """Networks in numpy: the reference for TFLite, and for machines without it."""

    def __init__(self, shape: Shape, weights: Real) -> None:
        self._shape, self._weights = shape, shape.views(weights)
        self._state = [np.zeros((len(weights), shape.cells), np.float32) for _ in range(2 * shape.layers)]

    def reset(self) -> None:
        """See `Runner`."""
        for values in self._state:
            values[:] = 0.0

    def step(self, inputs: Array) -> Array:
        """See `Runner`."""
        flow, weights = inputs, self._weights
        for layer in range(self._shape.layers):
            hidden, cell = self._state[2 * layer : 2 * layer + 2]
            sums = (
                _product(flow, weights[f"x{layer}"])
                + _product(hidden, weights[f"h{layer}"])
                + weights[f"b{layer}"]
            )
            input_gate, forget_gate, candidate, output_gate = np.split(sums, 4, axis=-1)
            cell[:] = _sigmoid(forget_gate) * cell + _sigmoid(input_gate) * np.tanh(candidate)
            hidden[:] = _sigmoid(output_gate) * np.tanh(cell)
            flow = hidden
        outputs: Array = _product(flow, weights["out"]) + weights["bias"]
        return outputs + _product(inputs, weights["skip"]) if self._shape.skip else outputs

    def state(self) -> list[Array]:
        """See `Runner`."""
        return [values.copy() for values in self._state]

    def restore(self, state: list[Array]) -> None:
        """See `Runner`."""
        for values, kept in zip(self._state, state, strict=True):
            values[:] = kept


def _product(values: Real, weights: Real) -> Real:
    """The products (M, k) of values (M, n) and weights (M, n, k)."""
    found: Real = (values[:, None] @ weights)[:, 0]
    return found


def _sigmoid(values: Real) -> Real:
    found: Real = 0.5 * np.tanh(0.5 * values) + 0.5
    return found


Building: TypeAlias = Generator[None, None, Runner]


def make_tflite(shape: Shape, weights: Real) -> Building:
    """A runner of int8 weights, in pieces. Raises NoRuntime."""
    file = yield from model_file(shape, weights)
    yield
    return TfliteRunner(shape, file)


def make_numpy(shape: Shape, weights: Real) -> Building:
    """A runner of float weights."""
    yield
    return NumpyRunner(shape, weights)


RUNNERS: dict[str, Callable[[Shape, Real], Building]] = {"tflite": make_tflite, "numpy": make_numpy}
