"""The tuple space: LSAs and properties in arrays that are allocated once and never grow (DESIGN 4).

A handle names an LSA and goes stale when that LSA leaves. Every operation succeeds, or raises a
SpaceError and leaves the space as it was. Changes are noted as they happen (`changed`, `dirty`,
`departed`), so that the laws touch only what changed.
"""

from array import array

from .errors import NotOwner, SpaceFull, UnknownLsa, ValueTooLarge
from .heap import ValueHeap
from .names import NIL, NameTable
from .origins import LIFE_S, Origins, hash_of
from .rings import DirtyRing, ExpiryWheel
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:  # true to a type checker only
    from .agent import Agent
    from .lsa import Aggregation

FREE, LIVE, WITHDRAWN, ORPHAN, LEAVING = const(0), const(1), const(2), const(3), const(4)
SELF = const(1)  # node number of this node; 0 is nobody


class Limits:
    """How much a space holds; its memory is decided here, at boot. Raises ValueError beyond its arrays."""

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
        if max(lsas, self.properties, self.names) >= NIL or value_bytes > NIL:
            raise ValueError("at most %d LSAs, properties, names, and bytes of a value" % (NIL - 1))
        if max(labels, properties_per_lsa) >= 256:
            raise ValueError("at most 255 labels, and properties of an LSA")


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
        self.lsa_hash = array("I", bytes(4 * n))
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
        self.p_owner = array("H", bytes(2 * n))  # name of its LSA, kept until everybody is told
        self.p_label = bytearray(n)
        self.p_query = array("H", bytes(2 * n))
        self.p_version = array("I", bytes(4 * n))
        self.p_local = bytearray(n)  # never leaves this node
        self.p_told = bytearray(n)  # the bonding law has told of it
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
        if not table.fits({name, kind, auth}):
            raise SpaceFull("table of names is full (%d)" % table.capacity)
        slot = self._free_lsa
        self._free_lsa = self.lsa_next[slot]
        self.lsas_free -= 1
        self.lsa_name[slot] = table.acquire(name)
        self.lsa_kind[slot] = table.acquire(kind)
        self.lsa_auth[slot] = table.acquire(auth)
        self.lsa_hash[slot] = hash_of(name)
        self.lsa_state[slot] = LIVE
        self.lsa_origin[slot] = origin
        self.lsa_version[slot] = 0
        self.lsa_first[slot] = NIL
        self.lsa_count[slot] = 0
        self.lsa_path[slot] = self.lsa_sent[slot] = self.lsa_shows[slot] = 0
        self._slot_of_name[self.lsa_name[slot]] = slot
        head = self.origins.first[origin]
        self.lsa_next[slot] = head
        self.lsa_previous[slot] = NIL
        if head != NIL:
            self.lsa_previous[head] = slot
        self.origins.first[origin] = slot
        return slot

    def rename(self, slot: int, kind: str, auth: str) -> None:
        """A new state of an LSA may change its type and its authentication; there must be room for them."""
        kind_number, auth_number = self.names.acquire(kind), self.names.acquire(auth)
        self.names.release(self.lsa_kind[slot])
        self.names.release(self.lsa_auth[slot])
        self.lsa_kind[slot], self.lsa_auth[slot] = kind_number, auth_number

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
        if self.lsa_version[slot] or origin != SELF:
            self.origins.exclude(origin, self.lsa_hash[slot], self.lsa_version[slot])
        if origin == SELF and not self.lsa_quiet[slot]:
            self.lsa_version[slot] = self.next_sequence()
            self.lsa_sent[slot] = 0
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

    def own_slot(self, handle: int) -> int:
        """The slot behind the handle of a local LSA. Raises UnknownLsa, NotOwner."""
        slot = self.slot(handle)
        if self.lsa_origin[slot] != SELF:
            raise NotOwner("%s belongs to another node" % self.names.text(self.lsa_name[slot]))
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

    def node_bit(self, name: str) -> int:
        """The node set of one node; empty when it is not known."""
        number = self.nodes.find(name)
        return 0 if number == NIL else 1 << number

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
        """Publish a value, or a new version of it. Raises ValueTooLarge, SpaceFull, UnknownLsa, NotOwner.

        `query` names the one agent it is for; `life_s` ends it; `local` keeps it on this node.
        """
        slot = self.own_slot(handle)
        due = self.tick + max(1, life_s) if life_s else 0
        p = self.property_of(slot, label, query)
        shown = p != NIL and not self.p_local[p]
        if p != NIL and shown != local and self.p_wheel.due(p) == due and self.holds(p, value):
            return
        p = self.write(slot, p, label, query, value, due, local)
        if shown or not local:
            self.touch(slot)
        else:
            self.next_sequence()
        self.p_version[p] = self.origins.sequence[SELF]

    def write(self, slot: int, p: int, label: str, query: str, value: bytes, due: int, local: bool) -> int:
        """Store a value in property `p`, or in a new one when NIL; all or nothing. Returns the property."""
        self.check_size(label, value)
        if p == NIL:
            self._check_room(slot, label, query)
            head = self.heap.store(value)
            p = self._link(slot, label, query)
        else:
            head = self.heap.replace(self.p_value[p], self.p_length[p], value)
        self.p_local[p] = local
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

    def touch(self, slot: int) -> None:
        """A local LSA has a new state to show to other nodes."""
        if self.lsa_version[slot]:
            self.origins.exclude(SELF, self.lsa_hash[slot], self.lsa_version[slot])
        self.lsa_version[slot] = self.next_sequence()
        self.origins.include(SELF, self.lsa_hash[slot], self.lsa_version[slot])
        self.lsa_sent[slot] = 0
        self.dirty.push(slot)

    def withdraw(self, handle: int, label: str, query: str = "") -> bool:
        """Take a property back; False when there was none. Raises UnknownLsa, NotOwner."""
        slot = self.own_slot(handle)
        p = self.property_of(slot, label, query)
        if p == NIL:
            return False
        self.retract(p)
        if not self.p_local[p]:
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
        return self.heap.holds(self.p_value[p], self.p_length[p], value)

    def is_live(self, p: int) -> bool:
        """Whether a property is still published."""
        return self.p_state[p] == LIVE

    def aggregate(self, p: int) -> bytes:
        """What the aggregation law made of a property; empty before it did."""
        return self.heap.load(self.p_aggregate[p], self.p_aggregate_length[p])

    def set_aggregate(self, p: int, value: bytes, completed: bool) -> None:
        """Keep the result of an aggregation beside its value. Raises SpaceFull, ValueTooLarge."""
        self.check_size("aggregate", value)
        self.p_aggregate[p] = self.heap.replace(self.p_aggregate[p], self.p_aggregate_length[p], value)
        self.p_aggregate_length[p] = len(value)
        self.p_completed[p] = completed

    def aggregate_by(self, handle: int, specs: "list[Aggregation]") -> None:
        """Say which labels of an LSA are aggregated, and how; results so far are void.

        Raises UnknownLsa, NotOwner.
        """
        slot = self.own_slot(handle)
        self.set_aggregations(slot, specs)
        if slot in self.aggregating:
            self.aggregating.remove(slot)
        if specs:
            self.aggregating.append(slot)
        p = self.lsa_first[slot]
        while p != NIL:
            self.set_aggregate(p, b"", False)
            self.p_aggregated[p] = 0
            p = self.p_next[p]
        self.touch(slot)

    def set_aggregations(self, slot: int, specs: "list[Aggregation]") -> None:
        """Note them; labels that are or were aggregated are looked at again."""
        self._touch_labels(self.lsa_aggregations[slot])
        self.lsa_aggregations[slot] = list(specs)
        self._touch_labels(specs)

    def recount(self) -> None:
        """A node has come or gone: whether an aggregate is complete has to be seen again."""
        for slot in self.aggregating:
            self._touch_labels(self.lsa_aggregations[slot])

    def _touch_labels(self, specs: "list[Aggregation]") -> None:
        for spec in specs:
            number = self.labels.find(spec.label)
            if number != NIL:
                self.touched_labels |= 1 << number

    def observe(self, label: str, observer: "Agent") -> bool:
        """Tell `observer` of each new version under a label, and when an LSA that shows it leaves.

        False when it is told already. Raises SpaceFull.
        """
        number = self.labels.find(label)
        if number != NIL and observer in self.observers[number]:
            return False
        number = self.labels.acquire(label)
        self.observers[number] = self.observers[number] + [observer]
        return True

    def disregard(self, observer: "Agent") -> None:
        """Forget an observer. A list of observers is replaced, never changed: somebody may be walking it."""
        for number, observers in enumerate(self.observers):
            if observer in observers:
                self.observers[number] = [each for each in observers if each is not observer]
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
        self.p_told[p] = False
        self.p_lsa[p] = slot
        self.p_owner[p] = self.names.share(self.lsa_name[slot])
        self.p_label[p] = number
        self.p_query[p] = self.names.acquire(query)
        self.p_aggregate[p] = NIL
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
