"""Properties that bring their LSA along: kept ones, and those that go towards some nodes only."""

from check import Grid, Node, Watcher, assert_as_new, assert_digests_right, raises, small
from test_reach import CHAIN

from edge.space.digest import Digest
from edge.space.errors import SpaceFull
from edge.space.lsa import KEPT, TOWARDS, Near
from edge.space.names import NIL
from edge.space.nearby import RENEWED, absorb_near, export_near
from edge.space.origins import ANSWER_S, LIFE_S, WAY_S
from edge.space.tuplespace import MAX_TO, life_of, period_s

CROSS = {"a": ["b", "c"], "b": ["a", "d"], "c": ["a", "d"], "d": ["b", "c"]}


def near(name, version, value=b"1", to=(), label="L", hops=0, incarnation=1, life_s=13):
    reach = TOWARDS if to else 3
    return Near(name, incarnation, label, "", version, reach, hops, life_s, life_s, value, b"", not to, to)


def holders(grid, name="a.t", label="L"):
    return "".join(n for n in sorted(grid.nodes) if grid[n].value(name, label))


def meet(grid, name, reach=3):
    """All within reach know by which way an agent is reached."""
    agent = grid[name[0]].add(Watcher(name))
    agent.submit("CALL", b"?", "", KEPT, reach)
    grid.settle()
    return agent


def test_a_kept_property_brings_its_lsa_along_and_no_more_than_its_reach():
    grid = Grid(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, 2)
    grid.settle()
    assert holders(grid) == "abc"
    assert not grid["d"].space.find("a.t")
    assert not grid.crossed
    for node in grid.nodes.values():
        assert_digests_right(node.space)
        assert node.space.digest(1)[0] == 0


def test_who_knew_a_version_hears_of_the_next_though_it_came_on_its_way_to_others():
    """Its value says whether it still concerns them: the copy that is for them may come by another way."""
    node = Node("b", ["a"])
    reader, stranger = node.add(Watcher("b.r", "L")), Node("d", ["a"])
    passing = stranger.add(Watcher("d.r", "L"))
    for version, to in ((1, ("b",)), (2, ("c",)), (3, ("c",)), (3, ("b",))):
        for each in (node, stranger):
            absorb_near(each.space, near("a.t", version, b"%d" % version, to), "a")
            each.engine.react()
    assert reader.told[:3] == [("a.t", b"1"), ("a.t", b"2"), ("a.t", b"3")]
    assert {value for _, value in reader.told} == {b"1", b"2", b"3"}, "it was never gone"
    assert passing.told == []


def test_what_goes_towards_a_node_takes_the_way_its_message_came():
    grid = Grid(CROSS)
    meet(grid, "d.t")
    agent = grid["a"].add(Watcher("a.t"))
    reader = grid["d"].add(Watcher("d.r", "L"))
    relay = {name: grid[name].add(Watcher(name + ".r", "L")) for name in "bc"}
    agent.submit("L", b"1", "", KEPT, to=("d",))
    grid.settle()
    assert reader.told == [("a.t", b"1")]
    assert not relay["b"].told
    assert not relay["c"].told
    assert len(grid.near_of("a.t")) == 2  # over b or over c


def test_without_a_known_way_it_is_looked_for_everywhere():
    grid = Grid(CROSS)
    agent = grid["a"].add(Watcher("a.t"))
    reader = grid["d"].add(Watcher("d.r", "L"))
    agent.submit("L", b"1", "", KEPT, to=("d",))
    grid.settle()
    assert reader.told == [("a.t", b"1")]
    assert len(grid.near_of("a.t")) == 4
    answer = grid["d"].add(Watcher("d.t"))
    answer.submit("M", b"2", "", KEPT, to=("a",))
    grid.settle()
    assert grid["a"].value("d.t", "M") == b"2"
    assert len(grid.near_of("d.t")) == 2


def test_one_property_goes_towards_several_nodes_and_each_way_only_once():
    grid = Grid(CHAIN)
    for name in "bcd":
        meet(grid, name + ".t")
    readers = [grid[name].add(Watcher(name + ".r", "L")) for name in "abcd"]
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, to=("a", "b", "d"))
    grid.settle()
    assert [each.told for each in readers] == [[("a.t", b"1")], [("a.t", b"1")], [], [("a.t", b"1")]]
    assert len(grid.near_of("a.t")) == 3


def test_who_is_added_later_is_told_and_who_is_not_concerned_any_more_hears_the_end():
    grid = Grid(CHAIN)
    for name in "bd":
        meet(grid, name + ".t")
    agent = grid["a"].add(Watcher("a.t"))
    reader = grid["b"].add(Watcher("b.r", "L"))
    agent.submit("L", b"1", "", KEPT, to=("d",))
    grid.settle()
    assert reader.told == []
    agent.submit("L", b"1", "", KEPT, to=("b", "d"))
    grid.settle()
    assert reader.take_told() == [("a.t", b"1")]
    agent.submit("L", b"2", "", KEPT, to=("d",))
    grid.settle()
    assert reader.take_told() == [("a.t", b"2")]
    agent.withdraw("L")
    grid.settle()
    assert reader.take_told() == [("a.t", None)]
    assert grid["d"].value("a.t", "L") is None


def test_a_withdrawal_reaches_all_holders_and_leaves_room_for_others():
    grid = Grid(CHAIN, small(properties_per_lsa=1))
    agent = grid["a"].add(Watcher("a.t"))
    watcher = grid["c"].add(Watcher("c.w", "L", "M"))
    agent.submit("L", b"1", "", KEPT, 2)
    grid.settle()
    agent.withdraw("L")
    agent.submit("M", b"2", "", KEPT, 2)
    grid.settle()
    assert watcher.take_told() == [("a.t", b"1"), ("a.t", None), ("a.t", b"2")]
    raises(SpaceFull, grid["a"].space.put, agent.handle, "L", "", b"3", KEPT, 2)
    agent.withdraw("M")
    agent.submit("L", b"3", "", KEPT, 2)
    grid.settle()
    assert holders(grid) == "abc"
    assert watcher.take_told() == [("a.t", None), ("a.t", b"3")]


def beating(grid):
    digests = [Digest(node.space, node.wire) for node in grid.nodes.values()]

    def second():
        grid.tick()
        for digest in digests:
            digest.tick()
        grid.settle()

    return second


def test_what_is_kept_is_renewed_by_its_space_and_its_reader_is_not_told_again():
    grid = Grid(CHAIN)
    second = beating(grid)
    agent = grid["a"].add(Watcher("a.t"))
    watcher = grid["c"].add(Watcher("c.w", "L"))
    agent.submit("L", b"1", "", KEPT, 2)
    for _ in range(4 * LIFE_S):
        second()
    assert watcher.told == [("a.t", b"1")]
    assert grid["c"].value("a.t", "L") == b"1"


def test_a_lost_one_arrives_with_the_next_renewal():
    grid = Grid(CHAIN)
    second = beating(grid)
    meet(grid, "c.t")
    agent = grid["a"].add(Watcher("a.t"))
    grid.lose = lambda *_: True
    agent.submit("L", b"1", "", KEPT, to=("c",))
    grid.settle()
    grid.lose = None
    for _ in range(5):
        second()
    assert grid["c"].value("a.t", "L") == b"1"


def test_a_way_that_broke_is_replaced_before_what_used_it_expires():
    grid = Grid(CROSS)
    second = beating(grid)
    one, other = meet(grid, "a.t"), meet(grid, "d.t")
    one.submit("L", b"1", "", KEPT, to=("d",))
    other.submit("M", b"2", "", KEPT, to=("a",))
    for _ in range(10):
        second()
    used = grid["a"].space.nodes.text(grid["a"].space.origins.way[grid["a"].space.nodes.find("d")])
    grid.lose = lambda sender, to, _: used in (sender, to)
    for _ in range(6 * LIFE_S):
        second()
        assert grid["d"].value("a.t", "L") == b"1"
        assert grid["a"].value("d.t", "M") == b"2"


def test_what_gets_no_answer_goes_everywhere_unless_it_lives_for_seconds_only():
    """An offer to somebody who has waited for long must not cost a message on each link."""
    grid = Grid(CROSS)
    meet(grid, "d.t")
    agent = grid["a"].add(Watcher("a.t"))
    for _ in range(WAY_S + 1):
        grid.tick()
    sent = []
    grid.lose = lambda sender, to, _: sent.append(to) if sender == "a" else None

    def ways(label, value, life_s):
        sent.clear()
        agent.submit(label, value, "", life_s, to=("d",))
        grid.settle()
        assert grid["d"].value("a.t", label) == value
        return len(sent)

    assert ways("L", b"1", 9) == 1
    assert ways("M", b"1", KEPT) == 1, "it may be answered"
    for _ in range(ANSWER_S):
        grid.tick()
    assert ways("M", b"2", KEPT) == 2, "it was not"
    assert ways("L", b"2", 9) == 1


def test_a_longer_way_takes_the_place_of_a_shorter_one_a_moment_later():
    """Messages that cross between two neighbours must not make each of them the way of the other."""
    node = Node("b", ["a", "c"])
    space = node.space

    def came(version, sender, hops):
        absorb_near(space, near("d.t", version, hops=hops, to=("b",)), sender)
        return space.nodes.text(space.origins.way[space.nodes.find("d")])

    assert came(1, "c", 3) == "c"
    assert came(2, "a", 1) == "a"
    assert came(3, "c", 3) == "a"
    for _ in range(ANSWER_S):
        node.engine.tick()
    assert came(4, "c", 3) == "c"


def test_only_the_origin_itself_is_one_hop_away_whatever_a_neighbour_says():
    space = Node("b", ["a", "c"]).space
    for version, sender, hops in ((1, "c", 0), (2, "a", 1)):
        absorb_near(space, near("d.t", version, hops=hops, to=("b",)), sender)
        assert space.nodes.text(space.origins.way[space.nodes.find("d")]) == sender


def test_nothing_goes_to_others_by_a_neighbour_that_is_shunned_unless_there_is_no_other():
    node = Node("b", ["a", "c", "e"])
    space = node.space
    bits = {name: space.node_bit(name) for name in "ace"}
    absorb_near(space, near("d.t", 1, hops=1, to=("b",)), "a")
    assert space.hops_towards("d", True) == bits["a"]
    space.shun(["a"])
    assert space.hops_towards("d", True) == bits["c"] | bits["e"]
    assert space.hops_towards("a", True) & bits["a"], "to itself"
    absorb_near(space, near("d.t", 2, hops=1, to=("b",)), "a")
    assert space.hops_towards("d", True) == bits["c"] | bits["e"]
    absorb_near(space, near("d.t", 3, hops=5, to=("b",)), "c")
    assert space.hops_towards("d", True) == bits["c"]
    space.shun(["a", "c", "e"])
    assert space.hops_towards("d", True) == bits["a"] | bits["c"] | bits["e"]
    space.shun([])
    absorb_near(space, near("d.t", 4, hops=1, to=("b",)), "a")
    assert space.hops_towards("d", True) == bits["a"]


def test_a_way_through_a_neighbour_that_is_lost_is_not_used():
    grid = Grid(CROSS)
    meet(grid, "d.t")
    space = grid["a"].space
    used = space.nodes.text(space.origins.way[space.nodes.find("d")])
    space.lose_ways(used)
    grid.lose = lambda sender, to, _: used in (sender, to)
    grid["a"].add(Watcher("a.t")).submit("L", b"1", "d.t", 9, to=("d",))
    grid.settle()
    assert grid["d"].value("a.t", "L", "d.t") == b"1"


def test_its_origin_lives_as_long_as_it_arrives_and_is_forgotten_afterwards():
    node = Node("b", ["a"])
    assert absorb_near(node.space, near("a.t", 5), "a")
    node.engine.react()
    assert node.space.origin_number("a") != NIL
    for _ in range(LIFE_S + 1):
        node.engine.tick()
        node.engine.react()
    assert_as_new(node.space, neighbours=1)


def test_an_lsa_of_which_nothing_is_left_leaves_later():
    node = Node("b", ["a"])
    node.add(watcher := Watcher("b.w", "L"))
    absorb_near(node.space, near("a.t", 5), "a")
    absorb_near(node.space, near("a.u", 6), "a")
    node.engine.react()
    absorb_near(node.space, near("a.t", 7, b"", life_s=1), "a")
    node.engine.react()
    absorb_near(node.space, near("a.t", 8, b"2"), "a")
    node.engine.react()
    assert watcher.told == [("a.t", b"1"), ("a.u", b"1"), ("a.t", None), ("a.t", b"2")]
    assert not watcher.departed


def test_one_that_only_goes_farther_is_passed_on_and_tells_nobody_again():
    node = Node("b", ["a", "c"])
    node.add(watcher := Watcher("b.w", "L"))
    absorb_near(node.space, Near("a.t", 1, "L", "", 5, 2, 0, 13, 13, b"1", b"", True), "a")
    node.engine.react()
    assert absorb_near(node.space, Near("a.t", 1, "L", "", 6, 4, 0, 13, 13, b"1", b"", True), "a") == RENEWED
    p = node.space.property_of(node.space.slot_of_name("a.t"), "L")
    assert (node.space.p_reach[p], node.space.p_version[p]) == (4, 6)
    assert node.space.near.waits(p)
    node.engine.react()
    assert watcher.told == [("a.t", b"1")]


def test_one_that_is_only_renewed_goes_with_what_leaves_next_or_in_the_next_second():
    node = Node("b", ["a", "c"])
    around = Near("a.t", 1, "L", "", 5, 4, 0, 13, 13, b"1", b"", True)
    absorb_near(node.space, around, "a")
    assert node.engine.stirred
    node.engine.react()
    for version in (6, 8):
        node.wire.waiting.clear()
        around.version = version
        assert absorb_near(node.space, around, "a") == RENEWED
        assert not node.engine.stirred
        if version == 6:
            absorb_near(node.space, near("a.u", 7), "a")
        else:
            node.engine.tick()
        assert node.engine.stirred
        node.engine.react()
        assert [(to, each.name) for to, each in node.wire.waiting if each.version == version] == [
            ("c", "a.t")
        ]


def test_older_ones_and_those_of_an_earlier_life_are_no_news():
    space = Node("b", ["a"]).space
    assert absorb_near(space, near("a.t", 5, incarnation=2), "a")
    assert not absorb_near(space, near("a.t", 5, incarnation=2), "a")
    assert not absorb_near(space, near("a.t", 4, incarnation=2), "a")
    assert not absorb_near(space, near("a.u", 9), "a")
    assert not absorb_near(space, near("b.t", 9, incarnation=9), "a")
    assert absorb_near(space, near("a.t", 1, b"new", incarnation=3), "a")


def test_more_nodes_for_the_same_version_are_news_up_to_a_bound():
    space = Node("b", ["a", "c"]).space
    assert absorb_near(space, near("a.t", 5, to=("c",)), "a")
    assert not absorb_near(space, near("a.t", 5, to=("c",)), "a")
    assert absorb_near(space, near("a.t", 5, to=("c", "d")), "a")
    many = tuple(f"x{i}" for i in range(2 * MAX_TO))
    assert absorb_near(space, near("a.t", 5, to=many), "a")
    assert not absorb_near(space, near("a.t", 5, to=("y",)), "a")
    p = space.property_of(space.slot_of_name("a.t"), "L")
    assert len(space.p_to[p]) == MAX_TO


def test_where_there_is_no_room_nothing_changes():
    node = Node("b", ["a"], small(lsas=1))
    node.add(Watcher("b.t"))
    before = node.space.properties_free, node.space.heap.free, len(node.space.names), len(node.space.nodes)
    raises(SpaceFull, absorb_near, node.space, near("a.t", 5), "a")
    assert before == (
        node.space.properties_free,
        node.space.heap.free,
        len(node.space.names),
        len(node.space.nodes),
    )


def test_a_space_that_leaves_tells_the_holders():
    grid = Grid(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    watcher = grid["c"].add(Watcher("c.w", "L"))
    agent.submit("L", b"1", "", KEPT, 2)
    grid.settle()
    grid["a"].engine.remove(agent)
    grid.settle()
    assert watcher.departed == ["a.t"]
    for node in grid.nodes.values():
        assert not node.space.find("a.t")


def test_an_lsa_may_show_itself_whole_later():
    grid = Grid(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, 1)
    grid.settle()
    agent.submit("M", b"2")
    grid.settle()
    assert holders(grid) == "ab"
    assert holders(grid, label="M") == "abcd"
    for node in grid.nodes.values():
        assert_digests_right(node.space)
    agent.withdraw("M")
    grid.settle()
    assert holders(grid) == "ab"


def test_it_needs_a_value():
    agent = Node("a").add(Watcher("a.t"))
    raises(ValueError, agent.submit, "L", b"", "", KEPT, 1)
    raises(ValueError, agent.submit, "L", b"", "", 5, 1, ("b",))


def test_what_goes_far_is_renewed_less_often_and_lives_longer():
    periods = [period_s(reach) for reach in (1, 2, 4, 8, 64)]
    assert periods == sorted(periods)
    assert all(life_of(reach) > 2 * period_s(reach) for reach in (1, 2, 4, 8, 64, TOWARDS))
    assert life_of(TOWARDS) == LIFE_S


def test_the_end_of_what_goes_far_is_said_once_and_its_copies_end_soon_by_themselves():
    for reach, said in ((2, 2), (64, 1)):
        grid = Grid(CHAIN)
        second = beating(grid)
        agent = grid["a"].add(Watcher("a.t"))
        agent.submit("L", b"1", "", KEPT, reach)
        for _ in range(4):
            second()
        before = len(grid.near_of("a.t"))
        agent.withdraw("L")
        for _ in range(2 * LIFE_S):
            second()
        versions = {version for a, b, _, version in grid.near_of("a.t")[before:]}
        assert len(versions) == said, (reach, versions)
    agent.submit("L", b"1", "", KEPT, 64)
    for _ in range(4):
        second()
    grid.lose = lambda *_: True
    agent.withdraw("L")
    for _ in range(35):
        second()
    assert holders(grid) == ""


def renewals_s(seconds, link_up=lambda node, second: None):
    """When a property that goes far is renewed; `link_up` is called each second."""
    node = Node("a", ["b"])
    node.add(Watcher("a.t")).submit("L", b"1", "", KEPT, 64)
    node.engine.react()
    p = node.space.property_of(node.space.slot_of_name("a.t"), "L")
    version, renewed_s = node.space.p_version[p], []
    for second in range(1, seconds):
        node.engine.tick()
        node.engine.react()
        link_up(node, second)
        node.space.renew_kept()
        if node.space.p_version[p] != version:
            renewed_s.append(second)
            version = node.space.p_version[p]
    return renewed_s


def test_what_goes_far_is_renewed_after_10_20_40_and_then_each_60_s():
    assert renewals_s(200) == [10, 30, 70, 130, 190]


def test_what_goes_far_is_renewed_soon_when_a_link_comes_up_however_often_that_is():
    def link_up(node, second):
        if second >= 75:
            Digest(node.space, node.wire).introduce("b")

    assert renewals_s(100, link_up) == [10, 30, 70, 85, 96]


def test_lsas_and_heartbeats_go_no_farther_than_the_horizon():
    grid = Grid(CHAIN)
    for node in grid.nodes.values():
        node.space.horizon = 2
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    assert holders(grid) == "abc"


def test_a_record_says_what_is_held():
    grid = Grid(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, to=("b", "d"))
    space = grid["a"].space
    record = export_near(space, space.property_of(agent.handle & 0xFFFF, "L"))
    assert (record.kept, record.to, record.alone, record.left_s) == (True, ("b", "d"), True, LIFE_S)
