"""Minutes: the mean of the six variables, by minute of UTC and scope ("node" or "cluster")."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..terms import VARIABLES
from .file import HistoryFile, Row
from .migration import GOOD_MINUTE
from .queue import Note

ROWS = 256  # read at a time
_MOST_W = 1e12  # no power of a house or of a town
# Columns are named, since a later release may have added some
POWERS = ", ".join(f"{each}_w" for each in VARIABLES)
MINUTE = (
    f"INSERT OR IGNORE INTO minutes (minute, scope, {POWERS}) "
    f"VALUES ({', '.join('?' * (2 + len(VARIABLES)))})"
)
_MINUTES = (
    f"SELECT minute, {POWERS} FROM minutes "
    f"WHERE minute >= ? AND minute <= ? AND scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT ?"
)
_FIRST = f"SELECT minute FROM minutes WHERE scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT 1"
_LAST = (
    f"SELECT minute FROM minutes WHERE scope = ? AND minute < ? AND {GOOD_MINUTE} "
    "ORDER BY minute DESC LIMIT 1"
)


def minute_note(scope: str, minute: int, powers_w: Sequence[float | None]) -> Note:
    """The entry for the mean powers of a minute."""
    return MINUTE, (minute, scope, *powers_w)


def noted_minutes(notes: Iterable[Note]) -> set[int]:
    """The minutes among entries."""
    return {values[0] for statement, values in notes if statement is MINUTE}


def minutes(file: HistoryFile, scope: str, first: int, last: int) -> Iterator[list[Row]]:
    """Rows (minute, six powers in W or None) from `first` to `last`, oldest first, some at a time."""
    while rows := file.read(_MINUTES, (first, last, scope, ROWS)):
        if good := file.good(rows, lambda row: all(map(is_power, row[1:]))):
            yield good
        first = rows[-1][0] + 1


def first_minute(file: HistoryFile, scope: str) -> int | None:
    """The oldest minute of a scope."""
    rows = file.read(_FIRST, (scope,))
    return rows[0][0] if rows else None


def last_minute(file: HistoryFile, scope: str, before: int) -> int | None:
    """The newest minute of a scope before another one."""
    rows = file.read(_LAST, (scope, before))
    return rows[0][0] if rows else None


def is_power(value: Any) -> bool:
    """Whether it is a power in W, or None."""
    return value is None or (isinstance(value, int | float) and -_MOST_W < value < _MOST_W)
