"""LSAs crossing the border of a space: out as records, in as a whole or not at all (DESIGN 4, 6)."""

from .errors import NotOwner, SpaceFull
from .lsa import Lsa, Property
from .names import NIL
from .origins import LIFE_S
from .tuplespace import LIVE, SELF, TupleSpace


def export(space: TupleSpace, slot: int) -> Lsa:
    """The record of an LSA as neighbours may see it; one that has left has no life and no properties."""
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
    """Let a neighbour's record in; True when it told something new.

    Raises NotOwner when the name is another node's, SpaceFull when it does not fit; nothing has
    changed then.
    """
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
    if not lsa.life_s:
        return _leave(space, lsa, slot, sender)
    _check_room(space, lsa, slot)
    origin = meet(space, lsa.origin, lsa.incarnation, lsa.life_s, len(lsa.path))
    if slot == NIL:
        slot = space.admit(lsa.name, lsa.kind, lsa.auth, origin)
    else:
        space.origins.exclude(origin, space.lsa_hash[slot], space.lsa_version[slot])
        space.rename(slot, lsa.kind, lsa.auth)
    _take_properties(space, slot, lsa.properties)
    space.set_aggregations(slot, lsa.aggregations)
    space.lsa_version[slot] = lsa.version
    space.origins.include(origin, space.lsa_hash[slot], lsa.version)
    space.origins.sequence[origin] = max(space.origins.sequence[origin], lsa.version)
    for node in lsa.path:
        space.nodes.acquire(node)  # until space.set_path has its own references
    space.set_path(slot, _node_set(space, lsa.path))
    for node in lsa.path:
        space.nodes.release(space.nodes.find(node))
    space.lsa_sent[slot] = space.neighbours_mask & space.node_bit(sender)
    space.dirty.push(slot)
    return True


def meet(space: TupleSpace, node: str, incarnation: int, life_s: int, hops: int) -> int:
    """The number of an origin, now known; after a newer incarnation anything it shows is news."""
    origins = space.origins
    number = space.nodes.find(node)
    if number == NIL or not origins.expires[number]:
        number = space.nodes.acquire(node)
        origins.forget(number)
        origins.incarnation[number] = incarnation
        origins.hops[number] = hops
        origins.expires[number] = space.tick + min(life_s, LIFE_S)
        space.recount()
    elif incarnation > origins.incarnation[number]:
        _demote(space, number)
        origins.incarnation[number] = incarnation
        origins.sequence[number] = origins.beat[number] = 0
    return number


def _demote(space: TupleSpace, origin: int) -> None:
    """What a node showed before it restarted may be shown again, in place; the digest finds what is not.

    So as version 0 they stay in the digest, which differs from the origin's as long as one is left.
    """
    slot = space.origins.first[origin]
    while slot != NIL:
        space.origins.exclude(origin, space.lsa_hash[slot], space.lsa_version[slot])
        space.lsa_version[slot] = 0
        space.origins.include(origin, space.lsa_hash[slot], 0)
        slot = space.lsa_next[slot]


def sweep(space: TupleSpace, origin: int) -> None:
    """Every LSA of an origin leaves, quietly: each node sees to it by itself."""
    while space.origins.first[origin] != NIL:
        space.remove(space.handle(space.origins.first[origin]), quiet=True)


def part(space: TupleSpace, origin: int) -> None:
    """An origin has fallen silent: its LSAs leave and nothing is known of it any more."""
    sweep(space, origin)
    space.origins.forget(origin)
    space.nodes.release(origin)
    space.recount()


def roster(space: TupleSpace, origin: int, demoted: bool = False) -> "list[tuple[str, int]]":
    """(name, version) of every LSA of an origin that other nodes may see.

    With `demoted` also those it has not shown since it restarted, as version 0.
    """
    entries = []
    slot = space.origins.first[origin]
    while slot != NIL:
        if space.lsa_version[slot] or demoted:
            entries.append((space.names.text(space.lsa_name[slot]), space.lsa_version[slot]))
        slot = space.lsa_next[slot]
    return entries


def reincarnate(space: TupleSpace, incarnation: int) -> None:
    """Start a new incarnation of this node: somebody remembers a later one than ours."""
    space.origins.incarnation[SELF] = incarnation
    slot = space.origins.first[SELF]
    while slot != NIL:
        if space.lsa_version[slot]:
            space.touch(slot)
        slot = space.lsa_next[slot]


def _leave(space: TupleSpace, lsa: Lsa, slot: int, sender: str) -> bool:
    if slot == NIL:
        return False
    origin = meet(space, lsa.origin, lsa.incarnation, LIFE_S, len(lsa.path))
    space.remove(space.handle(slot))
    space.lsa_quiet[slot] = False
    space.lsa_version[slot] = lsa.version
    space.origins.sequence[origin] = max(space.origins.sequence[origin], lsa.version)
    space.set_path(slot, _node_set(space, lsa.path))
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
    """Raise SpaceFull when room is short and one node holds more than half of it: a flood hurts itself."""
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


def _node_set(space: TupleSpace, names: "list[str]") -> int:
    nodes = 0
    for name in names:
        nodes |= space.node_bit(name)
    return nodes
