"""Aggregation: properties of one label, from many LSAs, become one value (thesis 5.1.3.4).

A local LSA names an operator for a label; the values of that label of all LSAs that aggregate it too (of
this node, or with gossip of all) are combined, each agent's own value once, and the result is stored
beside the value. Results are never spread or fed back, so nothing is counted twice. Gossip is simply this
law applied to what spreading delivers.
"""

from ..aggregators import Source
from ..names import NIL
from ..tuplespace import SELF
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..agent import Agent
    from ..aggregators import Operator
    from ..engine import Engine
    from ..lsa import Aggregation
    from ..tuplespace import TupleSpace


class Aggregating(Law):
    """Combines changed labels; delays a label until its minimum delay has passed."""

    def __init__(self, operators: "dict[str, Operator] | None" = None) -> None:
        if operators is None:
            from ..aggregators.standard import OPERATORS

            operators = dict(OPERATORS)
        self.operators = operators
        self._pending = 0  # label set: changed, but too soon after the last aggregation

    def tick(self, engine: "Engine") -> None:
        engine.space.touched_labels |= self._pending

    def react(self, engine: "Engine") -> None:
        space = engine.space
        touched = space.touched_labels
        if not touched:
            return
        space.touched_labels = 0
        self._pending &= ~touched
        for slot in space.aggregating:
            for spec in space.lsa_aggregations[slot]:
                label = space.labels.find(spec.label)
                if label != NIL and touched >> label & 1:
                    self._aggregate(engine, slot, label, spec)

    def _aggregate(self, engine: "Engine", slot: int, label: int, spec: "Aggregation") -> None:
        space = engine.space
        own = space.property_of(slot, spec.label)
        operator = self.operators.get(spec.operator)
        agent = engine.agent_at(slot)
        if own == NIL or operator is None or agent is None:
            return
        last = space.p_aggregated[own]
        if last and space.tick - last < spec.min_delay_s:
            self._pending |= 1 << label
            return
        sources = self._sources(space, label, spec)
        if len(sources) < 2:
            self._publish(engine, agent, own, spec, b"", False)  # no other LSA contributes
            return
        space.p_aggregated[own] = space.tick
        nodes = {source.node for source in sources}
        completed = len(nodes) == 1 + space.known_origins() if spec.gossip else True
        try:
            self._publish(engine, agent, own, spec, operator(sources), completed)
        except Exception as error:  # a value of another node that the operator cannot read
            engine.fault(agent, error)

    def _sources(self, space: "TupleSpace", label: int, spec: "Aggregation") -> "list[Source]":
        sources = []
        p = space.label_first[label]
        while p != NIL:
            slot = space.p_lsa[p]
            here = space.lsa_origin[slot] == SELF
            aggregates = any(each.label == spec.label for each in space.lsa_aggregations[slot])
            if aggregates and (here or spec.gossip) and not space.p_query[p]:
                name = space.names.text(space.lsa_name[slot])
                node = space.nodes.text(space.lsa_origin[slot])
                sources.append(Source(name, node, space.p_since[p], space.value(p)))
            p = space.p_label_next[p]
        sources.sort(key=_by_agent)  # the same sources give the same result on every node
        return sources

    def _publish(
        self, engine: "Engine", agent: "Agent", p: int, spec: "Aggregation", value: bytes, completed: bool
    ) -> None:
        space = engine.space
        if value == space.aggregate(p) and completed == bool(space.p_completed[p]):
            return
        space.set_aggregate(p, value, completed)
        agent.aggregated(spec.label)
        engine.stir(agent)


def _by_agent(source: Source) -> str:
    return source.agent
