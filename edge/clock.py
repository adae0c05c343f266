"""Time as a node sees it, handed in so that a whole microgrid can run under a virtual clock (DESIGN 3).

`now_s` is monotonic and drives every deadline; `wall_s` is only for people and records: on a board
without a real-time clock it may jump by years.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a node may ask about time."""

    def now_s(self) -> float:
        """Monotonic seconds from an arbitrary start."""

    def wall_s(self) -> float:
        """Unix time in seconds; may step in either direction."""


class SystemClock:
    """The machine's own clocks."""

    def now_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()


class VirtualClock:
    """A clock that moves only when told to; its day begins at a midnight, and its date can be set apart."""

    def __init__(self, now_s: float = 0.0, wall_s: float = 1_699_920_000.0) -> None:
        self._now_s = now_s
        self.wall_offset_s = wall_s - now_s

    def now_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return self._now_s + self.wall_offset_s

    def advance_to(self, now_s: float) -> None:
        """Move to `now_s`; time never runs backwards, an earlier moment leaves the clock where it is."""
        self._now_s = max(self._now_s, now_s)


def civil_minutes(timezone: str = "") -> Callable[[float], int]:
    """Unix seconds to minutes since 1970 on the clocks of a zone (so that % 1440 is the time of day).

    An empty zone is the system's. Raises KeyError for one that is not known.
    """
    if not timezone:
        return lambda wall_s: int(wall_s + time.localtime(wall_s).tm_gmtoff) // 60
    if timezone == "UTC":
        return lambda wall_s: int(wall_s) // 60
    from zoneinfo import ZoneInfo

    zone, epoch = ZoneInfo(timezone), datetime(1970, 1, 1, tzinfo=UTC)

    def minute(wall_s: float) -> int:
        civil = datetime.fromtimestamp(wall_s, zone).replace(tzinfo=UTC)
        return int((civil - epoch).total_seconds()) // 60

    return minute
