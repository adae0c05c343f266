"""How long the history keeps what: old rows are deleted, but at most the oldest day of each table in an hour.

Before they are deleted, minutes become quarter-hours and quarter-hours become hours, which stay for ever.
A file that is larger than it may be loses its oldest days early. The date of a node may be wrong by years, so
nothing is deleted before it has held for hours.
"""

import sqlite3
from dataclasses import dataclass

from ..clock import Clock, Date
from ..terms import DAY_MIN, SCOPES
from .community_tables import NAMES as COMMUNITY
from .energies import HOUR_MIN, QUARTER_MIN, TO_HOURS
from .events import NUMBERS
from .records import METERS
from .steps import make_hours, make_quarters

_EVERY_MIN = 60
_MINUTE_MS = 60_000
_BY_MS = ("events", "keyframes", "offers", "alerts")
_BY_ID = ("occurrences", "deals", "sheets", "past_offers")
_BY_MINUTE = ("waits", "records")
_PREDICTED = ("predictions", "forecasts")
_LEAST_DAYS = 2  # that stay however full the file is


@dataclass(frozen=True, slots=True)
class Keep:
    """Days of minutes and of all that has their detail, of predictions, and of quarter-hours; size in MB."""

    minutes_days: int = 100
    predictions_days: int = 30
    quarters_days: int = 730
    most_mb: int = 512


class Retention:
    """Deletes what is too old."""

    def __init__(self, keep: Keep, clock: Clock, date: Date | None) -> None:
        """Without a `date` to ask, minutes that are noted are believed."""
        self.keep = keep
        self._clock, self._date = clock, date
        self._last_minute = -_EVERY_MIN

    def prune(self, connection: sqlite3.Connection, minute: int) -> None:
        """When an hour has passed. `minute`: the newest noted, 0 if none was."""
        if minute and self._date is not None:
            minute = int(self._clock.wall_s() // 60)
        if abs(minute - self._last_minute) < _EVERY_MIN or not minute:
            return
        self._last_minute = minute
        if self._date is not None and not self._date.held:
            return
        keep, days = self.keep, self.keep.minutes_days
        if _used_bytes(connection) > keep.most_mb * 1_000_000:
            days = min(days, _LEAST_DAYS)
        before = minute - days * DAY_MIN
        self._prune_minutes(connection, before)
        for table in _BY_MS:
            _delete_day(connection, table, "at_ms", _MINUTE_MS, before)
        for table in _BY_ID:
            _delete_day(connection, table, "id", _MINUTE_MS * NUMBERS, before)
        for table in _BY_MINUTE:
            _delete_day(connection, table, "minute", 1, before)
        _delete_day(connection, "meter_records", "id", METERS, before)
        before = minute - min(days, keep.predictions_days) * DAY_MIN
        _delete_day(connection, "predicted", "id", len(SCOPES), before)
        for table in _PREDICTED:
            _delete_day(connection, table, "minute", 1, before)
        before = minute - keep.quarters_days * DAY_MIN
        for table in COMMUNITY:
            _delete_day(connection, table, "minute", 1, before)
        self._prune_quarters(connection, before)

    def _prune_minutes(self, connection: sqlite3.Connection, before: int) -> None:
        first, last = _oldest_day(connection, "minutes", before)
        last -= last % QUARTER_MIN
        make_quarters(connection, first - first % QUARTER_MIN, last)
        connection.execute("DELETE FROM minutes WHERE minute < ?", (last,))

    def _prune_quarters(self, connection: sqlite3.Connection, before: int) -> None:
        before -= before % HOUR_MIN
        for table in ("steps", "energies"):
            first, last = _oldest_day(connection, table, before, f"step = {QUARTER_MIN}")
            first, last = first - first % HOUR_MIN, last - last % HOUR_MIN
            if first >= last:
                continue
            if table == "steps":
                make_hours(connection, first, last)
            else:
                connection.execute(TO_HOURS, (last,))
            connection.execute(f"DELETE FROM {table} WHERE step = ? AND minute < ?", (QUARTER_MIN, last))


def _oldest_day(
    connection: sqlite3.Connection, table: str, before: int, where: str = "true"
) -> tuple[int, int]:
    """The oldest row, and the end of the day that it begins, but at most `before`."""
    (oldest,) = connection.execute(f"SELECT min(minute) FROM {table} WHERE {where}").fetchone()
    return (oldest, min(before, oldest + DAY_MIN)) if isinstance(oldest, int) else (before, before)


def _delete_day(connection: sqlite3.Connection, table: str, column: str, unit: int, before: int) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE {column} < (SELECT min(? * ?, min({column}) + ? * ?) FROM {table})",
        (unit, before, unit, DAY_MIN),
    )


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Of the pages in use; those that are free are used again."""
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
