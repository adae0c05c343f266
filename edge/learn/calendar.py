"""The calendar that models learn by: slots and quarters of an hour of a day, days of the week (thesis 4.3.2).

Habits follow the clock on the wall, so a model turns minutes of UTC into civil ones, which count from 1970
too. The functions take civil minutes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..terms import DAY_MIN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Minutes = TypeVar("_Minutes", int, "NDArray[np.int64]")

QUARTER_MIN = 15  # meters and markets often count by quarters of an hour
NIGHT_H = 6  # the first slot of a day is 0 to 6 h, each later one is an hour
SLOTS = 1 + 24 - NIGHT_H
_FIRST_WEEKDAY = 3  # 1 January 1970 was a Thursday
_SATURDAY = 5
_STEP_MIN = 30  # offsets from UTC change on the hour or half-hour


class Calendar:
    """Civil time of a zone, which is given by its offset from UTC in minutes; without one it is UTC."""

    def __init__(self, offset_min: Callable[[int], int] | None = None) -> None:
        self._offset_min = offset_min
        self._step, self._offset = -1, 0  # of the last minute that was asked for

    def civil(self, minute: int) -> int:
        """The civil minute of a minute of UTC."""
        if self._offset_min is None:
            return minute
        step = minute // _STEP_MIN
        if step != self._step:
            self._step, self._offset = step, self._offset_min(step * _STEP_MIN)
        return minute + self._offset

    def civil_minutes(self, minutes: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """The same for an array of minutes that are close to each other."""
        if self._offset_min is None or not minutes.size:
            return minutes
        import numpy as np

        steps = minutes // _STEP_MIN
        first, last = int(steps.min()), int(steps.max())
        offsets = [self._offset_min(step * _STEP_MIN) for step in range(first, last + 1)]
        found: NDArray[np.int64] = minutes + np.array(offsets, np.int64)[steps - first]
        return found

    def utc(self, civil: int) -> int:
        """About the minute of UTC of a civil minute: the hour of a change may be off by the change."""
        return civil - (self.civil(civil) - civil)


UTC = Calendar()


def slot_of(minute: int) -> int:
    """The slot of the day: 0 at night, then one for each hour."""
    return max(0, minute % DAY_MIN // 60 - NIGHT_H + 1)


def weekday_of(minute: _Minutes) -> _Minutes:
    """The day of the week: 0 is Monday."""
    return (minute // DAY_MIN + _FIRST_WEEKDAY) % 7


def is_weekend(minute: int) -> bool:
    """Whether it is Saturday or Sunday."""
    return weekday_of(minute) >= _SATURDAY
