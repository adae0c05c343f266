"""A node that was computed once and is replayed: its predictions, and its parts after each training.

What neighbours send does not change such a node. So it stands for an established neighbour of a newcomer, or
for a node that only exchanges predictions; every variant can use the same recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.log_codes import coded, decoded
from edge.learn.model import Training, no_training
from edge.learn.parts import COUNTS, Apart, Part, Values
from edge.learn.series import Series
from edge.learn.terms import HORIZONS_MIN, STATES, Array
from edge.terms import VARIABLES

from .kept import written


@dataclass
class Recording:
    """From `first_minute` on: predictions (n, 6, 4, 7), and snapshots of the parts by minute."""

    first_minute: int
    predicted: NDArray[np.float16]
    snapshots: dict[int, dict[int, dict[str, Part]]] = field(default_factory=dict)

    @classmethod
    def empty(cls, first_minute: int, minutes: int) -> "Recording":
        """Nothing is recorded yet."""
        shape = minutes, len(VARIABLES), len(HORIZONS_MIN), STATES
        return cls(first_minute, np.full(shape, np.nan, np.float16))

    def snapshot(self, minute: int, model: Any) -> None:
        """Keep the parts of a model; counts as codes."""
        kept: dict[int, dict[str, Part]] = {}
        for variable in range(len(VARIABLES)):
            kept[variable] = {}
            for name, part in model.parts(variable).items():
                values: Any = coded(part.values) if part.rule == COUNTS else part.values
                kept[variable][name] = Part(part.rule, part.key, values, part.private, part.ready)
        self.snapshots[minute] = kept

    def save(self, file: Path) -> None:
        """Write it to a file."""
        arrays: dict[str, Any] = {"first": np.array([self.first_minute]), "predicted": self.predicted}
        for minute, parts in self.snapshots.items():
            for variable, given in parts.items():
                for name, part in given.items():
                    place = (minute, variable, name, part.rule, part.key.hex(), part.private, part.ready)
                    arrays["|".join(map(str, place))] = part.values
        with written(file) as unfinished:
            np.savez_compressed(unfinished, **arrays)

    @classmethod
    def load(cls, file: Path) -> "Recording":
        """Read what `save` has written."""
        with np.load(file) as arrays:
            found = cls(int(arrays["first"][0]), arrays["predicted"])
            for place in arrays.files:
                if "|" not in place:
                    continue
                minute, variable, name, rule, key, private, ready = place.split("|")
                part = Part(rule, bytes.fromhex(key), arrays[place], private == "True", ready == "True")
                found.snapshots.setdefault(int(minute), {}).setdefault(int(variable), {})[name] = part
        return found


class Recorded(Apart):
    """A model that repeats a recording."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.name, self._recording = name, recording
        self._times = sorted(recording.snapshots)
        self._minute = recording.first_minute - 1

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        self._minute = minute

    def predict(self) -> Array | None:
        """See `Model`."""
        at = self._minute - self._recording.first_minute
        if not 0 <= at < len(self._recording.predicted):
            return None
        found: Array = self._recording.predicted[at].astype(np.float32)
        return None if np.isnan(found).any() else found / found.sum(-1, keepdims=True)

    def parts(self, variable: int) -> dict[str, Part]:
        """See `Model`: those of the last training before."""
        before = [each for each in self._times if each <= self._minute] or self._times[:1]
        if not before:
            return {}
        return {
            name: Part(
                part.rule,
                part.key,
                decoded(part.values.astype(np.uint8)) if part.rule == COUNTS else part.values.copy(),
                part.private,
                part.ready,
            )
            for name, part in self._recording.snapshots[before[-1]][variable].items()
        }

    def adopt(self, parts: Mapping[int, Values]) -> Any:
        """See `Model`: it stays as it was."""
        return
        yield

    def train(self, history: Series) -> Training:
        """Nothing to do."""
        return no_training()

    def save(self) -> bytes:
        """Nothing is kept."""
        return b""

    def load(self, data: bytes, now: int | None = None) -> None:
        """Nothing is kept."""
