"""Measured electricity as the six variables, minute by minute.

Two kinds of files are read, both .csv or .csv.gz:
- data of a cluster: `timestamp_local` and the six variables. Some quarters of an hour of production were
  recorded twice in a minute; they are repaired (column produced_clean_w) unless `raw` is set;
- data of a node, as in `host_tools/measured.py`. The node stands alone: requested = loads +
  charging, produced = pv + discharging, supplied = consumed = the smaller of both, missing and available are
  the rest. If a device is missing, the minute is unknown.

Minutes are those of a civil clock: that of the zone which is stated for the file, else the one that its first
time is written in. Several times in a minute are averaged. Data with a longer step are held over their
interval. Predictions start only from the last minute of an interval, when its mean can be known.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.csv_file import CsvError, Rules, first_offset, header_of, power_column, read
from edge.learn.terms import Array
from edge.terms import DAY_MIN, VARIABLES
from host_tools.measured import COLUMNS, complain, measured

_CLUSTER = ("requested_w", "produced_w", "consumed_w", "provided_w", "missing_w", "available_w")
_CLUSTER_TIME = "timestamp_local"
LAB_MAX_POWER_W = 30_000.0  # of the living lab of the thesis
_TOP_SHARE = 0.999  # share of the minutes below the maximum power of a node

DataError = CsvError


@dataclass(frozen=True)
class Record:
    """Measurements of a node or a cluster: powers in W, one line a minute, NaN where unknown."""

    data: str  # name of the data set or file
    node: str
    scope: str  # node or cluster
    first_minute: int
    powers_w: Array
    step_min: int = 1

    @property
    def minutes(self) -> NDArray[np.int64]:
        """The minute of each line, in local time."""
        return self.first_minute + np.arange(len(self.powers_w), dtype=np.int64)

    @property
    def days(self) -> float:
        """The length in days."""
        return len(self.powers_w) / DAY_MIN

    def max_power_w(self, lines: int) -> float:
        """The maximum power of the states: that of the living lab, or a quantile of the first lines."""
        if self.scope == "cluster":
            return LAB_MAX_POWER_W
        greatest = np.nanmax(self.powers_w[:lines, :2], axis=1, initial=0.0)
        return max(1.0, float(np.quantile(greatest[greatest > 0], _TOP_SHARE))) if greatest.any() else 1.0


@dataclass(frozen=True)
class Reading:
    """How files are read: zones by the name of their folder ("" for all others), and whether to sort rows."""

    zones: Mapping[str, tzinfo] = field(default_factory=dict)
    sort: bool = False
    clock: tzinfo | None = None  # in place of the civil clock of each file
    tell: Callable[[str], None] = complain

    def clock_of(self, file: Path, time: str) -> tzinfo:
        """The civil clock of a file. Raises DataError."""
        return self.clock or self.stated(file) or timezone(first_offset(file, time) or timedelta(0))

    def zone_of(self, file: Path) -> tzinfo:
        """The zone of times without an offset."""
        return self.stated(file) or UTC

    def stated(self, file: Path) -> tzinfo | None:
        """The zone that was stated for a file."""
        return self.zones.get(file.parent.name, self.zones.get(""))


def records(
    path: Path, raw: bool = False, nodes: list[str] | None = None, reading: Reading | None = None
) -> Iterator[Record]:
    """All records of a file or a folder, in order of names; a folder may have files of other kinds.

    Raises DataError for an invalid file, and if there is none.
    """
    reading = reading or Reading()
    if not path.exists():
        raise DataError(f"{path}: does not exist")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*.csv*") if p.is_file())
    count = 0
    for file in files:
        kind = _kind(file)
        if kind is None and path.is_file():
            raise DataError(f"{file}: the columns are neither those of a cluster nor those of a node")
        if kind is None or (nodes and node_name(file) not in nodes):
            continue
        count += 1
        yield _cluster(file, raw, reading) if kind == "cluster" else _node(file, reading)
    if not count:
        raise DataError(f"{path}: no data{' of ' + ', '.join(nodes) if nodes else ''} found")


def node_name(file: Path) -> str:
    """The name of a file without its extensions."""
    return file.name.split(".")[0]


def _kind(file: Path) -> str | None:
    columns = header_of(file)
    if {_CLUSTER_TIME, *_CLUSTER} <= set(columns):
        return "cluster"
    return "node" if set(COLUMNS) <= set(columns) else None


def _civil_minute(time_s: int, clock: tzinfo) -> int:
    at = datetime.fromtimestamp(time_s, clock)
    offset = at.utcoffset() or timedelta(0)
    return (time_s + int(offset.total_seconds())) // 60


def _cluster(file: Path, raw: bool, reading: Reading) -> Record:
    names = [name if raw or name != "produced_w" else "produced_clean_w" for name in _CLUSTER]
    clock = reading.clock_of(file, _CLUSTER_TIME)
    rules = Rules(
        columns=tuple(map(power_column, names)),
        time=_CLUSTER_TIME,
        zone=reading.zone_of(file),
        sort=reading.sort,
        tell=reading.tell,
    )
    means = _Means()
    for row in read(file, rules):
        minute = _civil_minute(row.time_s, clock)
        for name, value in zip(names, row.values, strict=True):
            means.add(minute, name, value)
    powers_w = means.table(names)
    return _record(file, "cluster", means.minutes, powers_w if raw else _capped(powers_w))


def _capped(powers_w: Array) -> Array:
    """Limit consumption and supply to the repaired production."""
    requested_w, produced_w, consumed_w = powers_w.T[:3]
    supplied_w = np.minimum(consumed_w, produced_w)
    missing_w, available_w = requested_w - supplied_w, produced_w - supplied_w
    return np.stack((requested_w, produced_w, supplied_w, supplied_w, missing_w, available_w), -1)


def _node(file: Path, reading: Reading) -> Record:
    clock = reading.clock_of(file, COLUMNS[0])
    kinds: dict[str, str] = {}
    means = _Means()
    minutes: dict[int, int] = {}  # by time: many rows have the same
    for time_s, device, kind, power_w in measured(file, reading.zone_of(file), reading.sort, reading.tell):
        kinds[device] = kind
        if time_s not in minutes:
            minutes[time_s] = _civil_minute(time_s, clock)
        means.add(minutes[time_s], device, power_w)
    table = means.table(list(kinds))
    of = {
        kind: np.array([each == kind for each in kinds.values()], bool) for kind in ("load", "pv", "battery")
    }
    battery = table[:, of["battery"]]
    requested = table[:, of["load"]].sum(1) + np.maximum(battery, 0).sum(1)
    produced = table[:, of["pv"]].sum(1) + np.maximum(-battery, 0).sum(1)
    return _record(file, "node", means.minutes, six(requested, produced))


class _Means:
    """Means of named values in each minute."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._at = array("q")
        self._values = array("d")

    def add(self, minute: int, name: str, value: float) -> None:
        """NaN makes the minute unknown."""
        line = self._lines.setdefault(minute, len(self._lines))
        self._at.extend((line, self._names.setdefault(name, len(self._names))))
        self._values.append(value)

    @property
    def minutes(self) -> list[int]:
        """In the order of the lines of the table."""
        return list(self._lines)

    def table(self, names: list[str]) -> Array:
        """A line for each minute and a column for each name; NaN where nothing was added."""
        shape = len(self._lines), len(names)
        lines, columns = np.array(self._at, np.int64).reshape(-1, 2).T
        sums, counts = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, (lines, columns), np.array(self._values))
        np.add.at(counts, (lines, columns), 1)
        with np.errstate(invalid="ignore"):
            means: Array = (sums / counts).astype(np.float32)
        return means


def six(requested_w: Array, produced_w: Array) -> Array:
    """The six variables of a node that stands alone."""
    supplied_w = np.minimum(requested_w, produced_w)
    columns = {
        "requested": requested_w,
        "produced": produced_w,
        "consumed": supplied_w,
        "supplied": supplied_w,
        "missing": requested_w - supplied_w,
        "available": produced_w - supplied_w,
    }
    return np.stack([columns[name] for name in VARIABLES], -1)


def _record(file: Path, scope: str, minutes: list[int], lines: Array) -> Record:
    if not len(lines):
        raise DataError(f"{file}: the file has no lines of data")
    order = np.argsort(np.array(minutes), kind="stable")
    at, lines = np.array(minutes)[order], lines[order]
    gaps = np.diff(at)
    step_min = int(np.median(gaps)) if len(gaps) else 1
    dense = np.full((int(at[-1] - at[0]) + step_min, len(VARIABLES)), np.nan, np.float32)
    for held in range(step_min):
        dense[at - at[0] + held] = lines
    name = file.parent.name if scope == "node" else node_name(file)
    return Record(name, node_name(file) if scope == "node" else "cluster", scope, int(at[0]), dense, step_min)
