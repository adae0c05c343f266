"""Replays measured data as the power of a microgrid: one file per node, one meter for each device in it.

The format is that of `host_tools/measured.py`; times without an offset are UTC. Where a row is missing or has
no value, the meter has no reading. Only the time window of the run is kept in memory.
"""

import math
import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from edge.csv_file import CsvError
from host_tools.measured import measured

from .plan import BuildingPlan, DevicePlan, PowerAt

DataError = CsvError
_STAMP = "%Y-%m-%dT%H:%MZ"
_GAP_S = 16 * 60  # a value holds for its interval, at most 15 minutes in the known data sets
_DAY_S, _HOUR_S = 86_400, 3_600
_TEN = 10


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
    sums: dict[int, float] = defaultdict(float)
    days: dict[Path, set[int]] = {path: set() for path in files}
    for path in files:
        for row in measured(path, tell=lambda text: None):
            if row.time_s // _HOUR_S % 24 == _TEN:
                day = row.time_s // _DAY_S
                days[path].add(day)
                if row.kind == "pv" and not math.isnan(row.power_w):
                    sums[day] += row.power_w
    common = sorted(set.intersection(*days.values()))
    if not common:
        raise DataError(f"{files[0].parent}: no day has data of all files at 10 o'clock: use --start")
    best_w = max((sums[day] for day in common), default=0.0)
    sunny = next(day for day in common if sums[day] >= 0.8 * best_w)
    return datetime.fromtimestamp(sunny * _DAY_S + _TEN * _HOUR_S, UTC)


def replayed(files: list[Path], start: datetime, seconds: float, speed: float) -> list[BuildingPlan]:
    """One building for each file, not yet connected, for a run of `seconds`. Raises DataError."""
    buildings = []
    start_s = start.timestamp()
    first_s, end_s = start_s - _GAP_S, start_s + seconds * speed + _GAP_S
    names = _names((path.name.partition(".")[0].lower() for path in files), "n")
    for path in files:
        kinds: dict[str, str] = {}
        series: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for row in measured(path):
            kinds[row.device] = row.kind
            if first_s <= row.time_s < end_s:
                series[row.device].append((row.time_s - start_s, row.power_w))
        if not any(series.values()):
            raise DataError(f"{path}: no data at {start:{_STAMP}}")
        of_device = _names(kinds, "d")
        devices = [
            DevicePlan(of_device[name], kind, _held(series[name], speed), _meter_for(series[name]))
            for name, kind in kinds.items()
        ]
        buildings.append(BuildingPlan(names[path.name.partition(".")[0].lower()], devices))
    return buildings


def parse_start(text: str) -> datetime:
    """Parse --start: date and time, or a date only (then 10 o'clock). Raises DataError."""
    try:
        start = datetime.fromisoformat(text)
        start = start.astimezone(UTC) if start.tzinfo else start.replace(tzinfo=UTC)
    except ValueError:
        raise DataError(f"--start {text!r}: must have the form YYYY-MM-DDTHH:MM") from None
    return start.replace(hour=10) if "T" not in text else start


def _meter_for(series: list[tuple[float, float]]) -> str:
    """A single-phase meter if its 45 A suffice, otherwise a three-phase one."""
    return (
        "sdm120"
        if max((abs(power_w) for _, power_w in series if not math.isnan(power_w)), default=0.0) < 9_000
        else "sdm630"
    )


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


def _names(texts: Iterable[str], start: str) -> dict[str, str]:
    """A valid name for each text, different ones for different texts."""
    found: dict[str, str] = {}
    for text in texts:
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        name = re.sub(r"[^A-Za-z0-9_-]", "_", plain)[:31]
        if not re.match("[A-Za-z0-9]", name):
            name = f"{start}{name}"[:31]
        number, base = 1, name
        while name in found.values():
            number += 1
            name = f"{base[:28]}_{number}"
        found[text] = name
    return found
