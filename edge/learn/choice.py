"""Chooses among candidate predictions by how well each of them did of late, for each variable and horizon.

Each predicts before the actual state is known. The candidates are in order of trust: a later one is chosen
only if its log loss is lower by a margin, and is left as soon as an earlier one is better.
"""

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .probabilities import log_losses
from .terms import HORIZONS_MIN, Array, States
from .waiting import Waiting

WORTHS = (0.0, 8.0, 64.0)  # how many observations a row of foreign counts stands for at most
_HALF_LIFE_MIN, _MARGIN = 6 * 60, 0.01  # of evidence; nats; if none is given
_LEAST_MIN = 60.0  # of evidence

_SHAPE = len(VARIABLES), len(HORIZONS_MIN)
_VARIABLES, _HORIZONS = np.indices(_SHAPE)


def limited(counts: Array, worth: float) -> Array:
    """Counts (..., 7), those of a row together worth at most so many observations."""
    total = counts.sum(-1, keepdims=True)
    found: Array = counts * np.minimum(1.0, worth / np.maximum(total, 1e-9)).astype(np.float32)
    return found


class Choice:
    """The number of the candidate in use, for each variable and horizon: (6, 4)."""

    def __init__(
        self, candidates: int, margin: float = _MARGIN, half_life_min: float = _HALF_LIFE_MIN
    ) -> None:
        self._margin, self._keep = margin, 0.5 ** (1 / half_life_min)
        self.now = np.zeros(_SHAPE, np.intp)
        self._losses = np.zeros((candidates, *_SHAPE))  # sums, older ones count less
        self._counted = np.zeros(_SHAPE)
        self._waiting = Waiting(candidates)

    def predicted(self, minute: int, candidates: Array) -> NDArray[np.intp]:
        """Keep the predictions (candidates, 6, 4, 7) after a minute. The choice (6, 4)."""
        self._waiting.put(minute, candidates)
        return self.now

    @property
    def means(self) -> NDArray[np.float64]:
        """The recent log losses (candidates, 6, 4); 0 before anything is known."""
        found: NDArray[np.float64] = self._losses / np.maximum(self._counted, 1.0)
        return found

    def learn(self, minute: int, actual: States) -> None:
        """Compare what was predicted for a minute with its states (6,), -1 where unknown."""
        predicted, there = self._waiting.of(minute)
        if not there.any():
            return
        known = (actual >= 0)[:, None] & there
        losses = log_losses(predicted, np.broadcast_to(actual[:, None], predicted.shape[:-1]))
        self._losses *= self._keep
        self._counted *= self._keep
        self._losses += np.where(known, losses, 0.0)
        self._counted += known
        means = self.means
        present = means[self.now, _VARIABLES, _HORIZONS]
        best = means.argmin(0)
        margin = np.where(best > self.now, self._margin, 0.0)
        change = (means.min(0) < present - margin) & (self._counted >= _LEAST_MIN)
        self.now = np.where(change, best, self.now)
