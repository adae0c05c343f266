"""Forecasts in watts as they were made, packed by the learning room (thesis 5.6.5)."""

from collections.abc import Iterator

from .file import HistoryFile
from .migration import GOOD_MINUTE
from .minutes import ROWS
from .queue import Note

_FORECAST = "INSERT OR IGNORE INTO forecasts (minute, scope, powers) VALUES (?, ?, ?)"
_FORECASTS = (
    "SELECT minute, powers FROM forecasts "
    f"WHERE minute >= ? AND minute <= ? AND scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT ?"
)


def forecast_note(scope: str, minute: int, powers: bytes) -> Note:
    """The entry for a forecast that was made after a minute."""
    return _FORECAST, (minute, scope, powers)


def forecasts(file: HistoryFile, scope: str, first: int, last: int) -> Iterator[list[tuple[int, bytes]]]:
    """Minutes and packed powers of those made after the minutes `first` to `last`, oldest first."""
    while rows := file.read(_FORECASTS, (first, last, scope, ROWS)):
        if good := file.good(rows, lambda row: isinstance(row[1], bytes)):
            yield [(minute, powers) for minute, powers in good]
        first = rows[-1][0] + 1
