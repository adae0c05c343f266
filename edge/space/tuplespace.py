"""The tuple space: what may be done with LSAs and their properties (thesis 5.1).

A handle names an LSA and becomes stale when that LSA leaves. Every operation succeeds, or raises a
SpaceError and leaves the space unchanged. Changes are noted as they happen (`changed`, `dirty`,
`departed`), so that the laws touch only what changed.
"""

from .errors import NotOwner, SpaceFull
from .limits import Limits
from .lsa import EVERYWHERE, HERE, KEPT, TOWARDS
from .names import NIL
from .nodes import Nodes
from .origins import LIFE_S, NEVER
from .room import NODES, SPECS
from .shim import const
from .slots import FREE, LEAVING, LIVE, ORPHAN, SELF, WITHDRAWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lsa import Aggregation

__all__ = ["FREE", "LEAVING", "LIVE", "ORPHAN", "SELF", "WITHDRAWN", "Limits", "TupleSpace"]
_AGAIN_S, _OFTEN_S = const(3), const(10)
_NEXT_DOOR = const(2)  # hops that cost few messages
_FORMER_S = const(6)  # one renewal, and the ways to them are still known
# No setting: the format of the wire. A contract has at most 32 suppliers, a supplier at most 128 consumers.
MAX_TO = const(128)  # nodes towards which one property goes
# Reach in hops, and after how many seconds a kept property is renewed: a flood through the whole microgrid
# costs more than what it repairs.
_PERIODS_S = ((2, 5), (4, 10), (8, 20), (TOWARDS - 1, 60), (TOWARDS, 5))


def period_s(reach: int) -> int:
    """How often a kept property of that reach is renewed."""
    for most, each_s in _PERIODS_S:
        if reach <= most:
            return each_s
    raise ValueError("not the reach of a near property: %d" % reach)


def life_of(reach: int) -> int:
    """How long a kept property lives without being renewed: two renewals of it may be lost."""
    return 5 * period_s(reach) // 2 + 1


class TupleSpace(Nodes):
    """The coordination medium of one node: arrays that are allocated once and never grow."""

    # ---- LSAs -----------------------------------------------------------------------------

    def inject(self, name: str, kind: str = "") -> int:
        """Add a local agent's LSA; returns its handle. Raises NotOwner, SpaceFull."""
        if self.slot_of_name(name) != NIL:
            raise NotOwner("%s is already in the space" % name)
        return self.handle(self.admit(name, kind, SELF))

    def remove(self, handle: int, quiet: bool = False) -> None:
        """Take an LSA out with all its properties; `quiet`: other nodes notice by themselves."""
        slot = self.slot(handle)
        shown = bool(self.lsa_version[slot]) or self._shows_alone(slot)
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
        self.lsa_quiet[slot] = quiet or not (shown if origin == SELF else self.lsa_version[slot])
        if self.lsa_version[slot] or (origin != SELF and not self.lsa_loose[slot]):
            self.origins.exclude(origin)
        if origin == SELF and not self.lsa_quiet[slot]:
            self.lsa_version[slot] = self.next_sequence()
            self.lsa_sent[slot] = 0
            self.prove(slot, b"")
        if slot in self.aggregating:
            self.aggregating.remove(slot)
        self.lsa_state[slot] = LEAVING
        self.departed.push(slot)

    def _shows_alone(self, slot: int) -> bool:
        p = self.lsa_first[slot]
        while p != NIL and not self.goes_alone(p):
            p = self.p_next[p]
        return p != NIL

    def find(self, name: str) -> int:
        """The handle of a live LSA, 0 when there is none with that name."""
        slot = self.slot_of_name(name)
        return 0 if slot == NIL else self.handle(slot)

    def keep(self, handle: int, life_s: int) -> None:
        """Let an LSA live for that many ticks from now; 0: without end."""
        self.lsa_wheel.set(self.slot(handle), self.tick + life_s if life_s else 0)

    def life_s(self, slot: int) -> int:
        """Ticks an LSA has left: its own, or those of its origin's last heartbeat."""
        due = self.lsa_wheel.due(slot)
        origin = self.lsa_origin[slot]
        if not due:
            due = self.tick + LIFE_S if origin == SELF else self.origins.expires[origin]
        return max(0, due - self.tick)

    def touch(self, slot: int) -> None:
        """A local LSA has a new state to show to other nodes."""
        if not self.lsa_version[slot]:
            self.origins.include(SELF)
        self.origins.restate(SELF)
        self.lsa_version[slot] = self.next_sequence()
        self.lsa_sent[slot] = 0
        if self.lsa_auth_length[slot]:
            self.prove(slot, b"")
        self.dirty.push(slot)

    # ---- lives of other nodes -------------------------------------------------------------

    def meet(self, node: str, incarnation: int, life_s: int, hops: int, sender: str = "") -> int:
        """Note that an origin lives, which `sender` has brought; returns its number. Raises SpaceFull.

        When it has restarted, everything it shows counts as new.
        """
        number = self.origin_number(node)
        if number == NIL:
            self.claim_node(node, sender)
            number = self.nodes.acquire(node)
            self.passed_only &= ~(1 << number)
            if not self.neighbours_mask >> number & 1:
                via = self.origins.via[number] = self._via(sender)
                self.room.count(NODES, via, 1)
            self.origins.met[number] = self.tick
            self.room.members += 1
            self.origins.meet(number, incarnation, hops, self.tick + min(life_s, LIFE_S))
            self.recount()
        elif incarnation > self.origins.incarnation[number]:
            self._demote(number)
            self.origins.restart(number, incarnation)
        return number

    def part(self, origin: int) -> None:
        """An origin has fallen silent: its LSAs leave, and it is forgotten. Every node does so by itself."""
        while self.origins.first[origin] != NIL:
            self.remove(self.handle(self.origins.first[origin]), quiet=True)
        self.origins.forget(origin)
        if not self.neighbours_mask >> origin & 1:
            self.room.count(NODES, self.origins.via[origin], -1)
        self.room.members -= 1
        for number in range(len(self.label_payer)):
            if self.label_payer[number] == origin:
                self.label_payer[number] = 0
        self.nodes.release(origin)
        self.recount()

    def disbelieve(self, origin: int, sequence: int) -> None:
        """An origin says again and again that it has made fewer changes than are held: take its word."""
        self._demote(origin)
        self.origins.sequence[origin] = sequence

    def reincarnate(self, incarnation: int) -> None:
        """Start a new incarnation of this node, because another node remembers a later one than ours.

        Its changes are numbered from the beginning.
        """
        self.origins.incarnation[SELF] = incarnation
        self.changes = 0
        slot = self.origins.first[SELF]
        while slot != NIL:
            self.lsa_base[slot] = self.lsa_based[slot] = 0
            p = self.lsa_first[slot]
            while p != NIL:
                self.p_version[p] = self.next_change()
                if self.is_near(p):
                    self.prove_near(p, b"")
                    self.p_pending[p] = self.p_to[p]
                    self.near.push(p)
                p = self.p_next[p]
            if self.lsa_version[slot]:
                self.touch(slot)
            slot = self.lsa_next[slot]

    def recount(self) -> None:
        """A node has come or gone: check again whether aggregates are complete."""
        for slot in self.aggregating:
            self._touch_labels(self.lsa_aggregations[slot])

    def _demote(self, origin: int) -> None:
        """A restarted node may show its LSAs again, in place; the digest finds those it does not.

        So they stay in the digest as version 0; it differs from the origin's as long as one is left.
        """
        slot = self.origins.first[origin]
        while slot != NIL:
            self.lsa_version[slot] = self.lsa_base[slot] = self.lsa_based[slot] = self.lsa_ended[slot] = 0
            p = self.lsa_first[slot]
            while p != NIL:
                if self.is_near(p):
                    self.p_version[p] = 0
                p = self.p_next[p]
            slot = self.lsa_next[slot]
        self.origins.restate(origin)

    # ---- properties -----------------------------------------------------------------------

    def put(
        self,
        handle: int,
        label: str,
        query: str,
        value: bytes,
        life_s: int = 0,
        reach: int = EVERYWHERE,
        to: "tuple[str, ...]" = (),
    ) -> None:
        """Publish a value, or a new version of it. Raises ValueTooLarge, SpaceFull, UnknownLsa, NotOwner.

        `query` names the one agent it is for; `life_s` ends it; `reach` says how many hops it goes, HERE: it
        stays on this node; with `to` it goes towards those nodes only. Raises ValueError for a near property
        without a life: no digest repairs it, so its owner has to renew it, or with KEPT this space does; and
        for one without a value that brings its LSA along: it would seem to be withdrawn.
        """
        reach = TOWARDS if to else reach
        if HERE < reach < EVERYWHERE and not life_s:
            raise ValueError("%s: a property with a reach of %d hops needs a life" % (label, reach))
        kept = life_s == KEPT
        if (kept or to) and not value:
            raise ValueError("%s: no value" % label)
        slot = self.own_slot(handle)
        life_s = life_of(reach) if kept else max(1, life_s) if life_s else 0
        due = self.tick + life_s if life_s and not kept else 0
        p = self.property_of(slot, label, query)
        before = HERE if p == NIL else self.p_reach[p]
        if len(to) > MAX_TO:
            raise ValueError("%s goes towards %d nodes, at most %d" % (label, len(to), MAX_TO))
        same = p != NIL and before == reach and self.p_wheel.due(p) == due and self.p_to[p] == to
        if same and self.holds(p, value):
            return
        if p != NIL and self.p_gone[p]:
            if self.lsa_count[slot] >= self.limits.properties_per_lsa:
                raise SpaceFull("an LSA holds at most %d properties" % self.limits.properties_per_lsa)
            self.p_gone[p] = False
            self.lsa_count[slot] += 1
        p = self.write(slot, p, label, query, value, due, life_s, reach)
        self.p_kept[p] = kept
        if to or self.p_to[p] or self.p_former[p]:
            self._turn_to(p, to)
        if kept:
            self._renew_soon(p)
        near = self.is_near(p)
        loose = kept or bool(to)
        first = near and not loose and not self.lsa_version[slot]
        if before == EVERYWHERE or reach == EVERYWHERE or first:
            self.touch(slot)
            self.p_version[p] = self.changes
        else:
            self.p_version[p] = self.next_change()
        if near:
            self.near.push(p)

    def withdraw(self, handle: int, label: str, query: str = "") -> bool:
        """Withdraw a property; False when there is none. Raises UnknownLsa, NotOwner."""
        slot = self.own_slot(handle)
        p = self.property_of(slot, label, query)
        if p == NIL or self.p_gone[p]:
            return False
        if self.goes_alone(p):
            self._say_gone(slot, p)
            return True
        self.retract(p)
        if self.p_reach[p] == EVERYWHERE:
            self.touch(slot)
        return True

    def _turn_to(self, p: int, to: "tuple[str, ...]") -> None:
        """A version goes towards these nodes, and for a while to those that it does not concern any more."""
        before = self._all_of(p)
        former = tuple([node for node in before if node not in to])[: MAX_TO - len(to)]
        if former != self.p_former[p]:
            self.p_former[p], self.p_former_until[p] = former, self.tick + _FORMER_S
        self.p_to[p] = to
        self.p_pending[p] = to + former

    def _all_of(self, p: int) -> "tuple[str, ...]":
        return self.p_to[p] + (self.p_former[p] if self.tick <= self.p_former_until[p] else ())

    def reached_by(self, p: int, neighbours: int) -> "tuple[str, ...]":
        """The nodes towards which a property goes by some of these neighbours."""
        kept = bool(self.p_kept[p])
        others = [node for node in self._all_of(p) if node != self.node]
        return tuple([node for node in others if self.hops_towards(node, kept) & neighbours])

    def _say_gone(self, slot: int, p: int) -> None:
        """A property that brings its LSA along ends with a version without a value.

        One that is kept and does not go far says so again with the next heartbeats; any other soon expires.
        """
        life_s = LIFE_S if self.p_kept[p] else 1
        label, query = self.labels.text(self.p_label[p]), self.names.text(self.p_query[p])
        self.write(slot, p, label, query, b"", self.tick + life_s, life_s, self.p_reach[p])
        self.p_gone[p] = True
        self.lsa_count[slot] -= 1
        self.p_version[p] = self.next_change()
        self.p_pending[p] = self._all_of(p)
        if self.p_kept[p]:
            self._renew_soon(p)
        if self.p_reach[p] > _NEXT_DOOR and not self.p_to[p]:
            self.p_renew[p] = NEVER  # another flood costs more than the copies that miss this one
        self.near.push(p)

    def renew_kept(self, early_s: int = 0) -> None:
        """Each tick: kept properties whose time has come get a new version, which says that they still hold.

        With `early_s` also those whose time comes so soon: a heartbeat leaves now, and they go with it.
        """
        if self.tick < self.renew_tick - early_s:
            return
        self.renew_tick = NEVER
        slot = self.origins.first[SELF]
        while slot != NIL:
            p = self.lsa_first[slot]
            while p != NIL:
                if self.p_kept[p]:
                    if self.tick >= self.p_renew[p] - early_s:
                        self._renew(p)
                    self.renew_tick = min(self.renew_tick, self.p_renew[p])
                p = self.p_next[p]
            slot = self.lsa_next[slot]

    def _renew(self, p: int) -> None:
        self.p_version[p] = self.next_change()
        self.prove_near(p, b"")
        self.p_pending[p] = self._all_of(p)
        once = self.p_gone[p] and not self.p_to[p]  # all around: that it ended is said twice
        self.p_wait[p] = min(2 * self.p_wait[p], period_s(self.p_reach[p]))
        self._live_on(p)
        self.p_renew[p] = NEVER if once else self.tick + self.p_wait[p]
        self.near.push(p)

    def _live_on(self, p: int) -> None:
        """Until it is renewed, and the time after that, one renewal may be lost; no longer, as its end may be
        lost, too."""
        if not self.p_gone[p]:
            self.p_life[p] = min(life_of(self.p_reach[p]), max(LIFE_S, 3 * self.p_wait[p] + _AGAIN_S))

    def _renew_soon(self, p: int) -> None:
        """A kept property has changed: it is sent again soon, as it may have been lost, then less often."""
        often = period_s(self.p_reach[p]) <= _OFTEN_S
        self.p_wait[p] = _AGAIN_S if often else _OFTEN_S
        self._live_on(p)
        self.p_renew[p] = self.tick + self.p_wait[p]
        self.renew_tick = min(self.renew_tick, self.p_renew[p])

    def renew_again(self, p: int) -> None:
        """A kept property of this node is stated again in some seconds, as a link came up. To one that
        missed it, its present version looks like a replay if others have been stated since."""
        if self.lsa_origin[self.p_lsa[p]] == SELF and self.p_renew[p] > self.tick + _OFTEN_S:
            self._renew_soon(p)

    def expire(self, p: int) -> None:
        """The life of a property is over. Other nodes end their copies by themselves.

        What is left of an LSA is a version of its own. Until its origin has stated it, others cannot show it.
        """
        slot = self.p_lsa[p]
        self.retract(p)
        if self.p_reach[p] == EVERYWHERE:
            if self.lsa_origin[slot] == SELF:
                self.touch(slot)
            else:
                self.lsa_lapsed[slot] = True
        elif self.lsa_origin[slot] != SELF:
            self.lsa_ended[slot] = max(self.lsa_ended[slot], self.p_version[p])
            if self.lsa_loose[slot] and self.lsa_first[slot] == NIL:
                self.lsa_wheel.set(slot, self.tick + LIFE_S)

    def read(self, handle: int, label: str, query: str = "") -> bytes | None:
        """The value published under a label, None when there is none. Raises UnknownLsa."""
        p = self.property_of(self.slot(handle), label, query)
        return None if p == NIL or self.p_gone[p] else self.value(p)

    def aggregate(self, p: int) -> bytes:
        """What the aggregation law made of a property; empty before it did."""
        return self.heap.load(self.p_aggregate[p], self.p_aggregate_length[p])

    def set_aggregate(self, p: int, value: bytes, completed: bool) -> None:
        """Store the result of an aggregation beside the value. Raises SpaceFull, ValueTooLarge."""
        self.check_size("aggregate", value)
        origin, length = self.p_origin[p], self.p_aggregate_length[p]
        self.p_aggregate[p] = self._store(origin, self.p_aggregate[p], length, value)
        self.p_aggregate_length[p] = len(value)
        self.p_completed[p] = completed

    def aggregate_by(self, handle: int, specs: "list[Aggregation]") -> None:
        """Say which labels of an LSA are aggregated, and how; earlier results are discarded.

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
        self.lsa_shaped[slot] = self.lsa_version[slot]

    def set_aggregations(self, slot: int, specs: "list[Aggregation]") -> None:
        """Replace them; labels that are or were aggregated are processed again."""
        self._touch_labels(self.lsa_aggregations[slot])
        self.room.count(SPECS, self.lsa_origin[slot], len(specs) - len(self.lsa_aggregations[slot]))
        self.lsa_aggregations[slot] = list(specs)
        self._touch_labels(specs)

    def _touch_labels(self, specs: "list[Aggregation]") -> None:
        for spec in specs:
            number = self.labels.find(spec.label)
            if number != NIL:
                self.touched_labels |= 1 << number

    def specs_free(self) -> int:
        """How many more aggregations other nodes may ask for."""
        held = self.room.held[SPECS]
        return self.limits.specs - sum(held) + held[SELF]
