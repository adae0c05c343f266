"""The powers of the last minutes: one line for each minute; a missing minute is a line of NaN.

The memory is allocated once. New lines are written behind the last one; at the end of the buffer the lines
still needed move to its front, so that any span of minutes is one contiguous view.
"""

import numpy as np

from ..terms import VARIABLES
from .terms import Array


class Series:
    """The last `capacity` minutes of the six variables."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a series needs at least one minute, not {capacity}")
        self.capacity = capacity
        self._lines = np.full((capacity + capacity // 32 + 1, len(VARIABLES)), np.nan, np.float32)
        self._start = self._end = 0
        self._next_minute = 0
        self.known = np.zeros(len(VARIABLES), np.int64)  # how many of the values of each variable are known

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def first_minute(self) -> int:
        """The minute of the oldest line."""
        return self._next_minute - len(self)

    @property
    def last_minute(self) -> int | None:
        """The minute of the newest line; None while there is none."""
        return self._next_minute - 1 if len(self) else None

    def append(self, minute: int, powers_w: Array) -> bool:
        """Add a minute; missing minutes before it become unknown. False for a minute that is already past.

        If the clock was set back by more than the capacity, the series starts again.
        """
        if not len(self) or abs(minute - self._next_minute) >= self.capacity:
            self._start = self._end = 0
            self._next_minute = minute
            self.known[:] = 0
        if minute < self._next_minute:
            return False
        gap = minute - self._next_minute
        self._make_room(gap + 1)
        self._lines[self._end : self._end + gap] = np.nan
        self._lines[self._end + gap] = powers_w
        self.known += ~np.isnan(self._lines[self._end + gap])
        self._end += gap + 1
        self._next_minute = minute + 1
        self._drop(self._end - self.capacity)
        return True

    def _drop(self, start: int) -> None:
        """The lines before `start` are no longer needed."""
        if start > self._start:
            self.known -= (~np.isnan(self._lines[self._start : start])).sum(0)
            self._start = start

    def _make_room(self, count: int) -> None:
        if self._end + count <= len(self._lines):
            return
        self._drop(min(self._end - self.capacity + count, self._end))
        kept = self._lines[self._start : self._end]
        self._lines[: len(kept)] = kept  # numpy handles the overlap
        self._start, self._end = 0, len(kept)

    def last(self, count: int) -> Array:
        """The newest lines (up to `count`, 6): a view that is valid until the next `append`."""
        return self._lines[max(self._start, self._end - count) : self._end]

    def at(self, minute: int, count: int) -> Array:
        """Lines (count, 6) from a minute on, NaN where unknown. If all are there, it is a view that is valid
        until the next `append`."""
        first = minute - self.first_minute
        if first >= 0 and first + count <= len(self):
            return self._lines[self._start + first : self._start + first + count]
        found = np.full((count, len(VARIABLES)), np.nan, np.float32)
        low, high = max(first, 0), min(first + count, len(self))
        if low < high:
            found[low - first : high - first] = self._lines[self._start + low : self._start + high]
        return found

    @property
    def nbytes(self) -> int:
        """The memory that it takes, full or empty."""
        return self._lines.nbytes


class Until(Series):
    """Another series as it is now: minutes that are added to it later are not part of this one. Long work in
    pieces needs it, which compares hours that must stay the same."""

    def __init__(self, series: Series) -> None:
        self.capacity = series.capacity
        self._series, self._last = series, series.last_minute

    def __len__(self) -> int:
        return 0 if self._last is None else max(0, self._last + 1 - self._series.first_minute)

    @property
    def first_minute(self) -> int:
        return self._series.first_minute

    @property
    def last_minute(self) -> int | None:
        return self._last

    def at(self, minute: int, count: int) -> Array:
        """See `Series`; with the minutes that were added later, if they are asked for."""
        return self._series.at(minute, count)
