"""Replays measured data as the power of a microgrid: one file per node, one meter for each device in it.

Format: `timestamp,device,kind,power_w[,filled]`, plain or gzip, timestamps `YYYY-MM-DDTHH:MMZ` at the start
of each interval. A missing row is a gap, where the meter has no reading. Only the time window of the run is
kept in memory.
"""

import csv
import gzip
import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .plan import BuildingPlan, DevicePlan, PowerAt

_KINDS = ("load", "pv", "battery")
_COLUMNS = ["timestamp", "device", "kind", "power_w"]
_STAMP = "%Y-%m-%dT%H:%MZ"
_GAP_S = 16 * 60  # a value holds for its interval, at most 15 minutes in the known data sets


class DataError(Exception):
    """The data cannot be replayed; the message names the file, the line and the value."""


class Row(NamedTuple):
    """One interval of one device."""

    at: datetime
    device: str
    kind: str
    power_w: float


def files_of(directory: Path) -> list[Path]:
    """The node files of a directory, in order. Raises DataError."""
    if not directory.is_dir():
        raise DataError(f"{directory}: not a directory")
    files = sorted(path for path in directory.iterdir() if path.name.endswith((".csv", ".csv.gz")))
    if not files:
        raise DataError(f"{directory}: contains no *.csv or *.csv.gz files")
    return files


def sunny_morning(files: list[Path]) -> datetime:
    """10 o'clock on the first sunny day: solar power is at least 80 % of the best value at that hour."""
    sums: dict[datetime, float] = defaultdict(float)
    days: dict[Path, set[datetime]] = {path: set() for path in files}
    for path in files:
        for row in rows(path):
            if row.at.hour == 10:
                day = row.at.replace(minute=0)
                days[path].add(day)
                if row.kind == "pv":
                    sums[day] += row.power_w
    common = sorted(set.intersection(*days.values()))
    if not common:
        raise DataError(f"{files[0].parent}: no day has data of all files at 10 o'clock: use --start")
    best_w = max((sums[day] for day in common), default=0.0)
    return next(day for day in common if sums[day] >= 0.8 * best_w)


def replayed(files: list[Path], start: datetime, seconds: float, speed: float) -> list[BuildingPlan]:
    """One building for each file, not yet connected, for a run of `seconds`. Raises DataError."""
    buildings = []
    first, end = start - timedelta(seconds=_GAP_S), start + timedelta(seconds=seconds * speed + _GAP_S)
    for path in files:
        kinds: dict[str, str] = {}
        series: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for row in rows(path):
            kinds[row.device] = row.kind
            if first <= row.at < end:
                series[row.device].append(((row.at - start).total_seconds(), row.power_w))
        if not any(series.values()):
            raise DataError(f"{path}: no data at {start:{_STAMP}}")
        devices = [
            DevicePlan(_name(device), kind, _held(series[device], speed), _meter_for(series[device]))
            for device, kind in kinds.items()
        ]
        buildings.append(BuildingPlan(_name(path.name.partition(".")[0]).lower(), devices))
    return buildings


def rows(path: Path) -> Iterator[Row]:
    """Read the rows of one file, in order. Raises DataError."""
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if header[:4] != _COLUMNS:
                raise DataError(
                    f"{path}:1: the columns are {','.join(header)[:80]}, expected {','.join(_COLUMNS)}"
                )
            for fields in reader:
                yield _row(path, reader.line_num, fields)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None


def _row(path: Path, line: int, fields: list[str]) -> Row:
    try:
        stamp, device, kind, power = fields[:4]
        row = Row(_parse(stamp), device, kind, float(power))
    except ValueError as error:
        raise DataError(f"{path}:{line}: {error}") from None
    if kind not in _KINDS or not math.isfinite(row.power_w):
        raise DataError(f"{path}:{line}: invalid kind {kind!r} or power_w {power!r}")
    return row


@lru_cache(maxsize=1)  # the rows of one minute are adjacent
def _parse(stamp: str) -> datetime:
    if len(stamp) == 17 and stamp[16] == "Z":  # the usual format; ten times faster than strptime
        return datetime.fromisoformat(stamp[:16]).replace(tzinfo=UTC)
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)


def parse_start(text: str) -> datetime:
    """Parse --start: date and time, or a date only (then 10 o'clock). Raises DataError."""
    try:
        start = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise DataError(f"--start {text!r}: must have the form YYYY-MM-DDTHH:MM") from None
    return start.replace(hour=10) if "T" not in text else start


def _meter_for(series: list[tuple[float, float]]) -> str:
    """A single-phase meter if its 45 A suffice, otherwise a three-phase one."""
    return "sdm120" if max((abs(power_w) for _, power_w in series), default=0.0) < 9_000 else "sdm630"


def _held(series: list[tuple[float, float]], speed: float) -> PowerAt:
    times = [at for at, _ in series]

    def power_w(elapsed_s: float) -> float:
        now_s = elapsed_s * speed
        i = bisect_right(times, now_s) - 1
        if i < 0:
            return math.nan
        width_s = times[i + 1] - times[i] if i + 1 < len(times) else _GAP_S
        return series[i][1] if now_s - times[i] < min(width_s, _GAP_S) else math.nan

    return power_w


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:31]
