"""What every digital twin is underneath: an agent with one LSA and four notifications (thesis 5.1.2)."""

from .errors import NameFull, SpaceFull
from .lsa import EVERYWHERE
from .names import NIL
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, cast

    from .aggregators import Contributor
    from .engine import Engine
    from .lsa import Aggregation
    from .tuplespace import TupleSpace

    T = TypeVar("T")

KEEP_S = const(10)  # an agent that stops renewing its LSA loses it after that many ticks


class Bond:
    """A property that an agent wants and now sees. One object serves all notifications: do not keep it."""

    def __init__(self, space: "TupleSpace") -> None:
        self._space = space
        self.property = NIL
        self.name = ""  # of the agent that published it
        self.label = ""  # what it is about
        self._read: tuple[object, Any] | None = None

    def turn_to(self, p: int) -> None:
        """It is this property from now on, as it is now."""
        space = self._space
        self.property = p
        self.name = space.names.text(space.p_owner[p])
        self.label = space.labels.text(space.p_label[p])
        self._read = None

    @property
    def query(self) -> str:
        """The agent that it is addressed to; empty: to all."""
        return self._space.names.text(self._space.p_query[self.property])

    @property
    def origin(self) -> str:
        """The node its agent lives on."""
        return self._space.nodes.text(self._space.lsa_origin[self._space.p_lsa[self.property]])

    @property
    def hops(self) -> int:
        """Distance of that node in links; 0 here."""
        return self._space.origins.hops[self._space.lsa_origin[self._space.p_lsa[self.property]]]

    @property
    def withdrawn(self) -> bool:
        """The property is gone: withdrawn or expired."""
        return bool(self._space.p_gone[self.property]) or not self._space.is_live(self.property)

    @property
    def version(self) -> int:
        """Counts up with each change of the property."""
        return self._space.p_version[self.property]

    def value(self) -> bytes:
        """The published bytes; empty when withdrawn."""
        return b"" if self.withdrawn else self._space.value(self.property)

    def read(self, parse: "Callable[[Bond], T]") -> "T":
        """What `parse` makes of it; parsed once for all agents that are notified of it."""
        read = self._read
        if read is None or read[0] is not parse:
            result = parse(self)
            self._read = (parse, result)
            return result
        return cast("T", read[1]) if TYPE_CHECKING else read[1]


class Agent:
    """Owner of one LSA. Subclasses override the notifications they need.

    `wants` lists the labels it bonds with. Notifications only record; `act`, called once after a round of
    them, decides. So twenty offers in one reaction cost one decision.
    """

    kind = "agent"
    restless = True  # acts at every tick; other agents call `stir` when they have something to do
    wants: "tuple[str, ...]" = ()
    waiting_max = 64

    def __init__(self, name: str) -> None:
        self.name = name
        self.handle = 0
        # properties without room, oldest first
        self.waiting: list[tuple[str, str, bytes, int, int, tuple[str, ...]]] = []
        self.waiting_dropped = 0
        self._in_line = False  # something waits for room that all properties need
        self._engine: Engine | None = None

    # ---- the four notifications, and what follows them ---------------------------------------

    def bonded(self, bond: Bond) -> "bool | None":
        """Another LSA has a new version of a property that this agent wants, or withdrew it.

        False: it does not concern the agent, which need not act on it.
        """

    def decayed(self, name: str, life_s: int) -> None:
        """Its own LSA has aged by a tick, or (`life_s` 0) an LSA with something it wants has left."""

    def spread(self, version: int) -> None:
        """Its LSA was sent to neighbours in that version."""

    def aggregated(self, label: str) -> None:
        """The aggregation law has a new result for a label of its LSA."""

    def missed(self, label: str, source: str) -> None:
        """An agent whose value is in an aggregate of this one has withdrawn it, or has fallen silent.

        Told once, until it is there again. A subclass calls `stir` if it has to act on that.
        """

    def act(self) -> None:
        """Decide what to do, after the notifications of one round."""

    def stir(self) -> None:
        """Have `act` called at the end of this round, or of the next reaction."""
        if self._engine is not None:
            self._engine.stir(self)

    # ---- what it does to the space ------------------------------------------------------------

    @property
    def space(self) -> "TupleSpace":
        """The space it lives in. Raises RuntimeError outside of one."""
        if self._engine is None:
            raise RuntimeError(self.name + " is not in a space")
        return self._engine.space

    def joined(self, engine: "Engine") -> None:
        """Called by the engine: its LSA enters the space."""
        self.handle = engine.space.inject(self.name, self.kind)
        self._engine = engine
        engine.space.keep(self.handle, KEEP_S)

    def left(self) -> None:
        """Called by the engine: its LSA has left the space."""
        self._engine = None
        self.handle = 0
        self.waiting.clear()
        self._in_line = False

    def renew(self) -> None:
        """Keep the LSA alive, and publish waiting properties while there is room; called each tick."""
        self.space.keep(self.handle, KEEP_S)
        self._publish_waiting()

    def submit(
        self,
        label: str,
        value: bytes,
        query: str = "",
        life_s: int = 0,
        reach: int = EVERYWHERE,
        to: "tuple[str, ...]" = (),
    ) -> bool:
        """Publish a property; while its LSA has no room it waits, first in, first out.

        False when the waiting queue is full too; the property is then dropped and counted. Raises
        ValueTooLarge, and ValueError for a near property without a life. With `to` it goes towards those
        nodes only; with KEPT as its life the space renews it. A value that is aggregated and
        `differs` too little from the one published is not sent; that one is renewed in the second half of
        its life.
        """
        self.space.check_size(label, value)
        if not query:
            kept = self._kept(label, value)
            if kept is not None:
                if self._lives(label, life_s, reach):
                    return True
                value = kept
        position = self._waiting_at(label, query)
        if position >= 0:
            self.waiting[position] = (label, query, value, life_s, reach, to)
            return True
        if self._in_line and self.space.property_of(self.handle & 0xFFFF, label, query) == NIL:
            return self._wait(label, query, value, life_s, reach, to)
        try:
            self.space.put(self.handle, label, query, value, life_s, reach, to)
        except NameFull:
            return self._wait(label, query, value, life_s, reach, to)
        except SpaceFull:
            self._in_line = True
            return self._wait(label, query, value, life_s, reach, to)
        return True

    def aggregate(self, specs: "list[Aggregation]") -> None:
        """Aggregate labels of its LSA with those of others. Raises ValueError for one that is there twice."""
        if len({spec.label for spec in specs}) != len(specs):
            raise ValueError(self.name + " aggregates a label in two ways")
        self.space.aggregate_by(self.handle, specs)

    def aggregate_of(self, label: str) -> bytes:
        """The aggregate of a label of its LSA; empty without one, as when no other LSA contributes."""
        p = self.space.property_of(self.handle & 0xFFFF, label)
        return b"" if p == NIL else self.space.aggregate(p)

    def contributors_of(self, label: str) -> "list[Contributor]":
        """Whose values are in that aggregate, with their weights, distances and ages when it was made."""
        merged = None if self._engine is None else self._engine.merged.get((self.handle, label))
        return [] if merged is None else merged.contributors

    def withdraw(self, label: str, query: str = "") -> None:
        """Withdraw a property, waiting or published."""
        position = self._waiting_at(label, query)
        if position >= 0:
            self.waiting.pop(position)
        self.space.withdraw(self.handle, label, query)
        self._publish_waiting()

    def _kept(self, label: str, value: bytes) -> bytes | None:
        """The value that is published under a label, if the new one differs too little from it."""
        slot = self.handle & 0xFFFF
        for spec in self.space.lsa_aggregations[slot]:
            if spec.label == label and spec.differs is not None:
                p = self.space.property_of(slot, label)
                if p != NIL:
                    sent = self.space.value(p)
                    return None if spec.differs(sent, value) else sent
        return None

    def _lives(self, label: str, life_s: int, reach: int) -> bool:
        """Whether what is published under a label has that reach, and half of that life or more before it."""
        p = self.space.property_of(self.handle & 0xFFFF, label)
        due = self.space.p_wheel.due(p)
        left_s = due - self.space.tick if due else 0
        return self.space.p_reach[p] == reach and (2 * left_s >= life_s if life_s else not due)

    def _publish_waiting(self) -> None:
        position = 0
        while position < len(self.waiting):
            label, query, value, life_s, reach, to = self.waiting[position]
            try:
                self.space.put(self.handle, label, query, value, life_s, reach, to)
            except NameFull:
                position += 1  # only its label or query has no place: those behind it may have one
                continue
            except SpaceFull:
                return
            self.waiting.pop(position)
        self._in_line = False

    def _waiting_at(self, label: str, query: str) -> int:
        for position in range(len(self.waiting)):
            held = self.waiting[position]
            if held[0] == label and held[1] == query:
                return position
        return -1

    def _wait(
        self, label: str, query: str, value: bytes, life_s: int, reach: int, to: "tuple[str, ...]"
    ) -> bool:
        if len(self.waiting) >= self.waiting_max:
            self.waiting_dropped += 1
            return False
        self.waiting.append((label, query, value, life_s, reach, to))
        return True
