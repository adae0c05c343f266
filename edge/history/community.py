"""What the history keeps of the community: credits and money by quarter-hour, prices, levels of batteries.

Money and rates are kept in millionths of the currency, energy in mWh.
"""

from typing import NamedTuple

from .file import HistoryFile, Row
from .names import OF_NAME, Name
from .queue import Note

MOST_ROWS = 20_000  # read at once
_ACCOUNT = (
    f"INSERT INTO accounts VALUES (?, {OF_NAME}, ?, ?, ?) ON CONFLICT (minute, twin) DO UPDATE SET "
    "credit_mwh = excluded.credit_mwh, paid_micro = paid_micro + excluded.paid_micro, "
    "earned_micro = earned_micro + excluded.earned_micro"
)
_PRICE = f"INSERT OR REPLACE INTO prices VALUES (?, {OF_NAME}, ?)"
_LEVEL = f"INSERT OR REPLACE INTO levels VALUES (?, {OF_NAME}, ?)"
_READ = (
    "SELECT minute, name, {columns} FROM {table} JOIN names ON names.id = {table}.{by} "
    "WHERE minute >= ? AND minute < ? ORDER BY minute, name LIMIT ?"
)
_ACCOUNTS = _READ.format(columns="credit_mwh, paid_micro, earned_micro", table="accounts", by="twin")
_PRICES = _READ.format(columns="rate_micro", table="prices", by="supplier")
_LEVELS = _READ.format(columns="level_mwh", table="levels", by="twin")
_SUMS = (
    "SELECT name, sum(paid_micro), sum(earned_micro) FROM accounts JOIN names ON names.id = twin "
    "WHERE minute >= ? AND minute < ? GROUP BY twin LIMIT ?"
)


class PastAccount(NamedTuple):
    """A twin in the quarter-hour that begins with `minute`: credit at its end, what it paid and earned."""

    minute: int
    twin: str
    credit_wh: float
    paid: float
    earned: float


class PastPrice(NamedTuple):
    """What a supplier asked per kWh, from that minute until its next row."""

    minute: int
    supplier: str
    rate: float


class PastLevel(NamedTuple):
    """What a battery held at the begin of that minute."""

    minute: int
    twin: str
    level_wh: float


def account_note(minute: int, twin: str, credit_wh: float, paid: float, earned: float) -> Note:
    """The entry for a quarter-hour, or for a part of one: money adds up."""
    return _ACCOUNT, (minute, Name(twin), round(1000 * credit_wh), _micro(paid), _micro(earned))


def price_note(minute: int, supplier: str, rate: float) -> Note:
    """The entry for a price that is another one."""
    return _PRICE, (minute, Name(supplier), _micro(rate))


def level_note(minute: int, twin: str, level_wh: float) -> Note:
    """The entry for the level of a battery."""
    return _LEVEL, (minute, Name(twin), round(1000 * level_wh))


def accounts(file: HistoryFile, first: int, last: int) -> list[PastAccount]:
    """Those of the minutes `first` to before `last`, oldest first."""
    return [
        PastAccount(minute, twin, credit / 1e3, paid / 1e6, earned / 1e6)
        for minute, twin, credit, paid, earned in _rows(file, _ACCOUNTS, first, last)
    ]


def prices(file: HistoryFile, first: int, last: int) -> list[PastPrice]:
    """The same of prices."""
    return [PastPrice(minute, name, rate / 1e6) for minute, name, rate in _rows(file, _PRICES, first, last)]


def levels(file: HistoryFile, first: int, last: int) -> list[PastLevel]:
    """The same of levels."""
    return [PastLevel(minute, name, level / 1e3) for minute, name, level in _rows(file, _LEVELS, first, last)]


def money(file: HistoryFile, first: int, last: int) -> dict[str, tuple[float, float]]:
    """What each twin paid and earned in these minutes."""
    found = file.good(file.read(_SUMS, (first, last, MOST_ROWS)), lambda row: _is_row((0, *row)))
    return {name: (paid / 1e6, earned / 1e6) for name, paid, earned in found}


def _rows(file: HistoryFile, statement: str, first: int, last: int) -> list[Row]:
    return file.good(file.read(statement, (first, last, MOST_ROWS)), _is_row)


def _is_row(row: Row) -> bool:
    minute, name, *numbers = row
    return isinstance(name, str) and all(isinstance(each, int) for each in (minute, *numbers))


def _micro(value: float) -> int:
    return round(1e6 * value)
