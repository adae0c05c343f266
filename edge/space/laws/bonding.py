"""Bonding: an agent is notified once of each new version of what it wants (thesis 5.1.3.3).

It looks only at changed properties, and only at the agents that want their label; it never compares
every LSA with every other.
"""

from ..names import NIL
from ..tuplespace import LIVE
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine


class Bonding(Law):
    """Notifies observers of changed and withdrawn properties, and of LSAs that left."""

    def react(self, engine: "Engine") -> None:
        space = engine.space
        changed = len(space.changed)  # what agents change meanwhile waits for the next round
        for _ in range(len(space.departed)):  # before the properties of a successor with the same name
            self._tell_departure(engine, space.departed.pop())
        for _ in range(changed):
            p = space.changed.pop()
            # Those who know an earlier version hear of each later one, also of one that goes towards others:
            # it may have come on their way, and its value says what has become of what they know.
            if space.p_told[p] or (space.p_state[p] == LIVE and not space.passes(p)):
                space.p_told[p] = True
                self._tell(engine, p)
            if space.p_state[p] != LIVE:
                space.reclaim(p)

    def _tell(self, engine: "Engine", p: int) -> None:
        space = engine.space
        observers = space.observers[space.p_label[p]]
        if not observers:
            return
        engine.bond.turn_to(p)
        query = space.p_query[p]
        if not query:
            for agent in observers:
                engine.notify(agent, p)
            return
        slot = space.slot_of(query)
        addressee = None if slot == NIL else engine.agent_at(slot)
        if addressee is not None and addressee in observers:
            engine.notify(addressee, p)

    def _tell_departure(self, engine: "Engine", slot: int) -> None:
        space = engine.space
        name = space.names.text(space.lsa_name[slot])
        shown = space.lsa_shows[slot]
        told: list[object] = []
        for label in range(space.limits.labels):
            if shown >> label & 1:
                for agent in space.observers[label]:
                    if agent not in told:
                        told.append(agent)
                        engine.tell_departure(agent, name)
        if space.lsa_quiet[slot]:
            space.bury(slot)
        else:
            space.tombstones.push(slot)
