"""Whether neighbours hear each other: a connected broker does not prove that frames arrive.

Each neighbour sends a heartbeat every five seconds. From whom none arrives is silent, and is told so: an
empty roster of its own LSAs, which travels with the next frame to it, says "nothing of yours has arrived
here". So both ends of a link that works in one direction only know it.

When a link comes up, a neighbour gets time to be heard before it is told so, but only once: one that keeps
coming and going while nothing arrives is silent all the same. It gets less time if it was silent before the
link was lost, since then the loss does not explain its silence. A link on which nothing passes for minutes,
though it is connected, is to be connected again, after 2, 4 and then each 8 minutes: a broker that has
forgotten its clients needs that.
"""

from ..space.courier import Courier, Roster
from ..space.tuplespace import TupleSpace
from .latest import Latest

SILENT_S = 16  # three heartbeats, and a second for the way
_AGAIN_S = (
    8  # one heartbeat and a way that is slow: time for a neighbour that was silent before its link was lost
)
_STRANGERS = 16  # that are named; no setting: only names for a person to read
_OVERTAKEN_S = 2  # the last frames of a node may be taken from their queue after its last will
STALE_S = 120
STALE_MAX_S = 480
_NO_CHANGE = 0  # sequence of the roster that says that nothing has arrived


class Hearing:
    """Who was heard when, in ticks of the space."""

    def __init__(self, space: TupleSpace, courier: Courier) -> None:
        self._space = space
        self._courier = courier
        self._heard = dict.fromkeys(space.neighbours, space.tick)
        self._strangers: Latest[str, int] = Latest(_STRANGERS)  # not neighbours of this node, the latest last
        self._deaf: dict[str, int] = {}  # neighbours that said that they hear nothing
        self._gone: dict[str, int] = {}  # neighbours whose last will has arrived
        self._tell_from: dict[str, int] = {}
        self._came: set[str] = set()  # neighbours whose link came up since they were last heard
        self._mute: dict[
            str, tuple[int, int]
        ] = {}  # nothing passes: since when, how long until it is renewed

    def include(self, peer: str) -> None:
        """A neighbour was added; it is given time to be heard."""
        self._strangers.pop(peer, None)
        self._heard[peer] = self._space.tick
        self._tell_from[peer] = self._space.tick + SILENT_S

    def exclude(self, peer: str) -> None:
        """It is no neighbour any more."""
        for known in (self._heard, self._deaf, self._gone, self._tell_from, self._mute, self._strangers):
            known.pop(peer, None)
        self._came.discard(peer)

    def heard(self, peer: str) -> None:
        """A valid frame of this node arrived."""
        if peer in self._heard:
            self._heard[peer] = self._space.tick
            self._came.discard(peer)
            if self._space.tick >= self._gone.get(peer, 0) + _OVERTAKEN_S:
                self._gone.pop(peer, None)
            return
        self._strangers.note(peer, self._space.tick)

    def came(self, peer: str) -> None:
        """The link to a neighbour came up, or it has connected here."""
        tick = self._space.tick
        gone = self._gone.pop(peer, tick)
        if peer in self._heard and peer not in self._came:
            self._came.add(peer)
            was_silent = gone - self._heard[peer] >= SILENT_S
            self._tell_from[peer] = tick + (_AGAIN_S if was_silent else SILENT_S)

    def went(self, peer: str) -> None:
        """The link to a neighbour is lost, or its last will has arrived."""
        self._strangers.pop(peer, None)
        if peer in self._heard:
            self._gone[peer] = self._space.tick

    def reported(self, peer: str, roster: Roster) -> None:
        """A neighbour sent what it holds of this node."""
        if peer in self._heard and not roster.entries and roster.sequence == _NO_CHANGE:
            self._deaf[peer] = self._space.tick

    def tell(self, peer: str) -> None:
        """A frame is about to leave for a neighbour: tell it if nothing arrives from there."""
        tick = self._space.tick
        if self._is_late(peer) and tick >= self._tell_from.get(peer, 0):
            self._tell_from[peer] = tick + SILENT_S // 4
            self._courier.send_roster(peer, Roster(peer, 1, _NO_CHANGE, []))

    def to_renew(self) -> list[str]:
        """Neighbours whose connection should be made again now; to be asked now and then."""
        tick, not_heard = self._space.tick, {*self.silent, *self.deaf}
        due = []
        for peer in self._heard:
            if peer not in not_heard:
                self._mute.pop(peer, None)
                continue
            since, wait = self._mute.setdefault(peer, (tick, STALE_S))
            if tick - since >= wait:
                self._mute[peer] = tick, min(2 * wait, STALE_MAX_S)
                self._came.add(peer)  # that the link comes up again means nothing
                due.append(peer)
        return due

    def heard_s(self, peer: str) -> int | None:
        """How long ago a neighbour was last heard; None for others."""
        heard = self._heard.get(peer)
        return None if heard is None else self._space.tick - heard

    @property
    def silent(self) -> list[str]:
        """Neighbours of which nothing arrives, though it should."""
        return [peer for peer in self._heard if peer in self._gone or self._is_late(peer)]

    @property
    def deaf(self) -> list[str]:
        """Neighbours that say that nothing of this node arrives there."""
        return self._latest(self._deaf)

    @property
    def strangers(self) -> list[str]:
        """Nodes that send frames here and are no neighbours of this node."""
        return self._latest(self._strangers)

    def _is_late(self, peer: str) -> bool:
        return self._space.tick - self._heard[peer] >= SILENT_S

    def _latest(self, ticks: dict[str, int]) -> list[str]:
        return [peer for peer, tick in ticks.items() if tick > self._space.tick - SILENT_S]
