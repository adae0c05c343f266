"""A day and an hour of each variable as running sums: the mean of any stretch is one difference."""

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..terms import Array

Real = NDArray[np.float64]

_KEPT_MIN = DAY_MIN + 128


class RunningSums:
    """Of what `take_in` was told. What was before the first minute is taken to be like it."""

    def __init__(self) -> None:
        self._sums = np.zeros((_KEPT_MIN, len(VARIABLES)))
        self._last = np.zeros(len(VARIABLES))
        self._minute = -1

    def take_in(self, minute: int, values: Array) -> None:
        """Values (6,) of a minute. NaN, and minutes left out, stay as they were; a clock that was set back
        is a new beginning."""
        before, last = self._minute, self._last.copy()
        np.copyto(self._last, values, where=~np.isnan(values))
        if before < 0 or not 0 < minute - before <= _KEPT_MIN:
            ages = np.arange(_KEPT_MIN)
            self._sums[(minute - ages) % _KEPT_MIN] = -ages[:, None] * self._last
        else:
            gaps = np.arange(1, minute - before)
            sums = self._sums[before % _KEPT_MIN]
            self._sums[(before + gaps) % _KEPT_MIN] = sums + gaps[:, None] * last
            self._sums[minute % _KEPT_MIN] = sums + len(gaps) * last + self._last
        self._minute = minute

    def means(self, until: NDArray[np.int64], minutes: NDArray[np.int64] | int) -> Real:
        """Means (..., 6) of the stretches of so many `minutes` that end with the minutes `until` (...)."""
        last = self._sums[until % _KEPT_MIN]
        last -= self._sums[(until - minutes) % _KEPT_MIN]
        last /= np.asarray(minutes)[..., None]
        found: Real = last
        return found
