"""What the history keeps of the market of the next day: a bill for each day and member.

Money is kept in millionths of the currency.
"""

from typing import NamedTuple

from .file import HistoryFile, Row
from .names import OF_NAME, Name
from .queue import Note

MOST_ROWS = 20_000  # read at once
_DAY = f"INSERT OR REPLACE INTO market_days VALUES (?, {OF_NAME}, ?, ?, ?, ?, ?, ?, ?)"
_READ = (
    "SELECT minute, name, bought_wh, sold_wh, more_wh, less_wh, market_micro, balancing_micro, unknown_steps "
    "FROM market_days JOIN names ON names.id = member WHERE minute >= ? AND minute < ? "
    "ORDER BY minute, name LIMIT ?"
)


class PastMarketDay(NamedTuple):
    """The bill of a member for the day that begins with `minute` (UTC): what it bought and sold, needed more
    or less than that, and paid (below 0: was paid); quarter-hours that were not measured."""

    minute: int
    member: str
    bought_wh: int
    sold_wh: int
    more_wh: int
    less_wh: int
    paid_market: float
    paid_balancing: float
    unknown_steps: int


def day_note(
    minute: int,
    member: str,
    bought_wh: int,
    sold_wh: int,
    more_wh: int,
    less_wh: int,
    paid_market: float,
    paid_balancing: float,
    unknown_steps: int,
) -> Note:
    """The entry for a day."""
    money = round(1e6 * paid_market), round(1e6 * paid_balancing)
    return _DAY, (minute, Name(member), bought_wh, sold_wh, more_wh, less_wh, *money, unknown_steps)


def days(file: HistoryFile, first: int, last: int) -> list[PastMarketDay]:
    """Those that begin in the minutes `first` to before `last`, oldest first."""
    rows = file.good(file.read(_READ, (first, last, MOST_ROWS)), _is_row)
    return [
        PastMarketDay(minute, name, bought, sold, more, less, market / 1e6, balancing / 1e6, unknown)
        for minute, name, bought, sold, more, less, market, balancing, unknown in rows
    ]


def _is_row(row: Row) -> bool:
    minute, name, *numbers = row
    return isinstance(name, str) and all(isinstance(each, int) for each in (minute, *numbers))
