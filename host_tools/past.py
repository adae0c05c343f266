"""`python -m host_tools past`: past minutes for a node, made from measured devices (thesis 4.3.2.4, 4.3.4).

Reads files of measured devices, CLEMAP payloads and SIG files, and writes the six variables of all their
devices together as one CSV file for `node_history` or `cluster_history`, in UTC.

Exit codes: 0 success, 2 wrong usage or invalid data.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from datetime import tzinfo
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from zoneinfo import ZoneInfo

import numpy as np

from edge.csv_file import CsvError, time_text
from edge.terms import VARIABLES

from .eval.data import six
from .lab_files import clemap, is_clemap, is_sig, sig
from .measured import KINDS, measured

_LONGEST_STEP_MIN = 60  # an hour may be held over its minutes; what is longer is a gap


class Device:
    """The minutes of one device: sums and counts by minute since 1970."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._sums: dict[int, float] = {}
        self._counts: dict[int, int] = {}

    def add(self, time_s: int, power_w: float) -> None:
        """NaN makes the minute unknown."""
        minute = time_s // 60
        self._sums[minute] = self._sums.get(minute, 0.0) + power_w
        self._counts[minute] = self._counts.get(minute, 0) + 1

    @property
    def means(self) -> dict[int, float]:
        """By minute. Values that come less often are held over their interval."""
        found = {minute: power_w / self._counts[minute] for minute, power_w in self._sums.items()}
        times = sorted(found)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        step_min = min(median_low(gaps), _LONGEST_STEP_MIN) if gaps else 1
        for minute in times:
            for held in range(1, step_min):
                found.setdefault(minute + held, found[minute])
        return found


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `past`."""
    parser = commands.add_parser("past", help="make past minutes for a node from measured devices")
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="measured devices (.csv, .csv.gz), CLEMAP, SIG")
    add("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")
    add("--zone", default="UTC", help="zone of times without an offset, and of SIG files (default UTC)")
    add(
        "--kind",
        action="append",
        default=[],
        metavar="DEVICE=KIND",
        help=f"kind of a CLEMAP sensor or SIG metering point: {', '.join(KINDS)} (default load); repeatable",
    )
    add("--sort", action="store_true", help="sort rows that are not in order of time")
    parser.set_defaults(command=past)


def past(options: argparse.Namespace) -> int:
    """Make the file; returns the exit code."""
    try:
        kinds = kinds_of(options.kind)
        devices = devices_of(options.files, ZoneInfo(options.zone), kinds, options.sort)
        if unknown := kinds.keys() - {name for _, name in devices}:
            raise ValueError(f"--kind {', '.join(sorted(unknown))}: no such device in these files")
        lines = list(lines_of(list(devices.values())))
        options.out.write_text("\n".join(lines) + "\n", encoding="ascii")
    except (ValueError, KeyError, OSError) as error:
        print(f"past: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {len(lines) - 1:,} minutes of {len(devices)} devices")
    return 0


def kinds_of(texts: list[str]) -> dict[str, str]:
    """Kinds by device. Raises ValueError."""
    found = {}
    for text in texts:
        device, _, kind = text.rpartition("=")
        if not device or kind not in KINDS:
            raise ValueError(f"--kind {text!r}: expected DEVICE=KIND, with one of {', '.join(KINDS)}")
        found[device] = kind
    return found


def devices_of(
    files: list[Path], zone: tzinfo, kinds: dict[str, str], sort: bool
) -> dict[tuple[str, str], Device]:
    """All devices by source and name; a device of a lab may be in several files. Raises CsvError."""
    devices: dict[tuple[str, str], Device] = {}
    for file in files:
        try:
            of_lab = clemap(file) if is_clemap(file) else sig(file, zone) if is_sig(file) else None
        except OSError as error:
            raise CsvError(f"{file}: cannot be read: {error.strerror}") from None
        if of_lab is None:
            for time_s, name, kind, power_w in measured(file, zone, sort):
                devices.setdefault((str(file), name), Device(kind)).add(time_s, power_w)
        else:
            for time_s, name, power_w in of_lab:
                devices.setdefault(("lab", name), Device(kinds.get(name, "load"))).add(time_s, power_w)
    return devices


def lines_of(devices: list[Device]) -> Iterator[str]:
    """The CSV file: a minute is unknown as far as one of its devices is."""
    means = [device.means for device in devices]
    if not any(means):
        raise ValueError("the files have no rows")
    yield ",".join(["timestamp", *(f"{name}_w" for name in VARIABLES)])
    for minute in range(min(map(min, means)), max(map(max, means)) + 1):
        requested_w = produced_w = 0.0
        for device, known in zip(devices, means, strict=True):
            power_w = known.get(minute, math.nan)
            drawn_w = power_w if device.kind == "load" else 0.0
            given_w = power_w if device.kind == "pv" else 0.0
            if device.kind == "battery":
                drawn_w, given_w = (
                    (math.nan, math.nan)
                    if math.isnan(power_w)
                    else (
                        max(power_w, 0.0),
                        max(-power_w, 0.0),
                    )
                )
            requested_w += drawn_w
            produced_w += given_w
        powers_w = six(np.array([requested_w]), np.array([produced_w]))[0]
        if not np.isnan(powers_w).all():
            values = ("" if math.isnan(power_w) else f"{power_w:.1f}" for power_w in powers_w)
            yield f"{time_text(60 * minute)},{','.join(values)}"
