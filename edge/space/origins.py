"""What a space knows of each node: its incarnation, how fresh its word is, what it is said to hold.

Remote LSAs live by their origin's heartbeat (DESIGN 5, decay): a node that falls silent loses all of
them within `LIFE_S`, everywhere. A digest (count and checksum over name and version) tells whether
two spaces hold the same LSAs of an origin.
"""

from array import array

from .names import NIL
from .shim import const, crc32

LIFE_S = const(13)  # two heartbeats of 5 s may be lost; gone everywhere within 15 s


class Origins:
    """Arrays over node numbers."""

    def __init__(self, capacity: int) -> None:
        self.incarnation = array("I", bytes(4 * capacity))
        self.sequence = array("I", bytes(4 * capacity))  # the newest change or heartbeat heard of
        self.expires = array("I", bytes(4 * capacity))  # tick, 0: unknown
        self.beat = array("I", bytes(4 * capacity))  # the newest heartbeat heard of
        self.hops = array("B", bytes(capacity))
        self.count = array("H", bytes(2 * capacity))
        self.checksum = array("I", bytes(4 * capacity))
        self.first = array("H", b"\xff\xff" * capacity)  # LSAs of that origin, chained

    def forget(self, node: int) -> None:
        """Know nothing of a node any more. Its LSAs must have left."""
        self.incarnation[node] = self.sequence[node] = self.expires[node] = 0
        self.beat[node] = self.hops[node] = 0
        self.count[node] = self.checksum[node] = 0
        self.first[node] = NIL

    def include(self, node: int, name_hash: int, version: int) -> None:
        """Count one LSA state into the digest of its origin."""
        self.count[node] += 1
        self.checksum[node] ^= mark(name_hash, version)

    def exclude(self, node: int, name_hash: int, version: int) -> None:
        """Take one LSA state out of the digest."""
        self.count[node] -= 1
        self.checksum[node] ^= mark(name_hash, version)


def checksum(entries: "list[tuple[str, int]]") -> int:
    """What a node that holds exactly these (name, version) announces."""
    total = 0
    for name, version in entries:
        total ^= mark(hash_of(name), version)
    return total


def hash_of(name: str) -> int:
    """30 bits of a name: as much as a small integer of a 32-bit MicroPython holds."""
    return crc32(name.encode()) & 0x3FFFFFFF


def mark(name_hash: int, version: int) -> int:
    """30 bits that stand for one state of one LSA: three rounds of a Feistel network on 15-bit halves.

    No step leaves the small integers, so it allocates nothing even where these have 31 bits.
    """
    low = (name_hash ^ version) & 0x7FFF
    high = (name_hash >> 15 ^ version >> 15) & 0x7FFF
    high ^= (low * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    low ^= (high * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    high ^= (low * 0x6A4D + 0x3C6F) >> 9 & 0x7FFF
    return high << 15 | low
