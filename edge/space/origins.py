"""What a space knows of each node: incarnation, newest change, distance, and a digest of its LSAs.

Remote LSAs live by the heartbeat of their origin (thesis 5.1.3.1): when a node falls silent, all its
LSAs leave every other node within `LIFE_S`. A digest (count and checksum over names and versions) shows
whether two spaces hold the same LSAs of an origin.
"""

from array import array

from .names import NIL
from .shim import const, crc32

LIFE_S = const(13)  # two heartbeats of 5 s may be lost; gone everywhere within 15 s
MAX_INCARNATION = const(0x7FFFFFFF)


class Origins:
    """Arrays over node numbers."""

    def __init__(self, capacity: int) -> None:
        self.incarnation = array("I", bytes(4 * capacity))
        self.sequence = array("I", bytes(4 * capacity))  # the newest change or heartbeat known
        self.expires = array("I", bytes(4 * capacity))  # tick, 0: unknown
        self.beat = array("I", bytes(4 * capacity))  # the newest heartbeat received
        self.hops = array("B", bytes(capacity))
        self.count = array("H", bytes(2 * capacity))
        self.checksum = array("I", bytes(4 * capacity))
        self.first = array("H", b"\xff\xff" * capacity)  # LSAs of that origin, chained

    def known(self, node: int) -> bool:
        """Whether another node is known to live."""
        return self.expires[node] != 0

    def life_s(self, node: int, tick: int) -> int:
        """How long another node counts as alive without a new heartbeat."""
        return max(0, self.expires[node] - tick)

    def silent(self, node: int, tick: int) -> bool:
        """Whether a known node has not been heard for too long."""
        return 0 < self.expires[node] <= tick

    def meet(self, node: int, incarnation: int, hops: int, expires: int) -> None:
        """Know a node from now on."""
        self.forget(node)
        self.incarnation[node] = incarnation
        self.hops[node] = hops
        self.expires[node] = expires

    def restart(self, node: int, incarnation: int) -> None:
        """The node has started again and counts its changes from the beginning."""
        self.incarnation[node] = incarnation
        self.sequence[node] = self.beat[node] = 0

    def advance(self, node: int, sequence: int) -> None:
        """A change or heartbeat with that number has been seen."""
        self.sequence[node] = max(self.sequence[node], sequence)

    def heartbeat(self, node: int, sequence: int, hops: int, expires: int) -> None:
        """A new heartbeat has arrived."""
        self.beat[node] = sequence
        self.advance(node, sequence)
        self.hops[node] = hops
        self.expires[node] = max(self.expires[node], expires)

    def shorten(self, node: int, hops: int) -> None:
        """A path of that length leads to the node."""
        self.hops[node] = min(self.hops[node], hops)

    def newest_beat(self, node: int) -> "tuple[int, int]":
        """Incarnation and number of the newest heartbeat; later ones compare greater."""
        return self.incarnation[node], self.beat[node]

    def newest_change(self, node: int) -> "tuple[int, int]":
        """Incarnation and number of the newest change or heartbeat."""
        return self.incarnation[node], self.sequence[node]

    def digest(self, node: int) -> "tuple[int, int]":
        """Count and checksum of the LSAs held of a node."""
        return self.count[node], self.checksum[node]

    def forget(self, node: int) -> None:
        """Know nothing of a node any more. Its LSAs must have left."""
        self.incarnation[node] = self.sequence[node] = self.expires[node] = 0
        self.beat[node] = self.hops[node] = 0
        self.count[node] = self.checksum[node] = 0
        self.first[node] = NIL

    def include(self, node: int, name_hash: int, version: int) -> None:
        """Add one LSA state to the digest of its origin."""
        self.count[node] += 1
        self.checksum[node] ^= mark(name_hash, version)

    def exclude(self, node: int, name_hash: int, version: int) -> None:
        """Remove one LSA state from the digest."""
        self.count[node] -= 1
        self.checksum[node] ^= mark(name_hash, version)


def checksum(entries: "list[tuple[str, int]]") -> int:
    """What a node that holds exactly these (name, version) announces."""
    total = 0
    for name, version in entries:
        total ^= mark(hash_of(name), version)
    return total


def hash_of(name: str) -> int:
    """30 bits of a name: as many as a small integer of a 32-bit MicroPython holds."""
    return crc32(name.encode()) & 0x3FFFFFFF


def mark(name_hash: int, version: int) -> int:
    """30 bits that stand for one state of one LSA: three rounds of a Feistel network on 15-bit halves.

    Every step stays within small integers, so it allocates nothing even where these have 31 bits.
    """
    low = (name_hash ^ version) & 0x7FFF
    high = (name_hash >> 15 ^ version >> 15) & 0x7FFF
    high ^= (low * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    low ^= (high * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    high ^= (low * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    return high << 15 | low
