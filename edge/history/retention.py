"""How long the history keeps what: old rows are deleted, but at most the oldest day of each table in an hour.

The date of a node may be wrong by years, so nothing is deleted before it has held for hours.
"""

import sqlite3

from ..clock import Clock, Date
from ..terms import DAY_MIN

_EVERY_MIN = 60
_MINUTE_MS = 60_000


class Retention:
    """Deletes what is too old."""

    def __init__(self, minutes_days: int, predictions_days: int, clock: Clock, date: Date | None) -> None:
        """Without a `date` to ask, minutes that are noted are believed."""
        self._clock, self._date = clock, date
        self._minutes_min, self._predictions_min = minutes_days * DAY_MIN, predictions_days * DAY_MIN
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
        for table, column, unit, keep_min in (
            ("minutes", "minute", 1, self._minutes_min),
            ("predictions", "minute", 1, self._predictions_min),
            ("events", "at_ms", _MINUTE_MS, self._minutes_min),
        ):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} < "
                f"(SELECT min(? * ?, min({column}) + ? * ?) FROM {table})",
                (unit, minute - keep_min, unit, DAY_MIN),
            )
