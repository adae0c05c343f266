"""Deals: what flows under contracts, so that the state of any past moment can be rebuilt.

The node of the thesis links each row of its history to the events that were active then, in a table
`link_history_active_event`. Here a row is written when a deal starts, changes or ends, and each hour all that
are in force are written again: to rebuild a moment never takes more than the rows of an hour.

What follows within one write, of the same contract with the same suppliers, is added to its row as
differences (`later`): contracts that follow a restless device change several times a minute. All rows of one
write are a sheet; the table `deals` of earlier releases had each in a row of its own, and is still read.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from .events import NUMBERS
from .file import HistoryFile, Row
from .minutes import ROWS
from .queue import Note
from .sheets import numbers, pack_mw, powers_mw, sheet_note, signed, unpacked, unsigned, varint

_HOUR_MS = 3_600_000
MAIN, COMPLEMENTARY, SUPPLIED = 0, 1, 2  # roles: a contract of a local consumer, or a promise to another node


class Deal(NamedTuple):
    """One supplier's share of a contract, seen by a local twin.

    `role`: the twin consumes by its main or complementary contract, or supplies a twin of another node.
    `max_w`: what is reserved, with the margin. Unix time in ms since when it has these values.
    """

    twin: str
    partner: str
    contract: int
    role: int
    revision: int
    power_w: float
    max_w: float
    at_ms: int = 0


Parts = tuple[Deal, ...]  # all shares of one contract, or the one of a promise
DEAL = "deals: those of a write become a sheet"
_KEYFRAME = "INSERT OR REPLACE INTO keyframes (at_ms) VALUES (?)"
SESSION = (
    "INSERT INTO sessions (began_ms, seen_ms, ended, release, context) VALUES (?, ?, ?, ?, "
    "(SELECT id FROM contexts WHERE data = ?)) "
    "ON CONFLICT (began_ms) DO UPDATE SET seen_ms = excluded.seen_ms, ended = excluded.ended"
)
_CONTEXT = "INSERT OR IGNORE INTO contexts (data) VALUES (?)"
_BASE = (
    "SELECT (SELECT max(began_ms) FROM sessions WHERE began_ms <= :at), "
    "(SELECT max(at_ms) FROM keyframes WHERE at_ms <= :at), "
    "(SELECT min(began_ms) FROM sessions WHERE began_ms > :at)"
)
_SEEN = (
    f"SELECT max(ifnull((SELECT max(id) / {NUMBERS} FROM deals WHERE id < ?2 * {NUMBERS}), 0), "
    f"ifnull((SELECT id / {NUMBERS} + lasts_ms FROM sheets WHERE id < ?2 * {NUMBERS} "
    "ORDER BY id DESC LIMIT 1), 0), "
    "ifnull((SELECT 60000 * (max(minute) + 1) FROM minutes WHERE scope = 'node' AND minute < ?2 / 60000), 0),"
    " ifnull((SELECT seen_ms FROM sessions WHERE began_ms = ?1), 0))"
)
_DEALS = (
    "SELECT deals.id, name, contract, role, revision, layouts.names, powers, later FROM deals "
    "JOIN names ON names.id = deals.twin JOIN layouts ON layouts.id = deals.partners "
    "WHERE deals.id > ? AND deals.id < ? ORDER BY deals.id LIMIT ?"
)
_SHEETS = "SELECT id, data FROM sheets WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
_SPAN = (
    "SELECT min(id), max(id), ifnull((SELECT lasts_ms FROM sheets ORDER BY id DESC LIMIT 1), 0) FROM "
    "(SELECT min(id) AS id FROM deals UNION SELECT max(id) FROM deals "
    "UNION SELECT min(id) FROM sheets UNION SELECT max(id) FROM sheets)"
)
_SESSIONS = (
    "SELECT began_ms, seen_ms, ended, release, data FROM sessions "
    "LEFT JOIN contexts ON contexts.id = sessions.context WHERE began_ms <= ? ORDER BY began_ms DESC LIMIT ?"
)


def deal_note(at_ms: int, number: int, parts: Parts, ended: bool = False) -> Note:
    """The entry for a contract that has started, changed or ended; `number`: within that time."""
    first, partners = parts[0], ",".join(each.partner for each in parts)
    reserved_mw = [round(1000 * each) for part in parts for each in (part.power_w, part.max_w)]
    what = (first.twin, first.contract, first.role, first.revision, partners)
    return DEAL, (at_ms * NUMBERS + number, *what, None if ended else pack_mw(reserved_mw), None)


def gathered(notes: Iterable[Note]) -> Iterator[Note]:
    """The same entries with a sheet for all deals: of each contract as many changes in a row as differ in
    numbers only are one row.

    Nothing is gathered beyond an end; nor beyond a keyframe, which comes before its deals, or a session.
    """
    open_: dict[Row, list[Row]] = {}  # by contract
    done: list[Row] = []
    last = 0
    for statement, values in notes:
        if statement is not DEAL:
            if statement in (_KEYFRAME, SESSION):
                yield from _closed(open_, done, last)
            yield statement, values
            continue
        last = values[0]
        _, twin, contract, role, _, partners, powers, _ = values
        key = twin, partners if role == SUPPLIED else "", contract, role
        rows = open_.get(key)
        if rows and (powers is None or not _continues(rows[-1], values)):
            done.append(_row(open_.pop(key)))
        if powers is None:
            done.append(values)
        else:
            open_.setdefault(key, []).append(values)
    yield from _closed(open_, done, last)


def _continues(before: Row, values: Row) -> bool:
    """Whether only time, revision and powers differ."""
    return before[5] == values[5] and len(before[6]) == len(values[6]) and values[0] >= before[0]


def _closed(open_: dict[Row, list[Row]], done: list[Row], last: int) -> Iterator[Note]:
    if rows := [*done, *map(_row, open_.values())]:
        yield sheet_note(rows, last // NUMBERS)
    open_.clear()
    done.clear()


def _row(rows: list[Row]) -> Row:
    """One row for changes of one contract: the first as it is, each other one as differences."""
    data = bytearray()
    for before, values in pairwise(rows):
        data += varint(values[0] // NUMBERS - before[0] // NUMBERS)
        data += varint(values[0] % NUMBERS)
        data += varint(unsigned(values[4] - before[4]))
        pair = (powers_mw(before[6], before[5])[1], powers_mw(values[6], values[5])[1])
        for old_mw, new_mw in zip(*pair, strict=True):
            data += varint(unsigned(new_mw - old_mw))
    return (*rows[0][:7], bytes(data) or None)


def _expanded(row: Row) -> Iterator[Row]:
    """The entries that were gathered in a row, as far as they are what `_row` makes."""
    *first, later = row
    yield tuple(first)
    if not later:
        return
    number, twin, contract, role, revision, names, powers = first
    kind, every_mw = powers_mw(powers, names)
    found = numbers(later)
    for passed_ms in found:
        number = (number // NUMBERS + passed_ms) * NUMBERS + next(found, 0) % NUMBERS
        revision += signed(next(found, 0))
        every_mw = tuple(each + signed(next(found, 0)) for each in every_mw)
        try:
            yield number, twin, contract, role, revision, names, struct.pack(kind, *every_mw)
        except struct.error:  # somebody else has written it
            return


def keyframe_note(at_ms: int) -> Note:
    """The entry that says: all deals in force are written at this time."""
    return _KEYFRAME, (at_ms,)


def session_notes(began_ms: int, seen_ms: int, ended: bool, release: str, context: str) -> tuple[Note, Note]:
    """The entries for a run of the node: it began, was last seen, and has ended or not."""
    return (_CONTEXT, (context,)), (SESSION, (began_ms, seen_ms, int(ended), release, context))


class Session(NamedTuple):
    """A run of the node. `context` is its configuration as JSON; `seen_s` at least each hour."""

    began_s: float
    seen_s: float
    ended: bool
    release: str
    context: str


def sessions(file: HistoryFile, before_s: float, limit: int) -> list[Session]:
    """Those that began until then (Unix time), newest first."""
    rows = file.read(_SESSIONS, (round(1000 * before_s), limit))
    return [
        Session(began_ms / 1000, (seen_ms or began_ms) / 1000, bool(ended), release or "", context or "")
        for began_ms, seen_ms, ended, release, context in file.good(rows, lambda row: isinstance(row[0], int))
    ]


def deals_at(file: HistoryFile, at_s: float, waiting: list[Row], began_ms: list[int]) -> list[Deal] | None:
    """The deals in force at a moment (Unix time); None if the node did not run, or it is not known.

    `waiting`: values of the entries of deals that are not written yet; `began_ms`: sessions of those.
    """
    at_ms = round(1000 * at_s)
    found = file.read(_BASE, {"at": at_ms})
    began, keyframe_ms, next_ms = found[0] if found else (None, None, None)
    later = [each for each in (next_ms, *began_ms) if each is not None and each > at_ms]
    began = max((each for each in (began, *began_ms) if each is not None and each <= at_ms), default=None)
    if began is None:
        return None
    if later:
        seen = file.read(_SEEN, (began, min(later)))
        if at_ms > seen[0][0]:
            return None
    first_ms = max(began, keyframe_ms or 0)
    in_force: dict[tuple[str, ...], Parts] = {}
    rows = [*_rows(file, first_ms, at_ms), *(row[:7] for row in waiting if _good(row))]
    for row in sorted(rows, key=lambda row: row[0]):
        if not first_ms <= row[0] // NUMBERS <= at_ms:
            continue
        parts, ended = _parts(row)
        key = _key(parts[0])
        if ended:
            in_force.pop(key, None)
        else:
            in_force[key] = parts
    return sorted(part for parts in in_force.values() for part in parts)


def deals(file: HistoryFile, first_s: float, last_s: float, contract: int = 0) -> Iterator[tuple[Deal, bool]]:
    """What started, changed or ended (True), oldest first; of one contract, or of all (0)."""
    first_ms, last_ms = round(1000 * first_s), round(1000 * last_s)
    span = file.read(_SPAN, ())
    if not span or span[0][0] is None:
        return
    first_ms = max(first_ms, span[0][0] // NUMBERS)
    last_ms = min(last_ms, span[0][1] // NUMBERS + span[0][2] + _HOUR_MS)  # and what is in the last rows
    for hour_ms in range(first_ms, last_ms + 1, _HOUR_MS):
        end_ms = min(last_ms, hour_ms + _HOUR_MS - 1)
        begin = file.read("SELECT max(at_ms) FROM keyframes WHERE at_ms <= ?", (hour_ms,))
        rows = _rows(file, begin[0][0] or 0 if begin else 0, end_ms)
        within = (row for row in rows if hour_ms <= row[0] // NUMBERS <= end_ms)
        for row in sorted(within, key=lambda row: row[0]):
            if contract in (0, row[2]):
                parts, ended = _parts(row)
                yield from ((part, ended) for part in parts)


def _rows(file: HistoryFile, first_ms: int, last_ms: int) -> Iterator[Row]:
    """Entries, some later than `last_ms`; those of one contract in their order."""
    end = (last_ms + 1) * NUMBERS
    last = first_ms * NUMBERS - 1
    while rows := file.read(_DEALS, (last, end, ROWS)):  # of earlier releases
        for row in file.good(rows, _good):
            yield from _expanded(row)
        last = rows[-1][0]
    last = first_ms * NUMBERS - 1
    while sheets := file.read(_SHEETS, (last, end, ROWS)):
        for _, data in sheets:
            found = unpacked(data) if isinstance(data, bytes) else None
            for row in file.good([()] if found is None else found, _good):
                yield from _expanded(row)
        last = sheets[-1][0]


def _key(part: Deal) -> tuple[str, ...]:
    """Ids of contracts are unique only among those of their consumer."""
    return part.twin, part.partner if part.role == SUPPLIED else "", str(part.contract), str(part.role)


def _parts(row: Row) -> tuple[Parts, bool]:
    """The shares, and whether they have ended."""
    number, twin, contract, role, revision, names, powers = row
    partners = names.split(",")
    both_mw = powers_mw(powers, names)[1] if powers else (0,) * 2 * len(partners)
    return tuple(
        Deal(str(twin), partner, contract, role, revision, power_mw / 1000, max_mw / 1000, number // NUMBERS)
        for partner, power_mw, max_mw in zip(partners, both_mw[::2], both_mw[1::2], strict=True)
    ), powers is None


def _good(row: Row) -> bool:
    if not row:
        return False
    number, twin, contract, role, revision, names, powers, later = row
    if later is not None and not (isinstance(later, bytes) and powers):
        return False
    if not all(isinstance(each, int) for each in (number, contract, role, revision)):
        return False
    if not (isinstance(twin, str) and isinstance(names, str)):
        return False
    shares = names.count(",") + 1
    return powers is None or (isinstance(powers, bytes) and len(powers) in (8 * shares, 16 * shares))
