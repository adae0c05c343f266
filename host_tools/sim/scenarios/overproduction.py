"""A new source raises the production above the threshold of the regulator (thesis 4.5.2.1).

The run of the thesis: sources of 2000, 150 and 300 W serve four consumers, then one of 1000 W is added, and
the threshold of 3000 W is exceeded by 15 %. This happens at every node, one after another. The regulator of
the node stops the largest source, and the consumers turn to the others.
"""

import random
from collections.abc import Mapping
from typing import Any

from edge.energy.orders import CHOICES
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, ScenarioError, Setting

REFERENCE_W = 3000.0  # the threshold to which the powers of the thesis belong
_SOURCES_W = (2000.0, 150.0, 300.0)
_CONSUMERS_W = ((43.1, "high"), (270.7, "low"), (720.7, "low"), (100.0, "low"))
CONSUMED_W = sum(power_w for power_w, _ in _CONSUMERS_W)
_APART_S = 60.0  # mean time from one node to the next

PARAMETERS = (
    Parameter("threshold_w", REFERENCE_W, 100.0, 1e6, "threshold of a node's production, W"),
    Parameter("excess", 0.15, 0.0, 5.0, "excess as a share of the threshold"),
    Parameter("at_s", 120.0, 0.0, 86_400.0, "when it is exceeded at the first node, s"),
    Parameter("lasts_s", 300.0, 1.0, 86_400.0, "for how long, s"),
    Parameter("regulator", True, meaning="each node has a regulator"),
    Parameter("stops", "largest", meaning="whom it stops: largest, smallest_set or lowest_priority"),
)
METER_S = 0.5  # the regulator sees an excess at the next reading


def build(setting: Setting) -> list[BuildingPlan]:
    """The run of the thesis at each node."""
    values = setting.values
    scale = values["threshold_w"] / REFERENCE_W
    step_w = values["threshold_w"] * (1 + values["excess"]) - scale * sum(_SOURCES_W)
    plans = []
    for i, node in enumerate(setting.nodes):
        sources = [
            DevicePlan(f"source_{n + 1}", "pv", Series([0.0], [power_w * scale]))
            for n, power_w in enumerate(_SOURCES_W)
        ]
        sources.append(DevicePlan(f"source_{len(_SOURCES_W) + 1}", "pv", step(setting, i, step_w)))
        plans.append(
            BuildingPlan(node, sources + consumers(scale), regulator=regulator(values, values["threshold_w"]))
        )
    return plans


def regulator(values: Mapping[str, Any], produced_w: float, consumed_w: float = 1e9) -> dict[str, Any] | None:
    """The section `[regulator]` of a node. Raises ScenarioError."""
    if values["stops"] not in CHOICES:
        raise ScenarioError(f"stops = {values['stops']!r}: must be one of {', '.join(CHOICES)}")
    if not values["regulator"]:
        return None
    return {"max_produced_w": produced_w, "max_consumed_w": consumed_w, "policy": values["stops"]}


def consumers(scale: float) -> list[DevicePlan]:
    """The four consumers of the thesis, their powers multiplied."""
    return [
        DevicePlan(f"consumer_{n + 1}", "load", Series([0.0], [power_w * scale]), priority=priority)
        for n, (power_w, priority) in enumerate(_CONSUMERS_W)
    ]


def step(setting: Setting, i: int, power_w: float) -> Series:
    """No power, then `power_w` while the threshold is exceeded at the i-th node, then none again."""
    delay_s = i * _APART_S * random.Random(f"{setting.seed}/step/{i}").uniform(0.5, 1.5)
    start_s = setting.values["at_s"] + delay_s
    return Series([0.0, start_s, start_s + setting.values["lasts_s"]], [0.0, power_w, 0.0])


SCENARIO = Scenario(
    name="overproduction",
    title="a new source raises the production above the threshold",
    hours=0.25,
    nodes="chain:2",
    parameters=PARAMETERS,
    build=build,
    meter_s=METER_S,
)
