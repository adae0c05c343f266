"""The properties of LSAs in arrays, chained by LSA and by label, their values in the heap (thesis 5.1)."""

from array import array

from .errors import NameFull, SpaceFull, ValueTooLarge
from .lsa import EVERYWHERE, HERE, MAX_PATH
from .names import NIL
from .rings import DirtyRing, ExpiryWheel
from .room import NAMES, PROPERTIES
from .slots import FREE, LIVE, ORPHAN, WITHDRAWN, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .agent import Agent
    from .limits import Limits


class Properties(Slots):
    """The LSAs of a space with their properties."""

    def __init__(self, node: str, limits: "Limits", incarnation: int = 1) -> None:
        super().__init__(node, limits, incarnation)
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
        self.p_holders = [0] * n  # node set: the neighbours that sent its version,
        self.p_auth = array("H", b"\xff\xff" * n)  # and what proves it, in the heap
        self.p_auth_length = bytearray(n)
        self.p_kept = bytearray(n)  # whether its space renews it,
        self.p_renew = array("I", bytes(4 * n))  # and the tick from which on the next heartbeat does,
        self.p_wait = bytearray(n)  # so many seconds after it was stated last
        self.p_gone = bytearray(n)  # withdrawn; it stays for a while to say so, and is not counted
        self.p_to: list[tuple[str, ...]] = [()] * n  # the nodes towards which it goes,
        self.p_former: list[tuple[str, ...]] = [()] * n  # those that it does not concern any more,
        self.p_former_until = array("I", bytes(4 * n))  # and the tick until which they are told so,
        self.p_pending: list[tuple[str, ...]] = [()] * n  # and those towards which it is still to be sent
        self.p_told = bytearray(n)  # observers know a version that the bonding law will say is gone
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
        self.changed = DirtyRing(n)  # bonding
        self.near = DirtyRing(n)  # near properties to be sent at once,
        self.later = DirtyRing(n)  # and those that only say that all is as it was: with what leaves next
        self.p_wheel = ExpiryWheel(n)

        self.label_first = array("H", b"\xff\xff" * limits.labels)
        self.label_payer = array("H", bytes(2 * limits.labels))  # the node that brought it
        self.observers: list[list[Agent]] = [[] for _ in range(limits.labels)]
        self.known_labels: tuple[str, ...] = ()  # that keep their places
        self.touched_labels = 0  # label set: changed since the aggregation law last looked

    def prove_near(self, p: int, auth: bytes) -> None:
        """Keep what proves the present version of a near property. Raises SpaceFull."""
        self.p_auth[p] = self._store(self.p_origin[p], self.p_auth[p], self.p_auth_length[p], auth)
        self.p_auth_length[p] = len(auth)

    def proof_near(self, p: int) -> bytes:
        """What proves the present version of a near property; empty if nothing does."""
        return self.heap.load(self.p_auth[p], self.p_auth_length[p])

    def is_near(self, p: int) -> bool:
        """Whether a property goes to other nodes, but not everywhere."""
        return HERE < self.p_reach[p] < EVERYWHERE

    def goes_alone(self, p: int) -> bool:
        """Whether a property brings its LSA along."""
        return bool(self.p_kept[p] or self.p_to[p])

    def goes_on(self, p: int) -> bool:
        """Whether a near property may go farther than here, all around."""
        return not self.p_to[p] and self.p_version[p] > 0 and self.p_hops[p] < min(self.p_reach[p], MAX_PATH)

    def passes(self, p: int) -> bool:
        """Whether a property only passes here, on its way to other nodes."""
        return bool(self.p_to[p]) and self.node not in self.p_to[p]

    def write(
        self, slot: int, p: int, label: str, query: str, value: bytes, due: int, life_s: int, reach: int
    ) -> int:
        """Store a value in property `p`, or in a new one when NIL; all or nothing. Returns the property.

        It expires at the tick `due` (0: never); `life_s` is what its origin says.
        """
        self.check_size(label, value)
        if p == NIL:
            self.check_place(slot, label, query)
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
        self.lsa_count[slot] -= not self.p_gone[p]
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

    def check_place(self, slot: int, label: str, query: str) -> None:
        """Raise SpaceFull unless an LSA may have one more property, and the tables take its names."""
        if self.lsa_count[slot] >= self.limits.properties_per_lsa:
            raise SpaceFull("an LSA holds at most %d properties" % self.limits.properties_per_lsa)
        if not self.properties_free:
            raise SpaceFull("all %d property slots are taken" % self.limits.properties)
        if self.labels.find(label) == NIL and not self.labels.free:
            raise NameFull("table of labels is full (%d)" % self.labels.capacity)
        if self.names.find(query) == NIL and not self.names.free:
            raise NameFull("table of names is full (%d)" % self.names.capacity)

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
        self.p_auth_length[p] = self.p_hops[p] = self.p_holders[p] = 0
        self.p_kept[p] = self.p_gone[p] = self.p_version[p] = 0
        self.p_to[p] = self.p_former[p] = self.p_pending[p] = ()
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

    def know_labels(self, labels: "tuple[str, ...]") -> None:
        """The labels that are in use here keep their places. Raises SpaceFull."""
        self.known_labels += labels
        for label in labels:
            self.label_payer[self.labels.acquire(label)] = 0

    def claim_labels(self, labels: "set[str]", origin: int) -> None:
        """Raise SpaceFull unless another node (NIL: a new one) may bring these."""
        new = self.labels.lacking(labels)
        if not new:
            return
        held = 0
        for number in range(1, len(self.label_payer)) if origin != NIL else ():
            held += self.label_payer[number] == origin and self.labels.text(number) != ""
        if held + new > self.limits.labels_per_node:
            raise SpaceFull("brings more than %d unknown labels" % self.limits.labels_per_node)
        if new > self.labels.free:
            raise SpaceFull("a table of names is full (%d)" % self.labels.capacity)

    def observe(self, label: str, observer: "Agent") -> bool:
        """Tell `observer` of each new version under a label, and when an LSA that shows it leaves.

        False when it observes the label already. Raises SpaceFull.
        """
        number = self.labels.find(label)
        if number != NIL and observer in self.observers[number]:
            return False
        number = self.labels.acquire(label)
        self.observers[number] = self.observers[number] + [observer]
        return True

    def disregard(self, observer: "Agent") -> None:
        """Forget an observer. Lists of observers are replaced, not changed: a law may iterate over one."""
        for number, observers in enumerate(self.observers):
            if observer in observers:
                self.observers[number] = [each for each in observers if each is not observer]
                self.labels.release(number)
