"""Measured buildings as nodes of a microgrid: whole days, civil clock, one scale for each."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from edge.learn.states import StateScale
from edge.terms import DAY_MIN
from host_tools.study.run import fingerprint

from ..data import DataError, Reading, Record, records, six
from .kept import loaded, written


@dataclass(frozen=True)
class Building:
    """A record that begins at midnight, and the line up to which its maximum power was known."""

    record: Record
    known: int

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.record.node

    @cached_property
    def max_power_w(self) -> float:
        """The maximum power of the states, from the lines before `known`."""
        return self.record.max_power_w(self.known)

    @cached_property
    def scale(self) -> StateScale:
        """Fifths of the maximum power."""
        return StateScale.of_max_power(self.max_power_w)

    @cached_property
    def digest(self) -> str:
        """That of all that is measured: the same data give the same digest wherever they are."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.record.powers_w).tobytes(), digest_size=10)
        digest.update(f"{self.record.first_minute} {self.record.step_min}".encode())
        return digest.hexdigest()

    def part(self, start: int, end: int) -> Record:
        """The record from line `start` to `end`."""
        record = self.record
        lines = record.powers_w[start:end]
        return Record(
            record.data, record.node, record.scope, record.first_minute + start, lines, record.step_min
        )


@dataclass(frozen=True)
class Named(Building):
    """A building under the name of a node."""

    called: str = ""

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.called


@dataclass(frozen=True)
class Oversized(Building):
    """A building whose maximum power is set ten times too high: its states mean something else."""

    @cached_property
    def max_power_w(self) -> float:
        """Ten times that of the building."""
        return 10.0 * self.record.max_power_w(self.known)


def building(folder: Path, reading: Reading, name: str, known_days: float, cache: Path) -> Building:
    """One building by "set/node". Parsed files are kept in `cache`. Raises DataError."""
    return Building(_from_midnight(_record(folder, reading, name, cache)), int(known_days * DAY_MIN))


def _record(folder: Path, reading: Reading, name: str, cache: Path) -> Record:
    file = next(iter(sorted(folder.glob(f"{name}.csv*"))), None)
    if file is None:
        raise DataError(f"{folder}: there is no {name}.csv or {name}.csv.gz")
    told = f"{_fingerprint(file)} {reading.zones} {reading.sort}"
    kept = cache / f"{name.replace('/', '_')}_{hashlib.blake2b(told.encode(), digest_size=6).hexdigest()}.npz"
    if (found := loaded(kept, _parsed)) is not None:
        return found
    record = next(records(file, reading=reading))
    facts = np.array([record.first_minute, record.step_min], np.int64)
    names = np.array([record.data, record.node, record.scope])
    with written(kept) as unfinished:
        np.savez(unfinished, facts=facts, powers_w=record.powers_w, told=names)
    return record


def _parsed(kept: Path) -> Record:
    with np.load(kept) as found:
        first_minute, step_min = found["facts"].tolist()
        data, node, scope = found["told"].tolist()
        return Record(data, node, scope, first_minute, found["powers_w"], step_min)


def measured(folder: Path, reading: Reading, names: Iterable[str]) -> str:
    """A digest of the files of some buildings, by "set/node", and of how they are read."""
    digest = hashlib.blake2b(f"{reading.zones} {reading.sort}".encode(), digest_size=10)
    for name in names:
        for file in sorted(folder.glob(f"{name}.csv*"))[:1]:
            digest.update(f"{name} {_fingerprint(file)}\n".encode())
    return digest.hexdigest()


_fingerprint = cache(fingerprint)  # many jobs share their files


def _from_midnight(record: Record) -> Record:
    begin = -record.first_minute % DAY_MIN
    return Record(
        record.data,
        record.node,
        record.scope,
        record.first_minute + begin,
        record.powers_w[begin:],
        record.step_min,
    )


def together(buildings: list[Building]) -> list[Building]:
    """The buildings from the first midnight on that all of them have: nodes of one microgrid live at the same
    time."""
    first = max(each.record.first_minute for each in buildings)
    return [
        replace(each, record=each.part(first - each.record.first_minute, len(each.record.powers_w)))
        for each in buildings
    ]


def total(buildings: list[Building], known: int) -> Building:
    """The cluster: the sum of buildings over the days that all of them have."""
    first = max(each.record.first_minute for each in buildings)
    last = min(each.record.first_minute + len(each.record.powers_w) for each in buildings)
    parts = [
        each.record.powers_w[first - each.record.first_minute : last - each.record.first_minute]
        for each in buildings
    ]
    requested, produced = np.sum(parts, 0)[:, 0], np.sum(parts, 0)[:, 1]
    step_min = max(each.record.step_min for each in buildings)
    record = Record(
        buildings[0].record.data,
        "cluster",
        "node",
        first,
        six(requested, produced).astype(np.float32),
        step_min,
    )
    return Building(record, known)
