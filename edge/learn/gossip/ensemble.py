"""Predictions of several nodes combined: the thesis' weighted mean (6.1.2), and experts with learnt weights.

An ensemble needs no common model, so it is how nodes with different models work together.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..caution import Caution
from ..choice import Choice
from ..pool import Pool, staying
from ..terms import HORIZONS_MIN, STATES, Array, States
from ..waiting import Waiting

_OWN = 0
_FIRST_STAY = 0.3  # weight of persistence at first
_MOST_WEIGHT = 0.5  # of a neighbour
_CLEARLY = 0.03  # nats: by how much all of them must be better, over about a day, to be served
_UNKNOWN: States = np.full(len(VARIABLES), -1, np.int8)


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


class Pooled:
    """Some predictions and persistence, pooled with weights (6, 4) that are learnt minute by minute. At first
    the first prediction has most of the weight, persistence the rest, and the others have none. Where
    persistence was right more often of late, its state is served."""

    def __init__(self, predictions: int) -> None:
        self.pool = Pool(predictions + 1)
        self.pool.set_weights(dict.fromkeys(range(1, predictions), 0.0) | {0: 1.0 - _FIRST_STAY})
        self._waiting, self._caution = Waiting(predictions + 1), Caution()

    def predict(self, minute: int, logs: Array, states: States) -> Array:
        """The pooled prediction (6, 4, 7) of logs (predictions, 6, 4, 7) after a minute with states (6,), -1
        where unknown."""
        stay = Pool.logs(staying(np.maximum(states, 0)))
        stay[states < 0] = logs[0, states < 0]
        both = np.concatenate([logs, stay[None]])
        self._waiting.put(minute, both)
        return self._caution.predicted(minute, self.pool.predict(both), states)

    def learn(self, minute: int, actual: States) -> None:
        """Learn from the states (6,) of a minute, -1 where unknown."""
        self._caution.learn(minute, actual)
        logs, there = self._waiting.of(minute)
        if not there.any():
            return
        self.pool.learn(logs, actual)
        np.maximum(self.pool.weights, 0.0, out=self.pool.weights)

    def clear(self, prediction: int) -> None:
        """Forget a prediction other than the first, which gets its weight."""
        self.pool.weights[:, :, 0] += self.pool.weights[:, :, prediction]
        self.pool.clear(prediction)
        self._waiting.copy(0, prediction)


class Ensemble:
    """The own prediction, those of up to `most` neighbours and persistence, pooled. They are served where
    they were clearly better than the own prediction over the last day; otherwise that serves alone."""

    def __init__(self, most: int) -> None:
        self._places: dict[str, int] = {}
        self._most = most
        self._choice = Choice(2, _CLEARLY, DAY_MIN)  # the own prediction alone, or all of them
        self._pooled = Pooled(1 + most)

    @property
    def weights(self) -> dict[str, Array]:
        """The weights (6, 4) by source; the own one is ""."""
        weights = self._pooled.pool.weights
        found: dict[str, Array] = {"": weights[:, :, _OWN].copy()}
        for source, place in self._places.items():
            found[source] = weights[:, :, place].copy()
        return found

    def predict(
        self, minute: int, own: Array, foreign: Mapping[str, Array], states: States = _UNKNOWN
    ) -> Array:
        """The combined prediction (6, 4, 7) after a minute with these states (6,). A neighbour without a
        valid prediction is counted as if it agreed with the own one, and so is one beyond the greatest
        number."""
        self._seat(foreign)
        logs = np.repeat(Pool.logs(own)[None], 1 + self._most, axis=0)
        for source, place in self._places.items():
            if source in foreign and valid(foreign[source]):
                logs[place] = Pool.logs(foreign[source])
        both = np.stack([own, self._pooled.predict(minute, logs, states)])
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
        self._pooled.learn(minute, actual)
        foreign = self._pooled.pool.weights[:, :, 1 : 1 + self._most]
        np.minimum(foreign, _MOST_WEIGHT, out=foreign)
        foreign[:, :, [place - 1 for place in self._free()]] = 0.0

    def forget(self, source: str) -> None:
        """A neighbour has left: its weight goes back to the own prediction, and its place is free."""
        place = self._places.pop(source, None)
        if place is not None:
            self._pooled.clear(place)

    def _seat(self, sources: Mapping[str, Array]) -> None:
        for source in sources:
            free = self._free()
            if source not in self._places and free:
                self._places[source] = free[0]

    def _free(self) -> list[int]:
        return [place for place in range(1, 1 + self._most) if place not in self._places.values()]
