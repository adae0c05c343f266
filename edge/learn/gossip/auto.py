"""Chooses an operator for each variable by the losses of its merged models of late, with hysteresis."""

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES

_MEMORY = 0.3  # of a new loss
_MARGIN = 0.003  # nats: another operator is chosen only if it is better by more


class AutoOperator:
    """The choice among operators, for each variable; the first is chosen at first."""

    def __init__(self, operators: tuple[str, ...]) -> None:
        self.operators = operators
        self._means = np.full((len(operators), len(VARIABLES)), np.nan)
        self._now = np.zeros(len(VARIABLES), np.intp)

    def learn(self, losses: NDArray[np.float64]) -> None:
        """The losses (operators, 6) of one merge, NaN where unknown."""
        known = np.isfinite(losses).all(0)  # a variable that not all could merge tells nothing
        fresh = np.isnan(self._means)
        moved = self._means + _MEMORY * (losses - self._means)
        self._means = np.where(known, np.where(fresh, losses, moved), self._means)
        judged = ~np.isnan(self._means).any(0)
        means = np.where(judged, self._means, 0.0)
        best = means.argmin(0)
        present = means[self._now, np.arange(len(VARIABLES))]
        self._now = np.where(judged & (means.min(0) < present - _MARGIN), best, self._now)

    @property
    def choice(self) -> list[str]:
        """The operator of each variable."""
        return [self.operators[number] for number in self._now]
