"""The gateway of a node: translates frames into calls of the kernel; its outbox does the reverse.

No frame, however malformed, raises an exception here, grows memory or changes the space in part.
"""

import logging
from typing import Any

from ..space.digest import Digest
from ..space.errors import BadPath, NotOwner, SpaceError
from ..space.exchange import absorb
from ..space.lsa import Lsa
from ..space.tuplespace import TupleSpace
from .frame import FrameError, decode
from .hearing import Hearing
from .links import Links
from .outbox import Outbox

log = logging.getLogger("edge.net")


class Gateway:
    """Joins a space and its links. The engine of the space uses `outbox` as its courier."""

    def __init__(self, space: TupleSpace, links: Links) -> None:
        self.outbox = Outbox(space, links)
        self.refused = 0  # invalid frames and LSAs
        self.no_room = 0  # LSAs that did not fit into the space
        self.absorbed = 0
        self.last_refusal = ""
        self._space, self._links = space, links
        self._digest = Digest(space, self.outbox)
        space.set_neighbours(list(links.neighbours))
        self.hearing = Hearing(space, self.outbox)

    def tick(self) -> None:
        """A second has passed."""
        self._digest.tick()

    def link_up(self, peer: str) -> None:
        """A neighbour can be reached again."""
        self.hearing.came(peer)
        self._digest.introduce(peer)

    def link_down(self, peer: str) -> None:
        """The link to a neighbour is lost, or its last will has arrived."""
        self.hearing.went(peer)

    @property
    def waiting(self) -> bool:
        """Whether something is to leave at the end of the next reaction."""
        return self.outbox.waiting

    def flush(self) -> None:
        """A reaction is over: send one frame to each neighbour."""
        if self.outbox.waiting:
            self._digest.beat_early()
            for peer in self._links.neighbours:
                if self.outbox.waits_for(peer):
                    self.hearing.tell(peer)
            self.outbox.flush()

    def receive(self, peer: str, data: bytes) -> None:
        """A frame from a neighbour."""
        try:
            frame = decode(data)
        except FrameError as error:
            self._refuse(peer, str(error))
            return
        self.hearing.heard(peer)
        for lsa in frame.lsas:
            self._absorb(peer, lsa)
        for beat in frame.beats:
            self._digest.heard(peer, beat)
        for origin in frame.ask_roster:
            self._digest.answer_roster(peer, origin)
        for roster in frame.rosters:
            if roster.origin == self._space.node:
                self.hearing.reported(peer, roster)
            self._digest.compare(peer, roster)
        self._digest.answer_lsas(peer, frame.ask_lsas)

    def _absorb(self, peer: str, lsa: Lsa) -> None:
        try:
            self.absorbed += absorb(self._space, lsa, peer)
        except (BadPath, NotOwner) as error:
            self._refuse(peer, str(error))
        except SpaceError as error:
            self.no_room += 1
            self.last_refusal = f"{peer}: {error}"

    def _refuse(self, peer: str, reason: str) -> None:
        self.refused += 1
        self.last_refusal = f"{peer}: {reason}"
        if self.refused & (self.refused - 1) == 0:  # the first, second, fourth ...: a flood fills no log
            log.warning("frame from %s refused: %s (%d so far)", peer, reason, self.refused)

    def stats(self) -> dict[str, Any]:
        """Counters for people."""
        return {
            "absorbed": self.absorbed,
            "refused": self.refused,
            "no_room": self.no_room + self._digest.no_room,
            "too_large": self.outbox.too_large,
            "healed": self._digest.asked,
            "last_refusal": self.last_refusal,
            "reincarnations": self._digest.reincarnations,
            "reminders": dict(self._digest.reminders),
            "silent": self.hearing.silent,
            "deaf": self.hearing.deaf,
            "strangers": self.hearing.strangers,
        }
