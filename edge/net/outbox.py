"""What waits to leave for each neighbour, until the reaction is over and it leaves as one frame."""

from collections.abc import Iterable

from .frame import MAX_BEATS, MAX_FRAME_BYTES, Beat, Frame, FrameError, Roster, encode
from .links import Links

_SPLIT_BYTES = MAX_FRAME_BYTES * 5 // 8  # of uncompressed LSAs; one LSA alone always fits a frame


class Outbox:
    """Frames in the making, one per neighbour."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._frames: dict[str, Frame] = {peer: Frame() for peer in links.neighbours}
        self._lsas: dict[str, list[bytes]] = {peer: [] for peer in links.neighbours}
        self.too_large = 0

    @property
    def peers(self) -> Iterable[str]:
        """The direct neighbours."""
        return self._frames.keys()

    def __contains__(self, peer: str) -> bool:
        return peer in self._frames

    def __bool__(self) -> bool:
        return any(self._filled(peer) for peer in self._frames)

    def _filled(self, peer: str) -> bool:
        frame = self._frames[peer]
        return bool(self._lsas[peer] or frame.beats or frame.rosters or frame.ask_roster or frame.ask_lsas)

    def filled(self) -> list[str]:
        """The neighbours something waits for."""
        return [peer for peer in self._frames if self._filled(peer)]

    def lsa(self, peer: str, encoded: bytes) -> None:
        """Add an LSA."""
        self._lsas[peer].append(encoded)

    def beat(self, peer: str, beat: Beat) -> None:
        """Add a heartbeat; only the newest of an origin leaves."""
        beats = [each for each in self._frames[peer].beats if each.origin != beat.origin]
        self._frames[peer].beats = [*beats[-MAX_BEATS + 1 :], beat]

    def ask_roster(self, peer: str, origin: str) -> None:
        """Ask which LSAs of an origin the peer holds."""
        if origin not in self._frames[peer].ask_roster:
            self._frames[peer].ask_roster.append(origin)

    def roster(self, peer: str, roster: Roster) -> None:
        """Answer that."""
        self._frames[peer].rosters.append(roster)

    def ask_lsas(self, peer: str, names: list[str]) -> None:
        """Ask for LSAs by name."""
        self._frames[peer].ask_lsas.extend(names)

    def flush(self) -> None:
        """Send everything; a frame the link drops is lost, and healed by the digest."""
        for peer in self.filled():
            frame, lsas = self._frames[peer], self._lsas[peer]
            self._frames[peer], self._lsas[peer] = Frame(), []
            for batch in _batches(lsas):
                self._send(peer, frame, batch)
                frame = Frame()

    def _send(self, peer: str, frame: Frame, lsas: list[bytes]) -> None:
        try:
            data = encode(frame, lsas)
        except FrameError:
            self.too_large += 1
            return
        self._links.send(peer, data)


def _batches(lsas: list[bytes]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for lsa in lsas:
        if batch and size + len(lsa) > _SPLIT_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(lsa)
        size += len(lsa)
    yield batch
