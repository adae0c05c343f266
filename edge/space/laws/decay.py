"""Decay: an LSA that is not kept alive leaves (thesis 5.1.3.1). The cost follows what expires."""

from ..names import NIL
from ..relief import relieve
from . import Law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine


class Decay(Law):
    """Each tick: properties and LSAs whose life is over leave, and all LSAs of a silent node.

    Who crowds others out loses some, too.
    """

    def tick(self, engine: "Engine") -> None:
        space = engine.space
        space.tick += 1
        while True:
            p = space.p_wheel.pop(space.tick)
            if p == NIL:
                break
            space.expire(p)
        while True:
            slot = space.lsa_wheel.pop(space.tick)
            if slot == NIL:
                break
            agent = engine.agent_at(slot)
            if agent is None:
                space.remove(space.handle(slot))
            else:
                engine.remove(agent)
        for node in space.origins.silent(space.tick):
            space.part(node)
        relieve(space)
