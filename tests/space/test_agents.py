"""The agent base: its waiting queue, and how it enters and leaves."""

from check import Node, Watcher, assert_as_new, raises, small

from edge.space.agent import Agent
from edge.space.errors import UnknownLsa, ValueTooLarge
from edge.space.lsa import HERE


class Tail(Agent):
    """Has a short waiting queue."""

    waiting_max = 3


def full(agent_class=Watcher):
    """A node and an agent whose LSA has no room for an eleventh property."""
    node = Node("a")
    agent = node.add(agent_class("a.t"))
    for i in range(10):
        assert agent.submit("L", b"%d" % i, f"q{i}")
    return node, agent


def test_the_eleventh_property_waits_first_in_first_out():
    node, agent = full()
    for i in range(10, 13):
        assert agent.submit("L", b"%d" % i, f"q{i}")
    assert [held[1] for held in agent.waiting] == ["q10", "q11", "q12"]
    agent.withdraw("L", "q4")
    assert node.value("a.t", "L", "q10") == b"10"
    assert node.value("a.t", "L", "q11") is None
    node.space.withdraw(agent.handle, "L", "q5")
    node.space.withdraw(agent.handle, "L", "q6")
    node.engine.tick()
    assert node.value("a.t", "L", "q11") == b"11"
    assert node.value("a.t", "L", "q12") == b"12"
    assert agent.waiting == []


def test_no_property_overtakes_the_queue():
    node, agent = full()
    agent.submit("L", b"10", "q10")
    node.space.withdraw(agent.handle, "L", "q4")
    agent.submit("L", b"11", "q11")  # there is room, but q10 was first
    assert [held[1] for held in agent.waiting] == ["q10", "q11"]
    node.engine.tick()
    assert node.value("a.t", "L", "q10") == b"10"
    assert node.value("a.t", "L", "q11") is None


def test_a_newer_value_replaces_the_waiting_one():
    node, agent = full()
    agent.submit("L", b"old", "q10")
    agent.submit("L", b"other", "q11")
    agent.submit("L", b"new", "q10")
    assert [held[2] for held in agent.waiting] == [b"new", b"other"]
    agent.withdraw("L", "q0")
    assert node.value("a.t", "L", "q10") == b"new"


def test_a_published_property_is_updated_while_others_wait():
    node, agent = full()
    agent.submit("L", b"x", "q10")
    agent.submit("L", b"new", "q3")
    assert node.value("a.t", "L", "q3") == b"new"
    assert len(agent.waiting) == 1


def test_a_withdrawn_property_no_longer_waits():
    _, agent = full()
    agent.submit("L", b"x", "q10")
    agent.withdraw("L", "q10")
    assert agent.waiting == []
    agent.withdraw("L", "never there")


def test_a_full_queue_drops_and_counts():
    _, agent = full(Tail)
    for i in range(10, 13):
        assert agent.submit("L", b"x", f"q{i}")
    assert not agent.submit("L", b"x", "q13")
    assert not agent.submit("L", b"x", "q14")
    assert agent.waiting_dropped == 2
    assert len(agent.waiting) == 3
    assert agent.submit("L", b"y", "q12")  # which is no newcomer


def test_an_update_that_waits_for_heap_is_not_overtaken_by_an_older_one():
    node = Node("a", limits=small(heap_bytes=64 * 4))
    agent = node.add(Watcher("a.t"))
    other = node.space.inject("a.u")
    node.space.put(other, "M", "", b"m" * 192)
    agent.submit("L", b"small")
    assert agent.submit("L", b"n" * 100)  # no room to grow: waits, while the old value is still shown
    assert node.value("a.t", "L") == b"small"
    agent.submit("L", b"newest")
    assert agent.waiting[0][2] == b"newest"
    node.space.withdraw(other, "M")
    node.engine.tick()
    assert node.value("a.t", "L") == b"newest"
    node.engine.tick()
    assert node.value("a.t", "L") == b"newest"
    assert agent.waiting == []


def test_withdrawing_removes_the_published_and_the_waiting_value():
    node = Node("a", limits=small(heap_bytes=64 * 4))
    agent = node.add(Watcher("a.t"))
    node.space.put(node.space.inject("a.u"), "M", "", b"m" * 192)
    agent.submit("L", b"small")
    agent.submit("L", b"n" * 100)
    agent.withdraw("L")
    assert agent.waiting == []
    assert node.value("a.t", "L") is None


def test_a_waiting_value_never_blocks_because_it_is_too_large():
    node, agent = full()
    agent.submit("L", b"x", "q10")
    raises(ValueTooLarge, agent.submit, "L", b"x" * 513, "q11")
    raises(ValueTooLarge, agent.submit, "L", b"x" * 513, "q0")
    assert len(agent.waiting) == 1
    node.engine.tick()
    assert node.engine.faults == 0


def test_life_and_locality_are_kept_while_waiting():
    node, agent = full()
    agent.submit("L", b"x", "q10", 2, HERE)
    agent.withdraw("L", "q0")
    p = node.space.property_of(agent.handle & 0xFFFF, "L", "q10")
    assert node.space.p_reach[p] == HERE
    assert node.space.p_wheel.due(p) == node.space.tick + 2


def test_an_agent_that_leaves_leaves_nothing_behind():
    node, agent = full()
    for i in range(10, 20):
        agent.submit("L", b"x", f"q{i}")
    handle = agent.handle
    node.engine.remove(agent)
    assert agent.waiting == []
    raises(UnknownLsa, node.space.slot, handle)
    raises(RuntimeError, agent.submit, "L", b"x")
    node.engine.react()
    assert_as_new(node.space)


def test_leaving_twice_does_no_harm():
    node = Node("a")
    first, second = node.add(Watcher("a.first")), node.add(Watcher("a.second"))
    node.engine.remove(second)
    node.engine.remove(second)
    node.engine.stir(second)
    node.engine.remove(Watcher("a.never"))
    assert node.engine.agents() == [first]
    node.engine.react()
    assert first.acts == 0
    node.engine.tick()
    node.engine.react()
    assert first.acts == 1


def test_an_agent_returns_under_its_name():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1")
    node.engine.remove(agent)
    node.add(agent)
    agent.submit("L", b"2")
    node.engine.react()
    assert node.value("a.t", "L") == b"2"
    assert node.engine.agents() == [agent]
