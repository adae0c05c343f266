"""The tuple space: LSAs and properties in arrays that are allocated once and never grow (DESIGN 4).

A handle names an LSA and goes stale when that LSA leaves. Every operation succeeds, or raises a
SpaceError and leaves the space as it was. Changes are noted as they happen (`changed`, `dirty`,
`departed`), so that the laws touch only what changed.
"""

from array import array

from .errors import NotOwner, SpaceFull, UnknownLsa, ValueTooLarge
from .heap import ValueHeap
from .names import NIL, NameTable
from .origins import LIFE_S, Origins
from .rings import DirtyRing, ExpiryWheel
from .shim import const, crc32

TYPE_CHECKING = False
if TYPE_CHECKING:  # true to a type checker only
    from .agent import Agent
    from .lsa import Aggregation

FREE, LIVE, WITHDRAWN, ORPHAN, LEAVING = const(0), const(1), const(2), const(3), const(4)
SELF = const(1)  # node number of this node; 0 is nobody


class Limits:
    """How much a space holds; its memory is decided here, at boot."""

    __slots__ = ("heap_bytes", "labels", "lsas", "names", "nodes", "properties", "properties_per_lsa",
                 "value_bytes")  # fmt: skip

    def __init__(self, lsas: int = 256, properties: int = 0, heap_bytes: int = 0, names: int = 0,
                 labels: int = 32, nodes: int = 32, value_bytes: int = 4096,
                 properties_per_lsa: int = 10) -> None:  # fmt: skip
        self.lsas = lsas
        self.properties = properties or 4 * lsas
        self.heap_bytes = heap_bytes or 512 * lsas
        self.names = names or 2 * lsas + 64
        self.labels = labels
        self.nodes = nodes
        self.value_bytes = value_bytes
        self.properties_per_lsa = properties_per_lsa


class TupleSpace:
    """The coordination medium of one node."""

    def __init__(self, node: str, limits: Limits, incarnation: int = 1) -> None:
        self.node = node
        self.limits = limits
        self.tick = 1
        self.names = NameTable(limits.names, "names")
        self.labels = NameTable(limits.labels, "labels")
        self.nodes = NameTable(limits.nodes + 1, "nodes")
        self.nodes.acquire(node)
        self.origins = Origins(limits.nodes + 1)
        self.origins.incarnation[SELF] = incarnation
        self.heap = ValueHeap(limits.heap_bytes)
        self.neighbours_mask = 0

        n = limits.lsas
        self.lsa_state = bytearray(n)
        self.lsa_name = array("H", bytes(2 * n))
        self.lsa_crc = array("I", bytes(4 * n))
        self.lsa_kind = array("H", bytes(2 * n))
        self.lsa_auth = array("H", bytes(2 * n))
        self.lsa_origin = array("H", bytes(2 * n))
        self.lsa_version = array("I", bytes(4 * n))  # 0: nothing to show to other nodes yet
        self.lsa_generation = array("H", b"\x01\x00" * n)
        self.lsa_first = array("H", b"\xff\xff" * n)  # its properties, chained
        self.lsa_count = bytearray(n)
        self.lsa_next = array("H", range(1, n + 1))  # chain of its origin, or of free slots
        self.lsa_previous = array("H", bytes(2 * n))
        self.lsa_quiet = bytearray(n)  # leaves without telling other nodes
        self.lsa_path: list[int] = [0] * n  # node sets are bit masks over node numbers
        self.lsa_sent: list[int] = [0] * n
        self.lsa_wants: list[int] = [0] * n  # label sets likewise
        self.lsa_shows: list[int] = [0] * n
        self.lsa_aggregations: list[list[Aggregation]] = [[] for _ in range(n)]
        self.aggregating: list[int] = []  # slots of local LSAs that aggregate something
        self.lsa_next[n - 1] = NIL
        self._free_lsa = 0
        self.lsas_free = n
        self._slot_of_name = array("H", b"\xff\xff" * limits.names)

        n = limits.properties
        self.p_state = bytearray(n)
        self.p_lsa = array("H", bytes(2 * n))
        self.p_owner = array("H", bytes(2 * n))  # name of its LSA, kept until everybody is told
        self.p_label = bytearray(n)
        self.p_query = array("H", bytes(2 * n))
        self.p_version = array("I", bytes(4 * n))
        self.p_local = bytearray(n)  # never leaves this node
        self.p_value = array("H", b"\xff\xff" * n)
        self.p_length = array("H", bytes(2 * n))
        self.p_aggregate = array("H", b"\xff\xff" * n)
        self.p_aggregate_length = array("H", bytes(2 * n))
        self.p_completed = bytearray(n)  # every node known has contributed to the aggregate
        self.p_since = array("I", bytes(4 * n))  # tick of the last change, as seen here
        self.p_next = array("H", range(1, n + 1))
        self.p_label_next = array("H", bytes(2 * n))
        self.p_label_previous = array("H", bytes(2 * n))
        self.p_next[n - 1] = NIL
        self._free_property = 0
        self.properties_free = n
        self.label_first = array("H", b"\xff\xff" * limits.labels)
        self.observers: list[list[Agent]] = [[] for _ in range(limits.labels)]
        self.touched_labels = 0  # label set: changed since the aggregation law last looked

        self.changed = DirtyRing(limits.properties)  # properties: bonding
        self.dirty = DirtyRing(limits.lsas)  # LSAs: spreading
        self.departed = DirtyRing(limits.lsas)  # LSAs that left: whoever observed them is told
        self.tombstones = DirtyRing(limits.lsas)  # LSAs that left: neighbours are told
        self.lsa_wheel = ExpiryWheel(limits.lsas)
        self.p_wheel = ExpiryWheel(limits.properties)

    # ---- LSAs -------------------------------------------------------------------------------

    def inject(self, name: str, kind: str = "", auth: str = "") -> int:
        """Let a local agent's LSA in; returns its handle. Raises NotOwner, SpaceFull."""
        if self.slot_of_name(name) != NIL:
            raise NotOwner("%s is in the space already" % name)
        return self.handle(self.admit(name, kind, auth, SELF))

    def admit(self, name: str, kind: str, auth: str, origin: int) -> int:
        """Occupy a slot for an LSA of node number `origin`. Raises SpaceFull."""
        if not self.lsas_free:
            raise SpaceFull("all %d LSA slots are taken" % self.limits.lsas)
        table = self.names
        if (table.find(name) == NIL) + (table.find(kind) == NIL) + (table.find(auth) == NIL) > table.free:
            raise SpaceFull("table of names is full (%d)" % table.capacity)
        slot = self._free_lsa
        self._free_lsa = self.lsa_next[slot]
        self.lsas_free -= 1
        self.lsa_name[slot] = table.acquire(name)
        self.lsa_kind[slot] = table.acquire(kind)
        self.lsa_auth[slot] = table.acquire(auth)
        self.lsa_crc[slot] = crc32(name.encode())
        self.lsa_state[slot] = LIVE
        self.lsa_origin[slot] = origin
        self.lsa_version[slot] = 0
        self.lsa_first[slot] = NIL
        self.lsa_count[slot] = 0
        self.lsa_path[slot] = self.lsa_sent[slot] = self.lsa_wants[slot] = self.lsa_shows[slot] = 0
        self._slot_of_name[self.lsa_name[slot]] = slot
        head = self.origins.first[origin]
        self.lsa_next[slot] = head
        self.lsa_previous[slot] = NIL
        if head != NIL:
            self.lsa_previous[head] = slot
        self.origins.first[origin] = slot
        return slot

    def remove(self, handle: int, quiet: bool = False) -> None:
        """Take an LSA out with all its properties; `quiet`: other nodes find out by themselves."""
        slot = self.slot(handle)
        self.lsa_shows[slot] = self._drop_properties(slot)
        self.lsa_wheel.clear(slot)
        self._slot_of_name[self.lsa_name[slot]] = NIL
        origin = self.lsa_origin[slot]
        following, previous = self.lsa_next[slot], self.lsa_previous[slot]
        if previous == NIL:
            self.origins.first[origin] = following
        else:
            self.lsa_next[previous] = following
        if following != NIL:
            self.lsa_previous[following] = previous
        self.lsa_quiet[slot] = quiet or not self.lsa_version[slot]
        if self.lsa_version[slot]:
            self.origins.exclude(origin, self.lsa_crc[slot], self.lsa_version[slot])
        if origin == SELF and not self.lsa_quiet[slot]:
            self.lsa_version[slot] = self.next_sequence()
        if slot in self.aggregating:
            self.aggregating.remove(slot)
        self.lsa_state[slot] = LEAVING
        self.departed.push(slot)

    def bury(self, slot: int) -> None:
        """Free the slot of an LSA that has left, once everybody has been told."""
        self.names.release(self.lsa_name[slot])
        self.names.release(self.lsa_kind[slot])
        self.names.release(self.lsa_auth[slot])
        self.set_path(slot, 0)
        self.lsa_aggregations[slot] = []
        self.lsa_state[slot] = FREE
        self.lsa_generation[slot] = self.lsa_generation[slot] % 0x3FFF + 1
        self.lsa_next[slot] = self._free_lsa
        self._free_lsa = slot
        self.lsas_free += 1

    def find(self, name: str) -> int:
        """The handle of a live LSA, 0 when there is none of that name."""
        slot = self.slot_of_name(name)
        return 0 if slot == NIL else self.handle(slot)

    def slot_of_name(self, name: str) -> int:
        """The slot of a live LSA, or NIL."""
        return self.slot_of(self.names.find(name))

    def slot_of(self, name_number: int) -> int:
        """The same by the number of the name."""
        return NIL if name_number == NIL else self._slot_of_name[name_number]

    def handle(self, slot: int) -> int:
        """The handle of whatever lives in a slot."""
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

    def keep(self, handle: int, life_s: int) -> None:
        """Let an LSA live for that many ticks from now; 0: for ever."""
        self.lsa_wheel.set(self.slot(handle), self.tick + life_s if life_s else 0)

    def life_s(self, slot: int) -> int:
        """Ticks an LSA has left: its own, or those of its origin's word."""
        due = self.lsa_wheel.due(slot)
        origin = self.lsa_origin[slot]
        if not due:
            due = self.tick + LIFE_S if origin == SELF else self.origins.expires[origin]
        return max(0, due - self.tick)

    def set_neighbours(self, names: "list[str]") -> None:
        """Say which nodes this one sends to. Raises SpaceFull."""
        for name in names:
            self.neighbours_mask |= 1 << self.nodes.acquire(name)

    def known_origins(self) -> int:
        """How many other nodes are heard of."""
        return sum(1 for tick in self.origins.expires if tick)

    def next_sequence(self) -> int:
        """Number the next change of this node."""
        self.origins.sequence[SELF] += 1
        return self.origins.sequence[SELF]

    def set_path(self, slot: int, path: int) -> None:
        """Note the nodes an LSA has travelled; each is known while some LSA needs it."""
        old = self.lsa_path[slot]
        if path == old:
            return
        for node in range(self.nodes.capacity):
            bit = 1 << node
            if path & bit and not old & bit:
                self.nodes.share(node)
            elif old & bit and not path & bit:
                self.nodes.release(node)
        self.lsa_path[slot] = path

    # ---- properties -------------------------------------------------------------------------

    def put(
        self, handle: int, label: str, query: str, value: bytes, life_s: int = 0, local: bool = False
    ) -> None:
        """Publish a value, or a new version of it. Raises ValueTooLarge, SpaceFull, UnknownLsa.

        `query` names the one agent it is for; `life_s` ends it; `local` keeps it on this node.
        """
        slot = self.slot(handle)
        due = self.tick + life_s if life_s else 0
        p = self.property_of(slot, label, query)
        if p != NIL and self.p_wheel.due(p) == due and self.holds(p, value):
            return
        p = self.write(slot, p, label, query, value, due, local)
        if not local:
            self.touch(slot)
        self.p_version[p] = self.origins.sequence[SELF]

    def write(self, slot: int, p: int, label: str, query: str, value: bytes, due: int, local: bool) -> int:
        """Store a value in property `p`, or in a new one when NIL; all or nothing. Returns the property."""
        if len(value) > self.limits.value_bytes:
            raise ValueTooLarge("%s: %d bytes, at most %d" % (label, len(value), self.limits.value_bytes))
        if p == NIL:
            self._check_room(slot, label, query)
            head = self.heap.store(value)
            p = self._link(slot, label, query)
            self.p_local[p] = local
        else:
            head = self.heap.replace(self.p_value[p], self.p_length[p], value)
        self.p_value[p] = head
        self.p_length[p] = len(value)
        self.p_since[p] = self.tick
        self.p_wheel.set(p, due)
        self.changed.push(p)
        self.touched_labels |= 1 << self.p_label[p]
        return p

    def touch(self, slot: int) -> None:
        """A local LSA has a new state to show to other nodes."""
        if self.lsa_version[slot]:
            self.origins.exclude(SELF, self.lsa_crc[slot], self.lsa_version[slot])
        self.lsa_version[slot] = self.next_sequence()
        self.origins.include(SELF, self.lsa_crc[slot], self.lsa_version[slot])
        self.lsa_sent[slot] = 0
        self.dirty.push(slot)

    def withdraw(self, handle: int, label: str, query: str = "") -> bool:
        """Take a property back; False when there was none. Raises UnknownLsa."""
        slot = self.slot(handle)
        p = self.property_of(slot, label, query)
        if p == NIL:
            return False
        self.retract(p)
        if not self.p_local[p] and self.lsa_origin[slot] == SELF:
            self.touch(slot)
        return True

    def retract(self, p: int) -> None:
        """Take a live property away; whoever saw it is told by the bonding law, which then frees it."""
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
        """Free a property that has been withdrawn, once everybody has been told."""
        self.names.release(self.p_owner[p])
        self.names.release(self.p_query[p])
        self.labels.release(self.p_label[p])
        self.p_state[p] = FREE
        self.p_next[p] = self._free_property
        self._free_property = p
        self.properties_free += 1

    def read(self, handle: int, label: str, query: str = "") -> bytes | None:
        """The value published under a label, None when there is none. Raises UnknownLsa."""
        p = self.property_of(self.slot(handle), label, query)
        return None if p == NIL else self.value(p)

    def value(self, p: int) -> bytes:
        """The value of a live property."""
        return self.heap.load(self.p_value[p], self.p_length[p])

    def holds(self, p: int, value: bytes) -> bool:
        """Whether a live property has that value."""
        return self.p_length[p] == len(value) and self.value(p) == value

    def is_live(self, p: int) -> bool:
        """Whether a property is still published."""
        return self.p_state[p] == LIVE

    def aggregate(self, p: int) -> bytes:
        """What the aggregation law made of a property; empty before it did."""
        return self.heap.load(self.p_aggregate[p], self.p_aggregate_length[p])

    def set_aggregate(self, p: int, value: bytes, completed: bool) -> None:
        """Keep the result of an aggregation beside the value it belongs to. Raises SpaceFull."""
        self.p_aggregate[p] = self.heap.replace(self.p_aggregate[p], self.p_aggregate_length[p], value)
        self.p_aggregate_length[p] = len(value)
        self.p_completed[p] = completed

    def aggregate_by(self, handle: int, specs: "list[Aggregation]") -> None:
        """Say which labels of an LSA are aggregated, and how. Raises UnknownLsa."""
        slot = self.slot(handle)
        self.lsa_aggregations[slot] = specs
        if slot not in self.aggregating:
            self.aggregating.append(slot)
        for spec in specs:
            number = self.labels.find(spec.label)
            if number != NIL:
                self.touched_labels |= 1 << number
        self.touch(slot)

    def observe(self, handle: int, label: str, observer: "Agent") -> None:
        """Tell `observer` of each new version under a label, and when an LSA that shows it leaves."""
        slot = self.slot(handle)
        number = self.labels.acquire(label)
        if observer not in self.observers[number]:
            self.observers[number].append(observer)
        self.lsa_wants[slot] |= 1 << number

    def disregard(self, observer: "Agent") -> None:
        """Forget an observer."""
        for number in range(self.limits.labels):
            if observer in self.observers[number]:
                self.observers[number].remove(observer)
                self.labels.release(number)

    # ---- inside -----------------------------------------------------------------------------

    def property_of(self, slot: int, label: str, query: str = "") -> int:
        """The property of an LSA with that label and query, or NIL."""
        label_number, query_number = self.labels.find(label), self.names.find(query)
        if label_number == NIL or query_number == NIL:
            return NIL
        p = self.lsa_first[slot]
        while p != NIL and (self.p_label[p] != label_number or self.p_query[p] != query_number):
            p = self.p_next[p]
        return p

    def _check_room(self, slot: int, label: str, query: str) -> None:
        if self.lsa_count[slot] >= self.limits.properties_per_lsa:
            raise SpaceFull("an LSA holds at most %d properties" % self.limits.properties_per_lsa)
        if not self.properties_free:
            raise SpaceFull("all %d property slots are taken" % self.limits.properties)
        if self.labels.find(label) == NIL and not self.labels.free:
            raise SpaceFull("table of labels is full (%d)" % self.labels.capacity)
        if self.names.find(query) == NIL and not self.names.free:
            raise SpaceFull("table of names is full (%d)" % self.names.capacity)

    def _link(self, slot: int, label: str, query: str) -> int:
        p = self._free_property
        self._free_property = self.p_next[p]
        self.properties_free -= 1
        number = self.labels.acquire(label)
        self.p_state[p] = LIVE
        self.p_lsa[p] = slot
        self.p_owner[p] = self.names.share(self.lsa_name[slot])
        self.p_label[p] = number
        self.p_query[p] = self.names.acquire(query)
        self.p_aggregate[p] = NIL
        self.p_aggregate_length[p] = 0
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
        self.heap.release(self.p_value[p], self.p_length[p])
        self.heap.release(self.p_aggregate[p], self.p_aggregate_length[p])
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
