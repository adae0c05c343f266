"""The state of any past moment can be rebuilt (thesis 5.2.4, its table link_history_active_event)."""

import random

import pytest

from edge.journal import in_force
from host_tools.world import World

HOURS = 4
MOMENTS = 200


@pytest.fixture
def world():
    world = World(seed=5)
    yield world
    world.close()


def build(world):
    """Three buildings: loads that are switched, photovoltaics that swing, one connection to the grid."""
    for number, name in enumerate(names := ("n1", "n2", "n3")):
        held = {"contract_s": 1500.0, "meter_grace_s": 3600.0}
        loads = [{"name": f"load{i}", "kind": "load", "input": f"m{i}.total", **held} for i in (1, 2)]
        roof = {"name": "roof", "kind": "pv", "input": "m9.total", "price": 0.1, **held}
        grid = [{"name": "grid", "kind": "grid", "capacity_w": 3000.0, "price": 0.3}] if number == 0 else []
        world.add(name, [each for each in names if each != name], [*loads, roof, *grid])
    world.boot()
    return [world.nodes[name] for name in names]


def said(node):
    """What a node says now: its deals without their time, and the power that its twins get."""
    return [deal[:7] for deal in in_force(node.prosumers)], round(node.total().consumed_w, 3)


def rebuilt(history, at_s):
    deals = history.deals_at(at_s)
    if deals is None:
        return None
    return [deal[:7] for deal in deals], round(sum(each.power_w for each in deals if each.role < 2), 3)


def play(world, nodes, hours, moments):
    """Swing everything at random, restart nodes; returns {(node, Unix time): what it said}."""
    rng, told = random.Random(8), {}
    end_s = world.clock.now_s() + 3600 * hours
    asked_s = sorted(rng.uniform(world.clock.now_s() + 1, end_s) for _ in range(moments))
    change_s, restart_s = world.clock.now_s(), world.clock.now_s() + 3500
    while asked_s:
        next_s = min(asked_s[0], change_s, restart_s)
        world.run(next_s - world.clock.now_s())
        if next_s == asked_s[0]:
            asked_s.pop(0)
            world_node = rng.choice(nodes)
            if world_node.alive:
                told[world_node.name, world_node.clock.wall_s()] = said(world_node.node)
        elif next_s == change_s:
            world_node = rng.choice(nodes)
            meter, most_w = rng.choice([("m1", 900.0), ("m2", 400.0), ("m9", 2500.0)])
            power_w = rng.choice([0.0, rng.uniform(0, most_w)])
            world_node.meters.say(f"{meter}.total", power_w)
            change_s = next_s + rng.expovariate(1 / 20)
        else:
            world_node = rng.choice(nodes)
            if rng.random() < 0.5:
                world_node.node.history.write()  # what waits longer than that is lost with a kill
                world_node.kill()
            else:
                world_node.stop()
            told[world_node.name, world_node.clock.wall_s() + 100] = None
            world.run(200)
            world_node.boot()
            asked_s = [each for each in asked_s if each > world.clock.now_s()]
            change_s, restart_s = world.clock.now_s(), world.clock.now_s() + rng.uniform(3000, 6000)
    return told


def test_a_simulated_day_is_rebuilt_at_any_moment(world):
    nodes = build(world)
    told = play(world, nodes, HOURS, MOMENTS)
    for node in nodes:
        node.node.history.write()
    assert sum(each is not None for each in told.values()) > 0.8 * MOMENTS
    assert sum(bool(each and each[0]) for each in told.values()) > 100  # with contracts
    wrong = {}
    for (name, at_s), expected in told.items():
        found = rebuilt(world.nodes[name].node.history, at_s)
        if found != expected:
            wrong[name, at_s] = (expected, found)
    assert wrong == {}
