"""Whether neighbours hear each other: a connected broker does not prove that frames arrive.

Each neighbour sends a heartbeat every five seconds. From whom none arrives is silent, and is told so: an
empty roster of its own LSAs, which travels with the next frame to it, says "nothing of yours has arrived
here". So both ends of a link that works in one direction only know it.
"""

from ..space.courier import Courier, Roster
from ..space.tuplespace import TupleSpace

SILENT_S = 16  # three heartbeats, and a second for the way
_STRANGERS = 16
_OVERTAKEN_S = 2  # the last frames of a node may be taken from their queue after its last will
_NO_CHANGE = 0  # sequence of the roster that says that nothing has arrived


class Hearing:
    """Who was heard when, in ticks of the space."""

    def __init__(self, space: TupleSpace, courier: Courier) -> None:
        self._space = space
        self._courier = courier
        self._heard = dict.fromkeys(space.neighbours, space.tick)
        self._strangers: dict[str, int] = {}  # not neighbours of this node, the latest last
        self._deaf: dict[str, int] = {}  # neighbours that said that they hear nothing
        self._gone: dict[str, int] = {}  # neighbours whose last will has arrived
        self._told: dict[str, int] = {}

    def heard(self, peer: str) -> None:
        """A valid frame of this node arrived."""
        if peer in self._heard:
            self._heard[peer] = self._space.tick
            if self._space.tick >= self._gone.get(peer, 0) + _OVERTAKEN_S:
                self._gone.pop(peer, None)
            return
        self._strangers.pop(peer, None)
        self._strangers[peer] = self._space.tick
        if len(self._strangers) > _STRANGERS:
            del self._strangers[next(iter(self._strangers))]

    def came(self, peer: str) -> None:
        """The link to a neighbour came up, or it has connected here: it has time to be heard."""
        if peer in self._heard:
            self._gone.pop(peer, None)
            self._heard[peer] = self._space.tick

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
        if self._is_late(peer) and tick >= self._told.get(peer, 0):
            self._told[peer] = tick + SILENT_S // 4
            self._courier.send_roster(peer, Roster(peer, 1, _NO_CHANGE, []))

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
