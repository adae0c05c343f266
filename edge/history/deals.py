"""Deals: what flows under contracts, so that the state of any past moment can be rebuilt.

The node of the thesis links each row of its history to the events that were active then, in a table
`link_history_active_event`. Here a row is written when a deal starts, changes or ends, and each hour all that
are in force are written again: to rebuild a moment never takes more than the rows of an hour.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .file import HistoryFile, Row
from .minutes import ROWS
from .names import OF_NAME, Name
from .queue import Note

NUMBERS = 4096  # the id of a row is its time in ms, and a number within it: rows are only appended
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


DEAL = (
    "INSERT OR REPLACE INTO deals (id, twin, partner, contract, role, revision, power_mw, max_mw) "
    f"VALUES (?, {OF_NAME}, {OF_NAME}, ?, ?, ?, ?, ?)"
)
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
    f"SELECT deals.id, deals.id / {NUMBERS}, t.name, p.name, contract, role, revision, power_mw, max_mw "
    "FROM deals JOIN names AS t ON t.id = deals.twin JOIN names AS p ON p.id = deals.partner "
    "WHERE deals.id > ? AND deals.id < ? ORDER BY deals.id LIMIT ?"
)
_SESSIONS = (
    "SELECT began_ms, seen_ms, ended, release, data FROM sessions "
    "LEFT JOIN contexts ON contexts.id = sessions.context WHERE began_ms <= ? ORDER BY began_ms DESC LIMIT ?"
)


def deal_note(at_ms: int, number: int, deal: Deal, ended: bool = False) -> Note:
    """The entry for a deal that has started, changed or ended; `number`: within that time."""
    powers_mw = (None, None) if ended else (round(1000 * deal.power_w), round(1000 * deal.max_w))
    who = (Name(deal.twin), Name(deal.partner))
    return DEAL, (at_ms * NUMBERS + number, *who, deal.contract, deal.role, deal.revision, *powers_mw)


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
    in_force: dict[tuple[str, str, int, int], Deal] = {}
    unwritten = sorted(waiting, key=lambda row: row[0])
    unwritten = [(row[0] // NUMBERS, *row[1:]) for row in unwritten if first_ms <= row[0] // NUMBERS <= at_ms]
    for row in (*_rows(file, first_ms, at_ms), *unwritten):
        key = row[1], row[2], row[3], row[4]
        if row[6] is None:
            in_force.pop(key, None)
        else:
            in_force[key] = Deal(*key, row[5], row[6] / 1000, row[7] / 1000, row[0])
    return sorted(in_force.values())


def deals(file: HistoryFile, first_s: float, last_s: float, contract: int = 0) -> Iterator[tuple[Deal, bool]]:
    """What started, changed or ended (True), oldest first; of one contract, or of all (0)."""
    for at_ms, twin, partner, number, role, revision, power_mw, max_mw in _rows(
        file, round(1000 * first_s), round(1000 * last_s)
    ):
        if contract in (0, number):
            powers_w = (power_mw or 0) / 1000, (max_mw or 0) / 1000
            yield Deal(twin, partner, number, role, revision, *powers_w, at_ms), power_mw is None


def _rows(file: HistoryFile, first_ms: int, last_ms: int) -> Iterator[Row]:
    last = first_ms * NUMBERS - 1
    while rows := file.read(_DEALS, (last, (last_ms + 1) * NUMBERS, ROWS)):
        yield from (row[1:] for row in file.good(rows, _is_deal))
        last = rows[-1][0]


def _is_deal(row: Row) -> bool:
    _, at_ms, twin, partner, *numbers, power_mw, max_mw = row
    return (
        all(isinstance(each, int) for each in (at_ms, *numbers))
        and isinstance(twin, str)
        and isinstance(partner, str)
        and all(isinstance(each, int | None) for each in (power_mw, max_mw))
    )
