"""Gossip between real nodes, whose beats are at different moments, over links that lose frames."""

from itertools import pairwise

import pytest

from host_tools.bench.propagation import Probe
from host_tools.world import LinkQuality, World, chain

NUMBERS = {"n1": 10.0, "n2": -4.0, "n3": 0.5, "n4": 7.0, "n5": 100.0}


@pytest.fixture
def world():
    world = World(seed=3)
    for name, neighbours in chain(list(NUMBERS)).items():
        world.add(name, neighbours, [])
    world.boot()
    world.run(15)
    yield world
    world.close()


def probes(world):
    found = {name: Probe(f"{name}.probe", "n1.probe", world) for name in NUMBERS}
    for name, probe in found.items():
        world.nodes[name].node.engine.add(probe)
    world.run(5)
    return found


def test_a_value_is_told_and_merged_later_the_farther_away(world):
    found = list(probes(world).values())
    started_s = world.clock.now_s()
    found[0].show(1.0)
    world.run(15)
    for nearer, farther in pairwise(found[1:]):
        assert started_s < nearer.told_s < farther.told_s < started_s + 1
        assert nearer.merged_s < farther.merged_s < started_s + 6


def test_nodes_agree_on_a_mean_though_a_fifth_of_the_frames_is_lost(world):
    for name, neighbours in chain(list(NUMBERS)).items():
        for other in neighbours:
            world.network.set_quality(name, other, LinkQuality(latency_s=0.02, loss=0.2))
    found = probes(world)
    for name, number in NUMBERS.items():
        found[name].show(number)
    world.run(100)
    numbers = [probe.number for probe in found.values()]
    assert max(numbers) - min(numbers) < 0.1
    assert min(NUMBERS.values()) < min(numbers)
    assert max(numbers) < max(NUMBERS.values())
    assert all(each.node.engine.faults == 0 for each in world.nodes.values())
