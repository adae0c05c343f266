"""The route /community."""

import json

import orjson
from answer_schema import faults
from asked_node import AskedNode

from edge.api.access import Caller
from edge.api.community import Community, community
from edge.api.context import Context
from host_tools.world import World


def answer(node):
    return json.loads(orjson.dumps(community(Context(AskedNode(node)))))


def test_credits_prices_and_what_is_shared_are_shown_as_the_schema_says():
    world = World(seed=1)
    lamp = {"name": "lamp", "kind": "load", "power_w": 100.0, "people": 2}
    roof = {"name": "roof", "kind": "pv", "power_w": 300.0, "price": 0.2}
    world.add("home", ["sun"], [lamp], community={"name": "ours"})
    world.add("sun", ["home"], [roof], community={"name": "ours"})
    world.boot()
    world.run(70)
    home, sun = (answer(world.nodes[name].node) for name in ("home", "sun"))
    assert faults(home, Community) == faults(sun, Community) == []
    assert home["sharing"] == [{"member": "sun", "received_w": 100.0, "given_w": 0.0}]
    assert sun["sharing"] == [{"member": "home", "received_w": 0.0, "given_w": 100.0}]
    assert [(each["supplier"], each["capacity_w"]) for each in home["suppliers"]] == [("sun.roof", 300.0)]
    assert home["suppliers"][0]["slots"][0]["rate"] == 0.2
    (prosumer,) = home["prosumers"]
    assert prosumer["mean_price"] == 0.2
    assert prosumer["quota_w"] == 260.0
    assert sun["prosumers"][0]["quota_w"] is None
    assert sun["prosumers"][0]["credit_wh"] > 0
    assert home["experience"][0]["member"] == "sun"
    world.close()


def test_without_a_community_it_is_empty():
    world = World(seed=1)
    world.add("n1", [], [])
    world.boot()
    assert answer(world.nodes["n1"].node)["rules"] is None
    world.close()


def test_batteries_and_donations_are_shown_also_without_a_community():
    world = World(seed=1)
    cells = {"name": "cells", "kind": "storage", "battery_wh": 500.0, "battery_reserve_wh": 20.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 900.0, "donates": 1.0}
    home = {"name": "home", "kind": "building", "power_w": -100.0, "battery_wh": 50.0}
    world.add("n1", [], [cells, roof, home])
    world.boot()
    world.run(40)
    found = answer(world.nodes["n1"].node)
    assert faults(found, Community) == []
    common, own = found["storages"]
    assert (common["twin"], common["common"], common["donors"]) == ("n1.cells", True, 1)
    assert common["level_wh"] == common["taken_wh"] > 0
    assert (own["common"], own["capacity_wh"], own["charging_w"]) == (False, 50.0, 100.0)
    assert found["donations"] == [{"twin": "n1.roof", "storage": "n1.cells", "given_wh": common["taken_wh"]}]
    world.close()


def test_a_member_of_the_node_sees_its_own_credits_and_what_is_common():
    world = World(seed=1)
    lamps = [{"name": name, "kind": "load", "power_w": 100.0} for name in ("lamp", "heater")]
    world.add("home", ["sun"], lamps, community={"name": "ours"})
    world.add("sun", ["home"], [{"name": "roof", "kind": "pv", "power_w": 300.0}], community={"name": "ours"})
    world.boot()
    world.run(70)
    caller = Caller(member="anna", twins=frozenset({"home.lamp"}))
    found = community(Context(AskedNode(world.nodes["home"].node), caller=caller))
    assert [each["twin"] for each in found["prosumers"]] == ["home.lamp"]
    assert found["experience"] == []
    assert found["sharing"][0]["received_w"] == 200.0
    assert found["suppliers"]
    world.close()
