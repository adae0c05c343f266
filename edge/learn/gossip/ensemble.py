"""Predictions of several nodes combined: the thesis' weighted mean (6.1.2), and experts with learnt weights.

An ensemble needs no common model, so it is how nodes with different models work together.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..choice import Choice
from ..pool import Pool
from ..terms import HORIZONS_MIN, STATES, Array, States

_KEPT_MIN = 64  # minutes whose predictions wait for the actual states
_AGES_MIN = np.array(HORIZONS_MIN)
_OWN = 0
_MOST_WEIGHT = 0.5  # of a neighbour


def combined(predictions: Array, weights: NDArray[np.float64]) -> Array:
    """The weighted mean (6, 4, 7) of predictions (k, 6, 4, 7) with weights (k, 6) that add up to 1."""
    found: Array = np.einsum("kvhs,kv->vhs", predictions, weights).astype(np.float32)
    return found


def valid(prediction: Array) -> bool:
    """Whether a foreign prediction has the right shape and is made of probabilities."""
    shape = len(VARIABLES), len(HORIZONS_MIN), STATES
    if prediction.shape != shape or not np.isfinite(prediction).all() or (prediction < 0).any():
        return False
    return bool(np.abs(prediction.sum(-1) - 1.0).max() < 0.01)


class Ensemble:
    """The own prediction and those of up to `most` neighbours, each with weights (6, 4) that are learnt
    minute by minute, from 0 for a neighbour. Where the own prediction did better of late, it serves alone."""

    def __init__(self, most: int) -> None:
        self._places: dict[str, int] = {}
        self._most = most
        self._choice = Choice(2)  # the own prediction alone, or all of them
        self._pool = Pool(1 + most)
        self._pool.weights[:] = 0.0
        self._pool.weights[:, :, _OWN] = 1.0
        shape = (_KEPT_MIN, 1 + most, len(VARIABLES), len(HORIZONS_MIN), STATES)
        self._logs = np.full(shape, np.nan, np.float16)
        self._minutes = np.full(_KEPT_MIN, -1, np.int64)

    @property
    def weights(self) -> dict[str, Array]:
        """The weights (6, 4) by source; the own one is ""."""
        found: dict[str, Array] = {"": self._pool.weights[:, :, _OWN].copy()}
        for source, place in self._places.items():
            found[source] = self._pool.weights[:, :, place].copy()
        return found

    def predict(self, minute: int, own: Array, foreign: Mapping[str, Array]) -> Array:
        """The combined prediction (6, 4, 7) after a minute. A neighbour without a valid prediction is counted
        as if it agreed with the own one, and so is one beyond the greatest number."""
        self._seat(foreign)
        logs = np.repeat(Pool.logs(own)[None], 1 + self._most, axis=0)
        for source, place in self._places.items():
            if source in foreign and valid(foreign[source]):
                logs[place] = Pool.logs(foreign[source])
        self._logs[minute % _KEPT_MIN], self._minutes[minute % _KEPT_MIN] = logs, minute
        both = np.stack([own, self._pool.predict(logs)])
        found: Array = both[self._choice.predicted(minute, both), *np.indices(own.shape[:2])]
        return found

    @property
    def helps(self) -> NDArray[np.bool_]:
        """Where the predictions of neighbours are used: (6, 4)."""
        found: NDArray[np.bool_] = self._choice.now == 1
        return found

    def learn(self, minute: int, actual: States) -> None:
        """Learn from the states (6,) of a minute, -1 where unknown."""
        self._choice.learn(minute, actual)
        origins = (minute - _AGES_MIN) % _KEPT_MIN
        there = self._minutes[origins] == minute - _AGES_MIN
        if not there.any():
            return
        logs = self._logs[origins, :, :, np.arange(len(origins))].transpose(1, 2, 0, 3).astype(np.float32)
        self._pool.learn(np.where(there[:, None], logs, np.float32(np.nan)), actual)
        foreign = self._pool.weights[:, :, 1:]
        np.clip(foreign, 0.0, _MOST_WEIGHT, out=foreign)
        foreign[:, :, [place - 1 for place in self._free()]] = 0.0

    def forget(self, source: str) -> None:
        """A neighbour has left: its weight goes back to the own prediction, and its place is free."""
        place = self._places.pop(source, None)
        if place is not None:
            self._pool.weights[:, :, _OWN] += self._pool.weights[:, :, place]
            self._pool.clear(place)
            self._logs[:, place] = self._logs[:, _OWN]

    def _seat(self, sources: Mapping[str, Array]) -> None:
        for source in sources:
            free = self._free()
            if source not in self._places and free:
                self._places[source] = free[0]

    def _free(self) -> list[int]:
        return [place for place in range(1, 1 + self._most) if place not in self._places.values()]
