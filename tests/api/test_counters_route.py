"""The route /counters: what the member exchanged with the community and beyond it, without Home Assistant."""

import json

import orjson
import pytest
from answer_schema import faults
from asked_node import AskedNode

from edge.api.context import Context
from edge.api.counters import EnergyCounters, counters
from host_tools.world import World


def answer(node):
    return json.loads(orjson.dumps(counters(Context(AskedNode(node)))))


@pytest.fixture
def world():
    world = World(seed=1)
    world.add("home", ["sun"], [{"name": "lamp", "kind": "load", "power_w": 900.0}])
    world.add("sun", ["home"], [{"name": "roof", "kind": "pv", "power_w": 600.0}])
    world.boot()
    yield world
    world.close()


def test_import_is_from_the_community_and_residual_and_export_to_it_and_fed_in(world):
    world.run(1900)
    home, sun = (answer(world.nodes[name].node) for name in ("home", "sun"))
    assert faults(home, EnergyCounters) == faults(sun, EnergyCounters) == []
    bought, sold = home["member"], sun["member"]
    assert (
        bought["import_wh"] == bought["drawn_wh"] == bought["from_community_wh"] + bought["residual_wh"] > 0
    )
    assert sold["export_wh"] == sold["given_wh"] == sold["to_community_wh"] + sold["fed_in_wh"] > 0
    assert abs(bought["from_community_wh"] - sold["to_community_wh"]) <= 2
    assert home["twins"] == [{"twin": "home.lamp", "drawn_wh": bought["drawn_wh"], "given_wh": 0}]


def test_before_anything_is_kept_all_is_null(world):
    found = answer(world.nodes["home"].node)
    assert found == {
        "node": "home",
        "member": None,
        "twins": [{"twin": "home.lamp", "drawn_wh": None, "given_wh": None}],
    }
