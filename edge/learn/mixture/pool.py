"""A pool of experts: their log probabilities are added up with weights that follow how well each did.

    p(state) ~ product over experts of p_expert(state) ^ weight

The weights of each variable and horizon take a small step down the slope of the log loss with every
state that comes; steps are scaled by their usual size, and get smaller over the first weeks.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..lstm.goals import softmax
from ..terms import HORIZONS_MIN, STATES, Array, States

LEAST = 1e-4  # a probability below it counts as this much
_RATE, _LEAST_SHARE = 1e-3, 0.2
_MEMORY = 0.0005  # of the usual size of a slope
_FIRST_SQUARE, _SMOOTH = 0.05, 1e-3

_HORIZONS = np.arange(len(HORIZONS_MIN))
_ONES = np.eye(STATES, dtype=np.float32)


class Pool:
    """Weights (6, 4, experts), all alike at first."""

    def __init__(self, experts: int) -> None:
        shape = (len(VARIABLES), len(HORIZONS_MIN), experts)
        self.weights = np.full(shape, 1.0 / experts, np.float32)
        self._squares = np.full(shape, _FIRST_SQUARE, np.float32)
        self._steps = 0

    @staticmethod
    def logs(probabilities: Array) -> Array:
        """Of probabilities (experts, 6, 4, 7) the logs as they are pooled."""
        clipped = np.maximum(probabilities, LEAST)
        found: Array = np.log(clipped / clipped.sum(-1, keepdims=True))
        return found

    def foretell(self, logs: Array) -> Array:
        """Probabilities (6, 4, 7) of logs (experts, 6, 4, 7)."""
        found: Array = softmax(np.einsum("vhe,evhs->vhs", self.weights, logs))
        return found

    def learn(self, logs: Array, came: States) -> None:
        """`came` (6,), -1 unknown, after what was said at its origins: `logs` (experts, 6, 4, 7), NaN where
        nothing was."""
        known = (came >= 0)[:, None] & ~np.isnan(logs[0, :, :, 0])
        if not known.any():
            return
        logs = np.where(known[:, :, None], logs, np.float32(0.0))
        errors = self.foretell(logs) - _ONES[np.maximum(came, 0)][:, None]
        slopes = np.einsum("vhs,evhs->vhe", errors, logs)
        slopes[~known] = 0.0
        self._squares += _MEMORY * (np.square(slopes) - self._squares)
        rate = _RATE * max(_LEAST_SHARE, 1 / math.sqrt(1 + self._steps / DAY_MIN))
        self.weights -= rate * slopes / np.sqrt(self._squares + _SMOOTH)
        self._steps += 1

    def welcome(self, expert: int, share: float) -> None:
        """An expert that had no weight so far gets a share of all."""
        self.weights *= 1.0 - share
        self.weights[:, :, expert] = share

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learnt."""
        return {"pool": self.weights, "squares": self._squares, "steps": np.array([self._steps], np.int64)}

    def take_up(self, arrays: dict[str, NDArray[Any]]) -> None:
        """What `arrays` gave, of the same shapes."""
        self.weights, self._squares = arrays["pool"], arrays["squares"]
        self._steps = int(arrays["steps"][0])
