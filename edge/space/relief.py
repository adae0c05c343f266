"""Relief: where room is short for nodes with less than their share, who holds most gives some up.

It runs once a second, and touches only kinds of room that such a node has found short.
"""

from .names import NIL
from .room import BLOCKS, LSAS, NAMES, NODES, PROPERTIES, SPECS
from .shim import const
from .tuplespace import SELF, TupleSpace

_MOST = const(16)  # LSAs or nodes that leave at a time; no setting: it bounds one tick, the next continues


def relieve(space: TupleSpace) -> None:
    """Make room again. What leaves is found missing by the digest, and refused until there is room for it."""
    pressed = space.room.pressed
    if not pressed:
        return
    space.room.pressed = 0
    for kind in (LSAS, PROPERTIES, BLOCKS, NAMES, SPECS, NODES):
        if pressed >> kind & 1:
            _relieve(space, kind)


def _relieve(space: TupleSpace, kind: int) -> None:
    short = space.room.short(kind, _free(space, kind))
    for _ in range(_MOST):
        greediest = space.room.greediest(kind) if short > 0 else NIL
        if greediest == NIL:
            return
        if kind == NODES:
            newest = _newest(space, greediest)
            if newest == NIL:
                return
            space.part(newest)
            short -= 1
            continue
        slot = space.origins.first[greediest]
        if slot == NIL:
            return  # what it holds is leaving already
        short -= _size(space, kind, slot)
        space.remove(space.handle(slot), quiet=True)


def _free(space: TupleSpace, kind: int) -> int:
    if kind == LSAS:
        return space.lsas_free
    if kind == PROPERTIES:
        return space.properties_free
    if kind == BLOCKS:
        return space.heap.free
    if kind == SPECS:
        return space.specs_free()
    return space.names.free if kind == NAMES else space.nodes.free


def _size(space: TupleSpace, kind: int, slot: int) -> int:
    """What an LSA takes of a kind of room."""
    if kind == LSAS:
        return 1
    if kind == PROPERTIES:
        return space.lsa_count[slot]
    if kind == NAMES:
        return 1 + space.lsa_count[slot]
    if kind == SPECS:
        return len(space.lsa_aggregations[slot])
    blocks = space.heap.need(space.lsa_auth_length[slot])
    p = space.lsa_first[slot]
    while p != NIL:
        blocks += space.heap.need(space.p_length[p]) + space.heap.need(space.p_auth_length[p])
        p = space.p_next[p]
    return blocks


def _newest(space: TupleSpace, via: int) -> int:
    """The node that was met last of those that a neighbour brought; never a neighbour of this node."""
    newest, origins = NIL, space.origins
    for node in range(SELF + 1, space.nodes.capacity):
        brought = origins.known(node) and origins.via[node] == via and not space.neighbours_mask >> node & 1
        if brought and (newest == NIL or origins.met[node] >= origins.met[newest]):
            newest = node
    return newest
