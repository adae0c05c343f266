"""How many bytes were sent, and how many more may be: at most so many in any hour."""

from collections import deque

_HOUR_MIN = 60
_SHOWN_HOURS = 24


class ByteAccount:
    """Counts bytes by minute. An hour is any 60 minutes in a row."""

    def __init__(self, bytes_per_hour: int) -> None:
        self.bytes_per_hour = bytes_per_hour
        self.total = 0
        self._minutes: deque[tuple[int, int]] = deque(maxlen=_HOUR_MIN)
        self._hours: deque[tuple[int, int]] = deque(maxlen=_SHOWN_HOURS)

    def used(self, minute: int) -> int:
        """The bytes of the hour that ends with this minute."""
        return sum(count for at, count in self._minutes if minute - _HOUR_MIN < at <= minute)

    def left(self, minute: int) -> int:
        """The bytes that may be sent in this minute."""
        return max(0, self.bytes_per_hour - self.used(minute))

    def spend(self, minute: int, count: int) -> None:
        """Some bytes were sent."""
        self.total += count
        _add(self._minutes, minute, count)
        _add(self._hours, minute // _HOUR_MIN, count)

    @property
    def by_hour(self) -> dict[int, int]:
        """The bytes of the last hours of the clock, by their number since 1970."""
        return dict(self._hours)


def _add(counts: deque[tuple[int, int]], at: int, count: int) -> None:
    if counts and counts[-1][0] == at:
        count += counts.pop()[1]
    counts.append((at, count))
