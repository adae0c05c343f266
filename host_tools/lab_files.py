"""The files of the living lab (thesis 4.4.5.4, 5.7.2): CLEMAP payloads of sensors, SIG files of the utility.

A CLEMAP file is a chain of binary records. The first byte says which:

    16, ten seconds:  B type, d Unix time, 12s sensor, B phase, 6q  p and q of l1 to l3, in thousandths
    17, one minute:   B type, d Unix time, 12s sensor, B phase, 21i v i s p q pf phi of l1 to l3, in
                      thousandths, 3q mean energy of l1 to l3

A record of one phase counts that phase; one of phase 0 in a file without others counts all three. Powers are
taken without their sign, and the phases of a sensor are added up (as in the lab). Where a sensor sends both
kinds, those of one minute are used.

A SIG file has four columns between semicolons: metering point, day, hour, kWh in the quarter of an hour that
begins then; day and hour are civil time.
"""

import csv
import io
import struct
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

from edge.csv_file import MOST_POWER_W, CsvError
from edge.files import open_file, read_bytes

QUARTER_S = 900
_MOST_BYTES = 1 << 28
_TEN_SECONDS, _MINUTE = 16, 17
_LAYOUTS = {_TEN_SECONDS: struct.Struct("=Bd12sB6q"), _MINUTE: struct.Struct("=Bd12sB21i3q")}
_POWER_AT = {_TEN_SECONDS: 0, _MINUTE: 9}  # of l1, among the values of a record
_DAYS = ("%d.%m.%Y", "%Y-%m-%d", "%d/%m/%Y")
_HOURS = ("%H:%M", "%H:%M:%S")
_W_PER_KWH = 4000.0  # in a quarter of an hour


class Sent(NamedTuple):
    """A power of a device at a time."""

    time_s: int
    device: str
    power_w: float


def is_clemap(path: Path) -> bool:
    """Whether a file begins like a CLEMAP payload."""
    return _start(path, 1) in (bytes([_TEN_SECONDS]), bytes([_MINUTE]))


def clemap(path: Path) -> list[Sent]:
    """The power of each sensor, in order of sensors and times. Raises CsvError."""
    try:
        data = read_bytes(path, _MOST_BYTES)
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror}") from None
    records = list(_records(path, data))
    phases = {phase for *_, phase, _ in records}
    if {0, 3} <= phases:
        raise CsvError(f"{path}: has both a phase 0 and a phase 3, so it is unclear which is the first")
    first = 0 if 0 in phases else 1
    whole = phases == {0}
    minutes = {sensor for kind, _, sensor, *_ in records if kind == _MINUTE}
    sums: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for kind, time_s, sensor, phase, powers_w in records:
        if kind == _MINUTE or sensor not in minutes:
            power_w = sum(powers_w) if whole else powers_w[phase - first]
            sums[sensor, time_s][phase] = power_w  # a record that was sent twice counts once
    return [Sent(time_s, sensor, sum(each.values())) for (sensor, time_s), each in sorted(sums.items())]


def _records(path: Path, data: bytes) -> Iterator[tuple[int, int, str, int, tuple[float, ...]]]:
    at = 0
    while at < len(data):
        layout = _LAYOUTS.get(data[at])
        if layout is None or at + layout.size > len(data):
            raise CsvError(f"{path}, byte {at}: no whole record of type 16 or 17 begins here")
        kind, time_s, sensor, phase, *values = layout.unpack_from(data, at)
        if not 0 <= phase <= 3 or not 0 < time_s < 1e11:
            raise CsvError(f"{path}, byte {at}: phase {phase} at time {time_s:g} cannot be")
        first = _POWER_AT[kind]
        powers_w = tuple(abs(value) / 1000 for value in values[first : first + 3])
        yield kind, int(time_s), sensor.hex(), phase, powers_w
        at += layout.size


def is_sig(path: Path) -> bool:
    """Whether the first line of a file has four columns between semicolons."""
    return _start(path, 1000).partition(b"\n")[0].count(b";") == 3


def _start(path: Path, most: int) -> bytes:
    """The first bytes of a file. Raises CsvError."""
    try:
        with open_file(path) as file:
            return file.read(most)
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror}") from None


def sig(path: Path, zone: tzinfo) -> list[Sent]:
    """The mean power of each metering point in each quarter of an hour, in order. Raises CsvError."""
    try:
        text = read_bytes(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CsvError(f"{path}: is not UTF-8 text: {error.reason}") from None
    try:
        return list(_quarters(path, text, zone))
    except csv.Error as error:
        raise CsvError(f"{path}: {error}") from None


def _quarters(path: Path, text: str, zone: tzinfo) -> Iterator[Sent]:
    newest_s: dict[str, int] = {}
    for number, fields in enumerate(csv.reader(io.StringIO(text), delimiter=";"), 1):
        if not any(fields) or (number == 1 and not _is_number(fields[-1])):
            continue
        try:
            point, day, hour, energy_kwh = (field.strip() for field in fields)
            civil = _civil(day, hour).replace(tzinfo=zone)
            time_s = int(civil.timestamp())
            if time_s <= newest_s.get(point, -1):
                time_s = int(civil.replace(fold=1).timestamp())  # the hour that comes twice in autumn
            if time_s <= newest_s.get(point, -1):
                raise ValueError(f"{day} {hour} is not after the row before of {point}")
            newest_s[point] = time_s
            power_w = _W_PER_KWH * float(energy_kwh.replace(",", "."))
            if not abs(power_w) <= MOST_POWER_W or "_" in energy_kwh:
                raise ValueError(f"{energy_kwh} is no energy in kWh")
            yield Sent(time_s, point, power_w)
        except ValueError as error:
            raise CsvError(f"{path}, line {number}: {error}") from None


def _is_number(text: str) -> bool:
    return text.strip().replace(",", ".").replace(".", "", 1).replace("-", "", 1).isdigit()


def _civil(day: str, hour: str) -> datetime:
    for layout in (f"{each} {hours}" for each in _DAYS for hours in _HOURS):
        try:
            return datetime.strptime(f"{day} {hour}", layout)
        except ValueError:
            continue
    raise ValueError(f"{day} {hour} is no day and hour")
