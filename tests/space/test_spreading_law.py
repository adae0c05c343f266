"""Spreading: every version crosses every link at most once, in rings, chains and stars of spaces."""

from check import Grid, Node, Watcher, assert_as_new, assert_digests_right

from edge.space.exchange import absorb, export
from edge.space.lsa import HERE

CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}
RING = {"a": ["b", "e"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "a"]}
STAR = {"hub": ["a", "b", "c"], "a": ["hub"], "b": ["hub"], "c": ["hub"]}
MESH = {name: [other for other in "abcd" if other != name] for name in "abcd"}
ONE_WAY = {"a": ["b"], "b": ["c"], "c": ["a"]}
SHAPES = (CHAIN, RING, STAR, MESH, ONE_WAY)


def check_crossings(grid):
    """No version crossed a link twice, in either direction of travel."""
    assert len(grid.crossed) == len(set(grid.crossed))
    for node in grid.nodes.values():
        assert_digests_right(node.space)


def test_every_version_reaches_everybody_and_crosses_no_link_twice():
    for shape in SHAPES:
        grid = Grid(shape)
        agents = [grid[name].add(Watcher(name + ".t")) for name in shape]
        for turn in range(3):
            for agent in agents:
                agent.submit("L", b"%d" % turn)
            grid.settle()
            for node in grid.nodes.values():
                for agent in agents:
                    assert node.value(agent.name, "L") == b"%d" % turn
        check_crossings(grid)


def test_a_tree_carries_each_version_once_per_link():
    for shape in (CHAIN, STAR):
        grid = Grid(shape)
        grid["a"].add(Watcher("a.t")).submit("L", b"1")
        grid.settle()
        assert len(grid.crossed) == len(shape) - 1


def test_an_lsa_knows_its_path():
    grid = Grid(CHAIN)
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    assert grid["b"].path("a.t") == {"a"}
    assert grid["d"].path("a.t") == {"a", "b", "c"}
    origins = grid["d"].space.origins
    assert origins.hops[grid["d"].space.nodes.find("a")] == 3


def test_nothing_is_sent_back_along_the_path():
    grid = Grid(RING)
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    for source, target, _, _ in grid.crossed:
        assert target not in grid[source].path("a.t")
        assert target != "a"


def test_an_lsa_that_took_a_detour_is_not_sent_back_along_it():
    grid = Grid({"a": ["b"], "b": ["a", "c", "d"], "c": ["b", "d"], "d": ["b", "c"]})
    grid.lose = lambda source, target, lsa: (source, target) == ("b", "d")
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    assert grid["d"].path("a.t") == {"a", "b", "c"}
    assert [(source, target) for source, target, _, _ in grid.crossed] == [("a", "b"), ("b", "c"), ("c", "d")]


def test_changes_of_one_reaction_travel_together():
    node = Node("a", ["b"])
    agent = node.add(Watcher("a.t"))
    for i in range(5):
        agent.submit(f"L{i}", b"1")
    node.engine.react()
    assert len(node.wire.waiting) == 1
    assert len(node.wire.waiting[0][1].properties) == 5
    assert node.wire.handed_over == 1
    node.engine.react()
    assert len(node.wire.waiting) == 1
    assert node.wire.handed_over == 1


def test_an_agent_is_told_of_each_version_sent():
    grid = Grid(STAR)
    agent = grid["hub"].add(Watcher("hub.t"))
    agent.submit("L", b"1")
    grid.settle()
    agent.submit("L", b"2")
    grid.settle()
    assert agent.sent == sorted(set(agent.sent))
    assert len(agent.sent) == 2
    lonely = Node("x")
    agent = lonely.add(Watcher("x.t"))
    agent.submit("L", b"1")
    lonely.engine.react()
    assert agent.sent == []  # there is nobody to send to


def test_local_properties_and_results_of_aggregation_stay_on_the_node():
    grid = Grid({"a": ["b"], "b": []})
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"open")
    agent.submit("M", b"secret", "", 0, HERE)
    p = grid["a"].space.property_of(agent.handle & 0xFFFF, "L")
    grid["a"].space.set_aggregate(p, b"result", True)
    grid.settle()
    assert grid["b"].value("a.t", "L") == b"open"
    assert grid["b"].value("a.t", "M") is None
    p = grid["b"].space.property_of(grid["b"].space.slot_of_name("a.t"), "L")
    assert grid["b"].space.aggregate(p) == b""


def test_directed_neighbours():
    grid = Grid(ONE_WAY)
    watcher = grid["c"].add(Watcher("c.w", "L"))
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    assert {(source, target) for source, target, _, _ in grid.crossed} == {("a", "b"), ("b", "c")}
    assert watcher.told == [("a.t", b"1")]


def test_withdrawal_travels_like_any_change():
    grid = Grid(RING)
    watcher = grid["d"].add(Watcher("d.w", "L"))
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    agent.submit("M", b"1")
    grid.settle()
    agent.withdraw("L")
    grid.settle()
    assert watcher.told == [("a.t", b"1"), ("a.t", None)]
    for name in "bcde":
        assert grid[name].value("a.t", "L") is None
        assert grid[name].value("a.t", "M") == b"1"
    check_crossings(grid)


def test_departure_travels_to_everybody_and_leaves_nothing_behind():
    for shape in SHAPES:
        grid = Grid(shape)
        first, last = sorted(shape)[0], sorted(shape)[-1]
        watcher = grid[last].add(Watcher(last + ".w", "L"))
        agent = grid[first].add(Watcher(first + ".t"))
        agent.submit("L", b"1")
        grid.settle()
        grid[first].engine.remove(agent)
        grid.settle()
        assert watcher.departed == [first + ".t"]
        for node in grid.nodes.values():
            assert not node.space.find(first + ".t")
        check_crossings(grid)
        grid[last].engine.remove(watcher)
        for _ in range(15):
            grid.tick(silent=shape)
        for name, node in grid.nodes.items():
            assert_as_new(node.space, neighbours=len(shape[name]))


def test_an_lsa_that_showed_nothing_leaves_without_a_message():
    grid = Grid({"a": ["b"], "b": []})
    agent = grid["a"].add(Watcher("a.t", "L"))
    agent.submit("M", b"1", "", 0, HERE)
    grid.settle()
    grid["a"].engine.remove(agent)
    grid.settle()
    assert grid.crossed == []
    assert_as_new(grid["a"].space, neighbours=1)


def test_an_lsa_that_returns_before_its_departure_is_announced():
    grid = Grid(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    grid.settle()
    grid["a"].engine.remove(agent)
    grid["a"].add(agent)
    agent.submit("M", b"2")
    grid.settle()
    for name in "abcd":
        assert grid[name].value("a.t", "L") is None
        assert grid[name].value("a.t", "M") == b"2"
    check_crossings(grid)


def test_a_neighbour_that_has_a_version_already_is_not_sent_it():
    grid = Grid(MESH)
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid["a"].engine.react()
    grid.carry()
    for name in "bcd":
        space = grid[name].space
        for other in "bcd":
            if other != name:  # their frames crossed on the way: each learns that the other has it
                theirs = grid[other].space
                assert not absorb(space, export(theirs, theirs.slot_of_name("a.t")), other)
        assert space.lsa_sent[space.slot_of_name("a.t")] == space.neighbours_mask
    grid.settle()
    assert len(grid.crossed) == 3


def test_an_lsa_lost_on_one_link_arrives_over_another():
    grid = Grid(RING)
    grid.lose = lambda source, target, lsa: (source, target) == ("a", "b")
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid.settle()
    assert grid["b"].value("a.t", "L") == b"1"
    assert grid["b"].path("a.t") == {"a", "e", "d", "c"}


def test_properties_only_change_where_they_changed():
    grid = Grid({"a": ["b"], "b": []})
    watcher = grid["b"].add(Watcher("b.w", "L", "M"))
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    agent.submit("M", b"1")
    grid.settle()
    watcher.take_told()
    agent.submit("M", b"2")
    grid.settle()
    assert watcher.take_told() == [("a.t", b"2")]
