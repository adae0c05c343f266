"""Forecast of a supplier's free power.

For the next hour it is the present value, after that the mean at that time of day. Until a whole day has been
observed, the present value is used for all times. Times of day are those that people live by: civil time.
"""

from array import array

from .rules import SLOT_S

_DAY_S = 86_400
_SLOTS = int(_DAY_S // SLOT_S)
_AS_NOW_S = 3600.0
_TRUSTED = 0.85  # share of the mean of other days that a promise counts on
_FORGET = 0.5  # weight of the newest day


class FreePower:
    """Free power by time of day: one mean for each quarter of an hour, 1.5 kB in total."""

    def __init__(self) -> None:
        self._means_w = array("d", [-1.0] * _SLOTS)  # of earlier days; negative: unknown
        self._slot = self._minute = -1
        self._sum_w = 0.0
        self._count = 0
        self._now_w = 0.0

    def note(self, free_w: float, wall_s: float | None) -> None:
        """Record the power that is free now; only one value a minute is used. Without a time that can be
        believed, it says nothing about a time of day."""
        self._now_w = free_w
        if wall_s is None:
            return
        minute = int(wall_s // 60)
        if minute == self._minute:
            return
        self._minute = minute
        slot = int(wall_s % _DAY_S // SLOT_S)
        if slot != self._slot:
            self._close()
            self._slot = slot
        self._sum_w += free_w
        self._count += 1

    def expect(self, wall_s: float, in_s: float) -> float:
        """The power expected to be free in `in_s` seconds, at `wall_s` (civil time), in W."""
        mean_w = self._of_other_days_w(wall_s, in_s)
        return self._now_w if mean_w is None else mean_w

    def count_on(self, wall_s: float, in_s: float) -> float:
        """The part of that which a promise may count on, in W: clouds differ from day to day."""
        mean_w = self._of_other_days_w(wall_s, in_s)
        return self._now_w if mean_w is None else _TRUSTED * mean_w

    def _of_other_days_w(self, wall_s: float, in_s: float) -> float | None:
        """The mean at that time of day; None if it is near, or not known."""
        mean_w = self._means_w[int(wall_s % _DAY_S // SLOT_S)]
        return None if mean_w < 0 or in_s < _AS_NOW_S else mean_w

    def _close(self) -> None:
        if self._count:
            mean_w, old_w = self._sum_w / self._count, self._means_w[self._slot]
            self._means_w[self._slot] = mean_w if old_w < 0 else old_w + _FORGET * (mean_w - old_w)
        self._sum_w, self._count = 0.0, 0
