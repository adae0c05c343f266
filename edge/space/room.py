"""Room: what each node holds of a space, and who may take what is left.

Part of everything is kept for the local agents. The last eighth of the rest is for nodes that hold less than
their share; while they need it, who holds most loses LSAs. So nobody can crowd out the others, and as long as
there is plenty, nobody is limited. All counts follow changes; nothing is scanned.
"""

from array import array

from .errors import SpaceFull
from .names import NIL
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .limits import Limits

LSAS, PROPERTIES, BLOCKS, NAMES, SPECS, NODES = const(0), const(1), const(2), const(3), const(4), const(5)
WHAT = (
    "LSA slots",
    "properties",
    "heap blocks",
    "places in the table of names",
    "aggregations",
    "places in the table of nodes",
)
_SELF = const(1)


class Room:
    """Counts by kind and node number; of NODES, by the neighbour that brought them."""

    def __init__(self, limits: "Limits", blocks: int) -> None:
        self.capacity = array(
            "I", [limits.lsas, limits.properties, blocks, limits.names, limits.specs, limits.nodes]
        )
        self.own = array("I", [each * limits.own_percent // 100 for each in self.capacity])
        self.own[NODES] = 0
        self.held = [array("I", bytes(4 * (limits.nodes + 1))) for _ in WHAT]
        self.members = 0  # other nodes that are known to live
        self.neighbours = 0
        self.pressed = 0  # set of kinds that a node with less than its share has found short

    def count(self, kind: int, node: int, change: int) -> None:
        """A node holds more or less than before."""
        self.held[kind][node] += change

    def claim(self, kind: int, node: int, need: int, free: int) -> None:
        """Raise SpaceFull unless node number `node` (NIL: a new one) may take `need` of what is free."""
        if need <= 0:
            return
        left = free - need - self._kept(kind)
        reserve = self.capacity[kind] >> 3
        if left >= reserve:
            return
        fair = (0 if node == NIL else self.held[kind][node]) + need <= self.share(kind)
        if fair:
            self.pressed |= 1 << kind
        if left < 0:
            raise SpaceFull("not enough %s: %d more are needed" % (WHAT[kind], -left))
        if not fair:
            raise SpaceFull("%s are short, and it holds more than its share of them" % WHAT[kind])

    def plenty(self, kind: int, need: int, free: int) -> bool:
        """Whether so much is free that nobody has to `claim` it."""
        return free - need - self._kept(kind) >= self.capacity[kind] >> 3

    def share(self, kind: int) -> int:
        """How much each other node may hold when all, and one more, want as much as they can get."""
        parts = max(1, self.neighbours) if kind == NODES else self.members + 1
        return (self.capacity[kind] - self.own[kind]) // parts

    def short(self, kind: int, free: int) -> int:
        """How much has to be freed for nodes with less than their share."""
        return max(0, (self.capacity[kind] >> 3) + self._kept(kind) - free)

    def greediest(self, kind: int) -> int:
        """The node that holds most, if that is more than its share; else NIL."""
        held = self.held[kind]
        most, found = self.share(kind), NIL
        for node in range(len(held)):
            if node != _SELF and held[node] > most:
                most, found = held[node], node
        return found

    def _kept(self, kind: int) -> int:
        """What is kept for local agents, and not taken by them yet."""
        return max(0, self.own[kind] - self.held[kind][_SELF])
