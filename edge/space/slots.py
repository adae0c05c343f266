"""The slots of a space: LSAs and properties in arrays, their chains, and the room they take (thesis 5.1).

This file is how things are stored; `tuplespace.py` is what may be done with them. Slots and properties
are numbers; everything that can fail is checked before anything changes.
"""

from array import array

from .errors import NameFull, NotOwner, SpaceFull, UnknownLsa, ValueTooLarge
from .heap import ValueHeap
from .lsa import EVERYWHERE, HERE
from .names import NIL, NameTable
from .origins import Origins
from .rings import DirtyRing, ExpiryWheel
from .room import BLOCKS, LSAS, NAMES, PROPERTIES, SPECS, Room
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:  # true to a type checker only
    from .agent import Agent
    from .limits import Limits
    from .lsa import Aggregation

FREE, LIVE, WITHDRAWN, ORPHAN, LEAVING = const(0), const(1), const(2), const(3), const(4)
SELF = const(1)  # node number of this node; 0 is no node


class Slots:
    """All that a tuple space holds."""

    def __init__(self, node: str, limits: "Limits", incarnation: int = 1) -> None:
        self.node = node
        self.limits = limits
        self.tick = 1
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

        n = limits.properties
        self.p_state = bytearray(n)
        self.p_lsa = array("H", bytes(2 * n))
        self.p_origin = array("H", bytes(2 * n))
        self.p_owner = array("H", bytes(2 * n))  # name of its LSA, kept until all observers are told
        self.p_label = bytearray(n)
        self.p_query = array("H", bytes(2 * n))
        self.p_version = array("I", bytes(4 * n))
        self.p_reach = bytearray(n)  # in hops
        self.p_life = array("I", bytes(4 * n))  # as its origin stated it
        self.p_hops = bytearray(n)  # of a near property: the way it has gone,
        self.p_sender = array("H", bytes(2 * n))  # the neighbour that sent it,
        self.p_auth = array("H", b"\xff\xff" * n)  # and what proves it, in the heap
        self.p_auth_length = bytearray(n)
        self.p_told = bytearray(n)  # the bonding law has notified its observers
        self.p_value = array("H", b"\xff\xff" * n)
        self.p_length = array("H", bytes(2 * n))
        self.p_aggregate = array("H", b"\xff\xff" * n)
        self.p_aggregate_length = array("H", bytes(2 * n))
        self.p_completed = bytearray(n)  # every node known has contributed to the aggregate
        self.p_aggregated = array("I", bytes(4 * n))  # tick of the last aggregation, 0: none yet
        self.p_since = array("I", bytes(4 * n))  # tick of the last change, as seen here
        self.p_next = array("H", range(1, n + 1))
        self.p_label_next = array("H", bytes(2 * n))
        self.p_label_previous = array("H", bytes(2 * n))
        self.p_next[n - 1] = NIL
        self._free_property = 0
        self.properties_free = n
        self.label_first = array("H", b"\xff\xff" * limits.labels)
        self.label_payer = array("H", bytes(2 * limits.labels))  # the node that brought it
        self.observers: list[list[Agent]] = [[] for _ in range(limits.labels)]
        self.known_labels: tuple[str, ...] = ()  # that keep their places
        self.touched_labels = 0  # label set: changed since the aggregation law last looked

        self.changed = DirtyRing(limits.properties)  # properties: bonding
        self.dirty = DirtyRing(limits.lsas)  # LSAs: spreading
        self.departed = DirtyRing(limits.lsas)  # LSAs that left: their observers are told
        self.tombstones = DirtyRing(limits.lsas)  # LSAs that left: neighbours are told
        self.near = DirtyRing(limits.properties)  # near properties to be sent
        self.lsa_wheel = ExpiryWheel(limits.lsas)
        self.p_wheel = ExpiryWheel(limits.properties)

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
        self.lsa_lapsed[slot] = False
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

    def prove_near(self, p: int, auth: bytes) -> None:
        """The same for a near property. Raises SpaceFull."""
        self.p_auth[p] = self._store(self.p_origin[p], self.p_auth[p], self.p_auth_length[p], auth)
        self.p_auth_length[p] = len(auth)

    def proof_near(self, p: int) -> bytes:
        """What proves the present version of a near property; empty if nothing does."""
        return self.heap.load(self.p_auth[p], self.p_auth_length[p])

    def is_near(self, p: int) -> bool:
        """Whether a property goes to other nodes, but not everywhere."""
        return HERE < self.p_reach[p] < EVERYWHERE

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

    def write(
        self, slot: int, p: int, label: str, query: str, value: bytes, due: int, life_s: int, reach: int
    ) -> int:
        """Store a value in property `p`, or in a new one when NIL; all or nothing. Returns the property.

        It expires at the tick `due` (0: never); `life_s` is what its origin says.
        """
        self.check_size(label, value)
        if p == NIL:
            self._check_room(slot, label, query)
            head = self._store(self.lsa_origin[slot], NIL, 0, value)
            p = self._link(slot, label, query)
        else:
            head = self._store(self.p_origin[p], self.p_value[p], self.p_length[p], value)
            if self.p_auth_length[p]:
                self.prove_near(p, b"")
        self.p_reach[p] = reach
        self.p_life[p] = life_s
        self.p_value[p] = head
        self.p_length[p] = len(value)
        self.p_since[p] = self.tick
        self.p_wheel.set(p, due)
        self.changed.push(p)
        self.touched_labels |= 1 << self.p_label[p]
        return p

    def check_size(self, label: str, value: bytes) -> None:
        """Raise ValueTooLarge for a value that no property can hold."""
        if len(value) > self.limits.value_bytes:
            raise ValueTooLarge("%s: %d bytes, at most %d" % (label, len(value), self.limits.value_bytes))

    def retract(self, p: int) -> None:
        """Take a live property away; the bonding law tells those who saw it, then frees it."""
        slot = self.p_lsa[p]
        before = NIL
        walk = self.lsa_first[slot]
        while walk != p:
            before, walk = walk, self.p_next[walk]
        if before == NIL:
            self.lsa_first[slot] = self.p_next[p]
        else:
            self.p_next[before] = self.p_next[p]
        self.lsa_count[slot] -= 1
        self._unlink(p)
        self.p_state[p] = WITHDRAWN
        self.changed.push(p)

    def reclaim(self, p: int) -> None:
        """Free a withdrawn property, once all observers are told."""
        self.room.count(PROPERTIES, self.p_origin[p], -1)
        self.room.count(NAMES, self.p_origin[p], -(self.p_query[p] != 0))
        self.names.release(self.p_owner[p])
        self.names.release(self.p_query[p])
        self.labels.release(self.p_label[p])
        self.p_state[p] = FREE
        self.p_next[p] = self._free_property
        self._free_property = p
        self.properties_free += 1

    def value(self, p: int) -> bytes:
        """The value of a live property."""
        return self.heap.load(self.p_value[p], self.p_length[p])

    def holds(self, p: int, value: bytes) -> bool:
        """Whether a live property has that value."""
        return self.heap.holds(self.p_value[p], self.p_length[p], value)

    def is_live(self, p: int) -> bool:
        """Whether a property is still published."""
        return self.p_state[p] == LIVE

    def property_of(self, slot: int, label: str, query: str = "") -> int:
        """The property of an LSA with that label and query, or NIL."""
        label_number, query_number = self.labels.find(label), self.names.find(query)
        if label_number == NIL or query_number == NIL:
            return NIL
        p = self.lsa_first[slot]
        while p != NIL and (self.p_label[p] != label_number or self.p_query[p] != query_number):
            p = self.p_next[p]
        return p

    # ---- chains -----------------------------------------------------------------------------

    def _check_room(self, slot: int, label: str, query: str) -> None:
        if self.lsa_count[slot] >= self.limits.properties_per_lsa:
            raise SpaceFull("an LSA holds at most %d properties" % self.limits.properties_per_lsa)
        if not self.properties_free:
            raise SpaceFull("all %d property slots are taken" % self.limits.properties)
        if self.labels.find(label) == NIL and not self.labels.free:
            raise NameFull("table of labels is full (%d)" % self.labels.capacity)
        if self.names.find(query) == NIL and not self.names.free:
            raise NameFull("table of names is full (%d)" % self.names.capacity)

    def _store(self, origin: int, head: int, old_length: int, value: bytes) -> int:
        """Write a value into the heap, in place of another one; its node pays. Raises SpaceFull."""
        head = self.heap.replace(head, old_length, value)
        self.room.count(BLOCKS, origin, self.heap.need(len(value)) - self.heap.need(old_length))
        return head

    def _release(self, origin: int, head: int, length: int) -> None:
        self.heap.release(head, length)
        self.room.count(BLOCKS, origin, -self.heap.need(length))

    def _link(self, slot: int, label: str, query: str) -> int:
        p = self._free_property
        self._free_property = self.p_next[p]
        self.properties_free -= 1
        origin = self.lsa_origin[slot]
        known = self.labels.find(label)
        number = self.labels.acquire(label)
        if known == NIL:
            self.label_payer[number] = origin
        self.p_origin[p] = origin
        self.room.count(PROPERTIES, origin, 1)
        self.p_state[p] = LIVE
        self.p_told[p] = False
        self.p_lsa[p] = slot
        self.p_owner[p] = self.names.share(self.lsa_name[slot])
        self.p_label[p] = number
        self.p_query[p] = self.names.acquire(query)
        self.room.count(NAMES, origin, self.p_query[p] != 0)
        self.p_aggregate[p] = self.p_auth[p] = NIL
        self.p_auth_length[p] = self.p_hops[p] = self.p_sender[p] = 0
        self.p_aggregate_length[p] = self.p_aggregated[p] = 0
        self.p_next[p] = self.lsa_first[slot]
        self.lsa_first[slot] = p
        self.lsa_count[slot] += 1
        head = self.label_first[number]
        self.p_label_next[p] = head
        self.p_label_previous[p] = NIL
        if head != NIL:
            self.p_label_previous[head] = p
        self.label_first[number] = p
        return p

    def _unlink(self, p: int) -> None:
        number = self.p_label[p]
        following, previous = self.p_label_next[p], self.p_label_previous[p]
        if previous == NIL:
            self.label_first[number] = following
        else:
            self.p_label_next[previous] = following
        if following != NIL:
            self.p_label_previous[following] = previous
        origin = self.p_origin[p]
        self._release(origin, self.p_value[p], self.p_length[p])
        self._release(origin, self.p_aggregate[p], self.p_aggregate_length[p])
        self._release(origin, self.p_auth[p], self.p_auth_length[p])
        self.p_auth_length[p] = 0
        self.p_wheel.clear(p)
        self.touched_labels |= 1 << number

    def _drop_properties(self, slot: int) -> int:
        shown = 0
        p = self.lsa_first[slot]
        while p != NIL:
            following = self.p_next[p]
            shown |= 1 << self.p_label[p]
            self._unlink(p)
            if self.changed.waits(p):
                self.p_state[p] = ORPHAN  # the bonding law frees it when its turn comes
            else:
                self.reclaim(p)
            p = following
        self.lsa_first[slot] = NIL
        self.lsa_count[slot] = 0
        return shown
