"""Demand that grows step by step until production is exhausted (thesis 4.1: complementary contracts, merges).

Every minute each load grows by more than the 5 % margin of its contract, so it requests the difference, and
the two contracts are merged. Each load grows at its own times. Sources are constant.
"""

import random

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, Setting

_NODE_W = 2000.0  # produced by a node
_SOURCES = 2  # of a node
_STEP_S = 60.0


def build(setting: Setting) -> list[BuildingPlan]:
    """Two constant sources and the growing loads at each node."""
    return [_node(setting, node) for node in setting.nodes]


def _node(setting: Setting, node: str) -> BuildingPlan:
    values = setting.values
    rng = random.Random(f"{setting.seed}/growing/{node}")
    weights = [rng.uniform(0.5, 1.5) for _ in range(values["loads"])]
    devices = [
        DevicePlan(f"source_{n + 1}", "pv", Series([0.0], [_NODE_W / _SOURCES])) for n in range(_SOURCES)
    ]
    for n, weight in enumerate(weights):
        share_w = _NODE_W * weight / sum(weights)
        course = _growth(values["first"] * share_w, values["last"] * share_w, values["growth"], rng)
        devices.append(DevicePlan(f"load_{n + 1}", "load", course))
    return BuildingPlan(node, devices)


def _growth(first_w: float, last_w: float, growth: float, rng: random.Random) -> Series:
    times_s, powers_w = [0.0], [first_w]
    phase_s = rng.uniform(0.0, _STEP_S)
    while powers_w[-1] < last_w:
        times_s.append(phase_s + _STEP_S * len(times_s))
        powers_w.append(min(last_w, powers_w[-1] * (1 + growth / 100)))
    return Series(times_s, powers_w)


SCENARIO = Scenario(
    name="growing",
    title="loads that grow every minute until production is exhausted",
    hours=0.5,
    nodes="chain:4",
    parameters=(
        Parameter("growth", 8.0, 5.5, 100.0, "growth of each load in a minute, %"),
        Parameter("first", 0.3, 0.01, 1.0, "demand / production at the start"),
        Parameter("last", 1.2, 0.01, 3.0, "demand / production at which the growth ends"),
        Parameter("loads", 8, 1, 60, "growing loads of a node"),
    ),
    build=build,
)
