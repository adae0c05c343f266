"""Whether the inside of a space is consistent, counted from scratch: nothing lost, nothing held twice."""

from collections import Counter

from check import assert_digests_right

from edge.space.names import NIL, NameTable
from edge.space.rings import DirtyRing, ExpiryWheel
from edge.space.room import BLOCKS, LSAS, NAMES, NODES, PROPERTIES, SPECS, WHAT
from edge.space.tuplespace import FREE, LEAVING, LIVE, ORPHAN, SELF, WITHDRAWN, TupleSpace


def assert_sound(space: TupleSpace) -> None:
    """Raise AssertionError where chains, counters, references or blocks do not add up."""
    lsas(space)
    properties(space)
    heap_blocks(space)
    references(space)
    room(space)
    assert_digests_right(space)


def chain(first, following):
    """The entries of a linked list; a cycle raises AssertionError."""
    entries = []
    while first != NIL:
        assert first not in entries, "a chain runs in circles"
        entries.append(first)
        first = following[first]
    return entries


def ring(queue: DirtyRing) -> list[int]:
    entries = [queue._slots[(queue._head + i) % queue._capacity] for i in range(len(queue))]
    assert sorted(entries) == [slot for slot in range(queue._capacity) if queue._waiting[slot]]
    return entries


def wheel(wheel: ExpiryWheel) -> set[int]:
    """The slots that are due some time; each is in its bucket, linked both ways."""
    found = set()
    for spoke, head in enumerate(wheel._heads):
        before = NIL
        for slot in chain(head, wheel._next):
            assert wheel._due[slot] % len(wheel._heads) == spoke
            assert wheel._previous[slot] == before
            before = slot
            found.add(slot)
    assert found == {slot for slot, due in enumerate(wheel._due) if due}
    return found


def lsas(space: TupleSpace) -> None:
    free = chain(space._free_lsa, space.lsa_next)
    assert len(free) == space.lsas_free
    assert all(space.lsa_state[slot] == FREE for slot in free)
    live = []
    for node in range(space.nodes.capacity):
        before = NIL
        for slot in chain(space.origins.first[node], space.lsa_next):
            assert (space.lsa_state[slot], space.lsa_origin[slot]) == (LIVE, node)
            assert space.lsa_previous[slot] == before
            before = slot
            live.append(slot)
    leaving = ring(space.departed) + ring(space.tombstones)
    assert all(space.lsa_state[slot] == LEAVING for slot in leaving)
    assert sorted(free + live + leaving) == list(range(space.limits.lsas))
    by_name = {number: slot for number, slot in enumerate(space._slot_of_name) if slot != NIL}
    assert by_name == {space.lsa_name[slot]: slot for slot in live}
    assert wheel(space.lsa_wheel) <= set(live)
    assert set(space.aggregating) <= set(live)
    ring(space.dirty)


def properties(space: TupleSpace) -> None:
    free = chain(space._free_property, space.p_next)
    assert len(free) == space.properties_free
    assert all(space.p_state[p] == FREE for p in free)
    live = []
    for slot in range(space.limits.lsas):
        if space.lsa_state[slot] == LIVE:
            held = chain(space.lsa_first[slot], space.p_next)
            assert len(held) == space.lsa_count[slot] <= space.limits.properties_per_lsa
            assert all(space.p_lsa[p] == slot and space.p_owner[p] == space.lsa_name[slot] for p in held)
            assert len({(space.p_label[p], space.p_query[p]) for p in held}) == len(held)
            live += held
    assert all(space.p_state[p] == LIVE for p in live)
    ending = [p for p in range(space.limits.properties) if space.p_state[p] in (WITHDRAWN, ORPHAN)]
    assert sorted(free + live + ending) == list(range(space.limits.properties))
    changed = ring(space.changed)
    assert set(ending) <= set(changed)
    assert not set(changed) & set(free)
    assert wheel(space.p_wheel) <= set(live)
    labelled = []
    for number, head in enumerate(space.label_first):
        before = NIL
        for p in chain(head, space.p_label_next):
            assert (space.p_label[p], space.p_label_previous[p]) == (number, before)
            before = p
            labelled.append(p)
    assert sorted(labelled) == sorted(live)


def heap_blocks(space: TupleSpace) -> None:
    heap = space.heap
    used = []
    for slot in range(space.limits.lsas):
        if space.lsa_state[slot] != FREE:
            blocks = chain(space.lsa_auth[slot], heap._next) if space.lsa_auth_length[slot] else []
            assert len(blocks) == heap.need(space.lsa_auth_length[slot])
            used += blocks
    for p in range(space.limits.properties):
        if space.p_state[p] == LIVE:
            for head, length in (
                (space.p_value[p], space.p_length[p]),
                (space.p_aggregate[p], space.p_aggregate_length[p]),
                (space.p_auth[p], space.p_auth_length[p]),
            ):
                blocks = chain(head, heap._next) if length else []
                assert len(blocks) == heap.need(length)
                used += blocks
    free = chain(heap._first_free, heap._next) if heap.free else []
    assert len(free) == heap.free
    assert sorted(used + free) == list(range(heap.blocks))


def room(space: TupleSpace) -> None:
    """What each node holds."""
    held = [Counter() for _ in WHAT]
    need = space.heap.need
    for slot in range(space.limits.lsas):
        if space.lsa_state[slot] != FREE:
            node = space.lsa_origin[slot]
            held[LSAS][node] += 1
            held[NAMES][node] += 1
            held[SPECS][node] += len(space.lsa_aggregations[slot])
            held[BLOCKS][node] += need(space.lsa_auth_length[slot])
    for p in range(space.limits.properties):
        if space.p_state[p] != FREE:
            node = space.p_origin[p]
            held[PROPERTIES][node] += 1
            held[NAMES][node] += space.p_query[p] != 0
            if space.p_state[p] == LIVE:
                for length in (space.p_length[p], space.p_aggregate_length[p], space.p_auth_length[p]):
                    held[BLOCKS][node] += need(length)
    for node in range(SELF + 1, space.nodes.capacity):
        if space.origins.known(node) and not space.neighbours_mask >> node & 1:
            held[NODES][space.origins.via[node]] += 1
    for kind, counts in enumerate(held):
        assert list(space.room.held[kind]) == [counts[n] for n in range(space.nodes.capacity)], WHAT[kind]
    assert space.room.members == space.known_origins()


def references(space: TupleSpace) -> None:
    names: Counter[int] = Counter()
    labels: Counter[int] = Counter()
    nodes: Counter[int] = Counter({SELF: 1})
    for slot in range(space.limits.lsas):
        if space.lsa_state[slot] != FREE:
            names.update((space.lsa_name[slot], space.lsa_kind[slot]))
            nodes.update(space.lsa_way[slot])
            assert space.lsa_path[slot] == sum(1 << n for n in space.lsa_way[slot])
    for p in range(space.limits.properties):
        if space.p_state[p] != FREE:
            names.update((space.p_owner[p], space.p_query[p]))
            labels[space.p_label[p]] += 1
    for number, observers in enumerate(space.observers):
        labels[number] += len(observers)
    nodes.update(n for n in range(space.nodes.capacity) if space.neighbours_mask >> n & 1)
    nodes.update(n for n, tick in enumerate(space.origins.expires) if tick)
    labels.update(map(space.labels.find, space.known_labels))
    for table, counted in ((space.names, names), (space.labels, labels), (space.nodes, nodes)):
        table_sound(table, counted)


def table_sound(table: NameTable, counted: "Counter[int]") -> None:
    counted[0] = 1  # the empty text is always there, once
    assert list(table._references) == [counted[number] for number in range(table.capacity)]
    used = {number: table._texts[number] for number, count in enumerate(table._references) if count}
    assert table._numbers == {text: number for number, text in used.items()}
    free = list(table._free)[1 : table._free_count + 1]
    assert sorted([*free, *used]) == list(range(table.capacity))
