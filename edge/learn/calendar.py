"""The calendar that models learn by: slots and quarters of an hour of a day, days of the week (thesis 4.3.2).

A minute counts from 1970 in the local civil time, see `terms`.
"""

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


def slot_of(minute: int) -> int:
    """The slot of the day: 0 at night, then one for each hour."""
    return max(0, minute % DAY_MIN // 60 - NIGHT_H + 1)


def weekday_of(minute: _Minutes) -> _Minutes:
    """The day of the week: 0 is Monday."""
    return (minute // DAY_MIN + _FIRST_WEEKDAY) % 7


def is_weekend(minute: int) -> bool:
    """Whether it is Saturday or Sunday."""
    return weekday_of(minute) >= _SATURDAY
