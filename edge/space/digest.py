"""Heartbeats, and the digest that repairs lost messages: anti-entropy (thesis 5.1.3.2).

Each node sends a heartbeat every `BEAT_S`. It floods the microgrid and carries the digest of what the
node shows. A node whose digest differs asks the neighbour that passed the heartbeat on for its roster,
then for the LSAs it lacks. So a lost message is repaired within `BEAT_S` plus two round trips. The
standing cost is one small message per link, origin and heartbeat, however many twins there are.
"""

from .courier import MAX_LSAS, Beat, Roster
from .errors import SpaceFull
from .lsa import MAX_PATH
from .names import NIL
from .origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE, checksum
from .shim import const
from .tuplespace import SELF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .courier import Courier
    from .tuplespace import TupleSpace

BEAT_S = const(5)
_EARLY_S = const(2)  # a heartbeat due this soon joins messages that leave anyway
_ASK_AGAIN_S = const(2)
_NO_ROOM_S = const(5)
_NO_ROOM_MAX_S = const(60)
_PATIENT = const(3)  # times at which room is not waited for longer than that
_TRIED = const(8)  # LSAs asked for where there was no room
_BEYOND_BEATS = const(3)  # an LSA may overtake one heartbeat, or two
_LAST_CHANGES = const(0x10000)  # so far before the last number of a change a new incarnation begins


class Digest:
    """Keeps this node's view of every origin fresh and complete."""

    def __init__(self, space: "TupleSpace", courier: "Courier") -> None:
        self._space = space
        self._courier = courier
        self._due_tick = space.tick
        self._announced: dict[int, tuple[str, Beat]] = {}  # newest heartbeat of an origin, and who passed it
        self._asked_tick: dict[int, int] = {}
        self._no_room: dict[int, tuple[int, int]] = {}  # of an origin: how often in a row, LSAs held then
        self._beyond: dict[int, int] = {}  # how many heartbeats of an origin knew less than is held
        self.asked = 0
        self.reincarnations = 0  # often means that two nodes have one name
        self.reminders: dict[str, int] = {}  # so does this, by neighbour
        self.no_room = 0

    # ---- out --------------------------------------------------------------------------------

    def tick(self) -> None:
        """A second has passed: beat when due; ask again where a question or its answer was lost."""
        space = self._space
        if space.changes >= MAX_SEQUENCE - _LAST_CHANGES:
            self._reincarnate(space.origins.incarnation[SELF])
        space.renew_kept(_EARLY_S if space.tick >= self._due_tick else 0)  # they go with the beat
        if space.tick >= self._due_tick:
            self.beat()
        for number in list(self._announced):
            if space.nodes.text(number) != self._announced[number][1].origin:
                del self._announced[number]  # another node has that number
                continue
            if space.tick - self._asked_tick.get(number, 0) < _ASK_AGAIN_S:
                continue
            if self._differs(number):
                self._ask(number)
            else:
                self._no_room.pop(number, None)

    def beat(self) -> None:
        """Tell all neighbours that this node lives, and what it holds."""
        self._due_tick = self._space.tick + BEAT_S
        self._space.origins.beat[SELF] += 1
        own = self._own_beat()
        for peer in self._space.neighbours:
            self._courier.send_beat(peer, own)

    def beat_early(self) -> None:
        """Messages are about to leave: a heartbeat due soon goes with them, so the nodes fall into step."""
        if self._space.tick >= self._due_tick - _EARLY_S:
            self.beat()

    def introduce(self, peer: str) -> None:
        """A link came up: tell the neighbour about every origin known here, and of the requests of all.

        Their remaining life is stated one second shorter, so that flapping links cannot keep a dead node
        alive.
        """
        space = self._space
        if not space.is_neighbour(peer):
            return
        space.forget_sent(peer)
        space.origins.beat[SELF] = max(1, space.origins.beat[SELF])
        self._courier.send_beat(peer, self._own_beat())
        for number in range(SELF + 1, space.nodes.capacity):
            life_s = space.origins.life_s(number, space.tick) - 1
            near = space.origins.hops[number] < space.horizon
            if life_s > 0 and space.origins.beat[number] and near:
                self._courier.send_beat(peer, self._beat_of(number, life_s))
        for p in self._open(SELF):
            self._courier.send_near(p, space.node_bit(peer))
            space.renew_again(p)

    def state_again(self, peer: str, origin: str) -> None:
        """A neighbour has learned only now who an origin is, and dropped what that said alone until then.

        Who did not know this node may have dropped what went by it, too, as if their link had been down.
        """
        space, bit = self._space, self._space.node_bit(peer)
        number = space.origin_number(origin)
        if number == NIL or not space.is_neighbour(peer):
            return
        for p in self._open(number):
            self._courier.send_near(p, bit)
        for p, to in enumerate(space.p_to):
            if to and space.is_live(p) and space.p_origin[p] == number and not space.p_holders[p] & bit:
                nodes = space.reached_by(p, bit)
                if nodes:
                    self._courier.send_near(p, bit, nodes)

    # ---- in ---------------------------------------------------------------------------------

    def is_news(self, beat: Beat) -> bool:
        """Whether a heartbeat of another node is newer than the newest one."""
        number = self._space.origin_number(beat.origin)
        return number == NIL or (beat.incarnation, beat.number) > self._space.origins.newest_beat(number)

    def heard(self, peer: str, beat: Beat) -> None:
        """A neighbour sent a heartbeat, its own or one of another node."""
        space, origins = self._space, self._space.origins
        if beat.origin == space.node:
            self._heard_of_self(beat)
            return
        number = space.origin_number(beat.origin)
        if number != NIL and (beat.incarnation, beat.number) <= origins.newest_beat(number):
            self._heard_again(peer, number, beat)
            return
        hops = beat.hops + 1
        life_s = min(beat.life_s, LIFE_S)
        met = number == NIL
        try:
            number = space.meet(beat.origin, beat.incarnation, life_s, hops, peer)
        except SpaceFull:
            self.no_room += 1
            return
        origins.heartbeat(number, beat.number, beat.sequence, hops, space.tick + life_s)
        origins.limit(number, space.tick + LIFE_S)
        if met:
            self._no_room.pop(number, None)  # another node had that number
        self._announced[number] = (peer, beat)
        self._check_sequence(number, beat)
        space.came_from(number, peer, hops)
        if hops < min(MAX_PATH, space.horizon):
            passed_on = self._beat_of(number, life_s)
            for other in space.neighbours:
                if other not in (peer, beat.origin):
                    self._courier.send_beat(other, passed_on)
        if space.tick - self._asked_tick.get(number, -_ASK_AGAIN_S) >= _ASK_AGAIN_S and self._differs(number):
            self._ask(number)

    def remind(self, peer: str) -> None:
        """A neighbour shows an earlier life than is known of it: it restarted without its memory."""
        space, origins = self._space, self._space.origins
        number = space.origin_number(peer)
        if number == NIL or not space.is_neighbour(peer):
            return
        incarnation, sequence = origins.newest_change(number)
        lsas, total = space.digest(number)
        if origins.beat[number] and self._announced[number][1].sequence >= sequence:
            _, beat = self._announced[number]
            lsas, total = beat.lsas, beat.checksum
        reminder = Beat(peer, incarnation, sequence, max(1, origins.beat[number]), 0, LIFE_S, lsas, total)
        self.note_reminder(peer)
        self._courier.send_beat(peer, reminder)

    def believer(self, origin: str, incarnation: int, sender: str) -> str:
        """The neighbour, not `sender`, that passes on an earlier life of an origin; "" if none does."""
        number = self._space.origin_number(origin)
        if number in (NIL, SELF) or not self._space.origins.beat[number]:
            return ""
        peer, beat = self._announced[number]
        return peer if peer != sender and beat.incarnation < incarnation else ""

    def outlived(self, incarnation: int) -> None:
        """This node has had a life with that number: its present one must be later."""
        if incarnation > self._space.origins.incarnation[SELF]:
            self.reincarnations += incarnation < MAX_INCARNATION
            self._reincarnate(incarnation)

    def note_reminder(self, peer: str) -> None:
        """A neighbour seems to live twice."""
        self.reminders[peer] = self.reminders.get(peer, 0) + 1

    def answer_roster(self, peer: str, origin: str) -> None:
        """A neighbour asks which LSAs of an origin are held here."""
        space = self._space
        number = space.origin_number(origin)
        if number != NIL and space.is_neighbour(peer) and space.origins.hops[number] < space.horizon:
            incarnation, sequence = space.origins.newest_change(number)
            entries = space.roster(number)[:MAX_LSAS]
            if number == SELF:
                self._courier.send_beat(peer, self._own_beat())  # of now: it proves the roster
            elif space.origins.beat[number]:
                life_s = max(1, space.origins.life_s(number, space.tick) - 1)
                self._courier.send_beat(peer, self._beat_of(number, life_s))
            self._courier.send_roster(peer, Roster(origin, incarnation, sequence, entries))

    def compare(self, peer: str, theirs: Roster) -> None:
        """A neighbour sent its roster: ask for what is newer there; drop what the origin has dropped."""
        space = self._space
        number = space.nodes.find(theirs.origin)
        if number in (NIL, SELF) or theirs.incarnation != space.origins.incarnation[number]:
            return
        held = dict(space.roster(number, demoted=True))
        lacking = [name for name, version in theirs.entries if version > held.get(name, 0)]
        if lacking and space.is_neighbour(peer):
            if number in self._no_room:  # each time others, as they differ in size
                first = space.tick % len(lacking)
                lacking = (lacking[first:] + lacking[:first])[:_TRIED]
            self._courier.ask_lsas(peer, lacking)
        complete_to = self._complete_to(number, theirs)
        listed = {name for name, _ in theirs.entries}
        for name, version in held.items():
            if name not in listed and version <= complete_to:
                space.remove(space.find(name), quiet=True)

    def answer_lsas(self, peer: str, names: "list[str]") -> None:
        """A neighbour asks for LSAs by name; it gets each once."""
        space = self._space
        if not space.is_neighbour(peer):
            return
        for name in dict.fromkeys(names):
            slot = space.slot_of_name(name)
            if slot != NIL and space.lsa_version[slot] and not space.lsa_lapsed[slot]:
                self._courier.send_lsa(slot, space.node_bit(peer))

    def postpone(self, origin: str) -> None:
        """What an origin shows finds no room: ask for it less and less often, until some of it does."""
        number = self._space.origin_number(origin)
        if number in self._announced:
            if self._space.tick < self._asked_tick.get(number, 0):
                return  # it waits already
            count = self._space.origins.count[number]
            times, before = self._no_room.get(number, (0, count))
            times = 1 if count > before else times + 1
            self._no_room[number] = times, count
            wait_s = min(_NO_ROOM_MAX_S, _NO_ROOM_S * max(1, times - _PATIENT))
            self._asked_tick[number] = self._space.tick + wait_s - _ASK_AGAIN_S

    # ---- inside -----------------------------------------------------------------------------

    def _open(self, number: int) -> "list[int]":
        """Kept properties of an origin that go on all around; of all origins if it is this node."""
        space = self._space
        return [
            p
            for p, kept in enumerate(space.p_kept)
            if kept and space.is_live(p) and space.goes_on(p) and number in (SELF, space.p_origin[p])
        ]

    def _check_sequence(self, number: int, beat: Beat) -> None:
        """Changes that an origin does not know of were not made by it: do not wait until it gets there."""
        if self._space.origins.sequence[number] <= beat.sequence:
            self._beyond.pop(number, None)
            return
        self._beyond[number] = self._beyond.get(number, 0) + 1
        if self._beyond[number] >= _BEYOND_BEATS:
            del self._beyond[number]
            self._space.disbelieve(number, beat.sequence)

    def _heard_of_self(self, beat: Beat) -> None:
        """Others may remember a later incarnation of this node than it does: start a still later one."""
        origins = self._space.origins
        change, number = (beat.incarnation, beat.sequence), (beat.incarnation, beat.number)
        contradiction = (beat.lsas, beat.checksum) != self._space.digest(SELF)
        if (
            change > origins.newest_change(SELF)
            or number > origins.newest_beat(SELF)
            or (change == origins.newest_change(SELF) and contradiction)
        ):
            self.reincarnations += beat.incarnation < MAX_INCARNATION
            self._reincarnate(beat.incarnation)

    def _reincarnate(self, last: int) -> None:
        """Start the incarnation after `last`. After the last of all, others must forget this node first."""
        if last < MAX_INCARNATION:
            self._space.reincarnate(last + 1)
            self._due_tick = self._space.tick

    def _heard_again(self, peer: str, number: int, beat: Beat) -> None:
        """The newest heartbeat over another path, perhaps a shorter one; or an outdated heartbeat.

        With the answer to a question it may know of later changes than before.
        """
        space, origins = self._space, self._space.origins
        if (beat.incarnation, beat.number) == origins.newest_beat(number):
            origins.shorten(number, beat.hops + 1)
            if number in self._announced and beat.sequence > self._announced[number][1].sequence:
                origins.advance(number, beat.sequence)
                self._announced[number] = (peer, beat)
            elif space.is_neighbour(peer) and not space.is_neighbour(self._announced[number][0]):
                self._announced[number] = (peer, beat)  # a node that can be asked
                if self._differs(number):
                    self._ask(number)
        elif peer == beat.origin:
            self.remind(peer)

    def _complete_to(self, number: int, theirs: Roster) -> int:
        """The change up to which a roster lists everything; -1 when the sender may lack something too.

        Only the origin can say so, by the checksum in its heartbeat: so nobody else ends an LSA.
        """
        if self._space.origins.beat[number]:
            _, beat = self._announced[number]
            if beat.incarnation == theirs.incarnation and beat.checksum == checksum(theirs.entries):
                return beat.sequence
        return -1

    def _own_beat(self) -> Beat:
        space = self._space
        incarnation, sequence = space.origins.newest_change(SELF)
        lsas, total = space.digest(SELF)
        return Beat(space.node, incarnation, sequence, space.origins.beat[SELF], 0, LIFE_S, lsas, total)

    def _beat_of(self, number: int, life_s: int) -> Beat:
        """The newest heartbeat of an origin, as this node passes it on."""
        _, beat = self._announced[number]
        hops = self._space.origins.hops[number]
        return Beat(
            beat.origin,
            beat.incarnation,
            beat.sequence,
            beat.number,
            hops,
            life_s,
            beat.lsas,
            beat.checksum,
            beat.proof,
        )

    def _differs(self, number: int) -> bool:
        """Whether the LSAs held here differ from those announced; newer knowledge is no difference."""
        origins = self._space.origins
        _, beat = self._announced[number]
        if beat.incarnation != origins.incarnation[number] or origins.sequence[number] > beat.sequence:
            return False
        return (beat.lsas, beat.checksum) != self._space.digest(number)

    def _ask(self, number: int) -> None:
        self._asked_tick[number] = self._space.tick
        peer, beat = self._announced[number]
        if self._space.is_neighbour(peer):
            self.asked += 1
            self._courier.ask_roster(peer, beat.origin)
