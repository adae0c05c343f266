"""A stack of LSTM networks of one shape, in numpy: forward pass, and backpropagation through time.

    inputs -> LSTM layers -> outputs (logits of horizons x states), plus a direct path from inputs to outputs

All networks are stacked on a leading axis (M), so that each call of numpy works on a large block; the weights
of each network are one row of one array. The gates are in the order of TFLite: input, forget, cell, output.
The work is done in pieces: a generator yields after a few time steps.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contents import Layer

Real = NDArray[np.floating[Any]]
_PIECE = 8  # time steps between two yields


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of all networks of a stack."""

    inputs: int
    cells: int
    layers: int
    outputs: int
    skip: bool = True

    def __post_init__(self) -> None:
        if not (1 <= self.cells <= 256 and 1 <= self.layers <= 4):
            raise ValueError(f"a network of {self.layers} layers of {self.cells} cells is out of range")

    def parts(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of each block of weights."""
        found: dict[str, tuple[int, ...]] = {}
        width = self.inputs
        for layer in range(self.layers):
            found[f"x{layer}"] = (width, 4 * self.cells)
            found[f"h{layer}"] = (self.cells, 4 * self.cells)
            found[f"b{layer}"] = (4 * self.cells,)
            width = self.cells
        found["out"] = (self.cells, self.outputs)
        if self.skip:
            found["skip"] = (self.inputs, self.outputs)
        found["bias"] = (self.outputs,)
        return found

    @property
    def size(self) -> int:
        """The number of weights of one network."""
        return sum(math.prod(shape) for shape in self.parts().values())

    @property
    def trunk(self) -> int:
        """The number of weights before those that give the outputs."""
        return sum(math.prod(shape) for name, shape in self.parts().items() if name[-1].isdigit())

    def views(self, weights: Real) -> dict[str, Real]:
        """Views of the blocks of a stack of weights (M, size)."""
        found, at = {}, 0
        for name, shape in self.parts().items():
            count = math.prod(shape)
            found[name] = weights[:, at : at + count].reshape(len(weights), *shape)
            at += count
        return found

    def layers_of(self, weights: Real) -> list[Layer]:
        """The layers of one network, with views of its weights (1, size)."""
        blocks = {name: block[0] for name, block in self.views(weights).items()}
        found = [
            Layer(f"lstm {each + 1}", "lstm", blocks[f"x{each}"], blocks[f"h{each}"], blocks[f"b{each}"])
            for each in range(self.layers)
        ]
        found.append(Layer("outputs", "dense", blocks["out"], None, blocks["bias"]))
        if self.skip:
            found.append(Layer("inputs to outputs", "dense", blocks["skip"], None, None))
        return found

    def random_weights(self, models: int, rng: random.Random) -> Real:
        """First weights (models, size): uniform within 1 / sqrt(cells); the forget gates are open."""
        weights = np.zeros((models, self.size), np.float32)
        for name, block in self.views(weights).items():
            if block.ndim < 3:
                continue
            reach = math.sqrt(1.0 / self.cells) if name != "skip" else 0.01
            numbers = [rng.uniform(-reach, reach) for _ in range(block.size)]
            block[:] = np.array(numbers, np.float32).reshape(block.shape)
        for layer in range(self.layers):
            self.views(weights)[f"b{layer}"][:, self.cells : 2 * self.cells] = 1.0
        return weights


class Stack:
    """Memory for `models` networks, `steps` of time and a batch of sequences, allocated once a training."""

    def __init__(self, shape: Shape, models: int, steps: int, batch: int, dtype: Any = np.float32) -> None:
        self.shape = shape
        lead, cells = (models, steps, batch), shape.cells
        self.inputs = np.zeros((*lead, shape.inputs), dtype)
        self._gates = [np.empty((*lead, 4 * cells), dtype) for _ in range(shape.layers)]
        self._cells = [np.empty((*lead, cells), dtype) for _ in range(shape.layers)]
        self._hidden = [np.empty((*lead, cells), dtype) for _ in range(shape.layers)]
        self.errors = np.zeros((*lead, cells), dtype)  # gradients of the hidden values of the layer above
        ones = np.ones(cells, dtype)
        self._half = np.concatenate((ones / 2, ones / 2, ones, ones / 2))
        self._lift = np.concatenate((ones / 2, ones / 2, 0 * ones, ones / 2))

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        arrays = [self.inputs, self.errors, *self._gates, *self._cells, *self._hidden]
        return sum(array.nbytes for array in arrays)

    def forward(self, weights: dict[str, Real]) -> Iterator[None]:
        """Run all sequences of `inputs` from a state of zero."""
        below = self.inputs
        for layer in range(self.shape.layers):
            for start in range(0, below.shape[1], _PIECE):
                self._project(layer, below, weights, slice(start, start + _PIECE))
                for step in range(start, min(start + _PIECE, below.shape[1])):
                    self._step(layer, step, weights[f"h{layer}"])
                yield
            below = self._hidden[layer]

    def _project(self, layer: int, below: Real, weights: dict[str, Real], piece: slice) -> None:
        gates = self._gates[layer][:, piece]
        flat = below[:, piece].reshape(len(below), -1, below.shape[-1])
        np.add(
            (flat @ weights[f"x{layer}"]).reshape(gates.shape), weights[f"b{layer}"][:, None, None], out=gates
        )

    def _step(self, layer: int, step: int, recurrent: Real) -> None:
        cells, hidden, n = self._cells[layer], self._hidden[layer], self.shape.cells
        gates = self._gates[layer][:, step]
        if step:
            gates += hidden[:, step - 1] @ recurrent
        gates *= self._half  # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2
        np.tanh(gates, out=gates)
        gates *= self._half
        gates += self._lift
        cell = cells[:, step]
        np.multiply(gates[..., :n], gates[..., 2 * n : 3 * n], out=cell)
        if step:
            cell += gates[..., n : 2 * n] * cells[:, step - 1]
        np.multiply(np.tanh(cell), gates[..., 3 * n :], out=hidden[:, step])

    def outputs(self, weights: dict[str, Real], piece: slice) -> Real:
        """The outputs (M, steps, batch, outputs) of some steps, after `forward`."""
        hidden = self._hidden[-1][:, piece]
        found = _flat(hidden) @ weights["out"] + weights["bias"][:, None]
        if self.shape.skip:
            found += _flat(self.inputs[:, piece]) @ weights["skip"]
        return found.reshape(*hidden.shape[:-1], -1)

    def head_backward(
        self, weights: dict[str, Real], gradients: dict[str, Real], piece: slice, error: Real
    ) -> None:
        """Add the gradients of the output weights, from the errors of the outputs of some steps; prepares
        `backward`."""
        flat = _flat(error)
        gradients["out"] += _flat(self._hidden[-1][:, piece]).swapaxes(1, 2) @ flat
        gradients["bias"] += flat.sum(1)
        if self.shape.skip:
            gradients["skip"] += _flat(self.inputs[:, piece]).swapaxes(1, 2) @ flat
        self.errors[:, piece] = (flat @ weights["out"].swapaxes(1, 2)).reshape(self.errors[:, piece].shape)

    def backward(self, weights: dict[str, Real], gradients: dict[str, Real]) -> Iterator[None]:
        """Add the gradients of the layers; `errors` and the gates are overwritten."""
        for layer in reversed(range(self.shape.layers)):
            below = self._hidden[layer - 1] if layer else self.inputs
            back_hidden, back_cell = np.zeros_like(self.errors[:, 0]), np.zeros_like(self.errors[:, 0])
            for start in reversed(range(0, below.shape[1], _PIECE)):
                for step in reversed(range(start, min(start + _PIECE, below.shape[1]))):
                    self._step_back(layer, step, back_hidden, back_cell)
                    np.matmul(
                        self._gates[layer][:, step], weights[f"h{layer}"].swapaxes(1, 2), out=back_hidden
                    )
                piece = slice(start, start + _PIECE)
                errors = _flat(self._gates[layer][:, piece])
                gradients[f"x{layer}"] += _flat(below[:, piece]).swapaxes(1, 2) @ errors
                gradients[f"b{layer}"] += errors.sum(1)
                before = self._hidden[layer][:, max(0, start - 1) : piece.stop - 1]
                after = self._gates[layer][:, max(1, start) : piece.stop]
                gradients[f"h{layer}"] += _flat(before[:, : after.shape[1]]).swapaxes(1, 2) @ _flat(after)
                if layer:
                    errors_below = errors @ weights[f"x{layer}"].swapaxes(1, 2)
                    self.errors[:, piece] = errors_below.reshape(self.errors[:, piece].shape)
                yield

    def _step_back(self, layer: int, step: int, back_hidden: Real, back_cell: Real) -> None:
        """Overwrite the gates of a step with the errors of their sums; `back_cell` is for the step before."""
        n, gates = self.shape.cells, self._gates[layer][:, step]
        input_gate, forget_gate = gates[..., :n], gates[..., n : 2 * n]
        candidate, output_gate = gates[..., 2 * n : 3 * n], gates[..., 3 * n :]
        error = self.errors[:, step] + back_hidden
        cell = np.tanh(self._cells[layer][:, step])
        back_cell += error * output_gate * (1 - cell * cell)
        error *= cell * output_gate * (1 - output_gate)
        output_gate[:] = error
        entered = back_cell * input_gate * (1 - candidate * candidate)
        input_gate *= back_cell * candidate * (1 - input_gate)
        candidate[:] = entered
        kept = back_cell * forget_gate
        forget_gate *= 1 - forget_gate
        forget_gate *= back_cell * self._cells[layer][:, step - 1] if step else 0.0
        back_cell[:] = kept


def _flat(block: Real) -> Real:
    """Join the axes of steps and batch."""
    return block.reshape(len(block), -1, block.shape[-1])
