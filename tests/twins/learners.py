"""Worlds of nodes that learn, for these tests."""

import json

import numpy as np

from edge.api.troubles import troubles
from edge.terms import VARIABLES
from host_tools.world import chain

NAMES = ["n1", "n2", "n3"]
FEW = "first_steps = 4; least_steps = 4; steps = 1; batch = 2"  # not a test of how well it learns
START_MIN = 28_332_000  # the virtual clock's midnight


def build(world, model="markov", names=NAMES, gossip=None, **learning):
    if model == "lstm":
        learning |= {"node_options": FEW, "cluster_options": FEW}
    for name, neighbours in chain(names).items():
        twins = [{"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}]
        twins += [{"name": "roof", "kind": "pv", "power_w": 900.0}] if name == "n1" else []
        world.add(
            name, neighbours, twins, {"node_model": model, "cluster_model": model, **learning}, gossip=gossip
        )
    world.boot()
    for name in names:
        draw(world, name, 100.0)
    return world


def draw(world, name, power_w):
    world.nodes[name].meters.say("m.total", power_w)


def twin(world, name="n1"):
    return world.nodes[name].node.learning


def scope(world, which, name="n1"):
    return twin(world, name).scopes[which]


def published(world, label, name="n1"):
    space = world.nodes[name].node.space
    value = space.read(space.find(f"{name}.learning"), label)
    return None if value is None else json.loads(value)


def write_past(path, first="2020-03-02T00:00", hours=72):
    lines = ["timestamp," + ",".join(f"{each}_w" for each in VARIABLES)]
    begin = np.datetime64(first)
    for minute in range(60 * hours):
        power_w = 1000.0 if minute // 60 % 2 else 100.0
        lines.append(f"{begin + np.timedelta64(minute, 'm')},{power_w},900,,{power_w},0,0")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def codes(world, name="n1"):
    return {each.code: each.text for each in troubles(world.nodes[name].node)}
