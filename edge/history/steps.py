"""Quarter-hours and hours of the six variables: mean, least and most, made of minutes and kept longer."""

import sqlite3
from dataclasses import dataclass

from ..terms import DAY_MIN, VARIABLES
from .energies import HOUR_MIN, QUARTER_MIN
from .file import HistoryFile, Row
from .migration import GOOD_MINUTE
from .minutes import is_power
from .schema import STEP_COLUMNS

_NAMES = ", ".join(STEP_COLUMNS)
_OF_MINUTES = ", ".join(
    f"round(avg({each}_w), 1), round(min({each}_w), 1), round(max({each}_w), 1)" for each in VARIABLES
)
_OF_QUARTERS = ", ".join(
    f"round(sum({each}_w * minutes) / sum(minutes * ({each}_w IS NOT NULL)), 1), min({each}_least_w), "
    f"max({each}_most_w)"
    for each in VARIABLES
)
_MADE = (
    f"INSERT OR REPLACE INTO steps (step, minute, scope, minutes, {_NAMES}) "
    f"SELECT {{step}}, minute / {{step}} * {{step}}, scope, {{count}}, {{values}} FROM {{table}} "
    f"WHERE {{where}} minute >= ? AND minute < ? GROUP BY minute / {{step}}, scope"
)
_QUARTERS = _MADE.format(
    step=QUARTER_MIN, count="count(*)", values=_OF_MINUTES, table="minutes", where=f"{GOOD_MINUTE} AND"
)
_HOURS = _MADE.format(
    step=HOUR_MIN, count="sum(minutes)", values=_OF_QUARTERS, table="steps", where=f"step = {QUARTER_MIN} AND"
)
_SPAN = "scope = ? AND minute >= ? AND minute < ?"
_READ = f"SELECT minute, {_NAMES} FROM steps WHERE step = ? AND {_SPAN}"
_READ_QUARTERS = (
    f"SELECT minute / 60 * 60, {_OF_QUARTERS} FROM steps WHERE step = {QUARTER_MIN} AND {_SPAN} "
    "GROUP BY minute / 60"
)
_READ_MINUTES = f"SELECT minute / ?1 * ?1, {_OF_MINUTES} FROM minutes WHERE scope = ?2 AND minute >= ?3 AND "
_READ_MINUTES += f"minute < ?4 AND {GOOD_MINUTE} GROUP BY minute / ?1"


@dataclass(frozen=True, slots=True)
class Series:
    """The six variables in columns, from the minute `start` (UTC), in W; None where they are not known.

    With a step of one minute, `least_w` and `most_w` are the means themselves.
    """

    start: int
    step: int
    mean_w: list[list[float | None]]
    least_w: list[list[float | None]]
    most_w: list[list[float | None]]


def make_quarters(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Of the minutes `first` to before `last`, both at the start of a quarter-hour."""
    connection.execute(_QUARTERS, (first, last))


def make_whole_hours(connection: sqlite3.Connection, first: int, last: int) -> None:
    """The same for hours with all of their quarter-hours, once they are over: a year is read by hours."""
    connection.execute(f"{_HOURS} HAVING count(*) = 4", (first, last))


def make_hours(connection: sqlite3.Connection, first: int, last: int) -> None:
    """Of the quarter-hours from `first` to before `last`, both at the start of an hour."""
    connection.execute(_HOURS, (first, last))


def series(file: HistoryFile, scope: str, first: int, count: int, step: int) -> Series:
    """The finest rows that are left make each step; see `Store.series`."""
    last = first + count * step
    rows: dict[int, Row] = {}
    if step == 1:
        found = file.read(_READ_MINUTES, (1, scope, first, last))
        rows = {row[0]: row[1:] for row in _good(file, found)}
    else:
        rows = {row[0]: row[1:] for row in _good(file, file.read(_READ, (step, scope, first, last)))}
        if step == HOUR_MIN:
            _fill(rows, first, last, step, file, f"{_READ_QUARTERS} HAVING count(*) = 4", scope)
        _fill(rows, first, last, step, file, _READ_MINUTES, step, scope)
        if step == HOUR_MIN:  # hours of which a part is not known
            _fill(rows, first, last, step, file, _READ_QUARTERS, scope)
    unknown: Row = (None,) * len(STEP_COLUMNS)
    columns = list(zip(*(rows.get(minute, unknown) for minute in range(first, last, step)), strict=True))
    return Series(first, step, *([list(each) for each in columns[i::3]] for i in range(3)))


def _fill(
    rows: dict[int, Row], first: int, last: int, step: int, file: HistoryFile, *question: object
) -> None:
    """Read what is still missing, span by span; gaps that are less than a day apart are one span."""
    statement, *values = question
    gaps: list[list[int]] = []
    for minute in range(first, last, step):
        if minute not in rows:
            if gaps and minute - gaps[-1][1] < DAY_MIN:
                gaps[-1][1] = minute + step
            else:
                gaps.append([minute, minute + step])
    for gap in gaps:
        for row in _good(file, file.read(str(statement), (*values, *gap))):
            rows.setdefault(row[0], row[1:])


def _good(file: HistoryFile, rows: list[Row]) -> list[Row]:
    return file.good(rows, lambda row: all(map(is_power, row[1:])))
