"""LSAs enter and leave a space; handles go stale."""

from check import Node, assert_as_new, raises, small, state

from edge.space.errors import NotOwner, SpaceError, UnknownLsa
from edge.space.exchange import absorb
from edge.space.lsa import Lsa, Property
from edge.space.tuplespace import TupleSpace


def remote(name="b.t", version=1, life_s=13, properties=(), incarnation=1):
    """An LSA of node b, as b sends it."""
    return Lsa(name, "twin", b"", "b", incarnation, version, life_s, ["b"], [], list(properties))


def test_an_injected_lsa_is_found_by_its_name():
    space = TupleSpace("a", small())
    handle = space.inject("a.t", "prosumer")
    assert space.find("a.t") == handle
    slot = space.slot(handle)
    assert space.names.text(space.lsa_kind[slot]) == "prosumer"
    assert space.find("a.other") == 0


def test_a_name_is_taken_once():
    space = TupleSpace("a", small())
    space.inject("a.t")
    before = state(space)
    raises(NotOwner, space.inject, "a.t")
    assert state(space) == before


def test_a_handle_is_stale_when_its_lsa_has_left():
    node = Node("a")
    space = node.space
    old = space.inject("a.t")
    space.put(old, "L", "", b"1")
    space.remove(old)
    before = state(space)
    calls = (
        (space.read, old, "L"),
        (space.put, old, "L", "", b"2"),
        (space.withdraw, old, "L"),
        (space.keep, old, 3),
        (space.remove, old),
        (space.aggregate_by, old, []),
        (space.slot, old),
    )
    for function, *args in calls:
        assert isinstance(raises(UnknownLsa, function, *args), SpaceError)
    assert state(space) == before
    node.engine.react()
    new = space.inject("a.t")  # the same slot, another generation
    assert new & 0xFFFF == old & 0xFFFF
    assert new != old
    raises(UnknownLsa, space.read, old, "L")
    raises(UnknownLsa, space.slot, 0)
    raises(UnknownLsa, space.slot, 0xFFFF | 1 << 16)


def test_a_name_is_free_again_as_soon_as_its_lsa_is_removed():
    node = Node("a")
    space = node.space
    space.put(space.inject("a.t"), "L", "", b"1")
    space.remove(space.find("a.t"))
    handle = space.inject("a.t")  # while the first is still on its way out
    space.put(handle, "L", "", b"2")
    node.engine.react()
    assert space.read(space.find("a.t"), "L") == b"2"
    space.remove(handle)
    node.engine.react()
    assert_as_new(space)


def test_generations_wrap_and_are_never_0():
    node = Node("a", limits=small(lsas=1))
    space = node.space
    space.lsa_generation[0] = 0x3FFE
    seen = []
    for _ in range(4):
        handle = space.inject("a.t")
        seen.append(handle >> 16)
        space.remove(handle)
        node.engine.react()
    assert seen == [0x3FFE, 0x3FFF, 1, 2]


def test_all_slots_are_reused():
    node = Node("a")
    space = node.space
    for _ in range(3):
        handles = [space.inject(f"a.t{i}") for i in range(8)]
        for i in (3, 0, 7, 1, 2, 6, 5, 4):
            space.remove(handles[i])
        node.engine.react()
    assert_as_new(space)


def test_only_a_local_lsa_can_be_written():
    node = Node("a", ["b"])
    space = node.space
    absorb(space, remote(properties=[Property("L", "", 1, 0, b"1")]), "b")
    handle = space.find("b.t")
    before = state(space)
    raises(NotOwner, space.put, handle, "L", "", b"2")
    raises(NotOwner, space.put, handle, "M", "", b"2")
    raises(NotOwner, space.withdraw, handle, "L")
    raises(NotOwner, space.aggregate_by, handle, [])
    assert state(space) == before
    assert space.read(handle, "L") == b"1"
