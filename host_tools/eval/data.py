"""Measured electricity as the six variables, minute by minute.

Two kinds of files are read, both .csv or .csv.gz:
- data of a cluster: `timestamp_local` and the six variables. Some quarters of an hour of production were
  recorded twice in a minute; they are repaired (column produced_clean_w) unless `raw` is set;
- data of a node: `timestamp, device, kind, power_w` with kind load, pv or battery (> 0 charging). The node
  stands alone: requested = loads + charging, produced = pv + discharging, supplied = consumed = the smaller
  of both, missing and available are the rest. If a device is missing, the minute is unknown.

Data with a longer step are held over their interval. Predictions start only from the last minute of an
interval, when its mean can be known.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from edge.learn.terms import Array
from edge.terms import DAY_MIN, VARIABLES

_CLUSTER = ("requested_w", "produced_w", "consumed_w", "provided_w", "missing_w", "available_w")
_NODE = ("timestamp", "device", "kind", "power_w")
_KINDS = ("load", "pv", "battery")
# time zones of the data sets that are in UTC; all others are in local time
ZONES = {"combed_1min": "Asia/Kolkata", "ucsd_15min": "America/Los_Angeles"}
LAB_MAX_POWER_W = 30_000.0  # of the living lab of the thesis
_TOP_SHARE = 0.999  # share of the minutes below the maximum power of a node


class DataError(ValueError):
    """A file that cannot be read, or that has other contents."""


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


def records(path: Path, raw: bool = False, nodes: list[str] | None = None) -> Iterator[Record]:
    """All records of a file or a folder, in order of names; a folder may have files of other kinds.

    Raises DataError for an invalid file, and if there is none.
    """
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
        yield _cluster(file, raw) if kind == "cluster" else _node(file)
    if not count:
        raise DataError(f"{path}: no data{' of ' + ', '.join(nodes) if nodes else ''} found")


def node_name(file: Path) -> str:
    """The name of a file without its extensions."""
    return file.name.split(".")[0]


def _open(file: Path) -> Any:
    return gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8")


def _kind(file: Path) -> str | None:
    with _open(file) as text:
        columns = next(csv.reader(text), [])
    if set(_CLUSTER) <= set(columns):
        return "cluster"
    return "node" if tuple(columns[:4]) == _NODE and columns[4:] in ([], ["filled"]) else None


def _minute_of(text: str, zone: ZoneInfo | None = None) -> int:
    """The minute in local time; with a zone, `text` is in UTC."""
    at = datetime.strptime(text[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    if zone:
        at = at.astimezone(zone).replace(tzinfo=UTC)
    return int(at.timestamp()) // 60


def _cluster(file: Path, raw: bool) -> Record:
    names = [name if raw or name != "produced_w" else "produced_clean_w" for name in _CLUSTER]
    minutes, lines = [], []
    with _open(file) as text:
        for number, row in enumerate(csv.DictReader(text), 2):
            try:
                minutes.append(_minute_of(row["timestamp_local"]))
                lines.append([float(row[name]) for name in names])
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{file}:{number}: {error!r}") from error
    powers_w = np.array(lines, np.float32).reshape(-1, len(VARIABLES))
    return _record(file, "cluster", minutes, powers_w if raw else _capped(powers_w))


def _capped(powers_w: Array) -> Array:
    """Limit consumption and supply to the repaired production."""
    requested_w, produced_w, consumed_w = powers_w.T[:3]
    supplied_w = np.minimum(consumed_w, produced_w)
    missing_w, available_w = requested_w - supplied_w, produced_w - supplied_w
    return np.stack((requested_w, produced_w, supplied_w, supplied_w, missing_w, available_w), -1)


def _node(file: Path) -> Record:
    zone = ZoneInfo(ZONES[file.parent.name]) if file.parent.name in ZONES else None
    devices: dict[tuple[str, str], int] = {}
    minutes: dict[str, int] = {}
    found = []
    with _open(file) as text:
        rows = csv.reader(text)
        next(rows, None)
        for number, row in enumerate(rows, 2):
            try:
                if row[2] not in _KINDS:
                    raise ValueError(f"kind {row[2]!r} is not one of {', '.join(_KINDS)}")
                at, power_w = minutes.setdefault(row[0], len(minutes)), float(row[3])
            except (IndexError, ValueError) as error:
                raise DataError(f"{file}:{number}: {error}") from error
            found.append((at, devices.setdefault((row[1], row[2]), len(devices)), power_w))
    table = np.full((len(minutes), len(devices)), np.nan, np.float32)
    where = np.array(found).reshape(-1, 3)
    table[where[:, 0].astype(int), where[:, 1].astype(int)] = where[:, 2]
    kinds = np.array([kind for _, kind in devices])
    battery = table[:, kinds == "battery"]
    requested = table[:, kinds == "load"].sum(1) + np.maximum(battery, 0).sum(1)
    produced = table[:, kinds == "pv"].sum(1) + np.maximum(-battery, 0).sum(1)
    return _record(file, "node", [_minute_of(text, zone) for text in minutes], six(requested, produced))


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
