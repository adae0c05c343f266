"""The tuple space: what may be done with LSAs and their properties (thesis 5.1, DESIGN 4).

A handle names an LSA and goes stale when that LSA leaves. Every operation succeeds, or raises a
SpaceError and leaves the space as it was. Changes are noted as they happen (`changed`, `dirty`,
`departed`), so that the laws touch only what changed.
"""

from .errors import NotOwner
from .names import NIL
from .origins import LIFE_S
from .slots import FREE, LEAVING, LIVE, ORPHAN, SELF, WITHDRAWN, Limits, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .agent import Agent
    from .lsa import Aggregation

__all__ = ["FREE", "LEAVING", "LIVE", "ORPHAN", "SELF", "WITHDRAWN", "Limits", "TupleSpace"]


class TupleSpace(Slots):
    """The coordination medium of one node: arrays that are allocated once and never grow."""

    # ---- LSAs -------------------------------------------------------------------------------

    def inject(self, name: str, kind: str = "", auth: str = "") -> int:
        """Let a local agent's LSA in; returns its handle. Raises NotOwner, SpaceFull."""
        if self.slot_of_name(name) != NIL:
            raise NotOwner("%s is in the space already" % name)
        return self.handle(self.admit(name, kind, auth, SELF))

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

    def find(self, name: str) -> int:
        """The handle of a live LSA, 0 when there is none of that name."""
        slot = self.slot_of_name(name)
        return 0 if slot == NIL else self.handle(slot)

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

    def touch(self, slot: int) -> None:
        """A local LSA has a new state to show to other nodes."""
        if self.lsa_version[slot]:
            self.origins.exclude(SELF, self.lsa_hash[slot], self.lsa_version[slot])
        self.lsa_version[slot] = self.next_sequence()
        self.origins.include(SELF, self.lsa_hash[slot], self.lsa_version[slot])
        self.lsa_sent[slot] = 0
        self.dirty.push(slot)

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

    def read(self, handle: int, label: str, query: str = "") -> bytes | None:
        """The value published under a label, None when there is none. Raises UnknownLsa."""
        p = self.property_of(self.slot(handle), label, query)
        return None if p == NIL else self.value(p)

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
