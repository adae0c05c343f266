"""How far it goes what suppliers and gates tell each other, where messages go no farther than they must."""

from edge.energy.rules import LEFT, REQUEST, UPWARD
from host_tools.world import World

ROOF = {"name": "roof", "kind": "pv", "power_w": 300.0}


LAMP = {"name": "lamp", "kind": "load", "input": "m.total"}


def ring(*there):
    """A ring of eight, of which the first is a gate, and a parent with these twins."""
    world = World(seed=1)
    world.reach = {"requests": 1, "beats": 1}
    names = [f"n{i}" for i in range(8)]
    twins = {0: [{"name": "up", "kind": "holon"}], 3: [ROOF], 4: [LAMP]}
    for i, name in enumerate(names):
        world.add(name, [names[i - 1], names[(i + 1) % 8]], twins.get(i, []))
    world.add("q0", ["q1"], [{"name": "down", "kind": "holon"}])
    world.add("q1", ["q0"], list(there))
    world.join([("n0.up", "q0.down")])
    world.boot()
    world.run(40.0)
    return world, {name: world.nodes[name].node.space for name in names}


def shows(space, twin, label):
    handle = space.find(twin)
    return bool(handle and space.read(handle, label))


def test_a_gate_hears_of_a_request_at_once_and_members_as_it_widens():
    world, spaces = ring({"name": "grid", "kind": "grid", "capacity_w": 1000.0})
    lamp = world.nodes["n4"].node.prosumer("lamp")
    world.nodes["n4"].meters.say("m.total", 500.0)
    world.run(0.3)
    assert shows(spaces["n0"], "n4.lamp", UPWARD)
    assert not shows(spaces["n0"], "n4.lamp", REQUEST)
    world.run(0.7)
    assert lamp.consumer.satisfied
    assert lamp.consumer.response_s < 1.0
    world.run(5.0)
    assert not any(shows(space, "n4.lamp", UPWARD) for space in spaces.values())
    world.close()


def test_at_rest_only_the_nodes_between_a_supplier_and_its_gate_hear_what_is_left():
    world, spaces = ring()
    gate = world.nodes["n0"].node.prosumer("up")
    assert gate.sources.left_w == 300.0
    for _ in range(20):
        world.run(1.0)
        for name, space in spaces.items():
            assert shows(space, "n3.roof", LEFT) == (name in ("n0", "n1", "n2", "n3"))
    world.close()
