"""Aggregation: the values of one label become one, locally or over all nodes."""

from check import Grid, Node, Watcher, small

from edge.space.courier import Courier
from edge.space.engine import Engine
from edge.space.laws import standard_laws
from edge.space.laws.aggregation import Aggregating
from edge.space.lsa import EVERYWHERE, HERE, Aggregation
from edge.space.tuplespace import TupleSpace


def member(node, name, value, operator="sum", gossip=False, min_delay_s=0):
    """An agent that shows a value under L and has it aggregated."""
    agent = node.add(Watcher(name))
    agent.submit("L", value)
    agent.aggregate([Aggregation("L", operator, EVERYWHERE if gossip else HERE, min_delay_s)])
    return agent


def result(node, name):
    p = node.space.property_of(node.space.slot_of_name(name), "L")
    return node.space.aggregate(p)


def run(node, seconds=1):
    for _ in range(seconds):
        node.engine.tick()
        node.engine.react()


def test_the_standard_operators():
    for operator, expected in (("sum", b"9.5"), ("min", b"2"), ("max", b"4.5"), ("newest", b"4.5")):
        node = Node("a")
        for i, value in enumerate((b"3", b"2", b"4.5")):
            member(node, f"a.{i}", value, operator)
        node.engine.react()
        assert result(node, "a.0") == expected, operator
    node = Node("a")
    for i, value in enumerate((b"3", b"2", b"4")):
        member(node, f"a.{i}", value, "mean")
    node.engine.react()
    assert float(result(node, "a.1")) == 3.0


def test_newest_is_what_changed_last():
    node = Node("a")
    first = member(node, "a.1", b"1", "newest")
    run(node)
    member(node, "a.2", b"2", "newest")
    run(node)
    assert result(node, "a.1") == b"2"
    first.submit("L", b"3")
    run(node)
    assert result(node, "a.1") == result(node, "a.2") == b"3"


def test_only_those_that_aggregate_the_label_count():
    node = Node("a")
    agent = member(node, "a.1", b"1")
    member(node, "a.2", b"2")
    node.add(Watcher("a.3")).submit("L", b"100")
    agent.submit("L", b"1000", "a.2")  # a message to one is nobody's value
    agent.submit("M", b"50")
    node.engine.react()
    assert result(node, "a.1") == b"3"


def test_an_aggregate_needs_two_sources():
    node = Node("a")
    agent = member(node, "a.1", b"1")
    node.engine.react()
    assert result(node, "a.1") == b""
    assert agent.results == []


def test_a_result_never_outlives_its_sources():
    node = Node("a")
    one, two = member(node, "a.1", b"1"), member(node, "a.2", b"2")
    node.engine.react()
    assert result(node, "a.1") == b"3"
    three = member(node, "a.3", b"4")
    node.engine.react()
    assert result(node, "a.1") == b"7"
    node.engine.remove(three)
    node.engine.react()
    assert result(node, "a.1") == b"3"
    two.withdraw("L")
    node.engine.react()
    assert result(node, "a.1") == b""
    assert one.results == [(b"3", True), (b"7", True), (b"3", True), (b"", False)]


def test_an_lsa_that_stops_aggregating_no_longer_counts_and_has_no_result():
    node = Node("a")
    one, two, _ = member(node, "a.1", b"1"), member(node, "a.2", b"2"), member(node, "a.3", b"4")
    node.engine.react()
    two.aggregate([])
    node.engine.react()
    assert result(node, "a.2") == b""
    assert result(node, "a.1") == b"5"
    two.aggregate([Aggregation("L", "max")])
    node.engine.react()
    assert result(node, "a.2") == b"4"
    assert result(node, "a.1") == b"7"
    assert one.results[-1] == (b"7", True)


def test_agents_are_notified_of_new_results_only():
    node = Node("a")
    one, two = member(node, "a.1", b"1"), member(node, "a.2", b"2")
    node.engine.react()
    acts = one.acts
    run(node, 3)
    assert one.results == [(b"3", True)]
    two.submit("L", b"5")
    node.engine.react()
    assert one.results == [(b"3", True), (b"6", True)]
    assert one.acts > acts
    one.submit("L", b"5")
    two.submit("L", b"1")
    node.engine.react()
    assert len(one.results) == 2  # the sum is the same


def test_results_are_never_fed_back():
    grid = Grid({"a": ["b"], "b": ["a"]})
    for name in "ab":
        member(grid[name], name + ".t", b"1", gossip=True)
    grid.settle()
    for _ in range(20):
        grid.tick()
    assert result(grid["a"], "a.t") == result(grid["b"], "b.t") == b"2"


def test_local_aggregation_sees_this_node_gossip_sees_all():
    grid = Grid({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    for i, name in enumerate("abc"):
        member(grid[name], name + ".local1", b"%d" % 10**i)
        member(grid[name], name + ".local2", b"%d" % 10**i)
    member(grid["a"], "a.gossip", b"5", gossip=True)
    grid.settle()
    assert result(grid["a"], "a.local1") == b"7"
    assert result(grid["b"], "b.local1") == b"20"
    assert result(grid["a"], "a.gossip") == b"227"


def test_all_nodes_reach_the_same_result_by_gossip():
    shape = {"a": ["b", "d"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "a"]}
    grid = Grid(shape)
    agents = {}
    for i, name in enumerate(shape):
        agents[name] = member(grid[name], name + ".t", b"%d" % (i + 1), "mean", gossip=True)
    grid.settle()
    for name in shape:
        assert result(grid[name], name + ".t") == b"2.5"
    agents["c"].submit("L", b"13")
    grid.settle()
    for name in shape:
        assert float(result(grid[name], name + ".t")) == 5.0
        assert agents[name].results[-1][1]


def test_nothing_is_counted_twice_over_any_path():
    shape = {name: [other for other in "abcd" if other != name] for name in "abcd"}
    grid = Grid(shape)
    agents = [member(grid[name], name + ".t", b"1", gossip=True) for name in shape]
    for turn in range(5):
        for agent in agents:
            agent.submit("L", b"%d" % turn)
        grid.settle()
        for name in shape:
            assert result(grid[name], name + ".t") == b"%d" % (4 * turn)


def test_a_node_that_falls_silent_no_longer_counts():
    grid = Grid({"a": ["b"], "b": ["a"]})
    agent = member(grid["a"], "a.t", b"1", gossip=True)
    member(grid["a"], "a.u", b"1", gossip=True)
    member(grid["b"], "b.t", b"5", gossip=True)
    grid.settle()
    assert result(grid["a"], "a.t") == b"7"
    grid.nodes.pop("b")
    for _ in range(15):
        grid.tick(silent=("b",))
    assert result(grid["a"], "a.t") == b"2"
    assert agent.results[-1] == (b"2", True)


def test_a_remote_agent_that_begins_to_aggregate_counts_from_then_on():
    grid = Grid({"a": ["b"], "b": ["a"]})
    member(grid["a"], "a.t", b"1", gossip=True)
    late = grid["b"].add(Watcher("b.t"))
    late.submit("L", b"5")
    grid.settle()
    assert result(grid["a"], "a.t") == b""
    late.aggregate([Aggregation("L", "sum", EVERYWHERE)])
    grid.settle()
    assert result(grid["a"], "a.t") == b"6"
    late.aggregate([])
    grid.settle()
    assert result(grid["a"], "a.t") == b""


def test_completed_when_every_known_node_has_contributed():
    grid = Grid({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    agent = member(grid["a"], "a.t", b"1", gossip=True)
    member(grid["b"], "b.t", b"2", gossip=True)
    other = grid["c"].add(Watcher("c.t"))
    other.submit("M", b"here")
    grid.settle()
    assert agent.results[-1] == (b"3", False)  # c is known and has not contributed
    other.submit("L", b"4")
    other.aggregate([Aggregation("L", "sum", EVERYWHERE)])
    grid.settle()
    assert agent.results[-1] == (b"7", True)
    grid.nodes.pop("c")
    for _ in range(15):
        grid.tick(silent=("c",))
    assert agent.results[-1] == (b"3", True)


def test_when_a_node_without_a_value_vanishes_the_aggregate_is_complete():
    grid = Grid({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    agent = member(grid["a"], "a.t", b"1", gossip=True)
    member(grid["b"], "b.t", b"2", gossip=True)
    grid["c"].add(Watcher("c.t")).submit("M", b"here")
    grid.settle()
    assert not agent.results[-1][1]
    grid.nodes.pop("c")
    for _ in range(15):
        grid.tick(silent=("c",))
    assert agent.results[-1] == (b"3", True)


def test_a_minimum_delay_postpones_but_loses_nothing():
    node = Node("a")
    slow = member(node, "a.slow", b"0", min_delay_s=5)
    fast = member(node, "a.fast", b"0")
    node.engine.react()
    assert slow.results == [(b"0", True)]
    times = []
    for second in range(12):
        fast.submit("L", b"%d" % (second + 1))
        before = len(slow.results)
        run(node)
        if len(slow.results) > before:
            times.append(node.space.tick)
    assert len(times) == 2
    assert times[1] - times[0] == 5
    assert fast.results[-1] == (b"12", True)
    run(node, 5)
    assert slow.results[-1] == (b"12", True)


def test_the_delay_of_an_lsa_that_left_is_not_inherited():
    node = Node("a", limits=small(lsas=2))
    member(node, "a.other", b"1")
    gone = member(node, "a.gone", b"1", min_delay_s=1000)
    node.engine.react()
    assert gone.results
    node.engine.remove(gone)
    node.engine.react()
    heir = member(node, "a.heir", b"1", min_delay_s=1000)  # in the same slot
    node.engine.react()
    assert heir.results == [(b"2", True)]


def test_a_custom_operator():
    seen = []

    def joined(sources, spec):
        seen.append([(source.agent, source.node) for source in sources])
        return b"+".join([source.value for source in sources]), [1.0] * len(sources)

    laws = standard_laws()
    laws[2] = Aggregating({"join": joined})
    node = Node("a")
    node.engine = Engine(node.space, Courier(), laws)
    for name in ("a.2", "a.1", "a.3"):
        member(node, name, name.encode(), "join")
    node.engine.react()
    assert result(node, "a.1") == b"a.1+a.2+a.3"  # in the order of names, so the same on every node
    assert seen[0] == [("a.1", "a"), ("a.2", "a"), ("a.3", "a")]


def test_an_operator_that_fails_does_no_harm():
    calls = []

    def broken(sources, spec):
        calls.append(len(sources))
        value = {"1": b"", "2": ["text"], "3": b"x" * 5000, "4": None}[sources[0].value.decode()]
        return value, [1.0] * len(sources)

    laws = standard_laws()
    law = Aggregating()
    law.operators["broken"] = broken
    laws[2] = law
    node = Node("a")
    node.engine = Engine(node.space, Courier(), laws)
    one, two = member(node, "a.1", b"1", "broken"), member(node, "a.2", b"7", "max")
    node.engine.react()
    assert node.engine.faults == 0
    free = node.space.heap.free
    for count, value in enumerate((b"2", b"3", b"4", b"5")):
        one.submit("L", value)
        node.engine.react()
        assert node.engine.faults == count + 1
        assert result(node, "a.1") == b""
        assert node.space.heap.free == free
    assert len(calls) == 5
    assert two.results[-1] == (b"7", True)


def test_values_that_are_not_numbers_give_no_result_and_do_no_harm():
    for bad in (b"true", b'"1"', b"[1]", b"{", b"", b"\xff", b"null", b"1e999", b"NaN", b"-Infinity"):
        node = Node("a")
        agent = member(node, "a.1", b"1")
        other = member(node, "a.2", b"2")
        node.engine.react()
        other.submit("L", bad)
        node.engine.react()
        assert node.engine.faults == 2, bad
        assert result(node, "a.1") == b"3"
        other.submit("L", b"5")
        node.engine.react()
        assert agent.results[-1] == (b"6", True)


def test_an_unknown_operator_does_nothing():
    node = Node("a")
    member(node, "a.1", b"1", "median")
    member(node, "a.2", b"2")
    node.engine.react()
    assert result(node, "a.1") == b""
    assert result(node, "a.2") == b"3"


def test_a_space_can_aggregate_labels_it_does_not_know_yet():
    engine = Engine(TupleSpace("a", small()))
    agent = Watcher("a.t")
    engine.add(agent)
    agent.aggregate([Aggregation("NOWHERE", "sum")])
    engine.react()
    assert engine.faults == 0
