"""What a network is trained to predict: the states at the horizons, or the powers of the next minutes."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..probabilities import softmax
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES
from .stack import Real

_FLOOR = 1e-9  # a smaller probability has the loss of this one


class Objective(Protocol):
    """The targets of a network, and the loss of its outputs."""

    outputs: int
    ahead: int  # minutes after a line that its targets need

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> NDArray[Any]:
        """The targets (variables, n, ...) of the first n of n + ahead lines (n + ahead, 6)."""

    def losses(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """Losses (M, n, batch, ...) of outputs (M, n, batch, outputs), 0 where not `known`. Overwrites the
        outputs with the gradients of the sum of the losses."""

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """Which targets are known."""


class StatesObjective:
    """The log loss of the states at the four horizons."""

    outputs = len(HORIZONS_MIN) * STATES
    ahead = HORIZONS_MIN[-1]

    def __init__(self, scale: StateScale) -> None:
        self._scale = scale

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> NDArray[np.int8]:
        """See `Objective`: (variables, n, 4)."""
        states = self._scale.of(powers_w).T[variables]
        count = states.shape[1] - self.ahead
        return np.stack([states[:, horizon : horizon + count] for horizon in HORIZONS_MIN], -1)

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """See `Objective`."""
        found: NDArray[np.bool_] = targets >= 0
        return found

    def losses(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """See `Objective`."""
        errors = softmax(outputs.reshape(*targets.shape, STATES))
        which = np.maximum(targets, 0)[..., None].astype(np.intp)
        likelihoods = np.take_along_axis(errors, which, -1)
        losses: Real = -np.log(np.maximum(likelihoods[..., 0], _FLOOR)) * known
        np.put_along_axis(errors, which, likelihoods - 1.0, -1)
        errors *= known[..., None]
        return losses


class PowersObjective:
    """The squared error of the powers of the next minutes, in units of the whole scale."""

    outputs = 10
    ahead = outputs
    unit = 5.0  # steps of the scale

    def __init__(self, scale: StateScale) -> None:
        self._scale = scale

    def targets(self, powers_w: Real, variables: NDArray[np.intp]) -> Real:
        """See `Objective`: (variables, n, 10)."""
        values = self._scale.position(powers_w).T[variables] / np.float32(self.unit)
        count = values.shape[1] - self.ahead
        return np.stack([values[:, after : after + count] for after in range(1, self.ahead + 1)], -1)

    def known(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """See `Objective`."""
        found: NDArray[np.bool_] = ~np.isnan(targets)
        return found

    def losses(self, outputs: Real, targets: NDArray[Any], known: NDArray[np.bool_]) -> Real:
        """See `Objective`."""
        outputs -= np.nan_to_num(targets)
        outputs *= known
        losses = np.square(outputs)
        outputs *= 2.0
        return losses
