"""Files of measured devices: `timestamp,device,kind,power_w`, read by the rules of `edge/csv_file.py`.

A time is the start of an interval, and the power its mean. Kind is load or pv, both above 0, or battery,
above 0 while charging. A row that is missing, empty or NaN is a gap. A device has one kind.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple

from edge.csv_file import Column, CsvError, Rules, power_column, read, signed_power_column

COLUMNS = ("timestamp", "device", "kind", "power_w")
KINDS = {
    "load": (power_column("power_w"),),
    "pv": (power_column("power_w"),),
    "battery": (signed_power_column("power_w"),),
}


class Measured(NamedTuple):
    """One interval of one device. NaN is a gap."""

    time_s: int
    device: str
    kind: str
    power_w: float


def complain(text: str) -> None:
    """Tell a person what was repaired."""
    print(text, file=sys.stderr)


def measured(
    path: Path, zone: tzinfo = UTC, sort: bool = False, tell: Callable[[str], None] = complain
) -> Iterator[Measured]:
    """All rows, those of each device in order of time. Raises CsvError."""
    rules = Rules(
        columns=KINDS["battery"], of_key=_columns, keys=("device", "kind"), zone=zone, sort=sort, tell=tell
    )
    kinds: dict[str, str] = {}
    for row in read(path, rules):
        device, kind = row.key
        if kinds.setdefault(device, kind) != kind:
            raise CsvError(f"{path}, line {row.line}: {device} is a {kind}, and a {kinds[device]} above")
        yield Measured(row.time_s, device, kind, row.values[0])


def _columns(key: tuple[str, ...]) -> tuple[Column, ...]:
    device, kind = key
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if not device:
        raise ValueError("the device has no name")
    return KINDS[kind]
