"""Predictions that wait for the states that they are about, each horizon for its own time and no longer."""

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .terms import HORIZONS_MIN, STATES, Array

_NEVER = np.iinfo(np.int64).min


class Waiting:
    """The predictions of some candidates, as float16."""

    def __init__(self, candidates: int) -> None:
        shape = candidates, len(VARIABLES), STATES
        self._kept = [np.full((horizon + 1, *shape), np.nan, np.float16) for horizon in HORIZONS_MIN]
        self._minutes = [np.full(horizon + 1, _NEVER, np.int64) for horizon in HORIZONS_MIN]

    def put(self, minute: int, predicted: Array) -> None:
        """Keep what was predicted (candidates, 6, 4, 7) after a minute."""
        for number, (kept, minutes) in enumerate(zip(self._kept, self._minutes, strict=True)):
            kept[minute % len(kept)], minutes[minute % len(kept)] = predicted[:, :, number], minute

    def of(self, minute: int) -> tuple[Array, NDArray[np.bool_]]:
        """What was predicted (candidates, 6, 4, 7) for a minute, at which horizons (4,); NaN at others."""
        found, there = [], []
        for horizon, kept, minutes in zip(HORIZONS_MIN, self._kept, self._minutes, strict=True):
            at = (minute - horizon) % len(kept)
            there.append(bool(minutes[at] == minute - horizon))
            found.append(kept[at] if there[-1] else np.full_like(kept[at], np.nan))
        return np.stack(found, 2).astype(np.float32), np.array(there)

    def copy(self, source: int, target: int) -> None:
        """What one candidate has predicted takes the place of what another one has."""
        for kept in self._kept:
            kept[:, target] = kept[:, source]
