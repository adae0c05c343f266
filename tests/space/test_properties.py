"""Properties of an LSA: put, read, withdraw; versions; what stays on the node."""

from check import Node, Watcher, assert_as_new, assert_digests_right, raises, small, state

from edge.space.errors import ValueTooLarge
from edge.space.exchange import export
from edge.space.lsa import EVERYWHERE, HERE
from edge.space.names import NIL
from edge.space.tuplespace import TupleSpace


def version(space, handle, label, query=""):
    return space.p_version[space.property_of(handle & 0xFFFF, label, query)]


def test_what_is_put_is_read():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    for value in (b"", b"1", b"x" * 64, b"y" * 65, b"z" * 512, b"\x00\xff"):
        space.put(handle, "L", "", value)
        assert space.read(handle, "L") == value
    assert space.lsa_count[handle & 0xFFFF] == 1
    assert space.read(handle, "M") is None
    assert space.read(handle, "L", "a.other") is None


def test_label_and_query_together_name_a_property():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    space.put(handle, "OFFER", "x", b"1")
    space.put(handle, "OFFER", "y", b"2")
    space.put(handle, "OFFER", "", b"3")
    assert [space.read(handle, "OFFER", query) for query in ("x", "y", "")] == [b"1", b"2", b"3"]
    assert space.withdraw(handle, "OFFER", "y")
    assert [space.read(handle, "OFFER", query) for query in ("x", "y", "")] == [b"1", None, b"3"]
    assert not space.withdraw(handle, "OFFER", "y")
    assert not space.withdraw(handle, "NONE")


def test_a_change_is_a_new_version_and_the_same_value_is_not():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    assert space.lsa_version[handle & 0xFFFF] == 0  # nothing to show yet
    space.put(handle, "L", "", b"1")
    first = version(space, handle, "L")
    assert first == space.lsa_version[handle & 0xFFFF] > 0
    before = state(space)
    space.put(handle, "L", "", b"1")
    assert state(space) == before
    space.put(handle, "L", "", b"2")
    assert version(space, handle, "L") > first
    space.put(handle, "M", "", b"2")
    assert version(space, handle, "L") < version(space, handle, "M")
    assert_digests_right(space)


def test_a_longer_life_is_a_new_version_too():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1", 5)
    first = version(space, handle, "L")
    space.put(handle, "L", "", b"1", 6)
    assert version(space, handle, "L") > first
    space.put(handle, "L", "", b"1")
    assert space.p_wheel.due(space.property_of(handle & 0xFFFF, "L")) == 0


def test_a_value_too_large_changes_nothing():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    before = state(space)
    assert "513" in str(raises(ValueTooLarge, space.put, handle, "L", "", b"x" * 513))
    raises(ValueTooLarge, space.put, handle, "M", "q", b"x" * 513)
    raises(ValueTooLarge, space.set_aggregate, 0, b"x" * 513, True)
    assert state(space) == before


def test_a_value_that_is_not_bytes_changes_nothing():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    before = state(space)
    for wrong in ("text" * 20, bytearray(70), 7, None):
        raises(TypeError, space.put, handle, "L", "", wrong)
        raises(TypeError, space.put, handle, "M", "q", wrong)
    assert state(space) == before


def test_a_local_property_is_never_exported():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    slot = handle & 0xFFFF
    space.put(handle, "SECRET", "", b"1", 0, HERE)
    assert space.lsa_version[slot] == 0  # other nodes need not know that it exists
    space.put(handle, "OPEN", "", b"2")
    shown = space.lsa_version[slot]
    space.put(handle, "SECRET", "", b"3", 0, HERE)
    assert space.lsa_version[slot] == shown
    assert [each.label for each in export(space, slot).properties] == ["OPEN"]
    space.withdraw(handle, "SECRET")
    assert space.lsa_version[slot] == shown
    assert_digests_right(space)


def test_versions_of_a_local_property_count_up_as_well():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    seen = []
    for value in (b"1", b"2", b"3"):
        space.put(handle, "L", "", value, 0, HERE)
        seen.append(version(space, handle, "L"))
    assert seen[0] < seen[1] < seen[2]


def test_a_property_may_become_local_and_open_again():
    space = TupleSpace("a", small())
    handle = space.inject("a.t")
    slot = handle & 0xFFFF
    space.put(handle, "L", "", b"1")
    for reach in (HERE, EVERYWHERE):
        before = space.lsa_version[slot]
        space.put(handle, "L", "", b"1", 0, reach)
        assert space.lsa_version[slot] > before  # neighbours are told either way
        assert len(export(space, slot).properties) == (reach == EVERYWHERE)
    assert_digests_right(space)


def test_withdrawing_is_a_new_version_of_the_lsa():
    node = Node("a")
    space = node.space
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    before = space.lsa_version[handle & 0xFFFF]
    space.withdraw(handle, "L")
    assert space.lsa_version[handle & 0xFFFF] > before
    assert space.heap.free == space.heap.blocks
    node.engine.react()
    assert space.properties_free == space.limits.properties
    assert len(space.labels) == 1


def test_the_chain_of_properties_survives_any_order_of_withdrawals():
    orders = ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1))
    for order in orders:
        node = Node("a")
        space = node.space
        handle = space.inject("a.t")
        for i in range(4):
            space.put(handle, f"L{i}", "", b"%d" % i)
        left = [0, 1, 2, 3]
        for i in order:
            space.withdraw(handle, f"L{i}")
            left.remove(i)
            for k in range(4):
                assert space.read(handle, f"L{k}") == (b"%d" % k if k in left else None)
        assert space.lsa_first[handle & 0xFFFF] == NIL
        space.remove(handle)
        node.engine.react()
        assert_as_new(space)


def test_a_property_put_again_before_its_withdrawal_is_announced_is_a_new_one():
    node = Node("a")
    watcher = node.add(Watcher("a.w", "L"))
    space = node.space
    handle = space.inject("a.t")
    space.put(handle, "L", "", b"1")
    node.engine.react()
    space.withdraw(handle, "L")
    space.put(handle, "L", "", b"2")
    node.engine.react()
    assert watcher.told == [("a.t", b"1"), ("a.t", None), ("a.t", b"2")]


def test_removing_an_lsa_frees_all_it_held():
    node = Node("a")
    space = node.space
    handle = space.inject("a.t", "prosumer")
    for i in range(8):
        space.put(handle, f"L{i % 3}", f"q{i}", b"v" * 30 * i, i)
    space.remove(handle)
    node.engine.react()
    assert_as_new(space)
