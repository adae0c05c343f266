"""Statements and pulses: how heartbeats travel, so that a node at rest needs no signature for each.

A statement says what an origin shows: how many LSAs, their checksum, its newest change. It goes to a
neighbour once, with the first pulse after a change. Each later pulse names the statement by its ordinal and
proves itself by the next link of the chain of the origin. Whoever gets a pulse without its statement asks for
it.
"""

from collections.abc import Callable
from zlib import crc32

from msgspec.structs import replace

from ..space.courier import Beat
from ..space.names import NIL
from ..space.tuplespace import TupleSpace
from ..trust.trust import Trust
from . import manifest
from .pulse import CHECK_BYTES, MAX_AHEAD, MAX_PULSE_LIFE_S, Pulse
from .schema import Statement

_ORDINALS = 64  # that a pulse can tell apart
_KEEP_S = 2  # a statement arrives with its pulse; without one it is of no use


class Unstated(Exception):
    """A pulse does not follow from the statement that is held here; another is needed."""


class Outdated(Exception):
    """A pulse from before the newest one, or a forged one."""


class _Held:
    """The newest statement of an origin, and its newest pulse."""

    __slots__ = ("check", "heard", "link", "number", "statement", "tick")

    def __init__(self, statement: Statement, tick: int) -> None:
        self.statement = statement
        self.number = statement.number
        self.link = statement.link
        self.check = check_of(statement)
        self.heard = False  # whether that pulse has arrived, not only its number
        self.tick = tick


class Statements:
    """The statements of this node and of the others."""

    def __init__(self, space: TupleSpace, trust: Trust) -> None:
        self._space = space
        self._trust = trust
        self._own: Statement | None = None
        self._own_number = 0  # up to this beat it is known whether a new chain has begun
        self._generation = trust.generation
        self._held: dict[str, _Held] = {}
        self.no_room = 0

    # ---- out ------------------------------------------------------------------------------------

    def outgoing(self, beat: Beat) -> tuple[Statement, Pulse] | None:
        """How a heartbeat travels; None if it cannot be proved."""
        if beat.origin == self._space.node:
            statement = self._own_statement(beat)
            link = self._trust.link(beat.number) or check_of(statement)
        else:
            held = self._held.get(beat.origin)
            if held is None:
                return None
            statement, link = held.statement, beat.proof
        ahead = beat.number - statement.number
        if beat.incarnation != statement.incarnation or not 0 <= ahead <= MAX_AHEAD or not link:
            return None
        life_s = min(beat.life_s, MAX_PULSE_LIFE_S)
        return statement, Pulse(beat.origin, statement.ordinal % _ORDINALS, ahead, beat.hops, life_s, link)

    def reminder(self, beat: Beat) -> Statement | None:
        """What a neighbour is told that has started with an older incarnation than is remembered of it."""
        held = self._held.get(beat.origin)
        if held and held.statement.incarnation == beat.incarnation:
            return held.statement
        return None if self._trust.authentic else _stated(beat, 0)

    def held(self, origin: str) -> Statement | None:
        """The newest statement of another node."""
        held = self._held.get(origin)
        return held.statement if held else None

    def _own_statement(self, beat: Beat) -> Statement:
        own = self._own
        if (
            own is None
            or (own.incarnation, own.sequence, own.lsas, own.checksum)
            != (beat.incarnation, beat.sequence, beat.lsas, beat.checksum)
            or beat.number - own.number > MAX_AHEAD
            or self._new_chain(beat.number)
            or self._trust.generation != self._generation
        ):
            self._generation = self._trust.generation
            said = replace(
                _stated(beat, (own.ordinal + 1) % 256 if own else 0), link=self._trust.link(beat.number)
            )
            self._own = own = replace(said, signature=self._trust.sign(manifest.of_statement(said)))
        self._own_number = max(self._own_number, beat.number)
        return own

    def _new_chain(self, number: int) -> bool:
        return any(map(self._trust.anchors, range(self._own_number + 1, number + 1)))

    # ---- in -------------------------------------------------------------------------------------

    def take(self, statement: Statement, verify: Callable[[Statement], None]) -> bool:
        """Keep a statement of another node; True if it is news. Raises what `verify` raises."""
        held = self._held.get(statement.origin)
        if held and not _follows(statement, held.statement):
            return False
        verify(statement)
        if held is None and not self._has_room():
            self.no_room += 1
            return False
        new = self._held[statement.origin] = _Held(statement, self._space.tick)
        if held and held.statement.incarnation == statement.incarnation and held.number >= new.number:
            new.number, new.link, new.heard = held.number, held.link, held.heard
        return True

    def _has_room(self) -> bool:
        """Whether there is room for another origin; one that is not known to live makes place."""
        if len(self._held) < self._space.nodes.capacity:
            return True
        for origin, held in self._held.items():
            old = self._space.tick - held.tick >= _KEEP_S
            if old and self._space.origin_number(origin) == NIL:
                del self._held[origin]
                return True
        return False

    def forget(self, origin: str) -> None:
        """A node is no longer believed."""
        self._held.pop(origin, None)

    def knows(self, origin: str) -> bool:
        """Whether a statement of an origin is held."""
        return origin in self._held

    def contradicts(self, statement: Statement) -> bool:
        """Whether its origin has said something else, of the same time or later."""
        held = self._held.get(statement.origin)
        return held is not None and held.statement != statement

    def outlives(self, statement: Statement) -> bool:
        """Whether its origin is known to have had a later life."""
        held = self._held.get(statement.origin)
        return held is not None and held.statement.incarnation > statement.incarnation

    def incoming(self, pulse: Pulse) -> Beat:
        """The heartbeat that a pulse stands for. Raises Unstated, Outdated."""
        held = self._held.get(pulse.origin)
        if held is None or held.statement.ordinal % _ORDINALS != pulse.ordinal:
            raise Unstated
        said = held.statement
        number = said.number + pulse.ahead
        if number > held.number:
            if not self._proves(pulse.link, number, held):
                raise Unstated
            held.number, held.link, held.heard = number, pulse.link, False
        elif self._trust.authentic:
            newest = (number, pulse.link) == (held.number, held.link)
            if not newest and not self._trust.follows(held.link, held.number, pulse.link, number):
                raise Unstated  # of another life, whose statement happens to have the same ordinal
            if not newest or (held.heard and self._space.origin_number(pulse.origin) == NIL):
                raise Outdated  # so that nobody keeps a node alive that has fallen silent
        held.heard = held.heard or number == held.number
        return beat_of(said, number, pulse.hops, pulse.life_s, pulse.link)

    def _proves(self, link: bytes, number: int, held: _Held) -> bool:
        if not self._trust.authentic:
            return link == held.check
        return self._trust.follows(link, number, held.link, held.number)

    def second_passed(self) -> None:
        """Forget what origins have said that are not known to live.

        What is signed is kept, while there is room: a node that returns must go on from there.
        """
        space = self._space
        if self._trust.authentic:
            return
        for origin, held in list(self._held.items()):
            if space.origin_number(origin) == NIL and space.tick - held.tick >= _KEEP_S:
                del self._held[origin]


def beat_of(said: Statement, number: int, hops: int, life_s: int, link: bytes = b"") -> Beat:
    """The heartbeat that a statement and a pulse describe."""
    return Beat(
        said.origin,
        said.incarnation,
        said.sequence,
        number,
        hops,
        life_s,
        said.lsas,
        said.checksum,
        link,
    )


def _stated(beat: Beat, ordinal: int) -> Statement:
    return Statement(
        beat.origin,
        beat.incarnation,
        beat.sequence,
        beat.lsas,
        beat.checksum,
        ordinal,
        beat.number,
        b"",
        b"",
    )


def check_of(said: Statement) -> bytes:
    return crc32(manifest.of_statement(said)).to_bytes(CHECK_BYTES, "big")


def _follows(new: Statement, old: Statement) -> bool:
    """Whether a statement is newer, or says the same under another ordinal."""
    order = new.incarnation, new.sequence, new.number
    before = old.incarnation, old.sequence, old.number
    same = (new.lsas, new.checksum) == (old.lsas, old.checksum)
    return order > before or (order == before and same and new.ordinal != old.ordinal)
