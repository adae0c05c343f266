"""Deltas: to a neighbour that holds the version before, only what changed is sent."""

from check import Grid, Node, Watcher, assert_digests_right, raises, state
from test_lsas import remote

from edge.space.errors import UnknownBase
from edge.space.exchange import absorb, complete, export, export_delta
from edge.space.lsa import EVERYWHERE, Aggregation, Delta, Property

CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}
RING = {"a": ["b", "e"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "a"]}


def town(shape):
    grid = Grid(shape)
    for node in grid.nodes.values():
        node.wire.deltas = True
    return grid


def held(node, name="a.t"):
    record = export(node.space, node.space.slot_of_name(name))
    return record.version, sorted((p.label, p.query, p.version, p.value) for p in record.properties)


def test_a_change_goes_as_a_delta_and_arrives_as_a_whole():
    for shape in (CHAIN, RING):
        grid = town(shape)
        agent = grid["a"].add(Watcher("a.t"))
        for label in ("L", "M", "N"):
            agent.submit(label, b"1")
        grid.settle()
        assert grid.deltas == 0
        agent.submit("M", b"2")
        agent.withdraw("N")
        agent.submit("O", b"3", "x.y", 50)
        grid.settle()
        assert grid.deltas >= len(shape) - 1
        assert grid.asked == 0
        for node in grid.nodes.values():
            assert held(node) == held(grid["a"])
            assert_digests_right(node.space)
        assert len(grid.crossed) == len(set(grid.crossed))


def test_a_delta_names_what_stays_and_carries_what_changed():
    node = Node("a", ["b"])
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1")
    agent.submit("M", b"2")
    node.engine.react()
    slot = agent.handle & 0xFFFF
    base = node.space.lsa_version[slot]
    stays = node.space.p_version[node.space.property_of(slot, "L")]
    agent.submit("M", b"3")
    delta = export_delta(node.space, slot, base)
    assert delta.kept == [stays]
    assert [(each.label, each.value) for each in delta.properties] == [("M", b"3")]
    assert delta.version == node.space.lsa_version[slot]
    assert export_delta(node.space, slot, 0) is None


def delta(version=6, kept=(1,), incarnation=1, name="b.t"):
    return Delta(name, b"", incarnation, version, 13, ["b"], list(kept), [Property("N", "", 6, 0, b"n")])


def holder():
    node = Node("a", ["b"])
    shown = [Property("L", "", 1, 0, b"l"), Property("M", "", 2, 0, b"m", 0)]
    absorb(node.space, remote("b.t", 5, properties=shown), "b")
    return node


def test_a_delta_is_completed_from_what_is_held():
    node = holder()
    whole = complete(node.space, delta(), "b")
    assert sorted((p.label, p.value) for p in whole.properties) == [("L", b"l"), ("N", b"n")]
    assert (whole.kind, whole.origin, whole.version, whole.path) == ("twin", "b", 6, ["b"])
    assert absorb(node.space, whole, "b")
    assert node.value("b.t", "M") is None
    assert node.value("b.t", "N") == b"n"


def test_a_delta_without_its_base_changes_nothing():
    node = holder()
    before = state(node.space)
    for wrong in (delta(name="b.u"), delta(incarnation=2), delta(kept=(1, 3))):
        raises(UnknownBase, complete, node.space, wrong, "b")
    assert state(node.space) == before


def test_a_property_that_has_expired_is_missed_only_by_a_delta_that_keeps_it():
    node = holder()
    slot = node.space.slot_of_name("b.t")
    node.space.expire(node.space.property_of(slot, "M"))
    raises(UnknownBase, complete, node.space, delta(kept=(1, 2)), "b")
    assert absorb(node.space, complete(node.space, delta(), "b"), "b")
    assert held(node, "b.t") == (6, [("L", "", 1, b"l"), ("N", "", 6, b"n")])
    assert not node.space.lsa_lapsed[slot]


def test_an_old_delta_is_no_news():
    node = holder()
    for old in (delta(5), delta(4), delta(9, incarnation=0)):
        assert complete(node.space, old, "b") is None


def test_a_newer_base_than_that_of_the_sender_serves_as_well():
    node = holder()
    shown = [Property("L", "", 1, 0, b"l"), Property("O", "", 6, 0, b"o")]
    absorb(node.space, remote("b.t", 6, properties=shown), "b")
    whole = complete(node.space, delta(7), "b")
    assert sorted(p.label for p in whole.properties) == ["L", "N"]


def test_a_lost_delta_is_repaired_by_the_whole_lsa():
    grid = town(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    agent.submit("M", b"1")
    grid.settle()
    grid.lose = lambda source, target, lsa: target == "c"
    agent.submit("L", b"2")
    grid.settle()
    grid.lose = None
    agent.submit("M", b"2")
    grid.settle()
    assert grid.asked == 1
    for node in grid.nodes.values():
        assert held(node) == held(grid["a"])


def test_a_new_type_or_aggregation_goes_as_a_whole():
    grid = town(CHAIN)
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    grid.settle()
    agent.aggregate([Aggregation("L", "sum", EVERYWHERE)])
    grid.settle()
    assert grid.deltas == 0
    for node in grid.nodes.values():
        record = export(node.space, node.space.slot_of_name("a.t"))
        assert [each.label for each in record.aggregations] == ["L"]
    agent.submit("L", b"2")
    grid.settle()
    assert grid.deltas == 3


def test_a_restart_and_a_link_that_came_up_begin_with_whole_lsas():
    grid = town({"a": ["b"], "b": ["a"]})
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1")
    grid.settle()
    grid["a"].space.forget_sent("b")
    agent.submit("L", b"2")
    grid.settle()
    grid["a"].space.reincarnate(5)
    grid.settle()
    assert grid.deltas == 0
    agent.submit("L", b"3")
    grid.settle()
    assert grid.deltas == 1
    assert held(grid["b"]) == held(grid["a"])
