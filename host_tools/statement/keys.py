"""Sharing keys from the command line, and files of their coefficients.

A file of parts is `member,part`, one of hours `member,hour,part` with hours from 1; parts are decimal numbers
with the sum 1. The text file of Spain, `member;hour;part` with a decimal comma and no header, is read, too.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from edge.csv_file import CsvError, time_text
from edge.energy.sharing import (
    HOUR_S,
    WHOLE,
    Capped,
    Dynamic,
    Hourly,
    Key,
    Span,
    Static,
    Step,
    Virtual,
    apportion,
)
from edge.terms import Quality

from .books import Books

KEYS = ("static", "dynamic", "capped", "hourly", "virtual")
_MOST_LINES = 2_000_000


def key_of(name: str, parts: Path | None, members: Iterable[str], year_began_s: float = 0.0) -> Key:
    """The key of that name; without a file all members have equal parts. Raises CsvError."""
    if name in ("dynamic", "virtual"):
        if parts:
            raise CsvError(f"{parts}: key {name} has no parts")
        return Dynamic() if name == "dynamic" else Virtual()
    try:
        if name == "hourly":
            if parts is None:
                raise CsvError("key hourly needs a file of parts by hour")
            return Hourly(parts=read_hours(parts), year_began_s=year_began_s)
        equal = apportion(WHOLE, dict.fromkeys(sorted(members), 1))
        found = read_parts(parts) if parts else equal
        return Static(parts=found) if name == "static" else Capped(parts=found)
    except ValueError as error:
        raise CsvError(str(error) if isinstance(error, CsvError) else f"{parts}: {error}") from None


def read_parts(path: Path) -> dict[str, int]:
    """By member, in millionths. Raises CsvError."""
    found: dict[str, int] = {}
    for line, fields in _rows(path, 2):
        if fields[0] in found:
            raise CsvError(f"{path}, line {line}: {fields[0]} has two parts")
        found[fields[0]] = _part(path, line, fields[1])
    return found


def read_hours(path: Path) -> dict[str, list[int]]:
    """By member, the parts of all hours in millionths. Raises CsvError."""
    found: dict[str, dict[int, int]] = {}
    for line, (member, hour, part) in _rows(path, 3):
        if not hour.isascii() or not hour.isdigit() or not 1 <= int(hour) <= 8784:
            raise CsvError(f"{path}, line {line}: hour {hour!r} is not a number from 1 to 8784")
        hours = found.setdefault(member, {})
        if int(hour) in hours:
            raise CsvError(f"{path}, line {line}: {member} has two parts in hour {hour}")
        hours[int(hour)] = _part(path, line, part)
    for member, hours in found.items():
        if sorted(hours) != list(range(1, len(hours) + 1)):
            raise CsvError(f"{path}: {member} does not have all hours from 1 to {max(hours)}")
    return {member: [hours[hour] for hour in sorted(hours)] for member, hours in found.items()}


def hours_of(books: Mapping[int, Step]) -> dict[str, list[int]]:
    """Parts for each hour of the day from what each member drew in it; equal ones where nobody drew."""
    members = sorted({member for step in books.values() for member in step})
    drawn = [dict.fromkeys(members, 0) for _ in range(24)]
    for begin_s, step in books.items():
        for member, entry in step.items():
            if entry.quality is not Quality.MISSING:
                drawn[begin_s // HOUR_S % 24][member] += entry.withdrawn_wh
    parts = [apportion(WHOLE, hour if any(hour.values()) else dict.fromkeys(members, 1)) for hour in drawn]
    return {member: [hour[member] for hour in parts] for member in members}


def write_hours(path: Path, parts: Mapping[str, list[int]]) -> None:
    """A file that `read_hours` reads."""
    lines = ["member,hour,part"]
    for member, hours in sorted(parts.items()):
        lines += [f"{member},{hour},{part / WHOLE:.6f}" for hour, part in enumerate(hours, 1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_spans(path: Path) -> dict[str, list[Span]]:
    """Who is a member when, from `member,from_s,until_s` in Unix time; empty is open. Raises CsvError."""
    found: dict[str, list[Span]] = {}
    for line, (member, first, last) in _rows(path, 3):
        try:
            span = Span(*(float(text or bound) for text, bound in ((first, "-inf"), (last, "inf"))))
        except ValueError:
            raise CsvError(f"{path}, line {line}: times are Unix seconds or empty") from None
        found.setdefault(member, []).append(span)
    return found


def during(books: Books, first_s: int, last_s: int) -> Books:
    """The books of a period. Raises CsvError if there is nothing."""
    found = {begin_s: step for begin_s, step in books.items() if first_s <= begin_s < last_s}
    if not found:
        raise CsvError(f"the books have nothing between {time_text(first_s)} and {time_text(last_s)}")
    return found


def _rows(path: Path, columns: int) -> Iterable[tuple[int, list[str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CsvError(f"{path}: cannot be read: {error}") from None
    if len(lines) > _MOST_LINES:
        raise CsvError(f"{path}: has more than {_MOST_LINES:,} lines")
    for number, line in enumerate(lines, 1):
        fields = [each.strip() for each in line.split(";" if ";" in line else ",")]
        if not line.strip() or (number == 1 and fields[0] == "member"):
            continue
        if len(fields) != columns or not fields[0]:
            raise CsvError(f"{path}, line {number}: expected {columns} fields, the first a member")
        yield number, fields


def _part(path: Path, line: int, text: str) -> int:
    try:
        part = Decimal(text.replace(",", ".")) * WHOLE
        if not 0 <= part <= WHOLE or part != int(part):
            raise InvalidOperation
        return int(part)
    except (InvalidOperation, ValueError):
        raise CsvError(
            f"{path}, line {line}: part {text!r} is not a number from 0 to 1 with six decimals"
        ) from None
