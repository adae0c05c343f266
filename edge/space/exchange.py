"""LSAs cross the border of a space: out as records; in as a whole or not at all (thesis 5.1.3.2).

To a neighbour that holds the version before, a record may travel as a delta. It is completed from what is
held here, so that a delta comes in by the same door as a whole LSA. Near properties travel by themselves
(`nearby.py`).
"""

from .errors import BadPath, NotOwner, SpaceFull, UnknownBase
from .lsa import EVERYWHERE, MAX_PATH, Delta, Lsa, Property
from .names import NIL
from .origins import LIFE_S
from .room import BLOCKS, LSAS, NAMES, PROPERTIES, SPECS
from .tuplespace import LIVE, TupleSpace


def export(space: TupleSpace, slot: int) -> Lsa:
    """The record of an LSA as neighbours may see it; after it has left, without life and properties."""
    live = space.lsa_state[slot] == LIVE
    properties = []
    p = space.lsa_first[slot] if live else NIL
    while p != NIL:
        if space.p_reach[p] == EVERYWHERE:
            properties.append(_record(space, p))
        p = space.p_next[p]
    origin = space.lsa_origin[slot]
    return Lsa(
        space.names.text(space.lsa_name[slot]),
        space.names.text(space.lsa_kind[slot]),
        space.proof(slot),
        space.nodes.text(origin),
        space.origins.incarnation[origin],
        space.lsa_version[slot],
        max(1, space.life_s(slot)) if live else 0,
        path_of(space, slot),
        list(space.lsa_aggregations[slot]),
        properties,
    )


def export_delta(space: TupleSpace, slot: int, base: int) -> "Delta | None":
    """What has changed since version `base` of a live LSA; None when only the whole LSA says it."""
    if not base or space.lsa_state[slot] != LIVE or space.lsa_shaped[slot] > base:
        return None
    kept, properties = [], []
    p = space.lsa_first[slot]
    while p != NIL:
        if space.p_reach[p] == EVERYWHERE:
            if space.p_version[p] > base:
                properties.append(_record(space, p))
            else:
                kept.append(space.p_version[p])
        p = space.p_next[p]
    return Delta(
        space.names.text(space.lsa_name[slot]),
        space.proof(slot),
        space.origins.incarnation[space.lsa_origin[slot]],
        space.lsa_version[slot],
        max(1, space.life_s(slot)),
        path_of(space, slot),
        kept,
        properties,
    )


def complete(space: TupleSpace, delta: Delta, sender: str) -> "Lsa | None":
    """The whole LSA that a delta describes, from what is held here; None when it is no news.

    Raises UnknownBase when something that should stay as it is is not held.
    """
    slot = space.slot_of_name(delta.name)
    if slot == NIL:
        raise UnknownBase(delta.name + " is not known")
    origin = space.lsa_origin[slot]
    held = space.origins.incarnation[origin], space.lsa_version[slot]
    if (delta.incarnation, delta.version) <= held:
        if (delta.incarnation, delta.version) == held:
            space.lsa_sent[slot] |= space.neighbours_mask & space.node_bit(sender)
        return None
    if delta.incarnation != held[0]:
        raise UnknownBase(delta.name + " has another base here")
    kept = set(delta.kept)
    properties = list(delta.properties)
    p = space.lsa_first[slot]
    while p != NIL:
        if space.p_reach[p] == EVERYWHERE and space.p_version[p] in kept:
            kept.remove(space.p_version[p])
            properties.append(_record(space, p))
        p = space.p_next[p]
    if kept:
        raise UnknownBase("%s lacks %d properties" % (delta.name, len(kept)))
    return Lsa(
        delta.name,
        space.names.text(space.lsa_kind[slot]),
        delta.auth,
        space.nodes.text(origin),
        delta.incarnation,
        delta.version,
        delta.life_s,
        delta.path,
        list(space.lsa_aggregations[slot]),
        properties,
    )


def is_news(space: TupleSpace, lsa: Lsa, sender: str) -> bool:
    """Whether a record that a neighbour sent is newer than what is held.

    Raises BadPath when it cannot have come that way, NotOwner when the name belongs to another node.
    """
    if not lsa.path or lsa.path[0] != sender or len(lsa.path) >= MAX_PATH:
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
    return bool(handle) or bool(lsa.life_s)


def contradicts(space: TupleSpace, lsa: Lsa) -> bool:
    """Whether a newer version has a property that is not as it was held, and not newer either.

    Deltas rest on this: a node that passed such a version on would seem to lie.
    """
    slot = space.slot_of_name(lsa.name)
    if slot == NIL or lsa.incarnation != space.origins.incarnation[space.lsa_origin[slot]]:
        return False
    held = space.lsa_version[slot]
    for each in lsa.properties:
        if each.version <= held:
            p = space.property_of(slot, each.label, each.query)
            if p == NIL:
                if not space.lsa_lapsed[slot]:
                    return True
            elif space.p_version[p] != each.version or not space.holds(p, each.value):
                return True
    return False


def absorb(space: TupleSpace, lsa: Lsa, sender: str, checked: bool = False) -> bool:
    """Take in a record that a neighbour sent; True when it was news.

    Raises BadPath, NotOwner, and SpaceFull when it does not fit; nothing has changed then. `checked`: it is
    news, and fits, as `is_news` and `check_room` have just said.
    """
    if not checked and not is_news(space, lsa, sender):
        return False
    slot = space.slot_of_name(lsa.name)
    path = [node for node in lsa.path if node != space.node]  # it was here, and was asked for again
    if not lsa.life_s:
        return _leave(space, lsa, slot, sender, path)
    if not checked:
        check_room(space, lsa)
    origin = space.meet(lsa.origin, lsa.incarnation, lsa.life_s, len(path), sender)
    if slot == NIL:
        slot = space.admit(lsa.name, lsa.kind, origin)
        space.origins.include(origin)
    else:
        if not _same_shape(space, slot, lsa):
            space.lsa_shaped[slot] = lsa.version
        if space.lsa_loose[slot]:
            space.lsa_loose[slot] = False
            space.lsa_wheel.clear(slot)
            space.origins.include(origin)
        space.origins.restate(origin)
        space.rename(slot, lsa.kind)
    _take_properties(space, slot, lsa.properties)
    space.prove(slot, lsa.auth)
    space.set_aggregations(slot, lsa.aggregations)
    space.lsa_version[slot] = lsa.version
    space.lsa_lapsed[slot] = False
    space.origins.advance(origin, lsa.version)
    way = space.travelled(path)  # with references until space.set_path has its own
    space.set_path(slot, way)
    for number in way:
        space.nodes.release(number)
    space.lsa_sent[slot] = space.neighbours_mask & space.node_bit(sender)
    space.dirty.push(slot)
    return True


def _leave(space: TupleSpace, lsa: Lsa, slot: int, sender: str, path: "list[str]") -> bool:
    _check_tombstone(space, lsa, slot)
    origin = space.meet(lsa.origin, lsa.incarnation, LIFE_S, len(path), sender)
    if space.lsa_loose[slot]:  # so that it is passed on as its origin has stated it
        space.rename(slot, lsa.kind)
        space.set_aggregations(slot, lsa.aggregations)
    space.remove(space.handle(slot))
    space.lsa_quiet[slot] = False
    space.lsa_version[slot] = lsa.version
    space.prove(slot, lsa.auth)
    space.origins.advance(origin, lsa.version)
    space.set_path(slot, tuple([n for n in map(space.nodes.find, path) if n != NIL]))
    space.lsa_sent[slot] = space.neighbours_mask & space.node_bit(sender)
    return True


def _take_properties(space: TupleSpace, slot: int, properties: "list[Property]") -> None:
    shown = {(each.label, each.query) for each in properties}
    p = space.lsa_first[slot]
    while p != NIL:
        following = space.p_next[p]
        key = space.labels.text(space.p_label[p]), space.names.text(space.p_query[p])
        if space.p_reach[p] == EVERYWHERE and key not in shown:
            space.retract(p)
        p = following
    for each in properties:
        p = space.property_of(slot, each.label, each.query)
        unchanged = p != NIL and space.p_version[p] == each.version and space.p_reach[p] == EVERYWHERE
        if unchanged and space.holds(p, each.value):
            continue
        due = space.tick + max(1, each.left_s) if each.life_s else 0
        p = space.write(slot, p, each.label, each.query, each.value, due, each.life_s, EVERYWHERE)
        space.p_version[p] = each.version


def check_room(space: TupleSpace, lsa: Lsa) -> None:
    """Raise SpaceFull unless the whole record fits, counting what it replaces as free."""
    slot = space.slot_of_name(lsa.name)
    for each in lsa.properties:
        if len(each.value) > space.limits.value_bytes:
            raise SpaceFull("%s: value of %d bytes" % (each.label, len(each.value)))
    if len(lsa.properties) + _near_beside(space, slot, lsa) > space.limits.properties_per_lsa:
        raise SpaceFull("an LSA holds at most %d properties" % space.limits.properties_per_lsa)
    if len(lsa.aggregations) > space.limits.properties_per_lsa:
        raise SpaceFull("an LSA aggregates at most %d properties" % space.limits.properties_per_lsa)
    if slot == NIL and not space.lsas_free:
        space.room.pressed |= 1 << LSAS
        raise SpaceFull("all %d LSA slots are taken" % space.limits.lsas)
    space.claim_node(lsa.origin, lsa.path[0])
    origin = space.origin_number(lsa.origin)
    try:
        space.claim_labels({each.label for each in lsa.properties}, origin)
        if slot == NIL:
            space.room.claim(LSAS, origin, 1, space.lsas_free)
        if not _is_plenty(space, lsa):
            _claim(space, lsa, slot, origin)
        specs = 0 if slot == NIL else len(space.lsa_aggregations[slot])
        if len(lsa.aggregations) > specs:
            space.room.claim(SPECS, origin, len(lsa.aggregations) - specs, space.specs_free())
    except SpaceFull as error:
        raise SpaceFull("%s: %s" % (lsa.name, error)) from None


def _is_plenty(space: TupleSpace, lsa: Lsa) -> bool:
    """Whether there is room to spare for all of a record, even if it replaced nothing."""
    room, count = space.room, len(lsa.properties)
    if not room.plenty(PROPERTIES, count, space.properties_free):
        return False
    if not room.plenty(NAMES, count + 2, space.names.free):
        return False
    blocks = space.heap.need(len(lsa.auth))
    for each in lsa.properties:
        blocks += space.heap.need(len(each.value))
    return room.plenty(BLOCKS, blocks, space.heap.free)


def _claim(space: TupleSpace, lsa: Lsa, slot: int, origin: int) -> None:
    """Claim what a record needs beyond what it replaces. Raises SpaceFull."""
    need, slots = space.heap.need, 0
    blocks = need(len(lsa.auth))
    if slot != NIL:
        blocks -= need(space.lsa_auth_length[slot])
    names = {lsa.name, lsa.kind}
    for each in lsa.properties:
        p = NIL if slot == NIL else space.property_of(slot, each.label, each.query)
        blocks += need(len(each.value))
        if p == NIL:
            slots += 1
        else:
            blocks -= min(need(space.p_length[p]), need(len(each.value)))
        names.add(each.query)
    space.room.claim(PROPERTIES, origin, slots, space.properties_free)
    space.room.claim(BLOCKS, origin, blocks, space.heap.free)
    space.room.claim(NAMES, origin, space.names.lacking(names), space.names.free)


def _near_beside(space: TupleSpace, slot: int, lsa: Lsa) -> int:
    """How many near properties of an LSA stay beside those of a record."""
    count = 0
    p = NIL if slot == NIL else space.lsa_first[slot]
    while p != NIL:
        count += space.is_near(p)
        p = space.p_next[p]
    for each in lsa.properties if count else ():
        p = space.property_of(slot, each.label, each.query)
        count -= p != NIL and space.is_near(p)
    return count


def path_of(space: TupleSpace, slot: int) -> "list[str]":
    """The nodes an LSA has travelled, this one first and its origin last."""
    nodes = [space.node]
    for number in space.lsa_way[slot]:
        nodes.append(space.nodes.text(number))
    return nodes


def _record(space: TupleSpace, p: int) -> Property:
    due = space.p_wheel.due(p)
    return Property(
        space.labels.text(space.p_label[p]),
        space.names.text(space.p_query[p]),
        space.p_version[p],
        space.p_life[p],
        space.value(p),
        max(1, due - space.tick) if due else 0,
    )


def _same_shape(space: TupleSpace, slot: int, lsa: Lsa) -> bool:
    held = space.lsa_aggregations[slot]
    return (
        space.names.text(space.lsa_kind[slot]) == lsa.kind
        and len(held) == len(lsa.aggregations)
        and all(
            one.label == two.label
            and one.operator == two.operator
            and one.gossip == two.gossip
            and one.min_delay_s == two.min_delay_s
            for one, two in zip(held, lsa.aggregations)  # noqa: B905, MicroPython knows no strict
        )
    )


def _check_tombstone(space: TupleSpace, lsa: Lsa, slot: int) -> None:
    """Raise SpaceFull unless its proof fits in the place of what leaves, and what is not known of it yet."""
    if space.lsa_loose[slot]:
        origin = space.lsa_origin[slot]
        space.room.claim(NAMES, origin, space.names.lacking({lsa.kind}), space.names.free)
        space.room.claim(SPECS, origin, len(lsa.aggregations), space.specs_free())
    blocks = space.heap.free + space.heap.need(space.lsa_auth_length[slot])
    p = space.lsa_first[slot]
    while p != NIL and blocks < space.heap.need(len(lsa.auth)):
        blocks += space.heap.need(space.p_length[p])
        p = space.p_next[p]
    if blocks < space.heap.need(len(lsa.auth)):
        raise SpaceFull(lsa.name + ": no heap block for the proof of its end")
