"""What one neighbour may cost: frames, bytes, forged signatures, and answers to its questions.

Each is a bucket that fills with time and is emptied by what the neighbour does. A frame beyond it is dropped
before it is decoded, so that a flood costs its author more than this node.
"""

from ..space.tuplespace import TupleSpace

_FRAMES, _FRAMES_S = 400.0, 100.0  # at once, and lastingly per second
_BYTES, _BYTES_S = 1024 * 1024.0, 128 * 1024.0
_FORGED, _FORGED_S = 20.0, 0.5
_ANSWERS, _ANSWERS_S = 256 * 1024.0, 1024.0  # bytes
_ANSWERS_PER_BYTE = 3.0
_FLOODING_S = 60
_PEERS = 64  # that are counted; a broker lets nobody in but the members of the microgrid


class Allowance:
    """The buckets of one neighbour."""

    __slots__ = ("_answers", "_bytes", "_forged", "_frames", "_tick", "flooded_tick")

    def __init__(self, tick: int) -> None:
        self._tick = tick
        self._frames, self._bytes, self._forged, self._answers = _FRAMES, _BYTES, _FORGED, _ANSWERS
        self.flooded_tick = -_FLOODING_S  # when a frame was last dropped

    def admits(self, size: int, tick: int) -> bool:
        """Whether a frame of that size may be decoded; it is paid for then."""
        passed_s = tick - self._tick
        self._tick = tick
        self._frames = min(_FRAMES, self._frames + _FRAMES_S * passed_s)
        self._bytes = min(_BYTES, self._bytes + _BYTES_S * passed_s)
        self._forged = min(_FORGED, self._forged + _FORGED_S * passed_s)
        self._answers = min(_ANSWERS, self._answers + _ANSWERS_S * passed_s)
        if self._frames < 1 or self._bytes < size or self._forged < 1:
            self.flooded_tick = tick
            return False
        self._frames -= 1
        self._bytes -= size
        self._answers = min(_ANSWERS, self._answers + _ANSWERS_PER_BYTE * size)
        return True

    def forged(self) -> None:
        """A signature was not that of its origin."""
        self._forged -= 1

    @property
    def may_ask(self) -> bool:
        """Whether its questions are answered."""
        return self._answers > 0

    def answered(self, size: int) -> None:
        """It got answers of that size, in bytes."""
        self._answers -= size


class Allowances:
    """Those of all neighbours."""

    def __init__(self, space: TupleSpace) -> None:
        self._space = space
        self._peers: dict[str, Allowance] = {}

    def of(self, peer: str) -> Allowance:
        """That of a neighbour. Of too many, that of whom nothing has come for longest is forgotten."""
        found = self._peers.pop(peer, None) or Allowance(self._space.tick)
        self._peers[peer] = found
        if len(self._peers) > _PEERS:
            del self._peers[next(iter(self._peers))]
        return found

    @property
    def flooding(self) -> list[str]:
        """Neighbours of which frames were dropped in the last minute."""
        since = self._space.tick - _FLOODING_S
        return [peer for peer, each in self._peers.items() if each.flooded_tick > since]
