"""Books of a community: what the meter of each member counted in each quarter-hour of UTC.

They come from a file `timestamp,member,injected_wh,withdrawn_wh,quality`, from the energy of nodes as
`GET /energy` gives it, or from measured devices (`host_tools/measured.py`), where a file is a
member. Energies become whole watt-hours; what is rounded off is carried to the next
quarter-hour, so that no sum drifts.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from edge.csv_file import (
    Column,
    CsvError,
    Rules,
    header_of,
    power_column,
    read,
    signed_power_column,
    time_text,
)
from edge.energy.sharing import QUARTER_S, Entry, Share, Step
from edge.terms import Quality
from host_tools.measured import COLUMNS, complain

Books = dict[int, dict[str, Entry]]  # by begin (Unix time, a multiple of a quarter-hour) and member
_MINUTES = QUARTER_S // 60
_MOST_WH = 1e9
_MOST_DAYS = 1100  # from the first to the last entry: a wrong date would make years of missing ones
_MOST_NAME = 100  # characters
_FORMULA = "=+-@"  # with these a cell of a spreadsheet is no text
_MEASURED, _FILLED = 0.98, 1 / 3  # shares of a quarter-hour that must be known, as in the history of a node
_OURS = ("injected_wh", "withdrawn_wh")
_OF_NODES = ("given_wh", "drawn_wh")
Tell = Callable[[str], None]


class _Row(NamedTuple):
    line: int
    time_s: int
    member: str
    quality: str
    injected_wh: float
    withdrawn_wh: float


class Rounding:
    """Whole watt-hours of which the sum is right: what is rounded off is carried on."""

    def __init__(self) -> None:
        self._left: dict[str, float] = {}

    def whole(self, register: str, energy_wh: float) -> int:
        """The next value of a register."""
        exact = energy_wh + self._left.get(register, 0.0)
        rounded = max(0, round(exact))
        self._left[register] = exact - rounded
        return rounded


def read_books(path: Path, tell: Tell = complain) -> Books:
    """Books from a file of books, of energies of nodes, or a folder of measured members. Raises CsvError."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.name.endswith((".csv", ".csv.gz")))
        if not files:
            raise CsvError(f"{path}: has no .csv or .csv.gz file")
        return together([of_devices(file, tell) for file in files])
    header = set(header_of(path))
    if set(COLUMNS) <= header:
        return of_devices(path, tell)
    return _of_nodes(path, tell) if set(_OF_NODES) <= header else _of_books(path, tell)


def together(books: Iterable[Books]) -> Books:
    """One book of several. Who has no entry where others have one is missing there. Raises CsvError."""
    merged: Books = {}
    for each in books:
        for begin_s, step in each.items():
            found = merged.setdefault(begin_s, {})
            if twice := found.keys() & step.keys():
                raise CsvError(f"{min(twice)} is in several files")
            found.update(step)
    return filled_up(merged)


def filled_up(books: Books) -> Books:
    """In order of time, with a missing entry for each member that has none. Raises CsvError."""
    members = {member for step in books.values() for member in step}
    missing = Entry(0, 0, Quality.MISSING)
    if books:
        _check_span(min(books), max(books))
        for begin_s in range(min(books), max(books) + 1, QUARTER_S):
            step = books.setdefault(begin_s, {})
            for member in members - step.keys():
                step[member] = missing
    return dict(sorted(books.items()))


def _check_span(first_s: int, last_s: int) -> None:
    if last_s - first_s > _MOST_DAYS * 86_400:
        dates = f"{time_text(first_s)} to {time_text(last_s)}"
        raise CsvError(f"the books go from {dates}, more than {_MOST_DAYS} days: is a date wrong?")


def write_books(path: Path, books: Mapping[int, Step]) -> None:
    """Write a file that `read_books` reads."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", "member", *_OURS, "quality"])
        for begin_s, step in books.items():
            for member, entry in sorted(step.items()):
                known = entry.quality is not Quality.MISSING
                writer.writerow(
                    [time_text(begin_s), member, *(entry[:2] if known else ("", "")), entry.quality]
                )


def write_shares(path: Path, steps: Iterable[tuple[float, Mapping[str, Share]]]) -> None:
    """What each member received and gave in each step, as an operator's file has it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", "member", "received_wh", "given_wh", "quality", "step_quality"])
        for begin_s, step in steps:
            for member, each in sorted(step.items()):
                known = each.quality is not Quality.MISSING
                energies = (each.received_wh, each.given_wh) if known else ("", "")
                writer.writerow([time_text(int(begin_s)), member, *energies, each.quality, each.sure])


# ---- the three kinds of files ---------------------------------------------------------------------


def _of_books(path: Path, tell: Tell) -> Books:
    columns = tuple(Column(name, 0.0, _MOST_WH) for name in _OURS)
    rules = Rules(columns=columns, keys=("member", "quality"), sort=True, tell=tell)
    rows = (
        _Row(row.line, row.time_s, row.key[0], row.key[1], row.values[0], row.values[1])
        for row in read(path, rules)
    )
    return _entered(path, rows)


def _of_nodes(path: Path, tell: Tell) -> Books:
    columns = tuple(Column(name, 0.0, _MOST_WH) for name in _OF_NODES)
    time = "time" if "time" in header_of(path) else "timestamp"
    keys = ("twin", "quality", "partner")
    rules = Rules(columns=columns, keys=keys, time=time, sort=True, tell=tell)
    devices = (row for row in read(path, rules) if not row.key[2])
    rows = (
        _Row(row.line, row.time_s, row.key[0], row.key[1], row.values[0], row.values[1]) for row in devices
    )
    return _entered(path, rows)


def _entered(path: Path, rows: Iterable["_Row"]) -> Books:
    books: Books = {}
    rounding = Rounding()
    for line, at_s, member, quality, injected_wh, withdrawn_wh in sorted(rows, key=lambda row: row.time_s):
        where = f"{path}, line {line}"
        if at_s % QUARTER_S:
            raise CsvError(f"{where}: {time_text(at_s)} is not the begin of a quarter-hour of UTC")
        _check_name(where, member)
        if quality not in list(Quality):
            raise CsvError(f"{where}: quality {quality!r} is not one of {', '.join(Quality)}")
        if member in books.setdefault(at_s, {}):
            raise CsvError(f"{where}: a second entry of {member} at {time_text(at_s)}")
        if math.isnan(injected_wh) or math.isnan(withdrawn_wh) or quality == Quality.MISSING:
            books[at_s][member] = Entry(0, 0, Quality.MISSING)
        else:
            injected = rounding.whole(f"{member} injected", injected_wh)
            withdrawn = rounding.whole(f"{member} withdrawn", withdrawn_wh)
            books[at_s][member] = Entry(injected, withdrawn, Quality(quality))
    return filled_up(books)


def _check_name(where: str, member: str) -> None:
    """Raises CsvError."""
    if not member:
        raise CsvError(f"{where}: the member has no name")
    if len(member) > _MOST_NAME:
        raise CsvError(f"{where}: the name of a member has at most {_MOST_NAME} characters")
    if member[0] in _FORMULA or not member.isprintable():
        raise CsvError(f"{where}: {member!r} is no name of a member: a spreadsheet would run it")


def of_devices(path: Path, tell: Tell = complain) -> Books:
    """Books of one member, named as the file, from the minutes of its devices behind one meter.

    Injected is what its devices gave beyond what they drew in a minute, withdrawn the reverse. A minute in
    which a device is not known is not known; column `filled` marks minutes that were not measured.
    """
    member, rounding, books = path.name.split(".")[0], Rounding(), {}
    _check_name(str(path), member)
    for quarter, minutes in _quarters(_nets(path, tell)):
        known = [each for each in minutes if each is not None]
        if len(known) < _FILLED * _MINUTES:
            books[quarter * QUARTER_S] = {member: Entry(0, 0, Quality.MISSING)}
            continue
        scale = QUARTER_S / 3600 / len(known)
        injected = rounding.whole("injected", scale * sum(max(0.0, -net_w) for net_w, _ in known))
        withdrawn = rounding.whole("withdrawn", scale * sum(max(0.0, net_w) for net_w, _ in known))
        whole = len(known) >= _MEASURED * _MINUTES and not any(filled for _, filled in known)
        quality = Quality.MEASURED if whole else Quality.FILLED
        books[quarter * QUARTER_S] = {member: Entry(injected, withdrawn, quality)}
    return books


_Minute = tuple[float, bool] | None  # drawn less given, W, and whether it was filled; None: not known


def _nets(path: Path, tell: Tell) -> dict[int, _Minute]:
    flagged = "filled" in header_of(path)
    beside = (Column("filled", 0.0, 1.0),) if flagged else ()

    def columns(key: tuple[str, ...]) -> tuple[Column, ...]:
        kind = key[1]
        if kind not in ("load", "pv", "battery"):
            raise ValueError(f"kind {kind!r} is not load, pv or battery")
        power = signed_power_column("power_w") if kind == "battery" else power_column("power_w")
        return (power, *beside)

    rules = Rules(
        columns=columns(("", "load")), of_key=columns, keys=("device", "kind"), sort=False, tell=tell
    )
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    filled: set[int] = set()
    devices = set()
    for row in read(path, rules):
        minute = row.time_s // 60
        devices.add(row.key)
        sign = -1.0 if row.key[1] == "pv" else 1.0
        sums[minute] = sums.get(minute, 0.0) + sign * row.values[0]
        counts[minute] = counts.get(minute, 0) + 1
        if flagged and row.values[1]:
            filled.add(minute)
    whole = len(devices)
    return {
        minute: (net_w, minute in filled) if counts[minute] == whole and not math.isnan(net_w) else None
        for minute, net_w in sums.items()
    }


def _quarters(nets: Mapping[int, _Minute]) -> Iterator[tuple[int, list[_Minute]]]:
    if nets:
        _check_span(60 * min(nets), 60 * max(nets))
        for quarter in range(min(nets) // _MINUTES, max(nets) // _MINUTES + 1):
            yield quarter, [nets.get(quarter * _MINUTES + i) for i in range(_MINUTES)]
