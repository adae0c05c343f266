"""Reach: a property stays on its node, goes some hops, or everywhere."""

from check import Grid, Node, Watcher, assert_as_new, assert_digests_right, raises, small, state
from test_lsas import remote

from edge.space.errors import SpaceFull
from edge.space.exchange import absorb
from edge.space.lsa import EVERYWHERE, HERE, Near, Property
from edge.space.nearby import absorb_near, export_near

CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}
RING = {"a": ["b", "e"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "a"]}


def shown(reach, shape=CHAIN):
    grid = Grid(shape)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", 30, reach)
    grid.settle()
    return grid, agent


def test_a_property_goes_as_far_as_its_reach():
    for reach, holders in ((HERE, "a"), (1, "ab"), (2, "abc"), (3, "abcd"), (EVERYWHERE, "abcd")):
        grid, _ = shown(reach)
        assert "".join(n for n in "abcd" if grid[n].value("a.t", "L") == b"1") == holders
        for node in grid.nodes.values():
            assert_digests_right(node.space)


def test_in_a_ring_each_link_carries_a_version_at_most_once():
    for reach, holders in ((1, "abe"), (2, "abcde")):
        grid, agent = shown(reach, RING)
        assert "".join(n for n in "abcde" if grid[n].value("a.t", "L")) == holders
        agent.submit("L", b"2", "", 30, reach)
        grid.settle()
        assert all(grid[n].value("a.t", "L") == b"2" for n in holders)
        assert len(grid.near) == len(set(grid.near))


def test_a_near_property_changes_neither_version_nor_digest():
    grid, agent = shown(2)
    slot = agent.handle & 0xFFFF
    version = grid["a"].space.lsa_version[slot]
    newest = grid["a"].space.origins.newest_change(1)
    crossed = len(grid.crossed)
    agent.submit("L", b"2", "", 30, 2)
    grid.settle()
    assert grid["a"].space.lsa_version[slot] == version
    assert grid["a"].space.origins.newest_change(1) == newest
    assert len(grid.crossed) == crossed
    assert grid["c"].value("a.t", "L") == b"2"


def test_it_is_sent_only_when_it_changed():
    grid, agent = shown(1)
    assert len(grid.near) == 1
    agent.submit("M", b"1")
    grid.settle()
    agent.submit("L", b"1", "", 30, 1)  # the same, in the same second
    grid.settle()
    assert len(grid.near) == 1
    grid.tick()
    agent.submit("L", b"1", "", 30, 1)  # renewed
    grid.settle()
    assert len(grid.near) == 2


def test_it_dies_by_its_own_life_and_its_owner_renews_it():
    grid = Grid(CHAIN)
    watcher = grid["b"].add(Watcher("b.w", "L"))
    agent = grid["a"].add(Watcher("a.t"))
    for _ in range(3):
        agent.submit("L", b"1", "", 4, 1)
        grid.settle()
        for _ in range(3):
            grid.tick()
    assert grid["b"].value("a.t", "L") == b"1"
    agent.withdraw("L")
    grid.tick()
    assert grid["b"].value("a.t", "L") is None
    assert grid["b"].space.find("a.t")
    assert watcher.told[-1] == ("a.t", None)


def test_it_needs_a_life():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    raises(ValueError, agent.submit, "L", b"1", "", 0, 1)
    raises(ValueError, agent.submit, "L", b"1", "", 0, EVERYWHERE - 1)
    agent.submit("L", b"1", "", 0, HERE)


def test_a_property_may_change_its_reach():
    grid, agent = shown(EVERYWHERE)
    for reach, holders in ((1, "ab"), (EVERYWHERE, "abcd"), (HERE, "a"), (2, "abc"), (1, "ab")):
        agent.submit("L", b"%d" % reach, "", 30, reach)
        grid.settle()
        now = "".join(n for n in "abcd" if grid[n].value("a.t", "L") == b"%d" % reach)
        assert now == holders, (reach, now)
        for node in grid.nodes.values():
            assert_digests_right(node.space)


def test_it_leaves_with_its_lsa():
    grid, agent = shown(3)
    grid["a"].engine.remove(agent)
    grid.settle()
    for name, node in grid.nodes.items():
        assert not node.space.find("a.t")
        node.space.part(node.space.nodes.find("a")) if name != "a" else None
        node.engine.react()
        assert_as_new(node.space, neighbours=len(CHAIN[name]))


def test_a_new_incarnation_shows_it_again():
    grid, agent = shown(1)
    for turn in range(9):
        agent.submit("L", b"%d" % turn, "", 30, 1)
        grid.settle()
    grid["a"].space.reincarnate(2)
    grid.settle()
    agent.submit("L", b"new", "", 30, 1)
    grid.settle()
    assert grid["b"].value("a.t", "L") == b"new"


# ---- what a neighbour may send -------------------------------------------------------------------


def near(version=5, value=b"v", **fields):
    record = Near("b.t", 1, "L", "", version, 2, 0, 30, 30, value, b"")
    for field, each in fields.items():
        setattr(record, field, each)
    return record


def holder(**limits):
    node = Node("a", ["b", "c"], small(**limits))
    absorb(node.space, remote("b.t", 4, properties=[Property("M", "", 4, 0, b"m")]), "b")
    node.engine.react()
    node.wire.waiting.clear()
    return node


def test_only_what_is_newer_is_news():
    node = holder()
    assert absorb_near(node.space, near(), "b")
    before = state(node.space)
    for wrong in (
        near(4, b"old"),
        near(9, incarnation=2),
        near(9, name="b.u"),
        near(9, hops=2),
        near(9, label="M"),  # goes everywhere
    ):
        assert not absorb_near(node.space, wrong, "c")
    assert not absorb_near(node.space, near(5), "b")
    assert state(node.space) == before
    assert absorb_near(node.space, near(6, b"new"), "b")
    assert node.value("b.t", "L") == b"new"


def test_one_that_came_a_shorter_way_goes_farther():
    node = holder()
    assert absorb_near(node.space, near(reach=3, hops=2), "c")
    node.engine.react()
    assert node.wire.waiting == []
    assert absorb_near(node.space, near(reach=3, hops=0), "b")
    node.engine.react()
    ((to, record),) = node.wire.waiting
    assert (to, record.hops, record.reach, record.value) == ("c", 1, 3, b"v")


def test_who_sends_the_same_before_it_is_passed_on_is_not_sent_it():
    for hops, taken_by in ((1, []), (3, []), (4, ["c"])):  # four hops: it would learn of a shorter way
        node = holder()
        absorb_near(node.space, near(reach=6, hops=1), "b")
        assert not absorb_near(node.space, near(reach=6, hops=hops), "c")
        node.engine.react()
        assert [to for to, _ in node.wire.waiting] == taken_by


def test_where_it_goes_everywhere_anyway_it_is_not_passed_on_again_for_a_shorter_way():
    node = holder()
    absorb_near(node.space, near(reach=64, hops=4), "b")
    node.engine.react()
    assert [to for to, _ in node.wire.waiting] == ["c"]
    assert absorb_near(node.space, near(reach=64, hops=0), "b")
    node.engine.react()
    assert len(node.wire.waiting) == 1
    p = node.space.property_of(node.space.slot_of_name("b.t"), "L")
    assert node.space.p_hops[p] == 1


def test_one_that_expired_does_not_return():
    node = holder()
    absorb_near(node.space, near(7, left_s=1), "b")
    node.engine.tick()
    assert node.value("b.t", "L") is None
    assert not absorb_near(node.space, near(7), "b")
    assert not absorb_near(node.space, near(6), "b")
    assert absorb_near(node.space, near(8), "b")


def test_it_needs_room_and_changes_nothing_without():
    node = holder(heap_bytes=64 * 4)
    refused = state(node.space)
    for wrong in (near(value=b"x" * 256), near(value=b"x" * 192, auth=b"k")):
        raises(SpaceFull, absorb_near, node.space, wrong, "b")
    assert state(node.space) == refused
    assert absorb_near(node.space, near(value=b"x" * 128, auth=b"k" * 64), "b")
    p = node.space.property_of(node.space.slot_of_name("b.t"), "L")
    record = export_near(node.space, p)
    assert (record.auth, record.value, record.hops) == (b"k" * 64, b"x" * 128, 1)
    assert absorb_near(node.space, near(6, value=b"y" * 128, auth=b"l" * 64), "b")


def test_those_held_count_among_the_properties_of_an_lsa():
    node = holder(labels=20)
    for i in range(5):
        assert absorb_near(node.space, near(5 + i, label=f"L{i}"), "b")
    before = state(node.space)
    shown = [Property(f"M{i}", "", 20, 0, b"m") for i in range(6)]
    raises(SpaceFull, absorb, node.space, remote("b.t", 20, properties=shown), "b")
    assert state(node.space) == before
    shown[5].label = "L4"  # now it goes everywhere
    assert absorb(node.space, remote("b.t", 20, properties=shown), "b")
    assert node.value("b.t", "L4") == b"m"
    assert node.value("b.t", "L3") == b"v"
