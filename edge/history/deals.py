"""Deals: what flows under contracts, so that the state of any past moment can be rebuilt.

The node of the thesis links each row of its history to the events that were active then, in a table
`link_history_active_event`. Here a row is written when a deal starts, changes or ends, and each hour all that
are in force are written again: to rebuild a moment never takes more than the rows of an hour.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from .events import NUMBERS
from .file import HistoryFile, Row
from .minutes import ROWS
from .names import OF_NAME, Name
from .queue import Note

_SHORT_MW = 2**32  # powers below it take four bytes
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
DEAL = (
    "INSERT OR REPLACE INTO deals (id, twin, contract, role, revision, partners, powers) "
    f"VALUES (?, {OF_NAME}, ?, ?, ?, (SELECT id FROM layouts WHERE names = ?), ?)"
)
_PARTNERS = "INSERT OR IGNORE INTO layouts (names) VALUES (?)"
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
    "ifnull((SELECT 60000 * (max(minute) + 1) FROM minutes WHERE scope = 'node' AND minute < ?2 / 60000), 0),"
    " ifnull((SELECT seen_ms FROM sessions WHERE began_ms = ?1), 0))"
)
_DEALS = (
    "SELECT deals.id, name, contract, role, revision, layouts.names, powers FROM deals "
    "JOIN names ON names.id = deals.twin JOIN layouts ON layouts.id = deals.partners "
    "WHERE deals.id > ? AND deals.id < ? ORDER BY deals.id LIMIT ?"
)
_SESSIONS = (
    "SELECT began_ms, seen_ms, ended, release, data FROM sessions "
    "LEFT JOIN contexts ON contexts.id = sessions.context WHERE began_ms <= ? ORDER BY began_ms DESC LIMIT ?"
)


def deal_notes(at_ms: int, number: int, parts: Parts, ended: bool = False) -> tuple[Note, Note]:
    """The entries for a contract that has started, changed or ended; `number`: within that time."""
    first, partners = parts[0], ",".join(each.partner for each in parts)
    powers_mw = [round(1000 * each) for part in parts for each in (part.power_w, part.max_w)]
    what = (Name(first.twin), first.contract, first.role, first.revision, partners)
    kind = "I" if min(powers_mw) >= 0 and max(powers_mw) < _SHORT_MW else "q"
    powers = None if ended else struct.pack(f"<{len(powers_mw)}{kind}", *powers_mw)
    return (_PARTNERS, (partners,)), (DEAL, (at_ms * NUMBERS + number, *what, powers))


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
    unwritten = sorted((row for row in waiting if _good(row)), key=lambda row: row[0])
    unwritten = [row for row in unwritten if first_ms <= row[0] // NUMBERS <= at_ms]
    for row in (*_rows(file, first_ms, at_ms), *unwritten):
        parts, ended = _parts(row)
        key = _key(parts[0])
        if ended:
            in_force.pop(key, None)
        else:
            in_force[key] = parts
    return sorted(part for parts in in_force.values() for part in parts)


def deals(file: HistoryFile, first_s: float, last_s: float, contract: int = 0) -> Iterator[tuple[Deal, bool]]:
    """What started, changed or ended (True), oldest first; of one contract, or of all (0)."""
    for row in _rows(file, round(1000 * first_s), round(1000 * last_s)):
        if contract in (0, row[2]):
            parts, ended = _parts(row)
            yield from ((part, ended) for part in parts)


def _rows(file: HistoryFile, first_ms: int, last_ms: int) -> Iterator[Row]:
    last = first_ms * NUMBERS - 1
    while rows := file.read(_DEALS, (last, (last_ms + 1) * NUMBERS, ROWS)):
        yield from file.good(rows, _good)
        last = rows[-1][0]


def _key(part: Deal) -> tuple[str, ...]:
    """Ids of contracts are unique only among those of their consumer."""
    return part.twin, part.partner if part.role == SUPPLIED else "", str(part.contract), str(part.role)


def _parts(row: Row) -> tuple[Parts, bool]:
    """The shares, and whether they have ended."""
    number, twin, contract, role, revision, names, powers = row
    partners = names.split(",")
    kind = "q" if powers and len(powers) == 16 * len(partners) else "I"
    powers_mw = struct.unpack(f"<{2 * len(partners)}{kind}", powers) if powers else (0,) * 2 * len(partners)
    return tuple(
        Deal(str(twin), partner, contract, role, revision, power_mw / 1000, max_mw / 1000, number // NUMBERS)
        for partner, power_mw, max_mw in zip(partners, powers_mw[::2], powers_mw[1::2], strict=True)
    ), powers is None


def _good(row: Row) -> bool:
    number, twin, contract, role, revision, names, powers = row
    if not all(isinstance(each, int) for each in (number, contract, role, revision)):
        return False
    if not (isinstance(twin, str) and isinstance(names, str)):
        return False
    shares = names.count(",") + 1
    return powers is None or (isinstance(powers, bytes) and len(powers) in (8 * shares, 16 * shares))
