"""How far it goes what suppliers and gates tell each other, where messages go no farther than they must."""

from edge.energy.rules import LEFT
from host_tools.world import World

ROOF = {"name": "roof", "kind": "pv", "power_w": 300.0}


def test_at_rest_only_the_nodes_between_a_supplier_and_its_gate_hear_what_is_left():
    world = World(seed=1)
    world.reach = {"requests": 1, "beats": 1}
    names = [f"n{i}" for i in range(8)]
    for i, name in enumerate(names):  # a ring; the gate is n0
        twins = [[{"name": "up", "kind": "holon"}], [], [], [ROOF]][i] if i < 4 else []
        world.add(name, [names[i - 1], names[(i + 1) % 8]], twins)
    world.add("q0", [], [{"name": "down", "kind": "holon"}])
    world.join([("n0.up", "q0.down")])
    world.boot()
    world.run(40.0)
    spaces = {name: world.nodes[name].node.space for name in names}
    gate = world.nodes["n0"].node.prosumer("up")
    assert gate.sources.left_w == 300.0
    for _ in range(20):
        world.run(1.0)
        for name in names:
            handle = spaces[name].find("n3.roof")
            assert bool(handle and spaces[name].read(handle, LEFT)) == (name in ("n0", "n1", "n2", "n3"))
    world.close()
