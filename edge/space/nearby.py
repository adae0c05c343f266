"""Properties that go only some hops cross the border of a space: by themselves, not with their LSA.

They are in no digest. A lost one comes again when its owner renews it, or its space if it is kept. One that
is kept, or goes towards some nodes only, brings its LSA along: a node that knows neither that LSA nor its
origin knows both from then on, for as long as such properties arrive.
"""

from .lsa import EVERYWHERE, MAX_PATH, Near
from .names import NIL
from .origins import LIFE_S
from .room import BLOCKS, LSAS, NAMES, PROPERTIES
from .shim import const
from .tuplespace import MAX_TO, SELF, TupleSpace

NEW, RENEWED = const(1), const(2)  # what a near property was that came in


def export_near(space: TupleSpace, p: int) -> Near:
    """The record of a near property as neighbours may see it."""
    slot = space.p_lsa[p]
    due = space.p_wheel.due(p)
    return Near(
        space.names.text(space.lsa_name[slot]),
        space.origins.incarnation[space.lsa_origin[slot]],
        space.labels.text(space.p_label[p]),
        space.names.text(space.p_query[p]),
        space.p_version[p],
        space.p_reach[p],
        space.p_hops[p],
        space.p_life[p],
        max(1, due - space.tick) if due else space.p_life[p],
        space.value(p),
        space.proof_near(p),
        bool(space.p_kept[p]),
        space.p_to[p],
    )


def is_near_news(space: TupleSpace, near: Near, sender: str) -> bool:
    """Whether a near property is newer than what is held, came a shorter way, or goes towards more nodes.

    It never takes the place of a property that goes everywhere: the LSA says so first. A neighbour that sends
    what is held here has it already.
    """
    slot = space.slot_of_name(near.name)
    if near.hops >= near.reach or near.origin == space.node:
        return False
    if near.alone:
        number = space.nodes.find(near.origin)
        held = 0 if number == NIL else space.origins.incarnation[number]
        if slot == NIL or near.incarnation != held:
            return near.incarnation >= held
    elif slot == NIL or near.incarnation != space.origins.incarnation[space.lsa_origin[slot]]:
        return False
    if space.lsa_origin[slot] == SELF:
        return False
    p = space.property_of(slot, near.label, near.query)
    if p == NIL:
        return near.version > space.lsa_ended[slot]
    if space.p_reach[p] == EVERYWHERE:
        return False
    if near.version != space.p_version[p]:
        return near.version > space.p_version[p]
    if near.to:
        return len(space.p_to[p]) < MAX_TO and any(node not in space.p_to[p] for node in near.to)
    if near.hops + 1 < space.p_hops[p]:
        return True
    if near.hops <= space.p_hops[p] + 1:  # else it would learn of a shorter way
        space.p_holders[p] |= space.neighbours_mask & space.node_bit(sender)
    return False


def absorb_near(space: TupleSpace, near: Near, sender: str, checked: bool = False) -> int:
    """Take in a near property that a neighbour sent. Raises SpaceFull, ValueTooLarge; nothing has changed
    then.

    NEW, RENEWED if only what is held already is stated again, or 0 when it was no news. `checked`: it is, as
    `is_near_news` has just said.
    """
    if not checked and not is_near_news(space, near, sender):
        return 0
    slot = space.slot_of_name(near.name)
    p = NIL if slot == NIL else space.property_of(slot, near.label, near.query)
    known = slot != NIL and near.incarnation == space.origins.incarnation[space.lsa_origin[slot]]
    again = known and p != NIL and space.p_version[p] == near.version
    renewed = p != NIL and near.alone and space.holds(p, near.value)
    ring = space.later if renewed and near.reach == space.p_reach[p] else space.near
    if not again:
        if not (known and renewed and len(near.auth) == space.p_auth_length[p]):  # else it takes no more room
            _check_room(space, near, slot, p, sender)
        if near.alone:
            slot = _meet(space, near, slot, sender)
        p = _write(space, near, slot, p, renewed)
    space.came_from(space.lsa_origin[slot], sender, near.hops + 1)
    space.p_hops[p] = near.hops + 1
    space.p_holders[p] = space.neighbours_mask & space.node_bit(sender)
    if near.to:
        if _send_on(space, near, p, again):
            ring.push(p)
    elif near.hops + 1 < min(near.reach, MAX_PATH) and not (again and near.reach >= MAX_PATH):
        ring.push(p)  # not again for a shorter way, if it goes everywhere by any
    return RENEWED if renewed else NEW


def _check_room(space: TupleSpace, near: Near, slot: int, p: int, sender: str) -> None:
    """Raise SpaceFull, ValueTooLarge unless it finds room, and its LSA and origin if they are new."""
    space.check_size(near.label, near.value)
    spare = space.heap.need(len(near.value)) + space.heap.need(len(near.auth))
    if p != NIL:
        spare -= space.heap.need(space.p_length[p]) + space.heap.need(space.p_auth_length[p])
    elif slot != NIL:
        space.check_place(slot, near.label, near.query)
    if near.alone:
        space.claim_node(near.origin, sender)
    origin = space.origin_number(near.origin)
    space.room.claim(BLOCKS, origin, spare, space.heap.free)
    if p == NIL:  # else all that follows is there already
        space.room.claim(PROPERTIES, origin, 1, space.properties_free)
        space.room.claim(NAMES, origin, space.names.lacking({near.query, near.name}), space.names.free)
        space.claim_labels({near.label}, origin)
    if slot == NIL:
        space.room.claim(LSAS, origin, 1, space.lsas_free)


def _meet(space: TupleSpace, near: Near, slot: int, sender: str) -> int:
    """Know the origin and the LSA of a property that brings them along; returns the slot of the LSA."""
    origin = space.meet(near.origin, near.incarnation, LIFE_S, near.hops + 1, sender)
    left_s = near.left_s if not space.origins.beat[origin] else min(near.left_s, LIFE_S)
    space.origins.extend(origin, space.tick + max(1, left_s))
    if slot == NIL:
        slot = space.admit(near.name, "", origin)
        space.lsa_loose[slot] = True
    space.lsa_wheel.clear(slot)
    if not space.origins.beat[origin]:
        space.origins.hops[origin] = near.hops + 1
    return slot


def _write(space: TupleSpace, near: Near, slot: int, p: int, renewed: bool) -> int:
    """Store the property; one that is only renewed, or goes farther, concerns nobody but those who pass it
    on."""
    due = space.tick + max(1, near.left_s)
    gone = near.alone and not near.value
    passed = renewed and space.passes(p)
    if renewed:
        space.p_wheel.set(p, due)
        space.p_life[p] = near.life_s
        space.p_reach[p] = near.reach
    else:
        p = space.write(slot, p, near.label, near.query, near.value, due, near.life_s, near.reach)
    space.lsa_count[slot] += space.p_gone[p] - gone
    space.p_gone[p] = gone
    space.p_kept[p] = near.kept
    space.p_to[p] = near.to
    if renewed and space.passes(p) != passed:
        space.changed.push(p)
    space.p_pending[p] = ()
    space.prove_near(p, near.auth)
    space.p_version[p] = near.version
    return p


def _send_on(space: TupleSpace, near: Near, p: int, again: bool) -> bool:
    """Whether it goes on: a property that goes towards some nodes is sent once towards each of them."""
    fresh = near.to
    if again:
        held = space.p_to[p]
        fresh = tuple([node for node in near.to if node not in held])[: MAX_TO - len(held)]
        space.p_to[p] = held + fresh
        if space.node in fresh:
            space.changed.push(p)
    space.p_pending[p] += tuple([node for node in fresh if node != space.node])
    return bool(space.p_pending[p]) and near.hops + 1 < MAX_PATH
