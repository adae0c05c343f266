"""Gossip: repeated aggregation with the neighbours, without rounds, on graphs that change."""

import json

from averaging import STALE_S, Averager, Averaging, chain, full, ring, spread
from check import Grid, Node, Watcher, raises, small

from edge.space.engine import Engine
from edge.space.lsa import EVERYWHERE, HERE, Aggregation
from edge.space.tuplespace import TupleSpace

NAMES = "abcde"
NUMBERS = {"a": 10.0, "b": -4.0, "c": 0.5, "d": 7.0, "e": 100.0}
IRREGULAR = {"a": ["b", "c", "d", "e"], "b": ["a", "c"], "c": ["a", "b"], "d": ["a"], "e": ["a"]}


def near(one, two):
    return abs(one - two) < 1e-6


def member(node, name, value, operator="sum", reach=HERE, **more):
    """An agent that shows a value under L and has it aggregated."""
    agent = node.add(Watcher(name))
    agent.submit("L", value)
    agent.aggregate([Aggregation("L", operator, reach, **more)])
    return agent


def result(agent):
    return agent.aggregate_of("L")


def run(node, seconds=1):
    for _ in range(seconds):
        node.engine.tick()
        node.engine.react()


# ---- the mean that is reached -------------------------------------------------------------------


def test_equal_weights_on_a_chain_reach_the_mean_weighted_by_neighbourhoods():
    grid = Averaging(chain(NAMES), NUMBERS)
    grid.run(150)
    wanted = (2 * 10 + 3 * -4 + 3 * 0.5 + 3 * 7 + 2 * 100) / 13
    for name in NAMES:
        assert near(grid.agents[name].number, wanted)
    plain = sum(NUMBERS.values()) / 5
    assert abs(wanted - plain) > 4  # which is not what they reach


def test_equal_weights_on_rings_full_and_irregular_graphs():
    for links in (ring(NAMES), full(NAMES), IRREGULAR):
        grid = Averaging(links, NUMBERS)
        wanted = grid.expected()
        grid.run(100)
        for name in NAMES:
            assert near(grid.agents[name].number, wanted)


def test_metropolis_weights_reach_the_plain_mean_on_every_graph():
    plain = sum(NUMBERS.values()) / 5
    for links in (chain(NAMES), ring(NAMES), full(NAMES), IRREGULAR):
        grid = Averaging(links, NUMBERS, "metropolis")
        grid.run(200)
        for name in NAMES:
            assert near(grid.agents[name].number, plain)


def test_a_second_of_a_full_graph_is_enough():
    grid = Averaging(full(NAMES), NUMBERS)
    grid.run(2)
    assert spread(grid.numbers()) < 1e-9


def test_a_value_that_a_merge_does_not_change_holds_up_nobody():
    grid = Averaging(chain("abc"), {"a": 0.0, "b": 1.0, "c": 2.0})  # b stays at 1 from the start
    grid.run(60)
    for name in "abc":
        assert near(grid.agents[name].number, 1.0)


def test_only_neighbours_count_and_each_once():
    grid = Averaging(chain(NAMES), NUMBERS)
    grid.run(5)
    for name, links in chain(NAMES).items():
        contributors = grid.agents[name].contributors_of("X")
        assert sorted(each.node for each in contributors) == sorted(links + [name])  # noqa: RUF005, for MicroPython
        assert near(sum([each.weight for each in contributors]), 1.0)
        for each in contributors:
            assert each.own == (each.node == name)
            assert each.hops == (0 if each.own else 1)


# ---- nodes that come, go and idle ---------------------------------------------------------------


def test_a_node_that_joins_counts_from_then_on():
    grid = Averaging(chain(NAMES), NUMBERS)
    grid.run(150)
    before = grid.agents["a"].number
    grid.nodes["f"] = Node("f", ["e"], grid["a"].space.limits)
    grid["e"].space.set_neighbours(["f"])
    grid.agents["f"] = grid["f"].add(Averager("f.t", 1000.0, "mean"))
    grid.repair()
    grid.run(3)
    wanted = grid.expected()
    assert wanted > before + 50
    grid.run(250)
    for agent in grid.agents.values():
        assert near(agent.number, wanted)


def test_a_node_that_leaves_is_noticed_and_what_it_gave_stays():
    grid = Averaging(ring(NAMES), NUMBERS)
    grid.run(60)
    before = grid.agents["a"].number
    assert before > 20  # with the 100 of e
    grid["e"].engine.remove(grid.agents.pop("e"))
    grid.settle()
    for name in "ad":
        assert grid.agents[name].lost == [("X", "e.t")]
        gone = [each.agent for each in grid.agents[name].contributors_of("X") if each.gone]
        assert gone == ["e.t"]
    assert grid.agents["b"].lost == []
    grid.run(60)
    for name in "abcd":
        assert near(grid.agents[name].number, before)


def test_a_partition_gives_two_means_and_its_end_one():
    grid = Averaging(chain(NAMES), NUMBERS)
    cut = [("b", "c"), ("c", "b")]
    grid.lose = lambda sender, to, lsa: (sender, to) in cut
    grid.run(STALE_S + 3)
    assert grid.agents["b"].lost == [("X", "c.t")]
    assert grid.agents["c"].lost == [("X", "b.t")]
    ab = (grid.agents["a"].number + grid.agents["b"].number) / 2
    cde = [grid.agents[name].number for name in "cde"]
    cde = (2 * cde[0] + 3 * cde[1] + 2 * cde[2]) / 7
    grid.run(150)
    for name in "ab":
        assert near(grid.agents[name].number, ab)
    for name in "cde":
        assert near(grid.agents[name].number, cde)
    assert abs(ab - cde) > 1
    grid.lose = None
    grid.repair()
    grid.run(3)
    wanted = grid.expected()
    grid.run(200)
    for agent in grid.agents.values():
        assert near(agent.number, wanted)
    assert len(grid.agents["b"].lost) == 1


def test_an_idle_node_stops_nobody_and_in_the_end_counts_no_longer():
    grid = Averaging(chain("abc"), {"a": 0.0, "b": 3.0, "c": 6.0})
    idle = grid["c"].engine
    idle.tick = idle.react = lambda: None
    grid.run(STALE_S + 2)
    assert grid.agents["b"].lost == [("X", "c.t")]
    wanted = (grid.agents["a"].number + grid.agents["b"].number) / 2
    assert wanted > 1.5  # what c had told still counts
    grid.run(40)
    for name in "ab":
        assert near(grid.agents[name].number, wanted)


def test_a_sum_ends_with_its_sources_a_merge_does_not():
    for keeps in (False, True):
        grid = Grid({"a": ["b"], "b": ["a"]})
        agent = member(grid["a"], "a.t", b"1", reach=EVERYWHERE, keeps=keeps)
        other = member(grid["b"], "b.t", b"5", reach=EVERYWHERE, keeps=keeps)
        grid.settle()
        grid.tick()
        assert result(agent) == b"6"
        other.withdraw("L")
        grid.settle()
        assert agent.lost == [("L", "b.t")]
        assert result(agent) == (b"6" if keeps else b"")
        assert len(agent.contributors_of("L")) == (2 if keeps else 0)


def test_who_is_back_may_be_missed_again():
    node = Node("a")
    agent, other = member(node, "a.1", b"1"), member(node, "a.2", b"2")
    member(node, "a.3", b"3")
    for count in (1, 2):
        node.engine.react()
        other.withdraw("L")
        node.engine.react()
        node.engine.react()
        assert agent.lost == [("L", "a.2")] * count
        other.submit("L", b"2")
    node.engine.react()
    assert result(agent) == b"6"


def test_a_twin_that_fails_when_it_is_told_does_no_harm():
    node = Node("a")
    agent, other = member(node, "a.1", b"1"), member(node, "a.2", b"2")
    member(node, "a.3", b"3")
    node.engine.react()

    def fail(label, source):
        raise ValueError("told")

    agent.missed = fail
    other.withdraw("L")
    node.engine.react()
    assert node.engine.faults == 1
    assert result(agent) == b"4"


# ---- how often, of whom, how old ----------------------------------------------------------------


def test_reach_decides_whose_values_count():
    grid = Grid(chain("abcd"))
    for i, name in enumerate("abcd"):
        member(grid[name], name + ".t", b"%d" % 10**i, reach=EVERYWHERE)
    agents = {reach: member(grid["b"], f"b.{reach}", b"0", reach=reach) for reach in (0, 1, 2)}
    grid.settle()
    assert result(agents[0]) == b"10"
    assert result(agents[1]) == b"111"
    assert result(agents[2]) == b"1111"
    assert [agents[reach].results[-1][1] for reach in (0, 1, 2)] == [True, True, True]


def test_several_labels_of_an_lsa_are_aggregated_each_in_its_way():
    node = Node("a")
    agents = [node.add(Watcher(f"a.{i}")) for i in range(3)]
    for i, agent in enumerate(agents):
        agent.submit("L", b"%d" % i)
        agent.submit("M", b"%d" % i)
        agent.aggregate([Aggregation("L", "sum"), Aggregation("M", "max", quorum=4)])
    node.engine.react()
    assert agents[0].aggregate_of("L") == b"3"
    assert agents[0].aggregate_of("M") == b""
    raises(ValueError, agents[0].aggregate, [Aggregation("L", "sum"), Aggregation("L", "max")])


def test_the_first_merge_waits_for_a_beat_and_the_next_for_the_delay():
    node = Node("a")
    agent = member(node, "a.1", b"1", keeps=True, min_delay_s=30)
    other = member(node, "a.2", b"2")
    node.engine.react()
    assert result(agent) == b""
    times = []
    for second in range(70):
        run(node)
        other.submit("L", b"%d" % second)
        if not times or agent.results[-1][0] != times[-1][1]:
            times.append((node.space.tick, agent.results[-1][0]))
    assert [tick - times[0][0] for tick, _ in times] == [0, 30, 60]
    assert times[0][0] == 2


def test_a_quorum_is_waited_for_and_one_is_enough_if_it_says_so():
    node = Node("a")
    one = member(node, "a.1", b"1", quorum=3)
    alone = node.add(Watcher("a.2"))
    alone.submit("M", b"7")
    alone.aggregate([Aggregation("M", "sum", quorum=1)])
    node.engine.react()
    assert (result(one), alone.aggregate_of("M")) == (b"", b"7")
    two, _ = member(node, "a.3", b"1"), member(node, "a.4", b"1")
    node.engine.react()
    assert result(one) == b"3"
    two.withdraw("L")
    node.engine.react()
    assert result(one) == b""


def test_old_values_do_not_count_and_no_change_is_needed_to_notice():
    node = Node("a")
    agent = member(node, "a.1", b"1", stale_s=5)
    other = member(node, "a.2", b"2", stale_s=5)
    run(node, 4)
    assert result(agent) == b"3"
    other.submit("L", b"4")
    run(node, 5)
    assert result(agent) == b"5"
    assert result(other) == b""  # a.1 has been silent for longer
    assert other.lost == [("L", "a.1")]
    assert agent.lost == []
    run(node, 3)
    assert agent.lost == [("L", "a.2")]
    assert result(agent) == b""


def test_a_period_aggregates_again_though_nothing_has_changed():
    node = Node("a")
    calls = []

    def operator(sources, spec):
        calls.append((node.space.tick, [source.age_s for source in sources]))
        return b"%d" % len(calls), [1.0] * len(sources)

    agent = member(node, "a.1", b"1", "counts", merge=operator, period_s=4)
    member(node, "a.2", b"1")
    node.engine.react()
    start = node.space.tick
    run(node, 13)
    assert [tick - start for tick, _ in calls] == [0, 4, 8, 12]
    assert [ages for _, ages in calls] == [[0, 0], [4, 4], [8, 8], [12, 12]]
    assert result(agent) == b"4"


def test_what_changes_too_little_is_not_sent():
    grid = Grid({"a": ["b"], "b": ["a"]})
    agent = grid["a"].add(Watcher("a.t"))
    apart = []

    def differs(sent, new):
        apart.append((sent, new))
        return abs(float(sent) - float(new)) > 1

    agent.aggregate([Aggregation("L", "mean", EVERYWHERE, differs=differs)])
    for value, shown in ((b"5", b"5"), (b"5.9", b"5"), (b"6", b"5"), (b"6.1", b"6.1"), (b"5.2", b"6.1")):
        sent = len(grid.crossed)
        changes = shown != grid["b"].value("a.t", "L")
        agent.submit("L", value)
        grid.settle()
        assert grid["b"].value("a.t", "L") == shown
        assert (len(grid.crossed) > sent) == changes
    assert apart[-1] == (b"6.1", b"5.2")  # it is compared with what was sent, so that small steps add up
    agent.submit("L", b"5.2", "b.t")  # a message to one is always sent
    grid.settle()
    assert grid["b"].value("a.t", "L", "b.t") == b"5.2"


def test_a_near_value_that_changes_too_little_is_renewed_in_time():
    grid = Grid({"a": ["b"], "b": ["a"]})
    agent = grid["a"].add(Watcher("a.t"))
    agent.aggregate([Aggregation("L", "mean", 1, differs=lambda sent, new: False)])
    agent.submit("L", b"5", life_s=20, reach=1)
    grid.settle()
    for second in range(60):
        grid.tick()
        agent.submit("L", b"%d" % second, life_s=20, reach=1)
        grid.settle()
        assert grid["b"].value("a.t", "L") == b"5"
    assert 5 <= len(grid.near) <= 7
    agent.submit("L", b"9", life_s=20, reach=2)  # another reach is another matter
    grid.settle()
    assert len(grid.near) <= 8


# ---- operators of a twin ------------------------------------------------------------------------


def test_a_twin_hands_in_an_operator_at_any_time():
    grid = Grid(chain("abc"))
    agents = [member(grid[name], name + ".t", b"5", reach=EVERYWHERE) for name in "abc"]
    grid.settle()
    seen = []

    def own_first(sources, spec):
        own = [source for source in sources if source.own]
        seen.append((spec.context, spec.label, [source.hops for source in sources], own[0].agent))
        weights = [1.0 if source.own else 0.25 for source in sources]
        return own[0].value + b"!", weights

    agents[0].aggregate([Aggregation("L", "own_first", EVERYWHERE, merge=own_first, context="node")])
    grid.settle()
    assert result(agents[0]) == b"5!"
    assert result(agents[1]) == b"15"
    assert seen[-1] == ("node", "L", [0, 1, 2], "a.t")
    assert [each.weight for each in agents[0].contributors_of("L")] == [1.0, 0.25, 0.25]


def pieces(count, value=None, seen=None):
    """An operator that takes that many pieces of work."""

    def operator(sources, spec):
        for _ in range(count):
            if seen is not None:
                seen.append([source.value for source in sources])
            yield
        total = sum([int(source.value) for source in sources])
        return b"%d" % total if value is None else value, [1.0] * len(sources)

    return operator


def test_a_long_operator_runs_as_work_in_pieces():
    node = Node("a")
    agent = member(node, "a.1", b"1", "slow", merge=pieces(3))
    other = member(node, "a.2", b"2")
    node.engine.react()
    assert other.results  # it does not wait
    done = 0
    while node.engine.has_work:
        assert result(agent) == b""
        node.engine.work()
        done += 1
    assert done == 4
    assert result(agent) == b"3"
    assert [each.agent for each in agent.contributors_of("L")] == ["a.1", "a.2"]
    acts = agent.acts
    node.engine.react()
    assert agent.acts == acts + 1


def test_what_changes_meanwhile_is_aggregated_afterwards():
    node = Node("a")
    seen = []
    agent = member(node, "a.1", b"1", "slow", merge=pieces(2, None, seen))
    other = member(node, "a.2", b"2")
    node.engine.react()
    node.engine.work()
    other.submit("L", b"5")
    node.engine.react()
    while node.engine.has_work:
        node.engine.work()
    assert result(agent) == b"3"
    for _ in range(2):
        run(node)
        while node.engine.has_work:
            node.engine.work()
    assert result(agent) == b"6"
    assert seen == [[b"1", b"2"]] * 2 + [[b"1", b"5"]] * 2


def test_two_long_operators_take_turns():
    node = Node("a")
    seen = []
    for name in ("a.1", "a.2"):
        member(node, name, name[2:].encode(), "slow", merge=pieces(2, b"", seen))
    node.engine.react()
    while node.engine.has_work:
        node.engine.work()
    assert len(seen) == 4


def test_the_work_of_a_twin_that_leaves_ends():
    for leave in (True, False):
        node = Node("a")
        agent = member(node, "a.1", b"1", "slow", merge=pieces(100))
        member(node, "a.2", b"2")
        node.engine.react()
        node.engine.work()
        if leave:
            node.engine.remove(agent)
        else:
            agent.aggregate([])
        node.engine.work()
        assert not node.engine.has_work
        run(node)
        assert list(node.engine.merged) == [(node.space.find("a.2"), "L")]


def test_a_long_operator_that_fails_does_no_harm():
    def broken(sources, spec):
        yield
        raise ValueError("broken")

    node = Node("a")
    agent = member(node, "a.1", b"1", "slow", merge=broken)
    other = member(node, "a.2", b"2")
    for operator in (broken, pieces(1, ["text"]), pieces(1, b"x" * 5000), lambda sources, spec: b"alone"):
        agent.aggregate([Aggregation("L", "slow", merge=operator)])
        faults = node.engine.faults
        node.engine.react()
        while node.engine.has_work:
            node.engine.work()
        assert node.engine.faults == faults + 1
        assert result(agent) == b""
        assert agent.contributors_of("L") == []
    assert result(other) == b"3"


def test_weights_are_for_all_sources_or_there_is_no_result():
    node = Node("a")
    agent = member(node, "a.1", b"1", "odd", merge=lambda sources, spec: (b"1", [1.0]))
    member(node, "a.2", b"2")
    node.engine.react()
    assert node.engine.faults == 1
    assert result(agent) == b""


def test_what_is_kept_is_bounded():
    space = TupleSpace("a", small(lsas=100, properties=300, names=250, heap_bytes=64 * 400))
    engine = Engine(space)
    agents = [Watcher(f"a.{i}") for i in range(90)]
    for agent in agents:
        engine.add(agent)
        agent.submit("L", b"1")
        agent.aggregate([Aggregation("L", "sum")])
    engine.react()
    assert agents[0].aggregate_of("L") == b"90"
    assert len(agents[0].contributors_of("L")) == 64
    assert engine.merged[agents[0].handle, "L"].count == 90
    for agent in agents:
        engine.remove(agent)
    engine.react()
    engine.tick()
    assert not engine.merged


def test_the_weights_of_the_standard_operators():
    for operator, wanted in (
        ("sum", [1, 1, 1]),
        ("min", [0, 1, 0]),
        ("max", [0, 0, 1]),
        ("newest", [0, 0, 1]),
        ("mean", [1 / 3] * 3),
    ):
        node = Node("a")
        agents = [member(node, f"a.{i}", value, operator) for i, value in enumerate((b"3", b"2", b"4"))]
        node.engine.react()
        assert [each.weight for each in agents[0].contributors_of("L")] == wanted, operator


def test_metropolis_refuses_what_has_another_form():
    for bad in (b"5", b"[5]", b"[5, -1]", b"[true, 1]", b'["5", 1]', b"[1e999, 1]", b"{}", b"\xff"):
        node = Node("a")
        agent = member(node, "a.1", b"[4, 1]", "metropolis")
        other = member(node, "a.2", bad, "metropolis")
        node.engine.react()
        assert node.engine.faults == 2, bad
        assert result(agent) == b""
        other.submit("L", b"[8, 1]")
        node.engine.react()
        assert json.loads(result(agent)) == [6.0, 1], bad
