"""One reader, and one set of rules, for every CSV file with times: past days, weather, measured devices.

- UTF-8 with or without a byte order mark, plain or gzip, with a header; empty lines mean nothing.
- A time with an offset or `Z` is that moment. One without is civil time in the zone that the caller states;
  of the hour that comes twice in autumn, the first pass comes first. One that a spring night skips is left
  out, and that is told. Basic format (20240101T0000) is valid. Years are 1970 to 2199, so that a number of
  milliseconds is not taken for a date.
- The rows of one key (a device; the whole file if there is none) are in order of time. Others are refused,
  or sorted if the caller says so.
- Two rows of one key and time: equal ones are read once, and that is told; different ones are refused.
- An empty value or NaN is unknown. A value outside the range of its column is refused, except that a little
  below 0, as meters at rest show it, is read as 0 and told.
- Fields are separated by commas, and numbers have a decimal point. A row with more fields than the header is
  refused, because a decimal comma would have split a number in two; so is a column that the header has twice.

What is refused names file and line. Bytes, rows and the length of a line are bounded, whatever was packed.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .files import open_file

MOST_POWER_W = 1e9
_LINE_CHARACTERS = 1 << 14
_TIMES_KNOWN = 2000
_SHOWN = 60  # characters of a refused text
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_S = 7_258_118_400  # 2200


class CsvError(ValueError):
    """The file cannot be used; the message names the file, and the line if one is at fault."""


class Column(NamedTuple):
    """A column of numbers and their range. Values from `slightly` to 0 are read as 0."""

    name: str
    least: float
    most: float
    slightly: float = 0.0

    def value(self, text: str) -> float:
        """NaN where unknown. Raises ValueError."""
        try:
            value = float(text) if text.strip() else math.nan
            if "_" in text or not text.isascii():  # which Python takes for digits, too
                raise ValueError
        except ValueError:
            raise ValueError(f"{self.name} = {_shown(text)}: is not a number") from None
        if math.isnan(value) or self.least <= value <= self.most:
            return value
        if self.slightly <= value < 0.0 == self.least:
            return value
        raise ValueError(f"{self.name} = {_shown(text)}: must be between {self.least:g} and {self.most:g}")


def _shown(text: str) -> str:
    """A text of the file, safe for a terminal."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text.strip()[:_SHOWN])


def power_column(name: str) -> Column:
    """Powers in W that flow in one direction."""
    return Column(name, 0.0, MOST_POWER_W, -100.0)


def signed_power_column(name: str) -> Column:
    """Powers in W that flow in both directions."""
    return Column(name, -MOST_POWER_W, MOST_POWER_W)


class Row(NamedTuple):
    """One line: its number, its time in Unix seconds, its texts, its values (NaN where unknown)."""

    line: int
    time_s: int
    key: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a file has, and how it may be. `columns` gives the columns of a row from its key."""

    columns: tuple[Column, ...] = ()
    keys: tuple[str, ...] = ()
    time: str = "timestamp"
    zone: tzinfo | None = None  # of times without offset; None: that of the system
    of_key: Callable[[tuple[str, ...]], tuple[Column, ...]] | None = None  # ranges that depend on the key
    most_rows: int = 50_000_000
    most_bytes: int = 1 << 32  # inflated
    sort: bool = False
    tell: Callable[[str], None] = lambda text: None  # is told what was repaired


def header_of(path: Path) -> list[str]:
    """The names of the columns. Raises CsvError."""
    with _Lines(path, 1 << 20) as lines:
        return lines.header()


def first_offset(path: Path, time: str = "timestamp") -> timedelta | None:
    """The offset that the first time of the file is written with; None if without. Raises CsvError."""
    with _Lines(path, 1 << 20) as lines:
        header = lines.header()
        for fields in lines.rows():
            text = fields[header.index(time)] if time in header and len(fields) > header.index(time) else ""
            try:
                return datetime.fromisoformat(text.strip()).utcoffset()
            except ValueError:
                raise lines.error(_no_time(time, text)) from None
    return None


def read(path: Path, rules: Rules) -> Iterator[Row]:
    """The rows of a file, by these rules. Raises CsvError."""
    repairs = _Repairs(path, rules.tell)
    with _Lines(path, rules.most_bytes) as lines:
        parsed = _parsed(lines, rules, repairs)
        if rules.sort:
            parsed = iter(sorted(parsed, key=lambda row: (row.key, row.time_s, row.line)))
        yield from _in_order(path, parsed, rules, repairs)
    repairs.say()


def _parsed(lines: "_Lines", rules: Rules, repairs: "_Repairs") -> Iterator[Row]:
    header = lines.header()
    wanted = [rules.time, *rules.keys, *(column.name for column in rules.columns)]
    _check_header(lines.path, header, wanted)
    time_at, *places = (header.index(name) for name in wanted)
    key_at, value_at = places[: len(rules.keys)], places[len(rules.keys) :]
    times = _Times(rules.time, rules.zone)
    for count, fields in enumerate(lines.rows(), 1):
        if count > rules.most_rows:
            raise lines.error(f"the file has more than {rules.most_rows:,} rows")
        try:
            key = tuple([fields[at].strip() for at in key_at])
            if len(fields) > len(header) and any(fields[len(header) :]):
                raise IndexError
            columns = rules.of_key(key) if rules.of_key else rules.columns
            values = [column.value(fields[at]) for column, at in zip(columns, value_at, strict=True)]
            time_s = times.read(fields[time_at], key)
            if time_s is None:
                repairs.note("left out because civil time skips that hour", lines.number)
                continue
        except ValueError as error:
            raise lines.error(str(error)) from None
        except IndexError:
            raise lines.error(f"has {len(fields)} fields, expected {len(header)}") from None
        for at, value in enumerate(values):
            if value < columns[at].least:
                values[at] = 0.0
                repairs.note("read as 0 because slightly below it", lines.number)
        yield Row(lines.number, time_s, key, tuple(values))


def _check_header(path: Path, header: list[str], wanted: list[str]) -> None:
    """Raises CsvError."""
    missing = sorted(name for name in wanted if name not in header)
    if missing:
        other = next((each for each in (";", "\t") if any(each in name for name in header)), "")
        hint = "; columns must be separated by commas" if other else ""
        found = _shown(", ".join(header)) or "nothing"
        raise CsvError(f"{path}: column {', '.join(missing)} is missing; found {found}{hint}")
    for name in wanted:
        if header.count(name) > 1:
            raise CsvError(f"{path}: column {name} occurs more than once")


def _in_order(path: Path, rows: Iterator[Row], rules: Rules, repairs: "_Repairs") -> Iterator[Row]:
    newest: dict[tuple[str, ...], Row] = {}
    for row in rows:
        before = newest.get(row.key)
        if before and row.time_s < before.time_s:
            raise CsvError(
                f"{path}, line {row.line}: {time_text(row.time_s)} comes after "
                f"{time_text(before.time_s)} of line {before.line}: rows must be in order of time"
            )
        if before and row.time_s == before.time_s:
            if not _same(row.values, before.values):
                raise CsvError(
                    f"{path}, line {row.line}: other values than line {before.line} "
                    f"for the same time {time_text(row.time_s)}{' of ' if row.key else ''}{' '.join(row.key)}"
                )
            repairs.note("dropped because equal to an earlier one", row.line)
            continue
        newest[row.key] = row
        yield row


def _same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))


def time_text(time_s: int) -> str:
    """Unix seconds for people."""
    return (_EPOCH + timedelta(seconds=time_s)).strftime("%Y-%m-%dT%H:%M:%SZ").replace(":00Z", "Z")


class _Times:
    """Reads times. Many rows have the same, side by side or device by device, so some are remembered."""

    def __init__(self, name: str, zone: tzinfo | None) -> None:
        self._name, self._zone = name, zone
        self._known: dict[str, tuple[int, int]] = {}
        self._newest_s: dict[tuple[str, ...], tuple[int, int]] = {}  # the newest, and the one before

    def read(self, text: str, key: tuple[str, ...]) -> int | None:
        """Unix seconds; None for a time that is skipped in spring. Raises ValueError."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _TIMES_KNOWN:
                self._known.clear()
            known = self._known[text] = self._parse(text.strip())
        found_s, second_s = known
        if second_s < found_s:
            return None
        newest_s, before_s = self._newest_s.get(key, (found_s - 1, found_s - 1))
        # Of the hour that comes twice: rows an hour apart have the same text in both passes
        if found_s < newest_s or found_s == newest_s >= before_s + second_s - found_s:
            found_s = second_s
        if found_s != newest_s:
            self._newest_s[key] = found_s, newest_s
        return found_s

    def _parse(self, text: str) -> tuple[int, int]:
        """The moment, and the later one if civil time passes it twice; an earlier one if it skips it."""
        try:
            moment = datetime.fromisoformat(text)
            found_s, second_s = self._passes(moment)
            if not 0 <= found_s < _END_S:
                raise ValueError
            return found_s, second_s
        except (ValueError, OverflowError, OSError):
            raise ValueError(_no_time(self._name, text)) from None

    def _passes(self, moment: datetime) -> tuple[int, int]:
        if moment.tzinfo is None and self._zone is None:
            return int(moment.timestamp()), int(moment.replace(fold=1).timestamp())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        return _seconds(moment), _seconds(moment.replace(fold=1))


def _no_time(name: str, text: str) -> str:
    return f"{name} = {_shown(text)}: is not a time of 1970 to 2199 as YYYY-MM-DDTHH:MM"


def _seconds(moment: datetime) -> int:
    since = moment.astimezone(UTC) - _EPOCH
    return since.days * 86_400 + since.seconds


class _Repairs:
    """Counts what was repaired, and tells it once with the first line."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._found: dict[str, list[int]] = {}  # first line, count

    def note(self, what: str, line: int) -> None:
        self._found.setdefault(what, [line, 0])[1] += 1

    def say(self) -> None:
        for what, (line, count) in self._found.items():
            rows = "1 row was" if count == 1 else f"{count:,} rows were"
            self._tell(f"{self._path}, line {line}: {rows} {what}")


class _Lines:
    """The lines of a file, split into fields. Every error becomes a CsvError with its line."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self.path, self._most_bytes = path, most_bytes
        self._file: BinaryIO | None = None

    def __enter__(self) -> "_Lines":
        try:
            self._file = open_file(self.path)
        except OSError as error:
            raise CsvError(f"{self.path}: cannot be read: {error.strerror}") from None
        inflated = gzip.GzipFile(fileobj=self._file) if self.path.suffix == ".gz" else self._file
        text = io.TextIOWrapper(inflated, encoding="utf-8-sig", newline="")
        self._reader = csv.reader(self._bounded(text), strict=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    @property
    def number(self) -> int:
        """Of the line that was read last."""
        return self._reader.line_num

    def error(self, reason: str) -> CsvError:
        """An error of this line."""
        return CsvError(f"{self.path}, line {self.number}: {reason}")

    def header(self) -> list[str]:
        """The names of the columns."""
        return [name.strip() for name in next(self.rows(), [])]

    def rows(self) -> Iterator[list[str]]:
        """The fields of each line that is not empty."""
        try:
            for fields in self._reader:
                if any(map(str.strip, fields)):
                    yield fields
        except UnicodeDecodeError as error:
            raise CsvError(
                f"{self.path}, line {self.number + 1}: is not UTF-8 text: {error.reason}"
            ) from None
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise CsvError(f"{self.path}, line {self.number + 1}: cannot be read: {reason}") from None
        except csv.Error as error:
            raise self.error(str(error)) from None

    def _bounded(self, text: io.TextIOWrapper) -> Iterator[str]:
        left = self._most_bytes
        while line := text.readline(_LINE_CHARACTERS):
            left -= len(line)
            if left < 0:
                raise csv.Error(f"the file has more than {self._most_bytes:,} bytes")
            if len(line) == _LINE_CHARACTERS and not line.endswith(("\n", "\r")):
                raise csv.Error(f"the line has more than {_LINE_CHARACTERS:,} characters")
            yield line
