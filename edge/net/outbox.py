"""What waits to be sent to each neighbour; after the reaction it leaves in as few frames as possible."""

from collections.abc import Collection, Iterator, Mapping

from ..space.courier import MAX_LSAS, Beat, Courier, Roster
from ..space.exchange import export, export_delta
from ..space.lsa import Delta, Lsa, Near
from ..space.names import NIL
from ..space.nearby import export_near
from ..space.tuplespace import SELF, TupleSpace
from ..trust.trust import TWIN, Trust
from .allowance import Allowances
from .frame import encode_parts
from .latest import Latest
from .links import Links
from .parts import (
    Kind,
    Part,
    pack,
    part_of_delta,
    part_of_lsa,
    part_of_near,
    part_of_pulse,
    part_of_roster,
    part_of_statement,
)
from .schema import MAX_BEATS, FrameError, Statement
from .signing import Signed, sign
from .statements import Statements

_RECORD_BYTES = 100  # of an LSA without its properties, about
_STATEMENT_BYTES = 150  # with its pulse
_ENTRY_BYTES = 12  # of a roster, about
_PROPERTY_BYTES = 24  # without its value, about
# No setting: more are refused by the receiver. What else is missing is asked for after the next digest.
_MAX_ASKED = MAX_LSAS // 4  # LSAs asked for at a time


class Leaving:
    """A record on its way out; one encoding serves all neighbours. `delta` goes in its place, with the
    signature that the record gets."""

    def __init__(
        self, record: Lsa | Delta | Near, delta: Delta | None = None, to: tuple[str, ...] = ()
    ) -> None:
        self._record = record
        self._delta = delta
        self.to = to
        self._part: Part | None = None

    @property
    def part(self) -> Part:
        """What is sent, with the signature that the record has now."""
        if self._part is None:
            record = self._record
            if self._delta:
                self._delta.auth = record.auth
                self._part = part_of_delta(self._delta)
            elif isinstance(record, Near):
                self._part = part_of_near(record, self.to)
            else:
                self._part = part_of_lsa(record) if isinstance(record, Lsa) else part_of_delta(record)
        return self._part

    def repeats(self, record: Near) -> bool:
        """Whether it is the same version of a near property."""
        own = self._record
        return isinstance(own, Near) and (own.incarnation, own.version) == (
            record.incarnation,
            record.version,
        )

    @property
    def size(self) -> int:
        """How many bytes it will have, about."""
        record = self._delta or self._record
        shown = [record] if isinstance(record, Near) else record.properties
        return _RECORD_BYTES + sum(_PROPERTY_BYTES + len(each.value) for each in shown)


# What serves several neighbours in one flush: heartbeats by the identity of the beat, frames by their parts.
Beats = dict[int, tuple[Statement, Part] | None]
Frames = dict[tuple[Part, ...], bytes]


class _Waiting:
    """What waits for one neighbour. A newer message replaces the older one."""

    def __init__(self) -> None:
        self.lsas: dict[str, Leaving] = {}
        self.near: dict[tuple[str, str, str], Leaving] = {}
        self.beats: Latest[str, Beat] = Latest(MAX_BEATS)
        self.reminders: dict[str, Statement] = {}
        self.rosters: Latest[str, Roster] = Latest(MAX_BEATS)
        self.ask_roster: dict[str, None] = {}
        self.ask_lsas: dict[str, None] = {}


class Outbox(Courier):
    """The courier of a node."""

    def __init__(
        self,
        space: TupleSpace,
        links: Links,
        statements: Statements,
        trust: Trust,
        allowances: Allowances,
    ) -> None:
        self._space = space
        self._allowances = allowances
        self._trust = trust
        self._links = links
        self._statements = statements
        self._waiting: dict[str, _Waiting] = {}  # of neighbours to which something is to be sent
        self._bits = {peer: space.node_bit(peer) for peer in space.neighbours}  # of neighbours in node sets
        self._stated: dict[str, dict[str, Statement]] = {peer: {} for peer in space.neighbours}
        self._unsigned: list[Lsa | Near] = []
        self._exported: dict[tuple[int, int], Near] = {}  # since the last flush
        self._introduced: dict[str, Latest[str, tuple[int, int]]] = {}  # identities sent ahead, by neighbour
        self.answering: set[str] = set()  # neighbours that can ask for what a delta builds on
        self.too_large = 0

    def include(self, peer: str) -> None:
        """A neighbour was added."""
        self._bits[peer], self._stated[peer] = self._space.node_bit(peer), {}

    def exclude(self, peer: str) -> None:
        """It is no neighbour any more; what waited for it is dropped."""
        del self._bits[peer], self._stated[peer]
        self._waiting.pop(peer, None)
        self._introduced.pop(peer, None)
        self.answering.discard(peer)

    @property
    def waiting(self) -> Collection[str]:
        """The neighbours to which something is to be sent."""
        return self._waiting

    def forget_sent(self, peer: str) -> None:
        """A neighbour may have restarted: it needs all statements again."""
        self._introduced.pop(peer, None)
        if peer in self._stated:
            self._stated[peer].clear()

    # ---- the courier --------------------------------------------------------------------------

    def send_lsa(self, slot: int, nodes: int, base: int = 0) -> None:
        space, peers = self._space, self._peers(nodes)
        name, origin = space.names.text(space.lsa_name[slot]), space.lsa_origin[slot]
        delta = export_delta(space, slot, base) if base else None
        to_delta = {peer for peer in peers if peer in self.answering and not self._waits(peer, name)}
        record: Lsa | Delta
        if delta is None or len(to_delta) < len(peers) or self._is_unsigned(delta, origin):
            record = self._leaving(export(space, slot), origin)
        else:  # all take the delta, and it has its signature
            record = delta
        change, whole = Leaving(record, delta), Leaving(record)
        for peer in peers:
            waiting = self._for(peer).lsas
            if delta and peer in to_delta:
                waiting[name] = change
                continue
            waiting.pop(name, None)
            waiting[name] = whole

    def send_near(self, p: int, nodes: int, to: tuple[str, ...] = ()) -> None:
        near = self._near(p)
        key = near.name, near.label, near.query
        leaving = Leaving(near, to=to)
        for peer in self._peers(nodes):
            waiting = self._for(peer).near
            before = waiting.pop(key, None)
            if to and before and before.repeats(near):
                also = tuple(node for node in before.to if node not in to)
                waiting[key] = Leaving(near, to=to + also)
            else:
                waiting[key] = leaving
            if near.alone and near.hops >= self._space.horizon:
                self._introduce(peer, near.origin)

    def _near(self, p: int) -> Near:
        """The record of a near property: one for each version, so that it is signed once."""
        space = self._space
        key = space.p_lsa[p], p
        near = self._exported.get(key)
        if near is None or near.version != space.p_version[p]:
            near = self._leaving(export_near(space, p), space.lsa_origin[space.p_lsa[p]])
            self._exported[key] = near
        return near

    def _introduce(self, peer: str, origin: str) -> None:
        """What is signed goes where the identity of its origin does not: that is sent ahead, once."""
        slot = self._space.slot_of_name(f"{origin}.{TWIN}") if self._trust.authentic else NIL
        if slot == NIL or not self._space.lsa_version[slot]:
            return
        told = self._introduced.setdefault(peer, Latest(self._space.nodes.capacity))
        known_as = (
            self._space.lsa_version[slot],
            self._space.origins.incarnation[self._space.lsa_origin[slot]],
        )
        if told.get(origin) != known_as:
            told.note(origin, known_as)
            self.send_lsa(slot, self._space.node_bit(peer))

    def _peers(self, nodes: int) -> list[str]:
        return [peer for peer, bit in self._bits.items() if nodes & bit]

    def _for(self, peer: str) -> _Waiting:
        """What waits for a neighbour; there will be something."""
        waiting = self._waiting.get(peer)
        if waiting is None:
            waiting = self._waiting[peer] = _Waiting()
        return waiting

    def _waits(self, peer: str, name: str) -> bool:
        return peer in self._waiting and name in self._waiting[peer].lsas

    def _leaving(self, record: Signed, origin: int) -> Signed:
        """What this node has not signed yet is signed when the reaction is over."""
        if self._is_unsigned(record, origin):
            self._unsigned.append(record)
        return record

    def _is_unsigned(self, record: Lsa | Delta | Near, origin: int) -> bool:
        return origin == SELF and self._trust.authentic and not record.auth

    def send_beat(self, peer: str, beat: Beat) -> None:
        if beat.origin == peer:
            said = self._statements.reminder(beat)
            if said is None:
                self._show_identity(peer)
            self.remind(peer, said)
            return
        self._for(peer).beats.note(beat.origin, beat)

    def _show_identity(self, peer: str) -> None:
        """What a neighbour has signed in a life that it does not remember, if nothing else says so."""
        slot = self._space.slot_of_name(f"{peer}.{TWIN}")
        if slot != NIL and self._space.lsa_version[slot]:
            self.send_lsa(slot, self._bits[peer])

    def show(self, peer: str, lsa: Lsa) -> int:
        """Send a neighbour an LSA that has left the space; returns about how many bytes it has."""
        if peer not in self._bits:
            return 0
        leaving = self._for(peer).lsas[lsa.name] = Leaving(lsa)
        return leaving.size

    def remind(self, peer: str, said: Statement | None) -> None:
        """Tell a neighbour what it, or a node that it passes on, has stated in an earlier life."""
        if said is not None and peer in self._bits:
            self._for(peer).reminders[said.origin] = said

    def lsa_bytes(self, peer: str, name: str) -> int:
        """About how many bytes of an LSA wait for a neighbour."""
        leaving = self._waiting[peer].lsas.get(name) if peer in self._waiting else None
        return leaving.size if leaving else 0

    def near_bytes(self, peer: str) -> int:
        """About how many bytes of near properties wait for a neighbour."""
        near = self._waiting[peer].near if peer in self._waiting else {}
        return sum(each.size for each in near.values())

    def roster_bytes(self, peer: str, origin: str) -> int:
        """About how many bytes it takes to send a neighbour the roster of an origin, with its statement."""
        number = self._space.origin_number(origin)
        waiting = self._waiting.get(peer)
        if number == NIL or peer not in self._bits or (waiting and origin in waiting.rosters):
            return 0
        return _STATEMENT_BYTES + _ENTRY_BYTES * self._space.origins.count[number]

    def ask_roster(self, peer: str, origin: str) -> None:
        asked = self._for(peer).ask_roster
        if len(asked) < MAX_BEATS:
            asked[origin] = None

    def send_roster(self, peer: str, roster: Roster) -> None:
        self._stated[peer].pop(roster.origin, None)  # it comes with its statement
        self._for(peer).rosters.note(roster.origin, roster)

    def ask_lsas(self, peer: str, names: list[str]) -> None:
        asked = self._for(peer).ask_lsas
        for origin in dict.fromkeys(map(_origin, names)):
            # More than this node takes would be dropped on arrival, and asked for again.
            others = sum(_origin(name) != origin for name in asked)
            most = min(
                _MAX_ASKED,
                self._allowances.takes_from(peer),
                others + self._allowances.takes_of(origin),
            )
            for name in names:
                if len(asked) < most and _origin(name) == origin:
                    asked[name] = None

    # ---- leaving ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send everything; a frame that the link drops is lost, and the digest repairs that."""
        self._unsigned = sign(self._space, self._trust, self._unsigned)
        beats: Beats = {}
        frames: Frames = {}
        self._exported.clear()
        waiting, self._waiting = self._waiting, {}
        for peer in self._bits:
            if peer in waiting:
                for batch in pack(self._parts(peer, waiting[peer], beats)):
                    self._send(peer, batch, frames)

    def _parts(self, peer: str, waiting: _Waiting, beats: "Beats") -> Iterator[Part]:
        """In an order in which digests arrive after the LSAs they describe."""
        for each in waiting.lsas.values():
            yield each.part
        for each in waiting.near.values():
            yield each.part
        yield from map(part_of_statement, waiting.reminders.values())
        if waiting.beats:
            yield from self._heartbeats(peer, waiting.beats, beats)
        yield from map(part_of_roster, waiting.rosters.values())
        for origin in waiting.ask_roster:
            yield Part(Kind.ASK_ROSTER, origin.encode())
        for name in waiting.ask_lsas:
            yield Part(Kind.ASK_LSA, name.encode())

    def _heartbeats(self, peer: str, waiting: Mapping[str, Beat], beats: "Beats") -> Iterator[Part]:
        """The pulses, after the statements that the neighbour does not know yet."""
        pulses = []
        stated = self._stated[peer]
        for origin, beat in waiting.items():
            if id(beat) not in beats:
                outgoing = self._statements.outgoing(beat)
                beats[id(beat)] = outgoing and (outgoing[0], part_of_pulse(outgoing[1]))
            leaving = beats[id(beat)]
            if leaving is None:
                continue
            statement, pulse = leaving
            told = stated.get(origin)
            if told is not statement and told != statement:
                stated[origin] = statement
                yield part_of_statement(statement)
            pulses.append(pulse)
        if len(stated) > self._space.nodes.capacity:
            stated.clear()
        yield from pulses

    def _send(self, peer: str, batch: list[Part], frames: "Frames") -> None:
        parts = tuple(batch)
        data = frames.get(parts)
        if data is None:
            try:
                data = frames[parts] = encode_parts(batch)
            except FrameError:
                self.too_large += 1
                return
        self._links.send(peer, data)


def _origin(name: str) -> str:
    return name.partition(".")[0]
