"""A link is well when frames arrive in both directions; both ends say so when they do not."""

import itertools

import pytest
from fleet import Fleet

from edge.api.health import status_line
from edge.api.troubles import troubles
from host_tools.world import LinkQuality, World

PAIR = {"a": ["b"], "b": ["a"]}


@pytest.fixture
def world():
    world = World(seed=5)
    yield world
    world.close()


def two(world, *, b_lists=("a",)):
    world.add("a", ["b"], [{"name": "heater", "kind": "load", "power_w": 100.0}])
    world.add("b", list(b_lists), [{"name": "roof", "kind": "pv", "power_w": 5000.0}])
    world.boot()


def codes(world, name):
    return {(each.code, each.subject) for each in troubles(world.nodes[name].node)}


def text(world, name, code):
    return next(each.text for each in troubles(world.nodes[name].node) if each.code == code)


def test_two_neighbours_that_list_each_other_are_well(world):
    two(world)
    world.run(60)
    assert codes(world, "a") == codes(world, "b") == set()
    assert status_line(world.nodes["a"].node) == "a: 1 twins, 1 of 1 neighbours in reach"


def test_a_neighbour_that_does_not_list_this_node(world):
    two(world, b_lists=())
    world.run(30)
    assert codes(world, "a") == {("neighbour_silent", "b")}
    assert "does it list a as a neighbour" in text(world, "a", "neighbour_silent")
    assert codes(world, "b") == {("neighbour_unlisted", "a")}
    assert status_line(world.nodes["a"].node) == "a: 1 twins, 0 of 1 neighbours in reach"


def test_a_broker_that_accepts_and_drops_what_is_published(world):
    two(world)
    world.run(10)
    world.network.set_quality("a", "b", LinkQuality(loss=1.0))
    world.run(30)
    assert codes(world, "a") == {("neighbour_deaf", "b")}
    assert "access list" in text(world, "a", "neighbour_deaf")
    assert ("neighbour_silent", "a") in codes(world, "b")
    world.network.set_quality("a", "b", LinkQuality())
    world.run(30)
    assert codes(world, "a") == codes(world, "b") == set()


def test_both_directions_dropped(world):
    two(world)
    world.network.set_quality("a", "b", LinkQuality(loss=1.0))
    world.network.set_quality("b", "a", LinkQuality(loss=1.0))
    world.run(30)
    assert codes(world, "a") == {("neighbour_silent", "b")}
    assert codes(world, "b") == {("neighbour_silent", "a")}


def test_a_node_that_died_beside_a_living_broker_is_silent_at_once_by_its_last_will(world):
    two(world)
    world.run(30)
    world.nodes["b"].kill()
    world.run(1)
    assert codes(world, "a") == {("neighbour_silent", "b")}
    world.nodes["b"].boot()
    world.run(10)
    assert codes(world, "a") == set()


def test_a_silent_neighbour_is_told_so_in_frames_that_leave_anyway():
    fleet = Fleet(PAIR)
    fleet.run(20)
    fleet.cut("a>b")
    fleet.carried.clear()
    fleet.run(40)
    assert fleet["a"].gateway.stats()["deaf"] == ["b"]
    from_b = [frame for sender, _, frame in fleet.carried if sender == "b"]
    assert all(frame.pulses for frame in from_b), "none is sent for it alone"
    assert sum(bool(frame.rosters) for frame in from_b) in range(3, 9)
    fleet.cut()
    fleet.run(20)
    assert fleet["a"].gateway.stats()["deaf"] == fleet["b"].gateway.stats()["silent"] == []


def test_strangers_are_bounded():
    fleet = Fleet({"a": []})
    for i in range(100):
        fleet["a"].gateway.hearing.heard(f"x{i}")
    assert fleet["a"].gateway.stats()["strangers"] == [f"x{i}" for i in range(84, 100)]
    fleet.run(20)
    assert fleet["a"].gateway.stats()["strangers"] == []


def test_two_nodes_with_one_name_that_share_no_broker_are_found_by_their_lives(world):
    """Each believes that the other is a later life of its own, and begins a still later one."""
    two(world)
    world.run(10)
    node = world.nodes["a"].node
    for life in range(4):
        node.gateway._digest.reincarnations += 1
        world.run(20)
        assert (("identity_conflict", "a") in codes(world, "a")) == (life >= 2)
    world.run(320)
    assert codes(world, "a") == set()


def test_a_neighbour_that_hears_two_nodes_under_one_name_says_so(world):
    """The copy is heard but not reached, so it never learns of its rival."""
    two(world)
    node = world.nodes["b"].node
    copy = Fleet({"a": ["b"]})
    for _ in range(12):
        world.run(5)
        for _ in range(5):
            copy.nodes["a"].tick()
        copy.nodes["a"].react()
        while copy.on_the_way:
            _, _, frame = copy.on_the_way.popleft()
            world.nodes["b"].touch(lambda node, frame=frame: node.receive("a", frame))
    assert ("identity_conflict", "a") in codes(world, "b")
    assert node.gateway.stats()["reminders"]["a"] >= 5


def test_the_last_frames_of_a_node_do_not_hide_its_last_will():
    fleet = Fleet(PAIR)
    fleet.run(6)
    gateway = fleet["a"].gateway
    gateway.link_down("b")
    gateway.hearing.heard("b")  # its queue is emptied later than that of the news
    assert gateway.stats()["silent"] == ["b"]
    fleet.run(6)
    assert gateway.stats()["silent"] == []


def test_a_link_that_comes_and_goes_while_nothing_arrives_is_silent_all_the_same(world):
    two(world)
    world.run(10)
    world.network.set_quality("a", "b", LinkQuality(loss=1.0))
    for turn in range(12):
        world.network.cut("a", "b")
        world.run(5)
        world.network.heal("a", "b")
        world.run(5)
        assert turn < 2 or ("neighbour_silent", "a") in codes(world, "b")
    world.run(5)
    assert ("neighbour_deaf", "b") in codes(world, "a")
    world.network.set_quality("a", "b", LinkQuality())
    world.run(30)
    assert codes(world, "a") == codes(world, "b") == set()


def test_a_neighbour_that_was_silent_before_its_link_was_lost_is_told_so_soon_again(world):
    two(world)
    world.run(10)
    world.network.set_quality("a", "b", LinkQuality(loss=1.0))
    world.run(60)
    assert ("neighbour_deaf", "b") in codes(world, "a")
    world.network.cut("b", "a")
    world.run(10)
    world.network.heal("b", "a")
    world.run(15)
    assert ("neighbour_deaf", "b") in codes(world, "a")


def test_a_link_that_comes_up_after_long_is_not_told_that_it_was_silent(world):
    two(world)
    for a, b in (("a", "b"), ("b", "a")):
        world.network.cut(a, b)
    world.run(300)
    assert ("neighbour_unreachable", "b") in codes(world, "a")
    for a, b in (("a", "b"), ("b", "a")):
        world.network.heal(a, b)
    world.run(8)
    assert codes(world, "a") == codes(world, "b") == set()


def test_a_connection_on_which_nothing_passes_is_made_again(world):
    two(world)
    world.run(10)
    world.network.wire("a", "b").stale = True
    world.run(100)
    assert ("neighbour_deaf", "b") in codes(world, "a")
    world.run(90)
    assert codes(world, "a") == codes(world, "b") == set()


def test_a_broker_that_has_forgotten_its_node_is_connected_again(world):
    two(world)
    world.run(10)
    world.network.unsubscribe("b")
    world.run(100)
    assert ("neighbour_silent", "a") in codes(world, "b")
    world.run(90)
    assert codes(world, "a") == codes(world, "b") == set()


def test_a_dead_neighbour_is_tried_less_and_less_often():
    fleet = Fleet(PAIR)
    fleet.cut("b>a")
    hearing, due = fleet["a"].gateway.hearing, []
    for second in range(3600):
        fleet.run(1)
        due += [second] * len(hearing.to_renew())
    waits = [after - before for before, after in itertools.pairwise(due)]
    assert waits[:3] == [240, 480, 480]
    assert set(waits[3:]) == {480}
