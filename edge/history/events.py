"""Events: what happened to the twins of the node, and who changed it (thesis 4.3).

They are rows in the order in which they were noted, with numbers for names: the table `events` of earlier
releases, whose key had the name of the twin, made a card write twice as much. It is still read.
"""

import math
from collections.abc import Iterator
from heapq import merge
from typing import NamedTuple

from .file import HistoryFile, Row
from .minutes import ROWS
from .names import Name, id_of
from .queue import Note

NUMBERS = 4096  # the id of a row is its time in ms, and a number within it: rows are only appended
_LAST_MS = 2**50  # later than any date that a clock shows


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
# One more than the last id of that ms: a restart, or a clock that was set back, writes over nothing.
_NEXT_ID = f"ifnull(1 + (SELECT max(id) FROM occurrences WHERE id < (?1 + 1) * {NUMBERS}), 0)"
EVENT = (
    "INSERT INTO occurrences (id, twin, number, kind, role, power_mw, cause, began_before_ms, ends_after_ms, "
    "partner, partners, complementary, origin, contract, revision) "
    f"VALUES (max(?1 * {NUMBERS}, {_NEXT_ID}), {id_of(2)}, ?3, {id_of(4)}, {id_of(5)}, "
    f"CAST(round(1000 * ?6) AS INTEGER), ?7, ?1 - ?8, ?9 - ?1, {id_of(10)}, ?11, ?12, ?13, ?14, ?15)"
)
_AT = f"id / {NUMBERS}"
_WRITTEN = (
    f"(SELECT e.id, e.{_AT} AS at_ms, t.name AS twin, number, k.name AS kind, r.name AS role, "
    f"CASE typeof(power_mw) WHEN 'integer' THEN power_mw / 1000.0 END AS power_w, cause, "
    f"e.{_AT} - began_before_ms AS begins_ms, e.{_AT} + ends_after_ms AS ends_ms, p.name AS partner, "
    "partners, complementary, origin, contract, revision FROM occurrences AS e "
    + " ".join(
        f"JOIN names AS {short} ON {short}.id = e.{column}"
        for short, column in (("t", "twin"), ("k", "kind"), ("r", "role"), ("p", "partner"))
    )
    + ")"
)
_EVENTS = f"SELECT id, {_FIELDS} FROM {_WRITTEN} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
_MATCHES = "(at_ms, twin, number) < (?, ?, ?) AND (? = '' OR twin = ?) AND (? = '' OR kind = ?)"
_NEWEST = f"SELECT {_FIELDS} FROM {_WRITTEN} WHERE id >= ? AND id < ? AND {_MATCHES} ORDER BY id DESC LIMIT ?"
# in the table of earlier releases
_OLD_EVENTS = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND at_ms <= ? "
    "ORDER BY at_ms, twin, number LIMIT ? OFFSET ?"
)
_OLD_NEWEST = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND {_MATCHES} "
    "ORDER BY at_ms DESC, twin DESC, number DESC LIMIT ?"
)


def event_note(event: Event) -> Note:
    """The entry for an event."""
    names = (Name(event.twin), event.number, Name(event.kind), Name(event.role))
    return EVENT, (event.at_ms, *names, *event[5:9], Name(event.partner), *event[10:])


def events(file: HistoryFile, first_s: float, last_s: float) -> Iterator[Event]:
    """What happened from `first_s` to `last_s` (Unix time), oldest first."""
    span_ms = round(1000 * first_s), round(1000 * last_s)
    return merge(
        _of_earlier_releases(file, *span_ms), _written(file, *span_ms), key=lambda event: event.at_ms
    )


def _written(file: HistoryFile, first_ms: int, last_ms: int) -> Iterator[Event]:
    last = first_ms * NUMBERS - 1
    while rows := file.read(_EVENTS, (last, (last_ms + 1) * NUMBERS, ROWS)):
        last = rows[-1][0]
        yield from (Event(*row) for row in file.good([row[1:] for row in rows], _is_event))


def _of_earlier_releases(file: HistoryFile, first_ms: int, last_ms: int) -> Iterator[Event]:
    found = 0
    while rows := file.read(_OLD_EVENTS, (first_ms, last_ms, ROWS, found)):
        yield from (Event(*row) for row in file.good(rows, _is_event))
        found += len(rows)


def newest_events(
    file: HistoryFile, waiting: list[Row], first_s: float, before: Before, twin: str, kind: str, limit: int
) -> list[Event]:
    """Those from `first_s` (Unix time) and before an event, newest first, also the ones that wait."""
    first_ms = round(1000 * first_s)
    asked = (*before, twin, twin, kind, kind)
    end = (min(before[0], _LAST_MS) + 1) * NUMBERS
    rows = file.read(_NEWEST, (first_ms * NUMBERS, end, *asked, limit))
    if len(rows) == limit:  # all of the ms at which the page ends, since they are ordered by name there
        last_ms = rows[-1][0]
        rows += file.read(_NEWEST, (last_ms * NUMBERS, (last_ms + 1) * NUMBERS, *asked, NUMBERS))
    rows += file.read(_OLD_NEWEST, (first_ms, *asked, limit))
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
