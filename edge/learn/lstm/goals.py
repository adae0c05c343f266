"""What a network is trained for: the states at the horizons, or the powers of the next minutes (thesis)."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES
from .network import Real

_LEAST = 1e-9  # below it a probability is not told from 0


class Goal(Protocol):
    """The targets of anchors, and how far outputs are from them."""

    outputs: int
    ahead: int  # minutes after an anchor that its targets need

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> NDArray[Any]:
        """Of lines (n + ahead, 6): the targets (variables, n, ...)."""

    def judge(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """Losses (M, n, batch, ...) of outputs (M, n, batch, outputs), 0 where not `known`; turns the outputs
        into the slopes of the sum of losses."""

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """Which targets are known."""


class StatesGoal:
    """Log loss of the states at the four horizons."""

    outputs = len(HORIZONS_MIN) * STATES
    ahead = HORIZONS_MIN[-1]

    def __init__(self, scale: StateScale) -> None:
        self._scale = scale

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> NDArray[np.int8]:
        """See `Goal`: (variables, n, 4)."""
        states = self._scale.of(powers_w).T[variables]
        count = states.shape[1] - self.ahead
        return np.stack([states[:, horizon : horizon + count] for horizon in HORIZONS_MIN], -1)

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """See `Goal`."""
        found: NDArray[np.bool_] = targets >= 0
        return found

    def judge(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """See `Goal`."""
        spread = softmax(outputs.reshape(*targets.shape, STATES))
        which = np.maximum(targets, 0)[..., None].astype(np.intp)
        right = np.take_along_axis(spread, which, -1)
        losses: Real = -np.log(np.maximum(right[..., 0], _LEAST)) * known
        np.put_along_axis(spread, which, right - 1.0, -1)
        spread *= known[..., None]
        return losses


def softmax(logits: Real) -> Real:
    """Logits to probabilities along the last axis, in place."""
    logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(-1, keepdims=True)
    return logits


class PowersGoal:
    """Squared error of the powers of the next minutes, in units of the whole scale."""

    outputs = 10
    ahead = outputs
    unit = 5.0  # steps of the scale

    def __init__(self, scale: StateScale) -> None:
        self._scale = scale

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> Real:
        """See `Goal`: (variables, n, 10)."""
        values = self._scale.position(powers_w).T[variables] / np.float32(self.unit)
        count = values.shape[1] - self.ahead
        return np.stack([values[:, after : after + count] for after in range(1, self.ahead + 1)], -1)

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """See `Goal`."""
        found: NDArray[np.bool_] = ~np.isnan(targets)
        return found

    def judge(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """See `Goal`."""
        outputs -= np.nan_to_num(targets)
        outputs *= known
        losses = np.square(outputs)
        outputs *= 2.0
        return losses
