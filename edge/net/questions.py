"""What this node asks its neighbours for, apart from the digest; nothing twice within a moment."""

from ..space.tuplespace import TupleSpace
from ..trust.trust import TWIN
from .latest import Latest
from .outbox import Outbox

_AGAIN_S = 2
_REMEMBERED = 256  # no setting: what is forgotten may be asked again within 2 s, and costs one question


class Questions:
    """Questions to neighbours to which this node sends."""

    def __init__(self, space: TupleSpace, outbox: Outbox) -> None:
        self._space = space
        self._outbox = outbox
        self._asked: Latest[tuple[str, str], int] = Latest(_REMEMBERED)  # (neighbour, what): tick

    def lsa(self, peer: str, name: str) -> None:
        """Ask for a whole LSA."""
        if self._may_ask(peer, name):
            self._outbox.ask_lsas(peer, [name])

    def roster(self, peer: str, origin: str) -> None:
        """Ask for the statement of an origin and the LSAs held of it."""
        if self._may_ask(peer, origin):
            self._outbox.ask_roster(peer, origin)

    def introduced(self, peer: str, origin: str) -> None:
        """An origin is known from now on: what it showed before was not believed, nor the answer of just
        now. By this question the neighbour learns that it is believed, too."""
        self._asked.pop((peer, origin), None)
        self.roster(peer, origin)

    def identity(self, peer: str, origin: str) -> None:
        """Ask who an origin is."""
        if origin != self._space.node:
            self.lsa(peer, f"{origin}.{TWIN}")

    def _may_ask(self, peer: str, what: str) -> bool:
        tick = self._space.tick
        asked = self._asked.get((peer, what))
        if not self._space.is_neighbour(peer) or (asked is not None and tick < asked + _AGAIN_S):
            return False
        self._asked.note((peer, what), tick)
        return True
