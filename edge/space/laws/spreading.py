"""Spreading: a changed LSA goes to each direct neighbour that has not seen it (thesis 5.1.3.2).

The path an LSA travelled and the neighbours it was sent to are node sets, so the targets of a version
are one mask expression and each version crosses each link at most once. LSAs go no farther than the horizon.
A near property goes by itself, and only while it has gone fewer hops than its reach; one that goes towards
some nodes is sent to one neighbour for each, by the way their newest message came. One that only says that
all is as it was causes no reaction: it goes with what leaves next, or in the next second.
"""

from ..names import NIL
from ..tuplespace import LIVE, SELF
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..rings import DirtyRing


class Spreading(Law):
    """At the end of a reaction, hands what changed to the courier."""

    def tick(self, engine: "Engine") -> None:
        """What waits for something else to leave has waited long enough."""
        space = engine.space
        while space.later.count:
            space.near.push(space.later.pop())

    def settle(self, engine: "Engine") -> None:
        space = engine.space
        while True:
            slot = space.dirty.pop()
            if slot == NIL:
                break
            if space.lsa_state[slot] == LIVE and space.lsa_version[slot]:
                self._send(engine, slot)
        while True:
            slot = space.tombstones.pop()
            if slot == NIL:
                break
            self._send(engine, slot)
            space.bury(slot)
        self._send_all(engine, space.near)
        self._send_all(engine, space.later)

    def _send_all(self, engine: "Engine", ring: "DirtyRing") -> None:
        space = engine.space
        while True:
            p = ring.pop()
            if p == NIL:
                break
            if space.is_live(p) and space.is_near(p):
                self._send_near(engine, p)

    def _send(self, engine: "Engine", slot: int) -> None:
        space = engine.space
        origin = space.lsa_origin[slot]
        seen = space.lsa_sent[slot] | space.lsa_path[slot] | 1 << origin
        targets = space.neighbours_mask & ~seen
        if space.lsa_state[slot] == LIVE and len(space.lsa_way[slot]) >= space.horizon:
            targets = 0
        forgotten = origin != SELF and not space.origins.known(origin)
        if forgotten or space.lsa_lapsed[slot]:
            return
        base = space.lsa_base[slot]
        based = targets & space.lsa_based[slot] if space.lsa_state[slot] == LIVE else 0
        space.lsa_sent[slot] |= targets
        space.lsa_base[slot], space.lsa_based[slot] = space.lsa_version[slot], space.lsa_sent[slot]
        if not targets:
            return
        if based:
            engine.courier.send_lsa(slot, based, base)
        if targets != based:
            engine.courier.send_lsa(slot, targets & ~based)
        if origin == SELF:
            agent = engine.agent_at(slot)
            if agent is not None:
                engine.tell_spread(agent, space.lsa_version[slot])

    def _send_near(self, engine: "Engine", p: int) -> None:
        space = engine.space
        if space.p_hops[p] >= space.p_reach[p] or not space.p_version[p]:
            return
        origin = space.lsa_origin[space.p_lsa[p]]
        others = ~(space.p_holders[p] | 1 << origin)
        if space.p_to[p]:
            self._send_towards(engine, p, others)
            return
        targets = space.neighbours_mask & others
        if targets:
            engine.courier.send_near(p, targets)

    def _send_towards(self, engine: "Engine", p: int, others: int) -> None:
        space = engine.space
        pending, space.p_pending[p] = space.p_pending[p], ()
        by_way: dict[int, list[str]] = {}
        kept = bool(space.p_kept[p])
        for node in pending:
            if node != space.node:
                targets = space.hops_towards(node, kept) & others
                if kept and not targets:  # it came from there
                    targets = space.neighbours_mask & others
                by_way.setdefault(targets, []).append(node)
        for targets, nodes in by_way.items():
            if targets:
                engine.courier.send_near(p, targets, tuple(nodes))
