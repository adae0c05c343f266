"""What does not fit into a space is refused, whichever table is full, and nothing has changed then."""

from check import Node, Watcher, assert_as_new, raises, small, state

from edge.space.errors import NotOwner, SpaceFull
from edge.space.exchange import absorb, path_of
from edge.space.lsa import Lsa, Property
from edge.space.tuplespace import TupleSpace


def refuses(space, what, function, *args):
    before = state(space)
    error = raises(SpaceFull, function, *args)
    assert what in str(error), error
    assert state(space) == before, "a refused operation left a trace"


def test_lsa_slots():
    space = TupleSpace("a", small(lsas=3))
    handles = [space.inject(f"a.t{i}") for i in range(3)]
    refuses(space, "LSA slots", space.inject, "a.more")
    space.remove(handles[1])
    refuses(space, "LSA slots", space.inject, "a.more")  # free only when everybody has been told


def test_ten_properties_of_one_lsa():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    for i in range(10):
        space.put(handle, "L", f"q{i}", b"1")
    refuses(space, "at most 10", space.put, handle, "L", "more", b"1")
    space.put(handle, "L", "q3", b"2")
    space.withdraw(handle, "L", "q3")
    space.put(handle, "L", "more", b"1")


def test_property_slots():
    space = TupleSpace("a", small(properties=3))
    one, two = space.inject("a.1"), space.inject("a.2")
    for handle, label in ((one, "L"), (one, "M"), (two, "L")):
        space.put(handle, label, "", b"1")
    refuses(space, "property slots", space.put, two, "M", "", b"1")
    space.put(two, "L", "", b"2")


def test_heap_for_a_new_and_for_a_growing_value():
    space = TupleSpace("a", small(heap_bytes=64 * 4))
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"x" * 100)
    space.put(handle, "M", "", b"y" * 64)
    refuses(space, "heap", space.put, handle, "N", "q", b"z" * 65)
    refuses(space, "heap", space.put, handle, "L", "", b"z" * 193)
    space.put(handle, "L", "", b"z" * 192)
    refuses(space, "heap", space.put, handle, "N", "q", b"z")
    space.put(handle, "N", "q", b"")  # needs none


def test_names():
    space = TupleSpace("a", small(names=5))
    handle = space.inject("a.t", "kind")
    refuses(space, "names", absorbing, space, lsa("b.u", 1, [Property("L", "q", 1, 0, b"")], kind="kind2"))
    space.put(handle, "L", "q1", b"1")
    refuses(space, "names", space.inject, "a.u", "kind2")
    space.inject("a.u", "a.u")  # one new name is enough
    refuses(space, "names", space.put, handle, "L", "q2", b"1")
    refuses(space, "names", space.inject, "a.v")
    space.put(handle, "M", "q1", b"1")


def test_labels():
    space = TupleSpace("a", small(labels=3))
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    space.put(handle, "M", "", b"1")
    refuses(space, "labels", space.put, handle, "N", "", b"1")
    space.put(handle, "L", "q", b"1")


def test_labels_for_an_agent_that_wants_too_many():
    node = Node("a", limits=small(labels=3))
    node.add(Watcher("a.w", "L"))
    agent = Watcher("a.x", "L", "M", "N")
    before = state(node.space)
    assert "labels" in str(raises(SpaceFull, node.engine.add, agent))
    assert state(node.space) == before
    assert agent.handle == 0
    raises(RuntimeError, lambda: agent.space)


def test_an_agent_whose_name_is_taken_is_refused():
    node = Node("a")
    first = node.add(Watcher("a.w", "L"))
    second = Watcher("a.w", "L", "M")
    before = state(node.space)
    raises(NotOwner, node.engine.add, second)
    assert state(node.space) == before
    raises(RuntimeError, lambda: second.space)
    assert node.engine.agents() == [first]


def test_results_of_aggregation_use_the_heap_too():
    space = TupleSpace("a", small(heap_bytes=64 * 2))
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    p = space.property_of(handle & 0xFFFF, "L")
    refuses(space, "heap", space.set_aggregate, p, b"x" * 65, True)
    space.set_aggregate(p, b"x" * 64, True)
    assert space.aggregate(p) == b"x" * 64
    space.withdraw(handle, "L")
    assert space.heap.free == 2


# ---- an LSA of another node comes in as a whole or not at all ------------------------------------


def lsa(name="b.t", version=1, properties=(), path=("b",), kind="twin", auth=b""):
    return Lsa(name, kind, auth, "b", 1, version, 13, list(path), [], list(properties))


def some(count, size=1, label="L%d", version=1):
    return [Property(label % i, "", version, 0, b"v" * size) for i in range(count)]


def absorbing(space, record, sender="b"):
    return absorb(space, record, sender)


def test_a_remote_lsa_needs_a_slot():
    space = TupleSpace("a", small(lsas=1))
    space.inject("a.t")
    refuses(space, "LSA slots", absorbing, space, lsa())


def test_a_remote_lsa_brings_at_most_ten_properties():
    space = TupleSpace("a", small(labels=20))
    refuses(space, "at most 10", absorbing, space, lsa(properties=some(11)))


def test_a_remote_lsa_needs_property_slots_for_what_is_new():
    space = TupleSpace("a", small(properties=3))
    refuses(space, "properties", absorbing, space, lsa(properties=some(4)))
    assert absorbing(space, lsa(properties=some(3)))
    assert absorbing(space, lsa(version=2, properties=some(3, 2, version=2)))
    refuses(space, "properties", absorbing, space, lsa(version=3, properties=some(3, label="M%d", version=3)))


def test_a_remote_lsa_needs_heap_beyond_what_it_replaces():
    space = TupleSpace("a", small(heap_bytes=64 * 4))
    refuses(space, "heap", absorbing, space, lsa(properties=some(5, 64)))
    refuses(space, "heap", absorbing, space, lsa(properties=some(2, 129)))
    assert absorbing(space, lsa(properties=some(4, 64)))
    assert absorbing(space, lsa(version=2, properties=some(4, 60, version=2)))
    refuses(space, "heap", absorbing, space, lsa(version=3, properties=some(4, 65, version=3)))


def test_a_remote_lsa_needs_heap_for_what_proves_it():
    space = TupleSpace("a", small(heap_bytes=64 * 4))
    refuses(space, "heap", absorbing, space, lsa(properties=some(4, 64), auth=b"k" * 64))
    assert absorbing(space, lsa(properties=some(3, 64), auth=b"k" * 64))
    assert absorbing(space, lsa(version=2, properties=some(3, 60, version=2), auth=b"l" * 64))
    assert space.proof(space.slot_of_name("b.t")) == b"l" * 64


def test_a_remote_value_may_be_too_large_here():
    space = TupleSpace("a", small())
    refuses(space, "513 bytes", absorbing, space, lsa(properties=some(2, 513)))


def test_a_remote_lsa_needs_names_labels_and_nodes():
    queries = [Property("L", f"q{i}", 1, 0, b"") for i in range(3)]
    space = TupleSpace("a", small(names=5))
    refuses(space, "names", absorbing, space, lsa(properties=queries))
    assert absorbing(space, lsa(properties=queries[:2]))
    space = TupleSpace("a", small(labels=3))
    refuses(space, "names", absorbing, space, lsa(properties=some(3)))
    space = TupleSpace("a", small(nodes=3))
    assert absorbing(space, lsa(path=["b", "c", "d"]))  # what is on a path needs no place
    assert path_of(space, 0) == ["a", "b", "c"]


def test_a_name_that_is_its_own_type_needs_one_place():
    space = TupleSpace("a", small(names=2))
    assert absorbing(space, lsa("b.t", kind="b.t"))


def test_a_full_space_can_be_emptied():
    node = Node("a", limits=small(lsas=2, properties=4, heap_bytes=64 * 4, names=6, labels=3, nodes=3))
    space = node.space
    handle = space.inject("a.t")
    space.put(handle, "L0", "", b"v" * 128)
    assert absorbing(space, lsa(properties=some(2, 1)))
    raises(SpaceFull, absorbing, space, lsa("b.u"))
    raises(SpaceFull, absorbing, space, lsa(version=2, properties=some(2, 100, version=2)))
    space.remove(handle)
    for _ in range(15):
        node.engine.tick()
        node.engine.react()
    assert_as_new(space)
