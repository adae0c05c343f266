"""What waits to be sent to each neighbour; after the reaction it leaves in as few frames as possible."""

from contextlib import suppress

from ..space.courier import MAX_LSAS, Beat, Courier, Roster
from ..space.errors import SpaceFull
from ..space.exchange import export, export_delta, export_near
from ..space.lsa import Lsa
from ..space.tuplespace import SELF, TupleSpace
from ..trust.trust import Trust
from . import manifest
from .frame import (
    FrameError,
    Kind,
    Part,
    encode_parts,
    pack,
    part_of_delta,
    part_of_lsa,
    part_of_near,
    part_of_pulse,
    part_of_roster,
    part_of_statement,
)
from .links import Links
from .statements import Statements
from .wire import MAX_BEATS, Statement

_ENTRY_BYTES = 24  # of a roster, about
_MAX_ASKED = MAX_LSAS // 4  # LSAs asked for at a time; the next digest shows what else is missing


class _Waiting:
    """What waits for one neighbour. A newer message replaces the older one."""

    def __init__(self) -> None:
        self.lsas: dict[str, Part] = {}
        self.near: dict[tuple[str, str, str], Part] = {}
        self.beats: dict[str, Beat] = {}
        self.reminders: dict[str, Statement] = {}
        self.rosters: dict[str, Roster] = {}
        self.ask_roster: dict[str, None] = {}
        self.ask_lsas: dict[str, None] = {}

    def __bool__(self) -> bool:
        return any(vars(self).values())


class Outbox(Courier):
    """The courier of a node."""

    def __init__(self, space: TupleSpace, links: Links, statements: Statements, trust: Trust) -> None:
        self._space = space
        self._trust = trust
        self._links = links
        self._statements = statements
        self._waiting: dict[str, _Waiting] = {peer: _Waiting() for peer in links.neighbours}
        self._stated: dict[str, dict[str, Statement]] = {peer: {} for peer in links.neighbours}
        self.answering: set[str] = set()  # neighbours that can ask for what a delta builds on
        self.too_large = 0

    def include(self, peer: str) -> None:
        """A neighbour was added."""
        self._waiting[peer], self._stated[peer] = _Waiting(), {}

    def exclude(self, peer: str) -> None:
        """It is no neighbour any more; what waited for it is dropped."""
        del self._waiting[peer], self._stated[peer]
        self.answering.discard(peer)

    @property
    def waiting(self) -> bool:
        """Whether something waits to be sent."""
        return any(self._waiting.values())

    def waits_for(self, peer: str) -> bool:
        """Whether something waits to be sent to a neighbour."""
        return bool(self._waiting[peer])

    def forget_sent(self, peer: str) -> None:
        """A neighbour may have restarted: it needs all statements again."""
        if peer in self._stated:
            self._stated[peer].clear()

    # ---- the courier --------------------------------------------------------------------------

    def send_lsa(self, slot: int, nodes: int, base: int = 0) -> None:
        peers = [peer for peer in self._waiting if nodes & self._space.node_bit(peer)]
        lsa = self._signed(slot)
        delta = export_delta(self._space, slot, base) if base else None
        whole: Part | None = None
        change: Part | None = None
        for peer in peers:
            waiting = self._waiting[peer].lsas
            if delta and delta.kept and peer in self.answering and lsa.name not in waiting:
                delta.auth = lsa.auth
                change = change or part_of_delta(delta)
                waiting[lsa.name] = change
                continue
            whole = whole or part_of_lsa(lsa)
            waiting.pop(lsa.name, None)
            waiting[lsa.name] = whole

    def _signed(self, slot: int) -> Lsa:
        """The record of an LSA; one of this node is signed when its version is first sent."""
        space = self._space
        lsa = export(space, slot)
        if space.lsa_origin[slot] == SELF and self._trust.authentic and not lsa.auth:
            lsa.auth = self._trust.sign(manifest.of_lsa(lsa))
            with suppress(SpaceFull):  # then it is signed again next time
                space.prove(slot, lsa.auth)
        return lsa

    def send_near(self, p: int, nodes: int) -> None:
        space = self._space
        near = export_near(space, p)
        if space.lsa_origin[space.p_lsa[p]] == SELF and self._trust.authentic and not near.auth:
            near.auth = self._trust.sign(manifest.of_near(near))
            with suppress(SpaceFull):
                space.prove_near(p, near.auth)
        part = part_of_near(near)
        for peer in self._waiting:
            if nodes & self._space.node_bit(peer):
                self._waiting[peer].near[near.name, near.label, near.query] = part

    def send_beat(self, peer: str, beat: Beat) -> None:
        if beat.origin == peer:
            self.remind(peer, self._statements.reminder(beat))
            return
        beats = self._waiting[peer].beats
        beats.pop(beat.origin, None)
        beats[beat.origin] = beat
        if len(beats) > MAX_BEATS:
            del beats[next(iter(beats))]

    def remind(self, peer: str, said: Statement | None) -> None:
        """Tell a neighbour what it, or a node that it passes on, has stated in an earlier life."""
        if said is not None and peer in self._waiting:
            self._waiting[peer].reminders[said.origin] = said

    def waiting_bytes(self, peer: str) -> int:
        """About how much waits for a neighbour, without beats."""
        waiting = self._waiting.get(peer)
        if waiting is None:
            return 0
        entries = sum(len(each.entries) for each in waiting.rosters.values())
        return sum(len(each.data) for each in waiting.lsas.values()) + _ENTRY_BYTES * entries

    def ask_roster(self, peer: str, origin: str) -> None:
        asked = self._waiting[peer].ask_roster
        if len(asked) < MAX_BEATS:
            asked[origin] = None

    def send_roster(self, peer: str, roster: Roster) -> None:
        self._stated[peer].pop(roster.origin, None)  # it comes with its statement
        rosters = self._waiting[peer].rosters
        rosters.pop(roster.origin, None)
        rosters[roster.origin] = roster
        if len(rosters) > MAX_BEATS:
            del rosters[next(iter(rosters))]

    def ask_lsas(self, peer: str, names: list[str]) -> None:
        asked = self._waiting[peer].ask_lsas
        for name in names:
            if len(asked) < _MAX_ASKED:
                asked[name] = None

    # ---- leaving ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Send everything; a frame that the link drops is lost, and the digest repairs that."""
        for peer, waiting in self._waiting.items():
            if waiting:
                self._waiting[peer] = _Waiting()
                for batch in pack(self._parts(peer, waiting)):
                    self._send(peer, batch)

    def _parts(self, peer: str, waiting: _Waiting) -> list[Part]:
        """In an order in which digests arrive after the LSAs they describe."""
        pulses, statements = [], list(map(part_of_statement, waiting.reminders.values()))
        stated = self._stated[peer]
        for origin, beat in waiting.beats.items():
            outgoing = self._statements.outgoing(beat)
            if outgoing is None:
                continue
            statement, pulse = outgoing
            if stated.get(origin) != statement:
                stated[origin] = statement
                statements.append(part_of_statement(statement))
            pulses.append(part_of_pulse(pulse))
        if len(stated) > self._space.nodes.capacity:
            stated.clear()
        return [
            *waiting.lsas.values(),
            *waiting.near.values(),
            *statements,
            *pulses,
            *map(part_of_roster, waiting.rosters.values()),
            *(Part(Kind.ASK_ROSTER, origin.encode()) for origin in waiting.ask_roster),
            *(Part(Kind.ASK_LSA, name.encode()) for name in waiting.ask_lsas),
        ]

    def _send(self, peer: str, batch: list[Part]) -> None:
        try:
            data = encode_parts(batch)
        except FrameError:
            self.too_large += 1
            return
        self._links.send(peer, data)
