"""LSAs cross the border of a space: out as records; in as a whole or not at all (thesis 5.1.3.2)."""

from .errors import BadPath, NotOwner, SpaceFull
from .lsa import MAX_PATH, Lsa, Property
from .names import NIL
from .origins import LIFE_S
from .tuplespace import LIVE, TupleSpace


def export(space: TupleSpace, slot: int) -> Lsa:
    """The record of an LSA as neighbours may see it; after it has left, without life and properties."""
    live = space.lsa_state[slot] == LIVE
    properties = []
    p = space.lsa_first[slot] if live else NIL
    while p != NIL:
        if not space.p_local[p]:
            due = space.p_wheel.due(p)
            life_s = max(1, due - space.tick) if due else 0
            label, query = space.labels.text(space.p_label[p]), space.names.text(space.p_query[p])
            properties.append(Property(label, query, space.p_version[p], life_s, space.value(p)))
        p = space.p_next[p]
    origin = space.lsa_origin[slot]
    return Lsa(
        space.names.text(space.lsa_name[slot]),
        space.names.text(space.lsa_kind[slot]),
        space.names.text(space.lsa_auth[slot]),
        space.nodes.text(origin),
        space.origins.incarnation[origin],
        space.lsa_version[slot],
        max(1, space.life_s(slot)) if live else 0,
        _path(space, slot),
        list(space.lsa_aggregations[slot]),
        properties,
    )


def absorb(space: TupleSpace, lsa: Lsa, sender: str) -> bool:
    """Take in a record that a neighbour sent; True when it was news.

    Raises BadPath when it cannot have come that way, NotOwner when the name belongs to another node,
    SpaceFull when it does not fit; nothing has changed then.
    """
    if sender not in lsa.path or len(lsa.path) >= MAX_PATH:
        raise BadPath(lsa.name + " did not travel through it")
    if lsa.origin == space.node:
        raise NotOwner("%s claims to come from here" % lsa.name)
    handle = space.find(lsa.name)
    slot = handle & 0xFFFF if handle else NIL
    if handle and space.nodes.text(space.lsa_origin[slot]) != lsa.origin:
        raise NotOwner("%s belongs to %s" % (lsa.name, space.nodes.text(space.lsa_origin[slot])))
    known = space.nodes.find(lsa.origin)
    incarnation = 0 if known == NIL else space.origins.incarnation[known]
    if lsa.incarnation < incarnation:
        return False
    if handle and lsa.incarnation == incarnation and lsa.version <= space.lsa_version[slot]:
        if lsa.version == space.lsa_version[slot]:
            space.lsa_sent[slot] |= space.neighbours_mask & space.node_bit(sender)
        return False
    path = [node for node in lsa.path if node != space.node]  # it was here, and was asked for again
    if not lsa.life_s:
        return _leave(space, lsa, slot, sender, path)
    _check_room(space, lsa, slot)
    origin = space.meet(lsa.origin, lsa.incarnation, lsa.life_s, len(path))
    if slot == NIL:
        slot = space.admit(lsa.name, lsa.kind, lsa.auth, origin)
    else:
        space.origins.exclude(origin, space.lsa_hash[slot], space.lsa_version[slot])
        space.rename(slot, lsa.kind, lsa.auth)
    _take_properties(space, slot, lsa.properties)
    space.set_aggregations(slot, lsa.aggregations)
    space.lsa_version[slot] = lsa.version
    space.origins.include(origin, space.lsa_hash[slot], lsa.version)
    space.origins.advance(origin, lsa.version)
    for node in path:
        space.nodes.acquire(node)  # until space.set_path has its own references
    space.set_path(slot, space.node_set(path))
    for node in path:
        space.nodes.release(space.nodes.find(node))
    space.lsa_sent[slot] = space.neighbours_mask & space.node_bit(sender)
    space.dirty.push(slot)
    return True


def _leave(space: TupleSpace, lsa: Lsa, slot: int, sender: str, path: "list[str]") -> bool:
    if slot == NIL:
        return False
    origin = space.meet(lsa.origin, lsa.incarnation, LIFE_S, len(path))
    space.remove(space.handle(slot))
    space.lsa_quiet[slot] = False
    space.lsa_version[slot] = lsa.version
    space.origins.advance(origin, lsa.version)
    space.set_path(slot, space.node_set(path))
    space.lsa_sent[slot] = space.neighbours_mask & space.node_bit(sender)
    return True


def _take_properties(space: TupleSpace, slot: int, properties: "list[Property]") -> None:
    p = space.lsa_first[slot]
    while p != NIL:
        following = space.p_next[p]
        label, query = space.labels.text(space.p_label[p]), space.names.text(space.p_query[p])
        if not any(each.label == label and each.query == query for each in properties):
            space.retract(p)
        p = following
    for each in properties:
        p = space.property_of(slot, each.label, each.query)
        if p != NIL and space.p_version[p] == each.version and space.holds(p, each.value):
            continue
        due = space.tick + each.life_s if each.life_s else 0
        p = space.write(slot, p, each.label, each.query, each.value, due, False)
        space.p_version[p] = each.version


def _check_room(space: TupleSpace, lsa: Lsa, slot: int) -> None:
    """Raise SpaceFull unless the whole record fits, counting what it replaces as free."""
    blocks, slots = space.heap.free, space.properties_free
    names = {lsa.name, lsa.kind, lsa.auth}
    nodes = {lsa.origin}
    nodes.update(lsa.path)
    labels = set()
    for each in lsa.properties:
        if len(each.value) > space.limits.value_bytes:
            raise SpaceFull("%s: value of %d bytes" % (each.label, len(each.value)))
        p = NIL if slot == NIL else space.property_of(slot, each.label, each.query)
        blocks -= space.heap.need(len(each.value))
        if p == NIL:
            slots -= 1
        else:
            blocks += min(space.heap.need(space.p_length[p]), space.heap.need(len(each.value)))
        names.add(each.query)
        labels.add(each.label)
    if slot == NIL and not space.lsas_free:
        raise SpaceFull("all %d LSA slots are taken" % space.limits.lsas)
    if len(lsa.properties) > space.limits.properties_per_lsa:
        raise SpaceFull("an LSA holds at most %d properties" % space.limits.properties_per_lsa)
    if slots < 0 or blocks < 0:
        raise SpaceFull(
            "%s: %d properties and %d heap blocks short" % (lsa.name, max(0, -slots), max(0, -blocks))
        )
    if slot == NIL:
        _check_share(space, lsa.origin, blocks)
    for table, wanted in (
        (space.names, names),
        (space.labels, labels),
        (space.nodes, nodes),
    ):
        if not table.fits(wanted):
            raise SpaceFull("a table of names is full (%d)" % table.capacity)


def _check_share(space: TupleSpace, origin: str, blocks_left: int) -> None:
    """Raise SpaceFull when room is short and the origin holds more than half: a flood harms its author."""
    limits = space.limits
    short = space.lsas_free <= limits.lsas // 8 or blocks_left < space.heap.blocks // 8
    node = space.nodes.find(origin)
    if not short or node == NIL:
        return
    held = 0
    slot = space.origins.first[node]
    while slot != NIL:
        p = space.lsa_first[slot]
        while p != NIL:
            held += space.heap.need(space.p_length[p])
            p = space.p_next[p]
        slot = space.lsa_next[slot]
    if 2 * space.origins.count[node] > limits.lsas or 2 * held > space.heap.blocks:
        raise SpaceFull(origin + " holds more than half of the space, and little is left")


def _path(space: TupleSpace, slot: int) -> "list[str]":
    nodes = [space.node]
    path = space.lsa_path[slot]
    for number in range(space.nodes.capacity):
        if path >> number & 1:
            nodes.append(space.nodes.text(number))
    return nodes
