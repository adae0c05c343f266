"""Properties that go only some hops cross the border of a space: by themselves, not with their LSA.

They are in no digest. A lost one comes again when its owner renews it.
"""

from .lsa import EVERYWHERE, Near
from .names import NIL
from .room import BLOCKS, NAMES, PROPERTIES
from .tuplespace import SELF, TupleSpace


def export_near(space: TupleSpace, p: int) -> Near:
    """The record of a near property as neighbours may see it."""
    slot = space.p_lsa[p]
    return Near(
        space.names.text(space.lsa_name[slot]),
        space.origins.incarnation[space.lsa_origin[slot]],
        space.labels.text(space.p_label[p]),
        space.names.text(space.p_query[p]),
        space.p_version[p],
        space.p_reach[p],
        space.p_hops[p],
        space.p_life[p],
        max(1, space.p_wheel.due(p) - space.tick),
        space.value(p),
        space.proof_near(p),
    )


def is_near_news(space: TupleSpace, near: Near) -> bool:
    """Whether a near property is newer than what is held, or came a shorter way.

    It never takes the place of a property that goes everywhere: the LSA says so first.
    """
    slot = space.slot_of_name(near.name)
    if slot == NIL or space.lsa_origin[slot] == SELF or near.hops >= near.reach:
        return False
    if near.incarnation != space.origins.incarnation[space.lsa_origin[slot]]:
        return False
    p = space.property_of(slot, near.label, near.query)
    if p == NIL:
        return near.version > space.lsa_ended[slot]
    if space.p_reach[p] == EVERYWHERE:
        return False
    return near.version > space.p_version[p] or (
        near.version == space.p_version[p] and near.hops + 1 < space.p_hops[p]
    )


def absorb_near(space: TupleSpace, near: Near, sender: str) -> bool:
    """Take in a near property that a neighbour sent; True when it was news. Raises SpaceFull, ValueTooLarge.

    Nothing has changed then.
    """
    if not is_near_news(space, near):
        return False
    slot = space.slot_of_name(near.name)
    p = space.property_of(slot, near.label, near.query)
    if p == NIL or space.p_version[p] != near.version:
        spare = space.heap.need(len(near.value)) + space.heap.need(len(near.auth))
        if p != NIL:
            spare -= space.heap.need(space.p_length[p]) + space.heap.need(space.p_auth_length[p])
        origin = space.lsa_origin[slot]
        space.room.claim(BLOCKS, origin, spare, space.heap.free)
        space.room.claim(PROPERTIES, origin, p == NIL, space.properties_free)
        space.room.claim(NAMES, origin, space.names.lacking({near.query}), space.names.free)
        space.claim_labels({near.label}, origin)
        due = space.tick + max(1, near.left_s)
        p = space.write(slot, p, near.label, near.query, near.value, due, near.life_s, near.reach)
        space.prove_near(p, near.auth)
        space.p_version[p] = near.version
    space.p_hops[p] = near.hops + 1
    space.p_sender[p] = space.nodes.find(sender) if space.is_neighbour(sender) else 0
    if near.hops + 1 < near.reach:
        space.near.push(p)
    return True
