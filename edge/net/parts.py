"""What frames carry, part by part: each encoded once, and packed into as few frames as the limits allow."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from ..space.courier import Roster
from ..space.lsa import Delta, Lsa, Near
from . import wire
from .pulse import Pulse, encode_pulse
from .schema import MAX_ASKED, MAX_BEATS, MAX_FRAME_LSAS, MAX_ITEMS, Statement


class Kind(Enum):
    """A part of a frame, encoded."""

    STATEMENT = "s"
    LSA = "l"
    DELTA = "d"
    NEAR = "n"
    ALONE = "a"
    ROSTER = "r"
    ASK_ROSTER = "o"
    ASK_LSA = "w"
    PULSE = ""  # not in the body

    __hash__ = object.__hash__  # members are single objects; the hash of their names would cost much more


class Part(NamedTuple):
    """One thing to send: its bytes (of a question: its text), and what it counts in a frame."""

    kind: Kind
    data: bytes
    items: int = 1
    auth: bytes = b""


MOST = {
    Kind.STATEMENT: MAX_BEATS,
    Kind.PULSE: MAX_BEATS,
    Kind.ROSTER: MAX_BEATS,
    Kind.ASK_ROSTER: MAX_BEATS,
    Kind.ASK_LSA: MAX_ASKED,
    Kind.LSA: MAX_FRAME_LSAS,
    Kind.DELTA: MAX_FRAME_LSAS,
    Kind.NEAR: MAX_FRAME_LSAS,
    Kind.ALONE: MAX_FRAME_LSAS,
}
KINDS = tuple(Kind)
_FULL_BYTES = 40 * 1024  # so much fits a frame in any case, however badly it compresses


def part_of_lsa(lsa: Lsa) -> Part:
    """A whole LSA."""
    return Part(Kind.LSA, wire.encode_lsa(lsa), wire.items_of(lsa), lsa.auth)


def part_of_delta(delta: Delta) -> Part:
    """A delta."""
    return Part(Kind.DELTA, wire.encode_delta(delta), wire.items_of(delta), delta.auth)


def part_of_near(near: Near, to: Sequence[str] = ()) -> Part:
    """A near property; `to`: those of its nodes towards which it is sent, all unless it is said."""
    if near.alone:
        return Part(Kind.ALONE, wire.encode_alone(near, to or near.to), wire.items_of(near), near.auth)
    return Part(Kind.NEAR, wire.encode_near(near), wire.items_of(near), near.auth)


def part_of_roster(roster: Roster) -> Part:
    """A roster."""
    return Part(Kind.ROSTER, wire.encode_roster(roster), wire.items_of(roster))


def part_of_statement(statement: Statement) -> Part:
    """A statement."""
    return Part(Kind.STATEMENT, wire.encode_statement(statement))


def part_of_pulse(pulse: Pulse) -> Part:
    """A pulse. Raises FrameError."""
    return Part(Kind.PULSE, encode_pulse(pulse))


def pack(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """As few frames as the limits allow, each a list of parts; the order is kept."""
    batch: list[Part] = []
    counts: dict[Kind, int] = {}
    size = items = 0
    for part in parts:
        kind, data, its_items, auth = part
        its_size = len(data) + len(auth)
        full = size + its_size > _FULL_BYTES or items + its_items > MAX_ITEMS
        if batch and (full or counts.get(kind, 0) >= MOST[kind]):
            yield batch
            batch, counts = [], {}
            size = items = 0
        batch.append(part)
        counts[kind] = counts.get(kind, 0) + 1
        size += its_size + 4
        items += its_items
    if batch:
        yield batch
