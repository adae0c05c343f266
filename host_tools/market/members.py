"""Members of a study from measured data: three weeks of quarter-hours each.

A member is one measured building in one stretch of three weeks, which begins on a Monday, so that weekdays
agree; its mean power is scaled to that of a home. Every second member has a roof: one of the measured plants
of one campus, all in the same weeks, so that they see the same sun. So loads are real, but which of them live
together is ours.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.csv_file import CsvError
from host_tools.measured import COLUMNS, measured

QUARTER_S, DAY_S = 900, 86_400
DAYS = 21
_STEPS = DAYS * 96
_SETS = (  # folder, the first Monday of its data
    ("uci_house_1min", "2008-01-07"),
    ("gjwo_house_1min", "2015-04-20"),
    ("combed_1min", "2014-06-02"),
    ("mix_1min/n3_flat_de.csv.gz", "2014-06-02"),
    ("mix_1min/n4_office_de.csv.gz", "2014-06-02"),
    ("ucsd_15min", "2018-01-08"),
)
_ROOFS, _ROOFS_FROM = "ucsd_15min", "2018-05-07"
_KNOWN = 0.95  # of the quarter-hours of a stretch
_MEAN_W, _PEAK_W = (250.0, 800.0), (2_000.0, 6_000.0)  # of a home, of a roof
Column = npt.NDArray[np.float64]


class Member(NamedTuple):
    """Powers in W by quarter-hour, NaN where they were not measured; `source`: what was measured."""

    name: str
    source: str
    drawn_w: Column
    given_w: Column


class _Plant(NamedTuple):
    source: str
    first_s: int
    load_w: Column
    pv_w: dict[str, Column]


def members(data: Path, count: int, seed: int = 1, cache: Path | None = None) -> list[Member]:
    """So many members; `cache`: a folder for quarter-hours, as reading minutes takes a minute or two. Raises
    CsvError if the data have not enough."""
    _check_layout(data)
    rng = random.Random(f"{seed}/market")
    stretches = [
        stretch for place, monday in _SETS for stretch in _stretches(data / place, _time(monday), cache)
    ]
    roofs = [roof for plant in _plants(data / _ROOFS, cache) for roof in _roofs(plant)]
    if len(stretches) < count or not roofs:
        raise CsvError(f"{data}: has {len(stretches)} stretches of {DAYS} days and {len(roofs)} roofs")
    chosen = sorted(rng.sample(range(len(stretches)), count))
    found = []
    for i, place in enumerate(chosen):
        source, load_w = stretches[place]
        drawn_w = load_w * rng.uniform(*_MEAN_W) / np.nanmean(load_w)
        given_w = np.zeros(_STEPS)
        if i % 2:
            name, pv_w = roofs[i // 2 % len(roofs)]
            given_w, source = pv_w * rng.uniform(*_PEAK_W) / np.nanmax(pv_w), f"{source} + {name}"
        found.append(Member(f"member_{i + 1:02}", source, drawn_w, given_w))
    return found


def _check_layout(data: Path) -> None:
    """Raises CsvError, which names all that is missing."""
    missing = [
        place if place.endswith(".gz") else f"{place}/*.csv.gz"
        for place, _ in _SETS
        if not _files(data / place)
    ]
    if missing:
        raise CsvError(
            f"{data}: lacks {', '.join(missing)}: measured buildings in rows of {','.join(COLUMNS)}; "
            "where they come from is on docs/market.md, section Measured data"
        )


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(place.glob("*.csv.gz"))


def _stretches(place: Path, monday_s: int, cache: Path | None) -> Iterator[tuple[str, Column]]:
    for plant in _plants(place, cache):
        begin_s = monday_s
        while begin_s + DAYS * DAY_S <= plant.first_s + QUARTER_S * len(plant.load_w):
            if begin_s >= plant.first_s:
                load_w = _cut(plant.load_w, plant.first_s, begin_s)
                if np.isfinite(load_w).mean() >= _KNOWN and np.nanmean(load_w) > 0:
                    yield f"{plant.source} {datetime.fromtimestamp(begin_s, UTC):%Y-%m-%d}", load_w
            begin_s += DAYS * DAY_S


def _roofs(plant: _Plant) -> Iterator[tuple[str, Column]]:
    for name, pv_w in sorted(plant.pv_w.items()):
        yield name, _cut(pv_w, plant.first_s, _time(_ROOFS_FROM))


def _cut(column: Column, first_s: int, begin_s: int) -> Column:
    at = (begin_s - first_s) // QUARTER_S
    return column[at : at + _STEPS]


def _plants(place: Path, cache: Path | None) -> Iterator[_Plant]:
    for file in _files(place):
        plant = _quarters(file) if cache is None else _cached(file, cache)
        if np.isfinite(plant.load_w).any() or plant.pv_w:
            yield plant


def _cached(file: Path, cache: Path) -> _Plant:
    """The quarter-hours of a file, read once for each version of it."""
    found = file.stat()
    kept = cache / f"{file.name.split('.')[0]}-{found.st_size}-{found.st_mtime_ns}.npz"
    if not kept.exists():
        plant = _quarters(file)
        cache.mkdir(parents=True, exist_ok=True)
        roofs = {f"pv {name}": pv_w for name, pv_w in plant.pv_w.items()}
        np.savez_compressed(kept, first_s=plant.first_s, load_w=plant.load_w, **roofs)
    with np.load(kept) as arrays:
        pv_w = {name[3:]: arrays[name] for name in arrays.files if name.startswith("pv ")}
        return _Plant(file.name.split(".")[0], int(arrays["first_s"]), arrays["load_w"], pv_w)


def _quarters(file: Path) -> _Plant:
    """Means of quarter-hours; the sum of all loads, and each plant of its own."""
    sums: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in measured(file, tell=lambda text: None):
        if row.kind != "battery" and row.power_w == row.power_w:
            sums.setdefault((row.kind, row.device), {}).setdefault(row.time_s // QUARTER_S, []).append(
                row.power_w
            )
    quarters = [quarter for device in sums.values() for quarter in device]
    first, last = min(quarters, default=0), max(quarters, default=0)

    def column(means: dict[int, list[float]]) -> Column:
        found = np.full(last - first + 1, np.nan)
        for quarter, powers_w in means.items():
            found[quarter - first] = sum(powers_w) / len(powers_w)
        return found

    loads = [column(each) for (kind, _), each in sums.items() if kind == "load"]
    load_w = np.sum(loads, axis=0) if loads else np.full(last - first + 1, np.nan)
    pv_w = {device: column(each) for (kind, device), each in sums.items() if kind == "pv"}
    return _Plant(file.name.split(".")[0], first * QUARTER_S, load_w, pv_w)


def _time(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def needs_wh(found: Sequence[Member]) -> npt.NDArray[np.int64]:
    """What each member (rows) needs in each quarter-hour, in whole Wh; a gap counts as its mean."""
    rows = []
    for each in found:
        net_w = each.drawn_w - each.given_w
        rows.append(np.rint(np.where(np.isnan(net_w), np.nanmean(net_w), net_w) / 4))
    return np.array(rows, np.int64)
