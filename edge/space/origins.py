"""What a space knows of each node: incarnation, newest change, distance, and a digest of its LSAs.

Remote LSAs live by the heartbeat of their origin (thesis 5.1.3.1): when a node falls silent, all its
LSAs leave every other node within `LIFE_S`. A digest (count and checksum over names and versions) shows
whether two spaces hold the same LSAs of an origin. The checksum is one that cannot be forged: an origin that
signs it has signed the list of its LSAs.
"""

from array import array

from .names import NIL
from .shim import const, sha256

WAY_S = const(7)  # so long a way is believed in: a heartbeat, and a little
ANSWER_S = const(2)  # an answer comes sooner
LIFE_S = const(13)  # two heartbeats of 5 s may be lost; gone everywhere within 15 s
MAX_INCARNATION = const(0x7FFFFFFF)
MAX_SEQUENCE = const(0x7FFFFFFF)  # of versions and changes too; a node begins a new incarnation before that
CHECKSUM_BYTES = const(16)
NEVER = const(0x3FFFFFFF)  # tick


class Origins:
    """Arrays over node numbers."""

    def __init__(self, capacity: int) -> None:
        self.incarnation = array("I", bytes(4 * capacity))
        self.sequence = array("I", bytes(4 * capacity))  # the newest change known
        self.expires = array("I", bytes(4 * capacity))  # tick, 0: unknown
        self._soonest = NEVER  # no node expires before that tick
        self.beat = array("I", bytes(4 * capacity))  # number of the newest heartbeat
        self.hops = array("B", bytes(capacity))
        self.via = array("H", bytes(2 * capacity))  # the neighbour that brought it, 0: nobody or a stranger
        self.met = array("I", bytes(4 * capacity))  # tick
        self.way = array("H", bytes(2 * capacity))  # the neighbour of its newest message, 0: none,
        self.way_hops = array("B", bytes(capacity))  # how far that went,
        self.heard = array("I", bytes(4 * capacity))  # the tick at which it came,
        self.asked = array("I", bytes(4 * capacity))  # and that at which something went there since then
        self.count = array("H", bytes(2 * capacity))
        self.checksums = [b""] * capacity  # each is right unless stale
        self.stale = bytearray(b"\x01" * capacity)
        self.first = array("H", b"\xff\xff" * capacity)  # LSAs of that origin, chained

    def known(self, node: int) -> bool:
        """Whether another node is known to live."""
        return self.expires[node] != 0

    def life_s(self, node: int, tick: int) -> int:
        """How long another node counts as alive without a new heartbeat."""
        return max(0, self.expires[node] - tick)

    def silent(self, tick: int) -> "tuple[int, ...]":
        """The known nodes that have not been heard for too long.

        It looks at the nodes when one may have expired: at rest about each ten seconds.
        """
        found: tuple[int, ...] = ()
        if tick < self._soonest:
            return found
        soonest = NEVER
        for node in range(len(self.expires)):
            expires = self.expires[node]
            if expires > tick:
                soonest = min(soonest, expires)
            elif expires:
                found += (node,)
        self._soonest = soonest
        return found

    def meet(self, node: int, incarnation: int, hops: int, expires: int) -> None:
        """Know a node from now on."""
        self.forget(node)
        self.incarnation[node] = incarnation
        self.hops[node] = hops
        self.expires[node] = expires
        self._soonest = min(self._soonest, expires)

    def restart(self, node: int, incarnation: int) -> None:
        """The node has started again and counts its changes from the beginning."""
        self.incarnation[node] = incarnation
        self.sequence[node] = self.beat[node] = 0

    def advance(self, node: int, sequence: int) -> None:
        """A change with that number has been seen."""
        self.sequence[node] = max(self.sequence[node], sequence)

    def heartbeat(self, node: int, number: int, sequence: int, hops: int, expires: int) -> None:
        """A new heartbeat has arrived, which knows of the change `sequence`."""
        self.beat[node] = number
        self.advance(node, sequence)
        self.hops[node] = hops
        self.expires[node] = max(self.expires[node], expires)

    def limit(self, node: int, expires: int) -> None:
        """The node does not live longer without a new heartbeat, whatever else of it has arrived."""
        self.expires[node] = min(self.expires[node], expires)
        self._soonest = min(self._soonest, self.expires[node])

    def came_by(self, node: int, way: int, hops: int, tick: int) -> None:
        """Something new of the node has come from neighbour number `way`; 0: from none that is sent to.

        A longer way does not take the place of one by which something has just come: neighbours between which
        messages of the node cross would take each other for the way. A moment later it does, or who says that
        a node is near could keep what goes there.
        """
        late = not self.way[node] or tick - self.heard[node] >= ANSWER_S
        if late or way == self.way[node] or (way and hops <= self.way_hops[node]):
            self.way[node], self.way_hops[node], self.heard[node] = way, hops, tick

    def trusts_way(self, node: int, tick: int) -> bool:
        """Whether something came from the node lately, or it has had no time to answer what is sent now."""
        if self.asked[node] < self.heard[node]:
            self.asked[node] = tick
        return tick - self.heard[node] <= WAY_S or tick - self.asked[node] < ANSWER_S

    def lose_ways(self, way: int) -> None:
        """Nothing goes by a neighbour any more."""
        for node, each in enumerate(self.way):
            if each == way:
                self.way[node] = 0

    def extend(self, node: int, expires: int) -> None:
        """The node lives at least until then. Where its heartbeats arrive, those decide sooner."""
        self.expires[node] = max(self.expires[node], expires)

    def shorten(self, node: int, hops: int) -> None:
        """A path of that length leads to the node."""
        self.hops[node] = min(self.hops[node], hops)

    def newest_beat(self, node: int) -> "tuple[int, int]":
        """Incarnation and number of the newest heartbeat; later ones compare greater."""
        return self.incarnation[node], self.beat[node]

    def newest_change(self, node: int) -> "tuple[int, int]":
        """Incarnation and number of the newest change."""
        return self.incarnation[node], self.sequence[node]

    def forget(self, node: int) -> None:
        """Know nothing of a node any more. Its LSAs must have left."""
        self.incarnation[node] = self.sequence[node] = self.expires[node] = 0
        self.beat[node] = self.hops[node] = self.way[node] = self.way_hops[node] = 0
        self.heard[node] = self.asked[node] = 0
        self.count[node] = 0
        self.restate(node)
        self.first[node] = NIL

    def include(self, node: int) -> None:
        """Another LSA of the node is in its digest."""
        self.count[node] += 1
        self.restate(node)

    def exclude(self, node: int) -> None:
        """An LSA of the node has left its digest."""
        self.count[node] -= 1
        self.restate(node)

    def restate(self, node: int) -> None:
        """The digest of the node has changed; its checksum is computed when it is needed."""
        self.stale[node] = True


def checksum(entries: "list[tuple[str, int]]") -> bytes:
    """What a node that holds exactly these (name, version) announces."""
    total = sha256()
    for name, version in sorted(entries):
        total.update(name.encode())
        total.update(b"\0")
        total.update(version.to_bytes(4, "big"))
    return total.digest()[:CHECKSUM_BYTES]
