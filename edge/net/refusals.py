"""What was refused of whom, and why: counters for `/health` and for the log, which a flood must not fill."""

import logging

# No setting: only senders of this node, which its broker lets in, get so far, and the total counts all.
_PEERS = 64  # that are counted apart

log = logging.getLogger("edge.net")

INVALID, WIRE_VERSION, BAD_PATH, NOT_OWNER, NO_ROOM = "invalid", "wire_version", "path", "owner", "no_room"
FLOOD = "flood"
ANSWERS = "answers"  # more questions than are answered
CHANGES = "changes"  # more of one origin than is taken
CONTRADICTION = "contradiction"  # what an origin says does not fit what it said before


class Refusals:
    """Counts since the start."""

    def __init__(self) -> None:
        self.total = 0
        self.last = ""  # whose and why, in words
        self.by_peer: dict[str, dict[str, int]] = {}

    def note(self, peer: str, reason: str, text: str) -> None:
        """Something that a neighbour sent was refused."""
        self.total += 1
        self.last = f"{peer}: {text}"
        self._count(peer, reason)
        if self.total & (self.total - 1) == 0:  # the first, second, fourth ...
            log.warning("frame from %s refused: %s (%d so far)", peer, text, self.total)

    def note_quietly(self, peer: str, reason: str) -> None:
        """Something was left out that is nobody's fault, or is asked for again."""
        self._count(peer, reason)

    def note_no_room(self, peer: str, text: str) -> None:
        """Something valid did not fit; that is nobody's fault."""
        self.last = f"{peer}: {text}"
        self._count(peer, NO_ROOM)

    def _count(self, peer: str, reason: str) -> None:
        if peer not in self.by_peer and len(self.by_peer) >= _PEERS:
            del self.by_peer[next(iter(self.by_peer))]
        reasons = self.by_peer.setdefault(peer, {})
        reasons[reason] = reasons.get(reason, 0) + 1
