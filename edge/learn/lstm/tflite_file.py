"""Writes networks as a .tflite file and reads their weights back, without TensorFlow.

The networks of a stack are side by side in one graph, so that one call runs them all:

    inputs (M, 1, n) -> split -> LSTM layers -> fully connected (+ direct path) -> concatenation (M, outputs)

One call is one minute: the LSTMs keep their state in variable tensors. All matrices are int8 with one scale
each, and the values between them are float ("hybrid" kernels), so no calibration is needed after a training.
The numbers are those of the public schema of TFLite, version 3.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .flatbuffer import Table, serialise
from .quantise import quantised
from .stack import Real, Shape

_FLOAT, _INT32, _INT8 = 0, 2, 9
_TANH = 4
# name: builtin code, version, number in the union of options
_OPERATORS = {
    "add": (0, 1, 11),
    "concatenation": (2, 1, 10),
    "fully_connected": (9, 9, 8),
    "lstm": (44, 3, 71),
    "split": (49, 1, 35),
}
_CODES = list(_OPERATORS)
_GATES = "ifgo"
_NONE = -1  # an optional input that is not used


def model_file(shape: Shape, weights: Real, about: str = "") -> Generator[None, None, bytes]:
    """The .tflite file of a stack of networks (M, size), in pieces; `about` becomes the name of its input."""
    graph = _Graph()
    models = len(weights)
    inputs = graph.tensor(about or "inputs", (models, 1, shape.inputs))
    axis = graph.constant("axis", np.array(0), _INT32)
    slices = [graph.tensor(f"{m}/inputs", (1, 1, shape.inputs)) for m in range(models)]
    graph.operator("split", [axis, inputs], slices, {0: ("int", models)})
    views = shape.views(weights)
    outputs = []
    for m in range(models):
        outputs.append(
            _network(graph, shape, {name: block[m] for name, block in views.items()}, m, slices[m])
        )
        yield
    output = graph.tensor("outputs", (models, shape.outputs))
    graph.operator("concatenation", outputs, [output], {0: ("int", 0)})
    return graph.file([inputs], [output])


def _network(graph: "_Graph", shape: Shape, weights: dict[str, Real], m: int, inputs: int) -> int:
    flow = inputs
    for layer in range(shape.layers):
        flow = _layer(graph, shape, weights, f"{m}/", layer, flow)
    bias = graph.constant(f"{m}/bias", weights["bias"])
    outputs = graph.tensor(f"{m}/hidden_logits", (1, shape.outputs))
    graph.operator("fully_connected", [flow, graph.matrix(f"{m}/out", weights["out"].T), bias], [outputs])
    if not shape.skip:
        return outputs
    direct, both = (graph.tensor(f"{m}/{name}", (1, shape.outputs)) for name in ("straight", "logits"))
    graph.operator("fully_connected", [inputs, graph.matrix(f"{m}/skip", weights["skip"].T), _NONE], [direct])
    graph.operator("add", [outputs, direct], [both])
    return both


def _layer(
    graph: "_Graph", shape: Shape, weights: dict[str, Real], prefix: str, layer: int, flow: int
) -> int:
    n = shape.cells

    def gates(kind: str, make: Any) -> list[int]:
        block = weights[f"{kind}{layer}"]
        return [
            make(f"{prefix}{kind}{layer}/{gate}", block[..., at * n : (at + 1) * n].T)
            for at, gate in enumerate(_GATES)
        ]

    state = [graph.tensor(f"{prefix}{name}{layer}", (1, n), variable=True) for name in ("hidden", "cell")]
    output = graph.tensor(f"{prefix}layer{layer}", (1, 1, n))
    sources = [flow, *gates("x", graph.matrix), *gates("h", graph.matrix), _NONE, _NONE, _NONE]
    sources += [*gates("b", graph.constant), _NONE, _NONE, *state, _NONE, _NONE, _NONE, _NONE]
    graph.operator("lstm", sources, [output], {0: ("byte", _TANH), 3: ("bool", False)})
    return output


@dataclass
class _Graph:
    """The tensors, buffers and operators added so far. Buffer 0 is the empty one."""

    tensors: list[Table] = field(default_factory=list)
    buffers: list[Table] = field(default_factory=lambda: [{}])
    operators: list[Table] = field(default_factory=list)

    def tensor(self, name: str, shape: tuple[int, ...], variable: bool = False) -> int:
        """Add a tensor of values, or of state."""
        return self._tensor(name, shape, _FLOAT, 0, variable)

    def constant(self, name: str, values: Any, kind: int = _FLOAT) -> int:
        """Add constant numbers."""
        stored = np.asarray(values, np.int32 if kind == _INT32 else np.float32)
        return self._tensor(name, stored.shape, kind, self._buffer(stored.tobytes()))

    def matrix(self, name: str, values: Real) -> int:
        """Add weights as int8."""
        codes, scale = quantised(np.ascontiguousarray(values))
        at = self._tensor(name, codes.shape, _INT8, self._buffer(codes.tobytes()))
        self.tensors[at][4] = ("table", {2: ("floats", [scale]), 3: ("longs", [0])})
        return at

    def _buffer(self, content: bytes) -> int:
        self.buffers.append({0: ("bytes", content)})
        return len(self.buffers) - 1

    def _tensor(
        self, name: str, shape: tuple[int, ...], kind: int, buffer: int, variable: bool = False
    ) -> int:
        table: Table = {
            0: ("ints", shape),
            1: ("byte", kind),
            2: ("uint", buffer),
            3: ("text", name),
            5: ("bool", variable),
        }
        self.tensors.append(table)
        return len(self.tensors) - 1

    def operator(
        self, name: str, sources: list[int], results: list[int], options: Table | None = None
    ) -> None:
        """Add a step of the graph."""
        table: Table = {
            0: ("uint", _CODES.index(name)),
            1: ("ints", sources),
            2: ("ints", results),
            3: ("ubyte", _OPERATORS[name][2]),
            4: ("table", options or {}),
        }
        self.operators.append(table)

    def file(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The graph as a file."""
        graph: Table = {
            0: ("tables", self.tensors),
            1: ("ints", inputs),
            2: ("ints", outputs),
            3: ("tables", self.operators),
        }
        codes: list[Table] = [
            {0: ("byte", code), 2: ("int", version), 3: ("int", code)}
            for code, version, _ in _OPERATORS.values()
        ]
        root: Table = {
            0: ("uint", 3),
            1: ("tables", codes),
            2: ("tables", [graph]),
            4: ("tables", self.buffers),
        }
        return serialise(root, b"TFL3")


def read_weights(interpreter: Any, shape: Shape, models: int) -> Real:
    """The weights (M, size) in an interpreter of such a file, from its int8 codes. Raises ValueError."""
    weights = np.zeros((models, shape.size), np.float32)
    views = shape.views(weights)
    tensors = {details["name"]: details for details in interpreter.get_tensor_details()}
    for name, block in views.items():
        for m in range(models):
            gates = [f"/{gate}" for gate in _GATES] if name[0] in "xhb" and name[1:].isdigit() else [""]
            width = block.shape[-1] // len(gates)
            for at, gate in enumerate(gates):
                found = tensors.get(f"{m}/{name}{gate}")
                place = block[m][..., at * width : (at + 1) * width]
                if found is None or tuple(found["shape"]) != place.T.shape:
                    raise ValueError(
                        f"not a network of this shape: {m}/{name}{gate} {place.T.shape} is missing"
                    )
                scale = found["quantization"][0] or 1.0
                place[:] = interpreter.get_tensor(found["index"]).T.astype(np.float32) * scale
    return weights
