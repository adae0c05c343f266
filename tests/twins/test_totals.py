"""The six variables of a node, and what is counted beside them."""

import pytest

from host_tools.world import World


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def test_power_that_is_only_offered_is_available_and_counted_apart(world):
    whole = {"kind": "load", "meter_grace_s": 3600.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 1000.0}
    world.add("n1", [], [{"name": "lamp", "power_w": 457.0, **whole}, roof])
    world.boot()
    world.run(10)
    total = world.nodes["n1"].node.total()
    assert (total.produced_w, total.consumed_w, total.offered_w) == (1000.0, 457.0, 0.0)
    assert total.available_w == pytest.approx(1000.0 - 1.05 * 457.0)
    world.add("n2", [], [{"name": "oven", "power_w": 3000.0, **whole}, roof])  # too much for its roof
    world.boot()
    world.run(10)
    total = world.nodes["n2"].node.total()
    assert total.offered_w == pytest.approx(1000.0)
    assert total.available_w == 1000.0
    assert len(total.powers_w) == 6
