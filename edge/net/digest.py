"""Heartbeats and the digest that heals lost frames: anti-entropy (DESIGN 5, spreading).

Each node beats every `BEAT_S`; the beat floods the microgrid and carries the digest of what that node
shows. Who holds something else after `GRACE_S` asks the neighbour it heard the beat from for the
roster, then for the LSAs it lacks. The standing cost is one small message per link, origin and beat,
whatever the number of twins.
"""

from ..space.errors import SpaceFull
from ..space.exchange import meet, reincarnate, roster
from ..space.names import NIL
from ..space.origins import LIFE_S
from ..space.tuplespace import SELF, TupleSpace
from .frame import MAX_PATH, Beat, Roster
from .outbox import Outbox

BEAT_S = 5
_EARLY_S = 2  # a beat due so soon rides along with a frame that leaves anyway


class Digest:
    """Keeps this node's view of every origin fresh and complete."""

    def __init__(self, space: TupleSpace, outbox: Outbox) -> None:
        self._space = space
        self._outbox = outbox
        self._due_tick = space.tick
        self._announced: dict[int, tuple[str, Beat]] = {}  # origin -> who told us, what
        self._suspects: set[int] = set()  # origins whose digest differed
        self.asked = 0
        self.no_room = 0

    def tick(self) -> None:
        """A second has passed: beat when due, ask where a difference has lasted."""
        if self._space.tick >= self._due_tick:
            self.beat()
        suspects, self._suspects = self._suspects, set()
        for number in suspects:
            if self._differs(number):
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
        """A link came up: tell the neighbour of every origin known here."""
        if peer not in self._outbox:
            return
        self._outbox.beat(peer, self._own_beat())
        origins = self._space.origins
        for number in range(SELF + 1, self._space.nodes.capacity):
            if origins.expires[number] and origins.beat[number]:
                self._outbox.beat(peer, self._beat_of(number))

    def heard(self, peer: str, beat: Beat) -> None:
        """A neighbour passed on a heartbeat."""
        space, origins = self._space, self._space.origins
        if beat.origin == space.node:
            if (beat.incarnation, beat.sequence) > (origins.incarnation[SELF], origins.sequence[SELF]):
                reincarnate(space, beat.incarnation + 1)
            return
        known = space.nodes.find(beat.origin)
        fresh = known == NIL or not origins.expires[known]
        if not fresh:
            state = (origins.incarnation[known], origins.beat[known])
            if (beat.incarnation, beat.sequence) == state and beat.hops + 1 < origins.hops[known]:
                origins.hops[known] = beat.hops + 1
            if (beat.incarnation, beat.sequence) <= state:
                return
        try:
            number = meet(space, beat.origin, beat.incarnation, LIFE_S, beat.hops + 1)
        except SpaceFull:
            self.no_room += 1
            return
        origins.expires[number] = space.tick + LIFE_S
        origins.beat[number] = beat.sequence
        origins.hops[number] = beat.hops + 1
        self._announced[number] = (peer, beat)
        if beat.hops + 1 < MAX_PATH:
            for other in self._outbox.peers:
                if other not in (peer, beat.origin):
                    self._outbox.beat(other, self._beat_of(number))
        if self._differs(number):
            if fresh:
                self._ask(number)
            else:
                self._suspects.add(number)

    def answer_roster(self, peer: str, origin: str) -> None:
        """A neighbour asks what is held of an origin."""
        number = self._space.nodes.find(origin)
        origins = self._space.origins
        if peer not in self._outbox or number == NIL or not (number == SELF or origins.expires[number]):
            return
        entries = roster(self._space, number)
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
        announced = self._announced.get(number)
        if announced is None or space.origins.digest(theirs.entries) != announced[1].checksum:
            return  # the neighbour is incomplete itself: its silence proves nothing
        listed = {name for name, _ in theirs.entries}
        for name, version in held.items():
            if name not in listed and version <= announced[1].sequence:
                space.remove(space.find(name), quiet=True)

    def _own_beat(self) -> Beat:
        self._space.next_sequence()
        return self._beat_of(SELF)

    def _beat_of(self, number: int) -> Beat:
        origins = self._space.origins
        if number == SELF:
            count, checksum = origins.count[SELF], origins.checksum[SELF]
            return Beat(
                self._space.node, origins.incarnation[SELF], origins.sequence[SELF], 0, count, checksum
            )
        said = self._announced[number][1]
        return Beat(
            said.origin, said.incarnation, said.sequence, origins.hops[number], said.count, said.checksum
        )

    def _differs(self, number: int) -> bool:
        """Whether we hold something else than the origin announced; newer knowledge is no difference."""
        origins = self._space.origins
        announced = self._announced.get(number)
        if announced is None or not origins.expires[number]:
            return False
        beat = announced[1]
        if beat.incarnation != origins.incarnation[number] or origins.sequence[number] > beat.sequence:
            return False
        return (beat.count, beat.checksum) != (origins.count[number], origins.checksum[number])

    def _ask(self, number: int) -> None:
        peer, beat = self._announced[number]
        if peer in self._outbox:
            self.asked += 1
            self._outbox.ask_roster(peer, beat.origin)
