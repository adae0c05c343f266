"""What a liar does to the frames that its node sends: it drops, delays, alters, replays or reorders them."""

import random
from collections.abc import Callable

from edge.net.frame import Frame, decode, encode
from edge.net.links import Changed, Deliver, Links, LinksStats
from edge.net.schema import FrameError
from edge.net.settings import NeighbourSettings

from .grammar import Lie
from .mouth import Mouth

_DELAY_S = 6.0
_ALTERED = ("version", "power", "label", "life", "path", "incarnation")
_SHARES = {"some": 0.1, "half": 0.5, "all": 1.0}


class LyingLinks:
    """The links of the liar's node. `lies` are the active ones of its relay."""

    def __init__(
        self, node: str, links: Links, after: Callable[[float, Callable[[], None]], None], rng: random.Random
    ) -> None:
        self.neighbours = links.neighbours
        self._links = links
        self._node = node
        self._after = after
        self._rng = rng
        self._held: dict[str, bytes] = {}
        self.lies: Callable[[], list[Lie]] = list
        self.mouth: Mouth | None = None

    def start(self, deliver: Deliver, changed: Changed) -> None:
        """As without lies; what arrives is remembered."""

        def listen(peer: str, data: bytes) -> None:
            if self.mouth:
                self.mouth.hear(data)
            deliver(peer, data)

        self._links.start(listen, changed)

    def stop(self) -> None:
        """As without lies."""
        self._links.stop()

    def renew(self, peer: str) -> None:
        """As without lies."""
        self._links.renew(peer)

    def renew_inbox(self) -> None:
        """As without lies."""
        self._links.renew_inbox()

    def include(self, neighbour: NeighbourSettings) -> None:
        """As without lies."""
        self._links.include(neighbour)
        self.neighbours = self._links.neighbours

    def exclude(self, peer: str) -> None:
        """As without lies."""
        self._links.exclude(peer)
        self.neighbours = self._links.neighbours

    def stats(self) -> LinksStats:
        """As without lies."""
        return self._links.stats()

    def inject(self, peer: str, data: bytes) -> None:
        """Send a frame as it is."""
        self._links.send(peer, data)

    def send(self, peer: str, frame: bytes) -> bool:
        """Send a frame of the node, or what the active lies make of it."""
        lies = [lie for lie in self.lies() if lie.subject == "every" or peer == self.neighbours[0]]
        lies = [lie for lie in lies if self._rng.random() < _SHARES[lie.field]]
        if not lies:
            return self._links.send(peer, frame)
        lie = lies[0]
        match lie.what:
            case "swallow":  # everything, its own words too
                return True
            case "drop":
                frame = self._own_words(frame)
            case "alter":
                frame = self._altered(frame, lie)
            case "delay":
                self._after(self._rng.uniform(0.0, _DELAY_S), lambda: self.inject(peer, frame))
                return True
            case "replay":
                self.inject(peer, frame)
                if self.mouth and self.mouth.heard:
                    frame = self._rng.choice(self.mouth.heard)
            case "reorder":
                later, frame = frame, self._held.pop(peer, b"")
                self._held[peer] = later
        if frame:
            self.inject(peer, frame)
        return True

    def _own_words(self, data: bytes) -> bytes:
        """Without what it should pass on."""
        own = self._node
        frame = decode(data)
        frame.lsas = [each for each in frame.lsas if each.origin == own]
        frame.deltas = [each for each in frame.deltas if each.name.partition(".")[0] == own]
        frame.near = [each for each in frame.near if each.name.partition(".")[0] == own]
        frame.statements = [each for each in frame.statements if each.origin == own]
        frame.pulses = [each for each in frame.pulses if each.origin == own]
        frame.rosters = [each for each in frame.rosters if each.origin == own]
        return _encoded(frame, data)

    def _altered(self, data: bytes, lie: Lie) -> bytes:
        frame = decode(data)
        if self.mouth is None:
            return data
        about = Lie("wire", "lsa", self._rng.choice(_ALTERED), lie.value, "other", 0.0, 0.0)
        frame.lsas = [self.mouth.altered(each, about) for each in frame.lsas]
        for delta in frame.deltas:
            for each in delta.properties:
                each.value = self._rng.randbytes(len(each.value))
        self._rng.shuffle(frame.pulses)
        return _encoded(frame, data)


def _encoded(frame: Frame, otherwise: bytes) -> bytes:
    try:
        return encode(frame)
    except (FrameError, OverflowError, ValueError, TypeError):
        return otherwise
