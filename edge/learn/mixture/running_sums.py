"""Running sums of a day and an hour of each variable: the mean of any span is one difference."""

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..terms import Array

Float64 = NDArray[np.float64]

_KEPT_MIN = DAY_MIN + 128


class RunningSums:
    """The sums of the values added. The values before the first minute count as equal to it."""

    def __init__(self) -> None:
        self._sums = np.zeros((_KEPT_MIN, len(VARIABLES)))
        self._last = np.zeros(len(VARIABLES))
        self._minute = -1

    def add(self, minute: int, values: Array) -> None:
        """Add the values (6,) of a minute. Unknown values (NaN) and missing minutes count as unchanged.

        If the clock was set back, the sums start again.
        """
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

    def means(self, until: NDArray[np.int64], minutes: NDArray[np.int64] | int) -> Float64:
        """The means (..., 6) of the spans of `minutes` minutes that end with the minutes `until` (...)."""
        last = self._sums[until % _KEPT_MIN]
        last -= self._sums[(until - minutes) % _KEPT_MIN]
        last /= np.asarray(minutes)[..., None]
        found: Float64 = last
        return found
