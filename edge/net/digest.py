"""Heartbeats and the digest that heals lost frames: anti-entropy (DESIGN 5, spreading).

Each node beats every `BEAT_S`; the beat floods the microgrid and carries the digest of what that node
shows. Who holds something else asks the neighbour it heard the beat from for the roster, then for the
LSAs it lacks: a lost frame is healed within `BEAT_S` and the way there and back, twice. The standing
cost is one small message per link, origin and beat, whatever the number of twins.
"""

from ..space.errors import SpaceFull
from ..space.exchange import meet, reincarnate, roster
from ..space.names import NIL
from ..space.origins import LIFE_S, checksum
from ..space.tuplespace import SELF, TupleSpace
from .frame import MAX_INCARNATION, MAX_LSAS, MAX_PATH, Beat, Roster
from .outbox import Outbox

BEAT_S = 5
_EARLY_S = 2  # a beat due so soon rides along with a frame that leaves anyway
_ASK_AGAIN_S = 2


class Digest:
    """Keeps this node's view of every origin fresh and complete."""

    def __init__(self, space: TupleSpace, outbox: Outbox) -> None:
        self._space = space
        self._outbox = outbox
        self._due_tick = space.tick
        self._announced: dict[int, tuple[str, Beat]] = {}  # who told us what of an origin that beats
        self._asked_tick: dict[int, int] = {}
        self.asked = 0
        self.no_room = 0

    def tick(self) -> None:
        """A second has passed: beat when due, ask again where an answer, or the question, was lost."""
        if self._space.tick >= self._due_tick:
            self.beat()
        for number in self._announced:
            if self._space.tick - self._asked_tick.get(number, 0) >= _ASK_AGAIN_S and self._differs(number):
                self._ask(number)

    def beat(self) -> None:
        """Tell all neighbours that this node lives, and what it holds."""
        self._due_tick = self._space.tick + BEAT_S
        own = self._own_beat()
        for peer in self._outbox.peers:
            self._outbox.beat(peer, own)

    def ride_along(self) -> None:
        """Beat now if frames leave anyway and the beat is due soon: the nodes fall into step."""
        if self._space.tick >= self._due_tick - _EARLY_S and self._outbox:
            self.beat()

    def introduce(self, peer: str) -> None:
        """A link came up: tell the neighbour of every origin known here.

        It costs a second of the word's life, so that flapping links cannot keep a dead node alive.
        """
        if peer not in self._outbox:
            return
        self._outbox.beat(peer, self._own_beat())
        origins = self._space.origins
        for number in range(SELF + 1, self._space.nodes.capacity):
            life_s = origins.expires[number] - self._space.tick - 1
            if life_s > 0 and origins.beat[number]:
                self._outbox.beat(peer, self._beat_of(number, life_s))

    def heard(self, peer: str, beat: Beat) -> None:
        """A neighbour passed on a heartbeat."""
        space, origins = self._space, self._space.origins
        stamp = (beat.incarnation, beat.sequence)
        if beat.origin == space.node:
            if (origins.incarnation[SELF], origins.sequence[SELF]) < stamp < (MAX_INCARNATION, 0):
                reincarnate(space, beat.incarnation + 1)
                self._due_tick = space.tick
            return
        known = space.nodes.find(beat.origin)
        fresh = known == NIL or not origins.expires[known]
        if not fresh and stamp <= (origins.incarnation[known], origins.beat[known]):
            self._heard_again(peer, known, beat)
            return
        life_s = min(beat.life_s, LIFE_S)
        try:
            number = meet(space, beat.origin, beat.incarnation, life_s, beat.hops + 1)
        except SpaceFull:
            self.no_room += 1
            return
        origins.expires[number] = max(origins.expires[number], space.tick + life_s)
        origins.beat[number] = beat.sequence
        origins.sequence[number] = max(origins.sequence[number], beat.sequence)
        origins.hops[number] = beat.hops + 1
        self._announced[number] = (peer, beat)
        if beat.hops + 1 < MAX_PATH:
            passed_on = self._beat_of(number, life_s)
            for other in self._outbox.peers:
                if other not in (peer, beat.origin):
                    self._outbox.beat(other, passed_on)
        if self._differs(number):
            self._ask(number)

    def _heard_again(self, peer: str, number: int, beat: Beat) -> None:
        """The same by another way, perhaps a shorter one; or what was true once."""
        origins = self._space.origins
        if (beat.incarnation, beat.sequence) == (origins.incarnation[number], origins.beat[number]):
            origins.hops[number] = min(origins.hops[number], beat.hops + 1)
            if self._announced[number][0] not in self._outbox and peer in self._outbox:
                self._announced[number] = (peer, beat)  # somebody who can be asked
                if self._differs(number):
                    self._ask(number)
        elif peer == beat.origin and peer in self._outbox:  # it has restarted and forgotten how far it was
            incarnation, sequence = origins.incarnation[number], origins.sequence[number]
            self._outbox.beat(peer, beat._replace(incarnation=incarnation, sequence=sequence))

    def answer_roster(self, peer: str, origin: str) -> None:
        """A neighbour asks what is held of an origin."""
        number = self._space.nodes.find(origin)
        origins = self._space.origins
        if peer not in self._outbox or number == NIL or not (number == SELF or origins.expires[number]):
            return
        entries = roster(self._space, number)[:MAX_LSAS]
        own = Roster(origin, origins.incarnation[number], origins.sequence[number], entries)
        self._outbox.roster(peer, own)

    def compare(self, peer: str, theirs: Roster) -> None:
        """The neighbour's roster: ask for what is newer there; drop what its origin has dropped."""
        space = self._space
        number = space.nodes.find(theirs.origin)
        if number in (NIL, SELF) or theirs.incarnation != space.origins.incarnation[number]:
            return
        held = dict(roster(space, number, demoted=True))
        lacking = [name for name, version in theirs.entries if version > held.get(name, 0)]
        if lacking and peer in self._outbox:
            self._outbox.ask_lsas(peer, lacking)
        complete_to = self._complete_to(peer, number, theirs)
        listed = {name for name, _ in theirs.entries}
        for name, version in held.items():
            if name not in listed and version <= complete_to:
                space.remove(space.find(name), quiet=True)

    def _complete_to(self, peer: str, number: int, theirs: Roster) -> int:
        """Up to which change a roster lists all there is; -1: the neighbour may lack something itself."""
        if peer == theirs.origin and len(theirs.entries) < MAX_LSAS:
            return theirs.sequence
        if self._space.origins.beat[number]:
            _, beat = self._announced[number]
            if beat.checksum == checksum(theirs.entries):
                return beat.sequence
        return -1

    def _own_beat(self) -> Beat:
        self._space.next_sequence()
        origins = self._space.origins
        return Beat(
            self._space.node,
            origins.incarnation[SELF],
            origins.sequence[SELF],
            0,
            LIFE_S,
            origins.count[SELF],
            origins.checksum[SELF],
        )

    def _beat_of(self, number: int, life_s: int) -> Beat:
        _, beat = self._announced[number]
        return beat._replace(hops=self._space.origins.hops[number], life_s=life_s)

    def _differs(self, number: int) -> bool:
        """Whether we hold something else than the origin announced; newer knowledge is no difference."""
        origins = self._space.origins
        _, beat = self._announced[number]
        if beat.incarnation != origins.incarnation[number] or origins.sequence[number] > beat.sequence:
            return False
        return (beat.lsas, beat.checksum) != (origins.count[number], origins.checksum[number])

    def _ask(self, number: int) -> None:
        self._asked_tick[number] = self._space.tick
        peer, beat = self._announced[number]
        if peer in self._outbox:
            self.asked += 1
            self._outbox.ask_roster(peer, beat.origin)
