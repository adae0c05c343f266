"""Time as a node sees it. The clock is handed to a node, so a whole microgrid can run under a virtual one.

`now_s` is monotonic and drives every deadline. `wall_s` is only for people and records: on a board
without a real-time clock it may jump by years.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Protocol


class Clock(Protocol):
    """The clock of a node."""

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


def civil_minutes(timezone: str = "") -> Callable[[float], int]:
    """A function from Unix seconds to minutes since 1970 in local time, so that % 1440 is the time of day.

    An empty `timezone` is the system's. Raises KeyError for one that is unknown.
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


def zone_of(timezone: str) -> tzinfo | None:
    """The zone of that name; None, which Python takes for the system's, if it is empty. Raises KeyError."""
    if not timezone:
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(timezone)
