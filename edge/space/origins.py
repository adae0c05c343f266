"""What a space knows of each node: its incarnation, how fresh its word is, what it is said to hold.

Remote LSAs live by their origin's heartbeat (DESIGN 5, decay): a node that falls silent loses all of
them within `LIFE_S`, everywhere. A digest (count and checksum over name and version) tells whether
two spaces hold the same LSAs of an origin.
"""

from array import array
from struct import pack_into

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
        self._scratch = bytearray(8)

    def forget(self, node: int) -> None:
        """Know nothing of a node any more. Its LSAs must have left."""
        self.incarnation[node] = self.sequence[node] = self.expires[node] = 0
        self.beat[node] = self.hops[node] = 0
        self.count[node] = self.checksum[node] = 0
        self.first[node] = NIL

    def include(self, node: int, name_crc: int, version: int) -> None:
        """Count one LSA state into the digest of its origin."""
        self.count[node] += 1
        self.checksum[node] = (self.checksum[node] + self._mark(name_crc, version)) & 0xFFFFFFFF

    def exclude(self, node: int, name_crc: int, version: int) -> None:
        """Take one LSA state out of the digest."""
        self.count[node] -= 1
        self.checksum[node] = (self.checksum[node] - self._mark(name_crc, version)) & 0xFFFFFFFF

    def digest(self, entries: "list[tuple[str, int]]") -> int:
        """The checksum that a node holding exactly these (name, version) would announce."""
        total = 0
        for name, version in entries:
            total += self._mark(crc32(name.encode()), version)
        return total & 0xFFFFFFFF

    def _mark(self, name_crc: int, version: int) -> int:
        pack_into("<II", self._scratch, 0, name_crc, version)
        return crc32(self._scratch)
