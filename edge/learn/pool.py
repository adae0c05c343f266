"""A pool of experts: their log probabilities are added with weights that follow how well each expert did.

    p(state) ~ product over experts of p_expert(state) ^ weight

With each actual state, the weights of each variable and horizon take a small step against the gradient of the
log loss. Steps are scaled by the usual size of the gradient and become smaller over the first weeks.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import DAY_MIN, VARIABLES
from .probabilities import softmax
from .terms import HORIZONS_MIN, STATES, Array, States

_FLOOR = 1e-4  # a smaller probability counts as this
_RATE, _MIN_SHARE = 1e-3, 0.2
_MEMORY = 0.0005  # of the mean square of a gradient
_FIRST_SQUARE, _SMOOTH = 0.05, 1e-3

_HORIZONS = np.arange(len(HORIZONS_MIN))
_ONES = np.eye(STATES, dtype=np.float32)
_STAYING = 0.85  # probability of the present state in what persistence predicts
STAY = np.where(np.eye(STATES, dtype=bool), _STAYING, (1 - _STAYING) / (STATES - 1)).astype(np.float32)


def staying(states: NDArray[Any]) -> Array:
    """What persistence predicts after the states (6,), as probabilities (6, 4, 7). Its weight in a pool tells
    how sure of it one may be."""
    return np.repeat(STAY[states][:, None], len(HORIZONS_MIN), axis=1)


class Pool:
    """Weights (6, 4, experts), all equal at first."""

    def __init__(self, experts: int) -> None:
        shape = (len(VARIABLES), len(HORIZONS_MIN), experts)
        self.weights = np.full(shape, 1.0 / experts, np.float32)
        self._squares = np.full(shape, _FIRST_SQUARE, np.float32)
        self._steps = 0

    @staticmethod
    def logs(probabilities: Array) -> Array:
        """The log probabilities that are pooled, from probabilities (experts, 6, 4, 7)."""
        clipped = np.maximum(probabilities, _FLOOR)
        found: Array = np.log(clipped / clipped.sum(-1, keepdims=True))
        return found

    def predict(self, logs: Array) -> Array:
        """The pooled probabilities (6, 4, 7) of log probabilities (experts, 6, 4, 7)."""
        found: Array = softmax(np.einsum("vhe,evhs->vhs", self.weights, logs))
        return found

    def learn(self, logs: Array, actual: States) -> None:
        """Learn from the actual states (6,), -1 where unknown, and the `logs` (experts, 6, 4, 7) predicted
        for them, NaN where there are none."""
        known = (actual >= 0)[:, None] & ~np.isnan(logs[0, :, :, 0])
        if not known.any():
            return
        logs = np.where(known[:, :, None], logs, np.float32(0.0))
        errors = self.predict(logs) - _ONES[np.maximum(actual, 0)][:, None]
        gradients = np.einsum("vhs,evhs->vhe", errors, logs)
        gradients[~known] = 0.0
        self._squares += _MEMORY * (np.square(gradients) - self._squares)
        rate = _RATE * max(_MIN_SHARE, 1 / math.sqrt(1 + self._steps / DAY_MIN))
        self.weights -= rate * gradients / np.sqrt(self._squares + _SMOOTH)
        self._steps += 1

    @property
    def days(self) -> float:
        """How many days it has learnt from."""
        return self._steps / DAY_MIN

    def set_weights(self, given: Mapping[int, float]) -> None:
        """Set the first weights of some experts; the others share what is left to 1 equally."""
        rest = self.weights.shape[-1] - len(given)
        self.weights[:] = (1.0 - sum(given.values())) / max(rest, 1)
        for expert, weight in given.items():
            self.weights[:, :, expert] = weight

    def add_expert(self, expert: int, share: float) -> None:
        """Give an expert without a weight so far a share of all weights."""
        self.weights *= 1.0 - share
        self.weights[:, :, expert] = share

    def clear(self, expert: int) -> None:
        """Forget what was learnt of an expert; it has no weight."""
        self.weights[:, :, expert], self._squares[:, :, expert] = 0.0, _FIRST_SQUARE

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learnt, by name."""
        return {"pool": self.weights, "squares": self._squares, "steps": np.array([self._steps], np.int64)}

    @staticmethod
    def widened(arrays: Mapping[str, NDArray[Any]], experts: int) -> dict[str, NDArray[Any]]:
        """The arrays of a pool that was saved with one expert fewer: the last one is new, without weight."""
        weights, squares = arrays.get("pool"), arrays.get("squares")
        if weights is None or squares is None or weights.shape != squares.shape:
            return {}
        if weights.shape != (len(VARIABLES), len(HORIZONS_MIN), experts - 1):
            return {}
        new = np.zeros((*weights.shape[:2], 1), np.float32)
        return {
            "pool": np.concatenate((weights, new), -1),
            "squares": np.concatenate((squares, new + np.float32(_FIRST_SQUARE)), -1),
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Restore what `arrays` returned; the shapes must be the same."""
        self.weights, self._squares = arrays["pool"], arrays["squares"]
        self._steps = int(arrays["steps"][0])
