"""What waits to leave for each neighbour, until the reaction is over and it leaves as few frames."""

from collections.abc import Iterable, Iterator

from .frame import MAX_BEATS, MAX_FRAME_BYTES, MAX_LSAS, Beat, Frame, FrameError, Roster, encode
from .links import Links

_SPLIT_BYTES = MAX_FRAME_BYTES * 5 // 8  # of LSAs, uncompressed
_RIDE_BYTES = MAX_FRAME_BYTES // 4  # up to so many bytes of LSAs, everything else leaves with them
_MAX_ASKED = MAX_LSAS // 4  # LSAs asked for at a time; the next digest tells of the rest


class Outbox:
    """Frames in the making, one per neighbour. What is newer replaces what it overtakes."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._frames: dict[str, Frame] = {peer: Frame() for peer in links.neighbours}
        self._lsas: dict[str, dict[str, bytes]] = {peer: {} for peer in links.neighbours}
        self._beats: dict[str, dict[str, Beat]] = {peer: {} for peer in links.neighbours}
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
        waits = self._lsas[peer] or self._beats[peer]
        return bool(waits or frame.rosters or frame.ask_roster or frame.ask_lsas)

    def filled(self) -> list[str]:
        """The neighbours something waits for."""
        return [peer for peer in self._frames if self._filled(peer)]

    def lsa(self, peer: str, name: str, encoded: bytes) -> None:
        """Add an LSA."""
        self._lsas[peer].pop(name, None)
        self._lsas[peer][name] = encoded

    def beat(self, peer: str, beat: Beat) -> None:
        """Add a heartbeat; only the newest of an origin leaves."""
        beats = self._beats[peer]
        beats.pop(beat.origin, None)
        beats[beat.origin] = beat
        if len(beats) > MAX_BEATS:
            del beats[next(iter(beats))]

    def ask_roster(self, peer: str, origin: str) -> None:
        """Ask which LSAs of an origin the peer holds."""
        asked = self._frames[peer].ask_roster
        if origin not in asked and len(asked) < MAX_BEATS:
            asked.append(origin)

    def roster(self, peer: str, roster: Roster) -> None:
        """Answer that."""
        rosters = [each for each in self._frames[peer].rosters if each.origin != roster.origin]
        self._frames[peer].rosters = [*rosters[-MAX_BEATS + 1 :], roster]

    def ask_lsas(self, peer: str, names: list[str]) -> None:
        """Ask for LSAs by name."""
        asked = dict.fromkeys([*self._frames[peer].ask_lsas, *names])
        self._frames[peer].ask_lsas = list(asked)[:_MAX_ASKED]

    def flush(self) -> None:
        """Send everything; a frame the link drops is lost, and healed by the digest."""
        for peer in self.filled():
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
                self._send(peer, frame, last)  # digests arrive after the LSAs they tell of

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
