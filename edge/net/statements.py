"""Statements and pulses: how heartbeats travel, so that a node at rest needs no signature for each.

A statement says what an origin shows: how many LSAs, their checksum, its newest change. It goes to a
neighbour once, with the first pulse after a change. Each later pulse names the statement by its ordinal and
proves itself by the next link of the chain of the origin. Whoever gets a pulse without its statement asks for
it.
"""

from ..space.courier import Beat
from ..space.names import NIL
from ..space.tuplespace import TupleSpace
from .frame import MAX_AHEAD, MAX_PULSE_LIFE_S, Pulse
from .wire import Statement

_ORDINALS = 64  # that a pulse can tell apart
_KEEP_S = 2  # a statement arrives with its pulse; without one it is of no use


class Unstated(Exception):
    """The statement that a pulse refers to is not held here."""


class _Held:
    """The newest statement of an origin, and its newest pulse."""

    __slots__ = ("link", "number", "statement", "tick")

    def __init__(self, statement: Statement, tick: int) -> None:
        self.statement = statement
        self.number = statement.number
        self.link = statement.link
        self.tick = tick


class Statements:
    """The statements of this node and of the others."""

    def __init__(self, space: TupleSpace) -> None:
        self._space = space
        self._own: Statement | None = None
        self._held: dict[str, _Held] = {}
        self.no_room = 0

    # ---- out ------------------------------------------------------------------------------------

    def outgoing(self, beat: Beat) -> tuple[Statement, Pulse] | None:
        """How a heartbeat travels; None if it cannot be proved."""
        if beat.origin == self._space.node:
            statement = self._own_statement(beat)
            link = b""
        else:
            held = self._held.get(beat.origin)
            if held is None:
                return None
            statement, link = held.statement, beat.proof
        ahead = beat.number - statement.number
        if beat.incarnation != statement.incarnation or not 0 <= ahead <= MAX_AHEAD:
            return None
        life_s = min(beat.life_s, MAX_PULSE_LIFE_S)
        return statement, Pulse(beat.origin, statement.ordinal % _ORDINALS, ahead, beat.hops, life_s, link)

    def reminder(self, beat: Beat) -> Statement:
        """What a neighbour is told that has started with an older incarnation than is remembered of it."""
        held = self._held.get(beat.origin)
        if held and held.statement.incarnation == beat.incarnation:
            return held.statement
        return _stated(beat, 0)

    def _own_statement(self, beat: Beat) -> Statement:
        own = self._own
        if (
            own is None
            or (own.incarnation, own.sequence, own.lsas, own.checksum)
            != (beat.incarnation, beat.sequence, beat.lsas, beat.checksum)
            or beat.number - own.number > MAX_AHEAD
        ):
            self._own = own = _stated(beat, (own.ordinal + 1) % 256 if own else 0)
        return own

    # ---- in -------------------------------------------------------------------------------------

    def take(self, statement: Statement) -> bool:
        """Keep a statement of another node; True if it is news."""
        held = self._held.get(statement.origin)
        if held and not _follows(statement, held.statement):
            return False
        if held is None and len(self._held) >= self._space.nodes.capacity:
            self.second_passed()
            if len(self._held) >= self._space.nodes.capacity:
                self.no_room += 1
                return False
        new = self._held[statement.origin] = _Held(statement, self._space.tick)
        if held and held.statement.incarnation == statement.incarnation and held.number > new.number:
            new.number, new.link = held.number, held.link
        return True

    def knows(self, origin: str) -> bool:
        """Whether a statement of an origin is held."""
        return origin in self._held

    def contradicts(self, statement: Statement) -> bool:
        """Whether its origin has said something else, of the same time or later."""
        held = self._held.get(statement.origin)
        return held is not None and held.statement != statement

    def incoming(self, pulse: Pulse) -> Beat:
        """The heartbeat that a pulse stands for. Raises Unstated."""
        held = self._held.get(pulse.origin)
        if held is None or held.statement.ordinal % _ORDINALS != pulse.ordinal:
            raise Unstated
        said = held.statement
        number = said.number + pulse.ahead
        if number > held.number:
            held.number, held.link = number, pulse.link
        return beat_of(said, number, pulse.hops, pulse.life_s, pulse.link)

    def second_passed(self) -> None:
        """Forget what origins have said that are not known to live."""
        space = self._space
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


def _follows(new: Statement, old: Statement) -> bool:
    """Whether a statement is newer, or says the same under another ordinal."""
    order = new.incarnation, new.sequence, new.number
    before = old.incarnation, old.sequence, old.number
    same = (new.lsas, new.checksum) == (old.lsas, old.checksum)
    return order > before or (order == before and same and new.ordinal != old.ordinal)
