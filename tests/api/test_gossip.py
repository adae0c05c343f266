"""The route /gossip."""

import json

import orjson
from answer_schema import faults
from asked_node import AskedNode

from edge.api.context import Context
from edge.api.forecasts import learning
from edge.api.gossip import Gossip, gossip
from host_tools.world import World


def answer(node):
    return json.loads(orjson.dumps(gossip(Context(AskedNode(node))), option=orjson.OPT_NON_STR_KEYS))


def test_what_is_exchanged_is_shown_as_the_schema_says():
    world = World(seed=1)
    for name, other in (("n1", "n2"), ("n2", "n1")):
        lamp = {"name": "lamp", "kind": "load", "power_w": 100.0}
        section = {"models": "on", "predictions": "on", "prediction_operator": "auto", "every_min": 1}
        world.add(name, [other], [lamp], {"node_model": "markov"}, gossip=section)
    world.boot()
    world.run(6 * 60)
    node = world.nodes["n1"].node
    told = answer(node)
    assert faults(told, Gossip) == []
    assert told["scopes"]["node"]["merged"] > 0
    assert set(told["scopes"]["node"]["contributors"]) == {"n2"}
    assert learning(Context(AskedNode(node)))["scopes"]["node"]["merges"] > 0
    world.close()


def test_without_gossip_it_is_empty():
    world = World(seed=1)
    world.add("n1", [], [], {"node_model": "persistence"})
    world.boot()
    world.run(1)
    node = world.nodes["n1"].node
    assert answer(node) == {"scopes": {}}
    assert learning(Context(AskedNode(node)))["scopes"]["node"]["merges"] is None
    world.close()
