"""The gateway of a node: LSAs leave through it as frames and come in through it (DESIGN 6, 10).

Nothing a neighbour sends raises out of here, grows memory, or alters the space in part.
"""

import logging

from ..space.engine import Port
from ..space.errors import SpaceError
from ..space.exchange import absorb, export
from ..space.lsa import Lsa
from ..space.tuplespace import TupleSpace
from .digest import Digest
from .frame import MAX_PATH, FrameError, decode, encode_lsa
from .links import Links
from .outbox import Outbox

log = logging.getLogger("edge.net")


class Gateway(Port):
    """Joins a space and its links."""

    def __init__(self, space: TupleSpace, links: Links) -> None:
        self._space = space
        self._outbox = Outbox(links)
        self._digest = Digest(space, self._outbox)
        self.refused = 0  # frames and LSAs that were not right
        self.no_room = 0  # LSAs the space had no room for
        self.absorbed = 0
        self.last_refusal = ""
        space.set_neighbours(list(links.neighbours))

    # ---- out --------------------------------------------------------------------------------

    def offer(self, slot: int, targets: int) -> None:
        """The spreading law hands an LSA over for the neighbours in a node set."""
        encoded = encode_lsa(export(self._space, slot))
        for peer in self._outbox.peers:
            if targets >> self._space.nodes.find(peer) & 1:
                self._outbox.lsa(peer, encoded)

    def flush(self) -> None:
        """A reaction is over: one frame a neighbour."""
        self._digest.ride_along()
        self._outbox.flush()

    def tick(self) -> None:
        """A second has passed."""
        self._digest.tick()

    def link_up(self, peer: str) -> None:
        """A neighbour can be reached again."""
        self._digest.introduce(peer)

    @property
    def waiting(self) -> bool:
        """Whether something is to leave at the end of the next reaction."""
        return bool(self._outbox)

    # ---- in ---------------------------------------------------------------------------------

    def receive(self, peer: str, data: bytes) -> None:
        """A frame from a neighbour."""
        try:
            frame = decode(data)
        except FrameError as error:
            self._refuse(peer, str(error))
            return
        for lsa in frame.lsas:
            self._absorb(peer, lsa)
        for beat in frame.beats:
            self._digest.heard(peer, beat)
        for origin in frame.ask_roster:
            self._digest.answer_roster(peer, origin)
        for roster in frame.rosters:
            self._digest.compare(peer, roster)
        for name in frame.ask_lsas if peer in self._outbox else ():
            handle = self._space.find(name)
            if handle and self._space.lsa_version[handle & 0xFFFF]:
                self._outbox.lsa(peer, encode_lsa(export(self._space, handle & 0xFFFF)))

    def _absorb(self, peer: str, lsa: Lsa) -> None:
        if peer not in lsa.path or len(lsa.path) >= MAX_PATH:
            self._refuse(peer, f"{lsa.name} did not travel through it")
            return
        if self._space.node in lsa.path:
            return  # it has been here
        try:
            self.absorbed += absorb(self._space, lsa, peer)
        except SpaceError as error:
            self.no_room += 1
            self.last_refusal = f"{peer}: {error}"

    def _refuse(self, peer: str, reason: str) -> None:
        self.refused += 1
        self.last_refusal = f"{peer}: {reason}"
        if self.refused & (self.refused - 1) == 0:  # the first, second, fourth ...: a flood fills no log
            log.warning("frame from %s refused: %s (%d so far)", peer, reason, self.refused)

    def stats(self) -> dict[str, int | str]:
        """Counters for people."""
        return {
            "absorbed": self.absorbed,
            "refused": self.refused,
            "no_room": self.no_room + self._digest.no_room,
            "healed": self._digest.asked,
            "last_refusal": self.last_refusal,
        }
