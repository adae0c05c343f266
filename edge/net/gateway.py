"""The gateway of a node: LSAs leave through it as frames and come in through it (DESIGN 6, 10).

Nothing a neighbour sends raises out of here, grows memory, or alters the space in part.
"""

import logging

from ..space.engine import Port
from ..space.errors import NotOwner, SpaceError
from ..space.exchange import absorb, export
from ..space.lsa import Lsa
from ..space.names import NIL
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
        lsa = export(self._space, slot)
        encoded = encode_lsa(lsa)
        for peer in self._outbox.peers:
            if targets & self._space.node_bit(peer):
                self._outbox.lsa(peer, lsa.name, encoded)

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
        if peer in self._outbox:
            for name in dict.fromkeys(frame.ask_lsas):
                self._answer(peer, name)

    def _absorb(self, peer: str, lsa: Lsa) -> None:
        if peer not in lsa.path or len(lsa.path) >= MAX_PATH:
            self._refuse(peer, f"{lsa.name} did not travel through it")
            return
        here = self._space.node
        lsa.path = [node for node in lsa.path if node != here]  # it was here, and is asked for again
        try:
            self.absorbed += absorb(self._space, lsa, peer)
        except NotOwner as error:
            self._refuse(peer, str(error))
        except SpaceError as error:
            self.no_room += 1
            self.last_refusal = f"{peer}: {error}"

    def _answer(self, peer: str, name: str) -> None:
        """A neighbour asks for an LSA."""
        slot = self._space.slot_of_name(name)
        if slot != NIL and self._space.lsa_version[slot]:
            self._outbox.lsa(peer, name, encode_lsa(export(self._space, slot)))

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
            "too_large": self._outbox.too_large,
            "healed": self._digest.asked,
            "last_refusal": self.last_refusal,
        }
