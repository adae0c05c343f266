"""Events: what happened to the twins of the node, and who changed it (thesis 4.3)."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from .file import HistoryFile, Row
from .minutes import ROWS
from .queue import Note


class Event(NamedTuple):
    """What happened to a twin: `number` counts its events since it started, times are Unix time.

    `begins_ms` and `ends_ms` are the dates of the request, production or contract, None if not known or not
    planned. `partner` is the supplier of a contract, of `partners` the largest; `origin` the number of the
    event that started what this one is about. `contract` and `revision` are those of a contract; its shares
    and powers at that time are its deals.
    """

    at_ms: int
    twin: str
    number: int
    kind: str
    role: str
    power_w: float
    cause: str = ""
    begins_ms: int | None = None
    ends_ms: int | None = None
    partner: str = ""
    partners: int = 0
    complementary: int = 0
    origin: int | None = None
    contract: int | None = None
    revision: int | None = None


Before = tuple[int, str, int]  # at_ms, twin and number of an event: those before it
_FIELDS = ", ".join(Event._fields)
EVENT = f"INSERT OR REPLACE INTO events ({_FIELDS}) VALUES ({', '.join('?' * len(Event._fields))})"
_EVENTS = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND at_ms <= ? "
    "ORDER BY at_ms, twin, number LIMIT ? OFFSET ?"
)
_NEWEST = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND (at_ms, twin, number) < (?, ?, ?) "
    "AND (? = '' OR twin = ?) AND (? = '' OR kind = ?) ORDER BY at_ms DESC, twin DESC, number DESC LIMIT ?"
)


def event_note(event: Event) -> Note:
    """The entry for an event."""
    return EVENT, tuple(event)


def events(file: HistoryFile, first_s: float, last_s: float) -> Iterator[Event]:
    """What happened from `first_s` to `last_s` (Unix time), oldest first."""
    span_ms, found = (round(1000 * first_s), round(1000 * last_s)), 0
    while rows := file.read(_EVENTS, (*span_ms, ROWS, found)):
        yield from (Event(*row) for row in file.good(rows, _is_event))
        found += len(rows)


def newest_events(
    file: HistoryFile, waiting: list[Row], first_s: float, before: Before, twin: str, kind: str, limit: int
) -> list[Event]:
    """Those from `first_s` (Unix time) and before an event, newest first, also the ones that wait."""
    first_ms = round(1000 * first_s)
    rows = file.read(_NEWEST, (first_ms, *before, twin, twin, kind, kind, limit))
    found = {row[:3]: Event(*row) for row in file.good(rows, _is_event)}
    for event in (Event(*row) for row in waiting):
        matches = twin in ("", event.twin) and kind in ("", event.kind)
        if matches and event.at_ms >= first_ms and event[:3] < before:
            found[event[:3]] = event
    return sorted(found.values(), key=lambda event: event[:3], reverse=True)[:limit]


def _is_event(row: Row) -> bool:
    at_ms, twin, number, kind, role, power_w, cause, begins_ms, ends_ms, partner, *numbers = row
    return (
        isinstance(at_ms, int)
        and isinstance(number, int)
        and all(isinstance(each, str) for each in (twin, kind, role, cause, partner))
        and all(isinstance(each, int | None) for each in (begins_ms, ends_ms, *numbers))
        and isinstance(power_w, int | float)
        and math.isfinite(power_w)
    )
