"""The slots of a space: LSAs in arrays, their chains, and the room they take (thesis 5.1).

How things are stored: LSAs here, their properties in `properties.py`, which nodes are known in `nodes.py`.
What may be done with them is in `tuplespace.py`. Slots and properties are numbers; everything that can fail
is checked before anything changes.
"""

from array import array

from .errors import NotOwner, SpaceFull, UnknownLsa
from .heap import ValueHeap
from .lsa import EVERYWHERE
from .names import NIL, NameTable
from .origins import NEVER, Origins
from .rings import DirtyRing, ExpiryWheel
from .room import BLOCKS, LSAS, NAMES, SPECS, Room
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:  # true to a type checker only
    from .limits import Limits
    from .lsa import Aggregation

FREE, LIVE, WITHDRAWN, ORPHAN, LEAVING = const(0), const(1), const(2), const(3), const(4)
SELF = const(1)  # node number of this node; 0 is no node


class Slots:
    """The LSAs of a space."""

    def __init__(self, node: str, limits: "Limits", incarnation: int = 1) -> None:
        self.node = node
        self.limits = limits
        self.tick = 1
        self.renew_tick = NEVER  # no kept property has to be renewed before
        self.horizon = EVERYWHERE  # hops that LSAs and heartbeats go; set before anything arrives
        self.changes = 0  # of this node
        self.names = NameTable(limits.names, "names")
        self.labels = NameTable(limits.labels, "labels")
        self.nodes = NameTable(limits.nodes + 1, "nodes")
        self.nodes.acquire(node)
        self.origins = Origins(limits.nodes + 1)
        self.origins.incarnation[SELF] = incarnation
        self.heap = ValueHeap(limits.heap_bytes)
        self.room = Room(limits, self.heap.blocks)
        self.neighbours: list[str] = []  # the nodes this one sends to
        self.neighbours_mask = 0
        self.shunned = 0  # node set: neighbours by which nothing goes to others
        self.passed_only = 0  # node set: on paths, and perhaps nothing else is known of them

        n = limits.lsas
        self.lsa_state = bytearray(n)
        self.lsa_name = array("H", bytes(2 * n))
        self.lsa_kind = array("H", bytes(2 * n))
        self.lsa_auth = array("H", b"\xff\xff" * n)  # in the heap; proves the version to others
        self.lsa_auth_length = bytearray(n)
        self.lsa_origin = array("H", bytes(2 * n))
        self.lsa_version = array("I", bytes(4 * n))  # 0: nothing to show to other nodes yet
        self.lsa_generation = array("H", b"\x01\x00" * n)
        self.lsa_first = array("H", b"\xff\xff" * n)  # its properties, chained
        self.lsa_count = bytearray(n)
        self.lsa_next = array("H", range(1, n + 1))  # chain of its origin, or of free slots
        self.lsa_previous = array("H", bytes(2 * n))
        self.lsa_quiet = bytearray(n)  # leaves without telling other nodes
        self.lsa_loose = bytearray(n)  # of another node, and only near properties of it are held
        self.lsa_lapsed = bytearray(n)  # a property of that version has expired: it cannot be shown whole
        self.lsa_shaped = array("I", bytes(4 * n))  # version of the last change of type or aggregations
        self.lsa_way: list[tuple[int, ...]] = [()] * n  # nodes it has travelled, the last one first
        self.lsa_path: list[int] = [0] * n  # the same as a node set: a bit mask over node numbers
        self.lsa_sent: list[int] = [0] * n
        self.lsa_base = array("I", bytes(4 * n))  # the version that spread last,
        self.lsa_based: list[int] = [0] * n  # and the neighbours that should hold it
        self.lsa_ended = array("I", bytes(4 * n))  # newest version of a near property that expired here
        self.lsa_shows: list[int] = [0] * n  # label sets likewise
        self.lsa_aggregations: list[list[Aggregation]] = [[] for _ in range(n)]
        self.aggregating: list[int] = []  # slots of local LSAs that aggregate something
        self.lsa_next[n - 1] = NIL
        self._free_lsa = 0
        self.lsas_free = n
        self._slot_of_name = array("H", b"\xff\xff" * limits.names)

        self.dirty = DirtyRing(limits.lsas)  # LSAs: spreading
        self.departed = DirtyRing(limits.lsas)  # LSAs that left: their observers are told
        self.tombstones = DirtyRing(limits.lsas)  # LSAs that left: neighbours are told
        self.lsa_wheel = ExpiryWheel(limits.lsas)

    def admit(self, name: str, kind: str, origin: int) -> int:
        """Occupy a slot for an LSA of node number `origin`. Raises SpaceFull."""
        if not self.lsas_free:
            raise SpaceFull("all %d LSA slots are taken" % self.limits.lsas)
        table = self.names
        if not table.fits({name, kind}):
            raise SpaceFull("table of names is full (%d)" % table.capacity)
        slot = self._free_lsa
        self._free_lsa = self.lsa_next[slot]
        self.lsas_free -= 1
        self.lsa_name[slot] = table.acquire(name)
        self.lsa_kind[slot] = table.acquire(kind)
        self.lsa_state[slot] = LIVE
        self.lsa_origin[slot] = origin
        self.room.count(LSAS, origin, 1)
        self.room.count(NAMES, origin, 1)
        self.lsa_version[slot] = self.lsa_base[slot] = self.lsa_shaped[slot] = self.lsa_ended[slot] = 0
        self.lsa_lapsed[slot] = self.lsa_loose[slot] = False
        self.lsa_first[slot] = NIL
        self.lsa_count[slot] = 0
        self.lsa_path[slot] = self.lsa_sent[slot] = self.lsa_shows[slot] = self.lsa_based[slot] = 0
        self._slot_of_name[self.lsa_name[slot]] = slot
        head = self.origins.first[origin]
        self.lsa_next[slot] = head
        self.lsa_previous[slot] = NIL
        if head != NIL:
            self.lsa_previous[head] = slot
        self.origins.first[origin] = slot
        return slot

    def rename(self, slot: int, kind: str) -> None:
        """A new state of an LSA may change its type; there must be room for it."""
        number = self.names.acquire(kind)
        self.names.release(self.lsa_kind[slot])
        self.lsa_kind[slot] = number

    def prove(self, slot: int, auth: bytes) -> None:
        """Keep what proves the present version of an LSA; a new version discards it. Raises SpaceFull."""
        origin = self.lsa_origin[slot]
        self.lsa_auth[slot] = self._store(origin, self.lsa_auth[slot], self.lsa_auth_length[slot], auth)
        self.lsa_auth_length[slot] = len(auth)

    def proof(self, slot: int) -> bytes:
        """What proves the present version of an LSA; empty if nothing does."""
        return self.heap.load(self.lsa_auth[slot], self.lsa_auth_length[slot])

    def bury(self, slot: int) -> None:
        """Free the slot of an LSA that has left, once all observers and neighbours are told."""
        self.names.release(self.lsa_name[slot])
        self.names.release(self.lsa_kind[slot])
        self.prove(slot, b"")
        self.set_path(slot, ())
        origin = self.lsa_origin[slot]
        self.room.count(SPECS, origin, -len(self.lsa_aggregations[slot]))
        self.room.count(LSAS, origin, -1)
        self.room.count(NAMES, origin, -1)
        self.lsa_aggregations[slot] = []
        self.lsa_state[slot] = FREE
        self.lsa_generation[slot] = self.lsa_generation[slot] % 0x3FFF + 1
        self.lsa_next[slot] = self._free_lsa
        self._free_lsa = slot
        self.lsas_free += 1

    def slot_of_name(self, name: str) -> int:
        """The slot of a live LSA, or NIL."""
        return self.slot_of(self.names.find(name))

    def slot_of(self, name_number: int) -> int:
        """The same by the number of the name."""
        return NIL if name_number == NIL else self._slot_of_name[name_number]

    def handle(self, slot: int) -> int:
        """The handle of the LSA in a slot."""
        return self.lsa_generation[slot] << 16 | slot

    def slot(self, handle: int) -> int:
        """The slot behind a handle. Raises UnknownLsa when the LSA has left."""
        slot = handle & 0xFFFF
        if (
            slot >= self.limits.lsas
            or self.lsa_state[slot] != LIVE
            or handle >> 16 != self.lsa_generation[slot]
        ):
            raise UnknownLsa("handle %d is stale" % handle)
        return slot

    def own_slot(self, handle: int) -> int:
        """The slot behind the handle of a local LSA. Raises UnknownLsa, NotOwner."""
        slot = self.slot(handle)
        if self.lsa_origin[slot] != SELF:
            raise NotOwner("%s belongs to another node" % self.names.text(self.lsa_name[slot]))
        return slot

    def next_change(self) -> int:
        """Number the next change of this node, whether others see it or not."""
        self.changes += 1
        return self.changes

    def next_sequence(self) -> int:
        """Number the next change of this node that others see."""
        self.origins.sequence[SELF] = self.next_change()
        return self.changes

    def set_path(self, slot: int, way: "tuple[int, ...]") -> None:
        """Note the nodes an LSA has travelled; a node keeps its number while an LSA needs it."""
        if way == self.lsa_way[slot]:
            return
        path = 0
        for node in way:
            self.nodes.share(node)
            path |= 1 << node
        for node in self.lsa_way[slot]:
            self.nodes.release(node)
        self.lsa_way[slot], self.lsa_path[slot] = way, path

    def _store(self, origin: int, head: int, old_length: int, value: bytes) -> int:
        """Write a value into the heap, in place of another one; its node pays. Raises SpaceFull."""
        head = self.heap.replace(head, old_length, value)
        self.room.count(BLOCKS, origin, self.heap.need(len(value)) - self.heap.need(old_length))
        return head

    def _release(self, origin: int, head: int, length: int) -> None:
        self.heap.release(head, length)
        self.room.count(BLOCKS, origin, -self.heap.need(length))
