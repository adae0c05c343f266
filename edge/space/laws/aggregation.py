"""Aggregation: properties of one label, from many LSAs, become one value (thesis 5.1.3.4).

A local LSA names an operator for a label; the values of that label of all LSAs that aggregate it too and are
within reach are combined, each agent's own value once, and the result is stored beside the value. Results are
not spread by themselves, so nothing is counted twice. Gossip is simply this law applied to what spreading
delivers (thesis 6.2). There are no rounds: what is there and fresh is combined, and nobody waits for others.

A twin may publish a result as its new value, so that nodes come to agree step by step; it asks for an
aggregation that `keeps` what was merged. Then it merges at the tick of each second, and only if another
source has published something since. So a merge has in it all that has arrived until then, and not only the
value that was the first.
"""

from ..aggregators import Source
from ..lsa import EVERYWHERE
from ..merged import Merged
from ..names import NIL
from ..tuplespace import LIVE, SELF
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..agent import Agent
    from ..aggregators import Operator, Result
    from ..engine import Engine
    from ..lsa import Aggregation
    from ..tuplespace import TupleSpace


class Aggregating(Law):
    """Combines changed labels. Long operators run as work between reactions, one piece after the other."""

    def __init__(self, operators: "dict[str, Operator] | None" = None) -> None:
        if operators is None:
            from ..aggregators.standard import OPERATORS

            operators = dict(OPERATORS)
        self.operators = operators
        self._working: list[tuple[int, str]] = []  # keys of what is under way

    def tick(self, engine: "Engine") -> None:
        space = engine.space
        if not engine.merged:
            return
        for key in list(engine.merged):
            merged = engine.merged[key]
            if not _stands(space, key[0], merged):
                del engine.merged[key]
            elif merged.work is None and merged.is_due(space.tick):
                label = space.labels.find(key[1])
                agent = engine.agent_at(key[0] & 0xFFFF)
                if label != NIL and agent is not None:
                    space.touched_labels |= 1 << label
                    engine.stir(agent)  # so that there is a reaction

    def react(self, engine: "Engine") -> None:
        space = engine.space
        touched = space.touched_labels
        if not touched:
            return
        space.touched_labels = 0
        for slot in space.aggregating:
            for spec in space.lsa_aggregations[slot]:
                label = space.labels.find(spec.label)
                if label != NIL and touched >> label & 1:
                    self._aggregate(engine, slot, label, spec)

    @property
    def has_work(self) -> bool:
        return bool(self._working)

    def work(self, engine: "Engine") -> None:
        key = self._working.pop(0)
        merged = engine.merged.get(key)
        if merged is None or merged.work is None or not _stands(engine.space, key[0], merged):
            return
        slot = key[0] & 0xFFFF
        agent, own = engine.agent_at(slot), engine.space.property_of(slot, key[1])
        if agent is None or own == NIL:
            merged.work, merged.sources = None, []
            return
        try:
            try:
                next(merged.work)
                self._working.append(key)
                return
            except StopIteration as end:
                self._take(engine, agent, own, merged, merged.sources, end.value)
        except Exception as error:
            engine.fault(agent, error)
        merged.work, merged.sources = None, []

    def _aggregate(self, engine: "Engine", slot: int, label: int, spec: "Aggregation") -> None:
        space = engine.space
        own = space.property_of(slot, spec.label)
        operator = spec.merge or self.operators.get(spec.operator)
        agent = engine.agent_at(slot)
        if own == NIL or operator is None or agent is None:
            return
        key = (space.handle(slot), spec.label)
        merged = engine.merged.get(key)
        if merged is None or merged.spec is not spec:
            merged = engine.merged[key] = Merged(spec)
        found = self._properties(space, label, spec, own)
        for name in merged.newly_gone({space.names.text(space.p_owner[p]) for p in found}):
            engine.tell_missed(agent, spec.label, name)
        last = space.p_aggregated[own]
        early = last and space.tick - last < spec.min_delay_s
        waits = early or merged.work is not None or (spec.keeps and not merged.is_due(space.tick))
        merged.wake = _wake(space, spec, found, own, waits)
        if waits:
            return
        if len(found) < spec.quorum:
            if not spec.keeps:
                merged.clear()
                if _store(space, own, b"", False):
                    engine.tell_aggregated(agent, spec.label)
            return
        sources = [_source(space, p, own) for p in found]
        sources.sort(key=_by_agent)  # the same sources give the same result on every node
        again = spec.period_s and space.tick - last >= spec.period_s
        if spec.keeps and not again and not merged.is_news(sources):
            return
        space.p_aggregated[own] = space.tick
        try:
            result = operator(sources, spec)
            if isinstance(result, tuple):
                self._take(engine, agent, own, merged, sources, result)
            else:
                merged.work, merged.sources = result, sources
                self._working.append(key)
        except Exception as error:  # a value of another node that the operator cannot read
            engine.fault(agent, error)

    def _properties(self, space: "TupleSpace", label: int, spec: "Aggregation", own: int) -> "list[int]":
        """The properties that count: of agents that aggregate the label too, within reach, and fresh."""
        found = []
        p = space.label_first[label]
        while p != NIL:
            aggregates = any(each.label == spec.label for each in space.lsa_aggregations[space.p_lsa[p]])
            counts = aggregates and not space.p_query[p] and _hops(space, p) <= spec.reach
            if counts and (p == own or not spec.stale_s or _age_s(space, p) <= spec.stale_s):
                found.append(p)
            p = space.p_label_next[p]
        return found

    def _take(
        self,
        engine: "Engine",
        agent: "Agent",
        own: int,
        merged: Merged,
        sources: "list[Source]",
        result: "Result",
    ) -> None:
        """There is a result. Raises whatever makes it invalid."""
        value, weights = result
        spec, space = merged.spec, engine.space
        if len(weights) != len(sources):
            raise ValueError("%d weights for %d sources" % (len(weights), len(sources)))
        completed = len({source.node for source in sources}) == _nodes(space, spec.reach)
        changed = _store(space, own, value, completed)
        merged.note(sources, weights, space.tick, completed)
        if changed or spec.keeps:
            engine.tell_aggregated(agent, spec.label)


def _store(space: "TupleSpace", p: int, value: bytes, completed: bool) -> bool:
    """Store a result; False when it is there already. Raises SpaceFull, ValueTooLarge."""
    if value == space.aggregate(p) and completed == bool(space.p_completed[p]):
        return False
    space.set_aggregate(p, value, completed)
    return True


def _stands(space: "TupleSpace", handle: int, merged: Merged) -> bool:
    """Whether the LSA is still there and still asks for that aggregation."""
    slot = handle & 0xFFFF
    live = space.lsa_state[slot] == LIVE and space.handle(slot) == handle
    return live and any(spec is merged.spec for spec in space.lsa_aggregations[slot])


def _wake(space: "TupleSpace", spec: "Aggregation", found: "list[int]", own: int, waits: bool) -> int:
    """The tick at which to look again though nothing has changed; 0: never."""
    tick, last = space.tick, space.p_aggregated[own]
    wakes = []
    if waits:
        wakes.append(max(tick + 1, last + spec.min_delay_s if last else 0))
    if spec.period_s:
        wakes.append((last if last > 0 and tick - last < spec.period_s else tick) + spec.period_s)
    if spec.stale_s:
        wakes += [tick + spec.stale_s - _age_s(space, p) + 1 for p in found if p != own]
    return min(wakes) if wakes else 0


def _source(space: "TupleSpace", p: int, own: int) -> Source:
    return Source(
        space.names.text(space.p_owner[p]),
        space.nodes.text(space.p_origin[p]),
        space.p_since[p],
        space.p_version[p],
        space.value(p),
        p == own,
        _hops(space, p),
        _age_s(space, p),
    )


def _hops(space: "TupleSpace", p: int) -> int:
    if space.p_origin[p] == SELF:
        return 0
    return space.p_hops[p] if space.is_near(p) else space.origins.hops[space.p_origin[p]]


def _age_s(space: "TupleSpace", p: int) -> int:
    """Since the value changed, as seen here; of one with a life its way to here counts too."""
    age_s = space.tick - space.p_since[p]
    due = space.p_wheel.due(p)
    return max(age_s, space.p_life[p] - (due - space.tick)) if due else age_s


def _nodes(space: "TupleSpace", reach: int) -> int:
    """How many nodes within reach are known to live, this one included."""
    if reach == EVERYWHERE:
        return 1 + space.known_origins()
    return len([hops for hops in space.distances().values() if hops <= reach])


def _by_agent(source: Source) -> str:
    return source.agent
