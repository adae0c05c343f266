"""Nodes of a virtual world follow their own clocks, with the beats of the real service."""

import pytest

from host_tools.world import LocalClock, VirtualClock, World


@pytest.fixture
def world():
    world = World(seed=1)
    yield world
    world.close()


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_a_node_ticks_each_second_of_its_own_clock(world, rate):
    node = world.add("n1", [], [])
    node.clock.run_at(rate)
    world.boot()
    world.run(100)
    assert node.node.space.tick == pytest.approx(100 * rate, abs=1)


def test_a_clock_that_drifts_on_the_way_changes_the_pace(world):
    node = world.add("n1", [], [])
    world.boot()
    world.run(10)
    node.clock.run_at(0.5)
    world.run(20)
    assert node.node.space.tick == pytest.approx(20, abs=1)


def test_a_node_that_was_killed_does_nothing_until_it_boots(world):
    node = world.add("n1", [], [])
    world.boot()
    world.run(10)
    node.kill()
    ticks = node.node.space.tick
    world.run(10)
    assert node.node.space.tick == ticks
    node.boot()
    world.run(10)
    assert node.node.space.tick == pytest.approx(10, abs=1)


def test_true_seconds_until_a_local_clock_shows_a_time():
    truth = VirtualClock()
    clock = LocalClock(truth)
    clock.run_at(2.0)
    truth.advance_to(3.0)
    assert clock.now_s() == 6.0
    assert clock.true_wait_s(10.0) == 2.0
    assert clock.true_wait_s(1.0) == 0.0
