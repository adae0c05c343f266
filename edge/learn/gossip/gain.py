"""What neighbours gain: the losses of the combined predictions beside those of the own ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..probabilities import hits, log_losses
from ..terms import HORIZONS_MIN, Array, States
from ..waiting import Waiting

_SHAPE = len(VARIABLES), len(HORIZONS_MIN)
_KEEP = 0.5 ** (1 / DAY_MIN)  # half of the sums is of the last day
_LEAST_MIN = 30.0


class Gain:
    """Sums of the last days: log losses and hits of the own and of the combined predictions."""

    def __init__(self) -> None:
        self._waiting = Waiting(2)
        self._losses = np.zeros((2, *_SHAPE))
        self._hits = np.zeros((2, *_SHAPE))
        self._counts = np.zeros(_SHAPE)

    def predicted(self, minute: int, own: Array, combined: Array) -> None:
        """Keep what was predicted after a minute."""
        self._waiting.put(minute, np.stack([own, combined]))

    def learn(self, minute: int, actual: States) -> None:
        """Compare with the states (6,) of a minute, -1 where unknown."""
        predicted, there = self._waiting.of(minute)
        if not there.any():
            return
        wanted = np.broadcast_to(actual[:, None], predicted.shape[:-1])
        known = (actual >= 0)[:, None] & there
        for sums, each in ((self._losses, log_losses), (self._hits, hits)):
            sums *= _KEEP
            sums += np.where(known, each(predicted, wanted), 0.0)
        self._counts *= _KEEP
        self._counts += known

    @property
    def own_loss(self) -> NDArray[np.float64]:
        """The recent log loss (6,) of the own predictions; NaN where too little is known."""
        counts = self._counts.sum(-1)
        known = counts >= _LEAST_MIN
        return np.where(known, self._losses[0].sum(-1) / np.maximum(counts, 1.0), np.nan)

    @property
    def overall(self) -> float | None:
        """By how much the log loss of the combined predictions is lower, mean of all; None while unknown."""
        count = self._counts.sum()
        if count < _LEAST_MIN:
            return None
        return round(float((self._losses[0] - self._losses[1]).sum() / count), 4)

    def report(self) -> dict[str, Any]:
        """In JSON types: for all, and by variable and horizon, the accuracy and the log loss of both."""
        found: dict[str, Any] = {"all": self._line(np.ones(_SHAPE, bool))}
        for v, variable in enumerate(VARIABLES):
            found[variable] = {str(horizon): self._line(_one(v, h)) for h, horizon in enumerate(HORIZONS_MIN)}
        return found

    def _line(self, which: NDArray[np.bool_]) -> dict[str, float | int | None]:
        count = float(self._counts[which].sum())
        names = ("own_log_loss", "log_loss", "own_accuracy", "accuracy")
        sums = (*self._losses[:, which].sum(-1), *self._hits[:, which].sum(-1))
        means = {
            name: round(float(each) / count, 4) if count else None
            for name, each in zip(names, sums, strict=True)
        }
        return {"n": round(count), **means}


def _one(variable: int, horizon: int) -> NDArray[np.bool_]:
    found = np.zeros(_SHAPE, bool)
    found[variable, horizon] = True
    return found
