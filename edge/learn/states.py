"""The seven states of a variable: zero, five steps up to a maximum power, and above (thesis table 4.11).

The thesis uses fifths of MAX_POWER for every variable. The limits may also be given for each variable, or
fitted to the quantiles of a series.
"""

from collections.abc import Sequence

import numpy as np

from ..terms import VARIABLES
from .terms import STATES, ZERO_W, Array, States

_LIMITS = STATES - 1
_LEAST_RATIO = 1.01  # between neighbouring limits, so that every state has a width
_FURTHEST = 2.0 * _LIMITS  # in steps: a model does not see what lies beyond


class StateScale:
    """The upper limits of the first six states of each variable, in W; the first one is always 1 mW."""

    def __init__(self, limits_w: Array) -> None:
        limits_w = np.ascontiguousarray(limits_w, np.float32)
        if limits_w.shape != (len(VARIABLES), _LIMITS):
            raise ValueError(
                f"limits of states: the shape is {limits_w.shape} instead of {(len(VARIABLES), _LIMITS)}"
            )
        if (
            not np.isfinite(limits_w).all()
            or not (np.diff(limits_w) > 0).all()
            or limits_w.min() < ZERO_W / 2
        ):
            raise ValueError("limits of states must rise from state to state")
        self.limits_w = limits_w
        self._knots_w = np.concatenate((np.zeros((len(VARIABLES), 1)), limits_w[:, 1:]), -1)

    @classmethod
    def of_max_power(cls, max_power_w: float) -> "StateScale":
        """Fifths of a maximum power, the same for all variables (thesis). Raises ValueError."""
        return cls.of_limits([[max_power_w * step / 5 for step in range(1, _LIMITS)]] * len(VARIABLES))

    @classmethod
    def of_limits(cls, limits_w: Sequence[Sequence[float]]) -> "StateScale":
        """Five rising limits in W for each variable. Raises ValueError."""
        rows = np.array([[ZERO_W, *row] for row in limits_w], np.float32)
        return cls(rows)

    @classmethod
    def fitted(cls, powers_w: Array) -> "StateScale":
        """Limits that divide powers above 0 evenly among six states; `powers_w` (n, 6), NaN where unknown.

        A variable that is always 0 gets the limits for 1 kW. Raises ValueError.
        """
        rows = []
        for column in np.asarray(powers_w, np.float64).reshape(-1, len(VARIABLES)).T:
            values = column[column >= ZERO_W]  # leaves out NaN
            row = (
                np.quantile(values, [step / _LIMITS for step in range(1, _LIMITS)])
                if len(values)
                else 1000.0 * np.arange(1, _LIMITS) / 5
            )
            for at in range(len(row)):
                below_w = row[at - 1] if at else 2 * ZERO_W
                row[at] = max(row[at], _LEAST_RATIO * below_w)
            rows.append(row.tolist())
        return cls.of_limits(rows)

    def of(self, powers_w: Array) -> States:
        """The states of powers (..., 6): 0 to 6, -1 where unknown."""
        powers_w = np.asarray(powers_w, np.float32)
        states: States = (powers_w[..., None] >= self.limits_w).sum(-1, dtype=np.int8)
        states[np.isnan(powers_w)] = -1
        return states

    def position(self, powers_w: Array) -> Array:
        """Powers (..., 6) in steps: 1 at the first limit above zero, 2 at the next; linear in between.

        With the limits of the thesis this is P / (0.2 MAX_POWER). NaN stays NaN.
        """
        powers_w = np.asarray(powers_w, np.float32)
        each, knots_w = np.arange(len(VARIABLES)), self._knots_w
        step = (powers_w[..., None] >= knots_w[:, 1:-1]).sum(-1)  # the last one goes on for ever
        below_w = knots_w[each, step]
        found = step + (powers_w - below_w) / (knots_w[each, step + 1] - below_w)
        position: Array = np.clip(found, 0.0, _FURTHEST).astype(np.float32)
        return position

    def power_w(self, positions: Array) -> Array:
        """The powers (6, ...) in W at positions (6, ...), which is the inverse of `position`."""
        found = np.empty(positions.shape, np.float32)
        for variable, knots in enumerate(self._knots_w):
            value = positions[variable]
            beyond = np.maximum(value - (_LIMITS - 1), 0.0) * (knots[-1] - knots[-2])
            found[variable] = np.interp(value, np.arange(_LIMITS), knots) + beyond
        return found

    @property
    def max_power_w(self) -> float:
        """The greatest limit of all variables."""
        return float(self.limits_w.max())

    def check(self, limits_w: Array) -> None:
        """Raises ValueError if these limits, which something was learnt with, are not those of this scale."""
        if not np.array_equal(limits_w, self.limits_w):
            raise ValueError("it was learnt with other limits of states")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StateScale) and bool((self.limits_w == other.limits_w).all())

    def __hash__(self) -> int:
        return hash(self.limits_w.tobytes())
