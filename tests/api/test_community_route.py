"""The route /community."""

import json

import orjson
from answer_schema import faults
from asked_node import AskedNode

from edge.api.community import Community, community
from edge.api.context import Context
from host_tools.world import World


def answer(node):
    return json.loads(orjson.dumps(community(Context(AskedNode(node)))))


def test_credits_prices_and_what_is_shared_are_shown_as_the_schema_says():
    world = World(seed=1)
    lamp = {"name": "lamp", "kind": "load", "power_w": 100.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 300.0, "price": 0.2}
    world.add("home", ["sun"], [lamp], community={"name": "ours", "people": 2})
    world.add("sun", ["home"], [roof], community={"name": "ours"})
    world.boot()
    world.run(70)
    home, sun = (answer(world.nodes[name].node) for name in ("home", "sun"))
    assert faults(home, Community) == faults(sun, Community) == []
    assert home["rules"]["quota_w"] == 260.0
    assert home["sharing"] == [{"member": "sun", "received_w": 100.0, "given_w": 0.0}]
    assert sun["sharing"] == [{"member": "home", "received_w": 0.0, "given_w": 100.0}]
    assert [(each["supplier"], each["capacity_w"]) for each in home["suppliers"]] == [("sun.roof", 300.0)]
    assert home["suppliers"][0]["slots"][0]["rate"] == 0.2
    (prosumer,) = home["prosumers"]
    assert prosumer["mean_price"] == 0.2
    assert sun["prosumers"][0]["credit_wh"] > 0
    assert home["experience"][0]["member"] == "sun"
    world.close()


def test_without_a_community_it_is_empty():
    world = World(seed=1)
    world.add("n1", [], [])
    world.boot()
    assert answer(world.nodes["n1"].node)["rules"] is None
    world.close()
