"""What waits to be sent to each neighbour; after the reaction it leaves in as few frames as possible."""

from collections.abc import Iterable, Iterator

from ..space.courier import MAX_LSAS, Beat, Courier, Roster
from ..space.exchange import export
from ..space.tuplespace import TupleSpace
from .frame import MAX_BEATS, MAX_FRAME_BYTES, Frame, FrameError, encode, encode_lsa
from .links import Links

_SPLIT_BYTES = MAX_FRAME_BYTES * 5 // 8  # of LSAs, uncompressed
_RIDE_BYTES = MAX_FRAME_BYTES // 4  # up to this size of LSAs, everything else joins their frame
_MAX_ASKED = MAX_LSAS // 4  # LSAs asked for at a time; the next digest shows what else is missing


class Outbox(Courier):
    """The courier of a node: one growing frame per neighbour. A newer message replaces the older one."""

    def __init__(self, space: TupleSpace, links: Links) -> None:
        self._space = space
        self._links = links
        self._frames: dict[str, Frame] = {peer: Frame() for peer in links.neighbours}
        self._lsas: dict[str, dict[str, bytes]] = {peer: {} for peer in links.neighbours}
        self._beats: dict[str, dict[str, Beat]] = {peer: {} for peer in links.neighbours}
        self.too_large = 0

    @property
    def waiting(self) -> bool:
        """Whether something waits to be sent."""
        return any(self.waits_for(peer) for peer in self._frames)

    def waits_for(self, peer: str) -> bool:
        """Whether something waits to be sent to a neighbour."""
        frame = self._frames[peer]
        waits = self._lsas[peer] or self._beats[peer]
        return bool(waits or frame.rosters or frame.ask_roster or frame.ask_lsas)

    def send_lsa(self, slot: int, nodes: int) -> None:
        lsa = export(self._space, slot)
        encoded = encode_lsa(lsa)
        for peer in self._frames:
            if nodes & self._space.node_bit(peer):
                self.add_lsa(peer, lsa.name, encoded)

    def add_lsa(self, peer: str, name: str, encoded: bytes) -> None:
        """Add an encoded LSA."""
        self._lsas[peer].pop(name, None)
        self._lsas[peer][name] = encoded

    def send_beat(self, peer: str, beat: Beat) -> None:
        beats = self._beats[peer]
        beats.pop(beat.origin, None)
        beats[beat.origin] = beat
        if len(beats) > MAX_BEATS:
            del beats[next(iter(beats))]

    def ask_roster(self, peer: str, origin: str) -> None:
        asked = self._frames[peer].ask_roster
        if origin not in asked and len(asked) < MAX_BEATS:
            asked.append(origin)

    def send_roster(self, peer: str, roster: Roster) -> None:
        rosters = [each for each in self._frames[peer].rosters if each.origin != roster.origin]
        self._frames[peer].rosters = [*rosters[-MAX_BEATS + 1 :], roster]

    def ask_lsas(self, peer: str, names: list[str]) -> None:
        asked = dict.fromkeys([*self._frames[peer].ask_lsas, *names])
        self._frames[peer].ask_lsas = list(asked)[:_MAX_ASKED]

    def flush(self) -> None:
        """Send everything; a frame that the link drops is lost, and the digest repairs that."""
        for peer in [peer for peer in self._frames if self.waits_for(peer)]:
            frame, lsas = self._frames[peer], self._lsas[peer]
            frame.beats = list(self._beats[peer].values())
            self._frames[peer], self._lsas[peer], self._beats[peer] = Frame(), {}, {}
            *full, last = _batches(lsas.values())
            if sum(map(len, last)) > _RIDE_BYTES:
                full.append(last)
                last = []
            for batch in full:
                self._send(peer, Frame(), batch)
            if last or frame != Frame():
                self._send(peer, frame, last)  # digests arrive after the LSAs they describe

    def _send(self, peer: str, frame: Frame, lsas: list[bytes]) -> None:
        try:
            data = encode(frame, lsas)
        except FrameError:
            self.too_large += 1
            return
        self._links.send(peer, data)


def _batches(lsas: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for lsa in lsas:
        if batch and size + len(lsa) > _SPLIT_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(lsa)
        size += len(lsa)
    yield batch
