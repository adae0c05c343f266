"""Decay: what nobody keeps alive leaves (thesis 5.1.3.1, DESIGN 5). Cost follows what expires."""

from ..exchange import part
from ..names import NIL
from ..tuplespace import SELF
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine


class Decay(Law):
    """Each tick: properties and LSAs whose life is over leave, and all LSAs of a node that fell silent."""

    def tick(self, engine: "Engine") -> None:
        space = engine.space
        space.tick += 1
        while True:
            p = space.p_wheel.pop(space.tick)
            if p == NIL:
                break
            space.retract(p)  # other nodes end their copies by themselves
        while True:
            slot = space.lsa_wheel.pop(space.tick)
            if slot == NIL:
                break
            agent = engine.agent_at(slot)
            if agent is None:
                space.remove(space.handle(slot))
            else:
                engine.remove(agent)
        expires = space.origins.expires
        for node in range(SELF + 1, space.nodes.capacity):
            if expires[node] and expires[node] <= space.tick:
                part(space, node)
