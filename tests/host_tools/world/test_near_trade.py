"""Trade where messages go no farther than they must: the same contracts, also by way of strangers."""

import pytest

from edge.net.frame import decode
from host_tools.invariants import broken, disagreements
from host_tools.world import Members, World, chain

RING = {"a": ["b", "f"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "f"], "f": ["e", "a"]}
LINE = chain(["a", "b", "c", "d", "e", "f"])


def world_of(links, supplier, beats=1, keys=True, requests=1):
    world = World(3)
    world.reach = {"requests": requests, "beats": beats}
    if keys:
        world.trust = Members(world.clock).trust
    for name, neighbours in links.items():
        twins = [{"name": "c", "kind": "load", "power_w": 30.0}] if name == "a" else []
        twins += [{"name": "p", "kind": "pv", "power_w": 100.0}] if name == supplier else []
        world.add(name, neighbours, twins)
    return world.boot()


def consumer(world):
    return world.nodes["a"].node.prosumers[0].consumer


def traffic(world, seconds):
    """Frames of all links."""

    def sent():
        links = [node.node.links.stats()["neighbours"].values() for node in world.nodes.values()]
        return sum(each["sent_frames"] for of_node in links for each in of_node)

    before = sent()
    world.run(seconds)
    return sent() - before


@pytest.mark.parametrize(("supplier", "within_s"), [("a", 0.1), ("b", 0.3), ("c", 1.5), ("f", 4.8)])
def test_a_request_finds_its_supplier_the_sooner_the_nearer_it_is(supplier, within_s):
    world = world_of(LINE, supplier)
    world.run(8)
    assert consumer(world).satisfied
    assert consumer(world).response_s <= within_s
    world.run(60)
    assert consumer(world).satisfied
    assert not broken(world)
    assert not disagreements(world)
    assert not any(node.node.gateway.refused for node in world.nodes.values())
    world.close()


def test_nodes_off_the_way_hold_nothing_of_a_contract():
    world = world_of(LINE, "b")
    world.run(40)
    assert consumer(world).satisfied
    for name in "def":
        space = world.nodes[name].node.space
        assert not space.find("a.c")
        assert not space.find("b.p")
    world.close()


def test_a_contract_survives_a_break_of_its_way():
    world = world_of(RING, "d")
    world.run(20)
    number = consumer(world).main.id
    way = world.nodes["a"].node.space
    used = way.nodes.text(way.origins.way[way.nodes.find("d")])
    for peer in RING[used]:
        world.network.cut(used, peer)
        world.network.cut(peer, used)
    for _ in range(60):
        world.run(1)
        assert consumer(world).satisfied
        assert consumer(world).main.id == number
    world.close()


def test_a_relay_that_withholds_what_it_should_pass_on_ends_no_contract():
    world = world_of(RING, "d")
    world.run(20)
    number = consumer(world).main.id
    way = world.nodes["a"].node.space
    relay = way.nodes.text(way.origins.way[way.nodes.find("d")])
    carry, withheld = world.network.carry, []

    def withholding(sender, receiver, frame):
        others = [each for each in decode(frame).alone if each.name.partition(".")[0] != relay]
        if sender == relay and others:
            withheld.append(others)
            return True
        return carry(sender, receiver, frame)

    world.network.carry = withholding
    for _ in range(60):
        world.run(1)
        assert consumer(world).satisfied
        assert consumer(world).main.id == number
    assert withheld
    world.close()


def test_a_supplier_that_dies_is_missed_in_time():
    world = world_of(LINE, "f")
    world.run(20)
    assert consumer(world).satisfied
    world.nodes["f"].kill()
    world.run(15)
    assert not consumer(world).main
    world.nodes["f"].boot()
    world.run(12)
    assert consumer(world).satisfied
    world.close()


def test_a_node_that_stops_says_so():
    world = world_of(LINE, "d")
    world.run(20)
    world.nodes["d"].stop()
    world.run(1)
    assert not consumer(world).main
    world.close()


def test_an_open_request_costs_little_however_far_it_goes():
    world = world_of(LINE, "nobody", keys=False)
    world.run(30)
    rest = 60 / 3 * 2 * (len(LINE) - 1)  # heartbeats come each 3 to 5 s
    assert traffic(world, 60) <= rest + 2 * 2 * (len(LINE) - 1)
    assert all(node.node.space.find("a.c") for node in world.nodes.values())
    world.close()


def test_heartbeats_everywhere_go_with_messages_that_do_not():
    world = world_of(LINE, "d", beats=0)
    world.run(20)
    assert consumer(world).satisfied
    assert len(world.nodes["a"].node.distances()) == len(LINE)
    world.close()
