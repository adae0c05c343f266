"""Time as a node sees it. The clock is handed to a node, so a whole microgrid can run under a virtual one.

`now_s` is monotonic and drives every deadline. `wall_s` is only for people and records: on a board
without a real-time clock it may jump by years. Records are keyed by minutes of UTC. Civil time, with its
nights of 23 or 25 hours, is for what a person names in hours, for models, and for what is shown.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

log = logging.getLogger("edge.clock")

CLOCK_SET_S = 1_672_531_200.0  # 2023: before it the clock of a board has not been set yet
JUMP_S = 3600.0  # a date that moves by more against the monotonic clock has jumped
HOLD_S = 3 * 3600.0  # how long a new date must hold before anything is deleted by it
_DAY_MIN = 1440
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class Zone:
    """The time zone of a node: from minutes of UTC to civil minutes, and back.

    Both count from 1970; a civil minute % 1440 is the time of day.
    """

    def __init__(self, name: str = "UTC") -> None:
        """An empty name is the zone of the system. Raises KeyError for an unknown one."""
        self.tzinfo = zone_of(name)  # None: that of the system
        self._offset_s = _offsets(self.tzinfo)

    def offset_min(self, minute: int) -> int:
        """How far civil time is ahead of UTC in that minute of UTC."""
        return self._offset_s(60 * minute) // 60

    def civil(self, minute: int) -> int:
        """The civil minute of a minute of UTC."""
        return minute + self.offset_min(minute)

    def civil_s(self, wall_s: float) -> float:
        """The same for seconds."""
        return wall_s + self._offset_s(wall_s)

    def utc(self, civil: int, after: int = -1) -> int | None:
        """The minute of UTC of a civil minute; None for one that is skipped in spring.

        Of the two that one in autumn stands for, it is the first, unless that is not later than `after`.
        """
        around = {self.offset_min(civil - _DAY_MIN), self.offset_min(civil + _DAY_MIN)}
        found = sorted(civil - each for each in around if self.offset_min(civil - each) == each)
        return next((each for each in found if each > after), found[0] if found else None)

    def text(self, minute: int) -> str:
        """A minute of UTC for people: civil time with its offset, YYYY-MM-DDTHH:MM+HH:MM."""
        offset = self.offset_min(minute)
        civil = _EPOCH + timedelta(minutes=minute + offset)
        hours, minutes = divmod(abs(offset), 60)
        return f"{civil:%Y-%m-%dT%H:%M}{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None, which Python takes for the system's, if it is empty. Raises KeyError."""
    if not name:
        return None
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _offsets(zone: tzinfo | None) -> Callable[[float], int]:
    if zone is None:
        return lambda wall_s: time.localtime(wall_s).tm_gmtoff
    if zone is UTC:
        return lambda wall_s: 0

    def offset_s(wall_s: float) -> int:
        offset = datetime.fromtimestamp(wall_s, zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())

    return offset_s


class Date:
    """Whether the date can be believed: by one that has just jumped, nothing may be deleted.

    Any thread may ask.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset_s = clock.wall_s() - clock.now_s()
        self._since_s = clock.now_s()
        self._jumps = 0
        self._jumped_s = 0.0

    @property
    def jumps(self) -> int:
        """How often the date has jumped."""
        self._look()
        return self._jumps

    @property
    def jumped_s(self) -> float:
        """By how much the date has jumped last; 0 when it has held since for hours."""
        self._look()
        return 0.0 if self._jumped_s == 0.0 or self.held else self._jumped_s

    @property
    def held(self) -> bool:
        """Whether the date has neither begun nor jumped in the last hours, and is set."""
        self._look()
        return self.is_set and self._clock.now_s() - self._since_s >= HOLD_S

    @property
    def settled(self) -> bool:
        """The same, but a node that has just started believes its date for what is only in memory."""
        return self.jumped_s == 0.0

    @property
    def is_set(self) -> bool:
        """Whether the clock of the board was ever set."""
        return self._clock.wall_s() >= CLOCK_SET_S

    def _look(self) -> None:
        with self._lock:
            now_s = self._clock.now_s()
            offset_s = self._clock.wall_s() - now_s
            moved_s, self._offset_s = offset_s - self._offset_s, offset_s
            if abs(moved_s) < JUMP_S:
                return
            self._jumps += 1
            self._since_s, self._jumped_s = now_s, moved_s
        log.warning(
            "the date jumped by %+.1f h to %s; nothing is deleted by it before it has held for %.0f h",
            moved_s / 3600,
            Zone().text(int(self._clock.wall_s() // 60)),
            HOLD_S / 3600,
        )
