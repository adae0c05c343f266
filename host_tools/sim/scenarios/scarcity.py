"""Equal loads and a source for about half of them: who is served when power is short.

With prioritisation those who come first keep their contracts, which are renewed, and the others get nothing.
With `fair_share`, and loads that accept a part, all get the same.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Figure, Parameter, Scenario, ScenarioError, Setting

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.sim.outcome import Outcome

_ACCEPTS = ("whole", "partial")
_WITHIN_S = 60.0  # in which all loads are switched on


def build(setting: Setting) -> list[BuildingPlan]:
    """The source at the first node, the loads shared out over all."""
    values, nodes = setting.values, setting.nodes
    if values["accepts"] not in _ACCEPTS:
        raise ScenarioError(f"accepts = {values['accepts']!r}: must be one of {', '.join(_ACCEPTS)}")
    rng = random.Random(f"{setting.seed}/scarcity")
    plans = [BuildingPlan(node, []) for node in nodes]
    source = Series([0.0], [values["source_w"]])
    plans[0].devices.append(DevicePlan("sun", "pv", source))
    twin = {"accepts": values["accepts"], "contract_s": values["contract_s"]}
    for i in range(values["loads"]):
        power_w = Series([0.0, round(rng.uniform(0.0, _WITHIN_S), 1)], [0.0, values["load_w"]])
        device = DevicePlan(f"load_{i + 1:02}", "load", power_w, twin=twin)
        plans[i % len(plans)].devices.append(device)
    return plans


def figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """How unequally the loads are served; at best all get the same."""
    recorder, values = outcome.recorder, setting.values
    asking = recorder.requested_wh > 0
    shares = (recorder.consumed_wh[asking] / recorder.requested_wh[asking]).tolist()
    if not shares:
        return []
    equal = 100 * min(1.0, values["source_w"] / (values["loads"] * values["load_w"]))
    return [
        Figure("worst served load, of its need", "%", 100 * min(shares), equal),
        Figure("best served load, of its need", "%", 100 * max(shares), equal),
        Figure(
            "loads that got less than half of that", "", sum(100 * each < equal / 2 for each in shares), 0
        ),
    ]


SCENARIO = Scenario(
    name="scarcity",
    title="equal loads, and power for about half of them",
    hours=1.0,
    nodes="chain:2",
    parameters=(
        Parameter("loads", 10, 2, 100, "number of loads"),
        Parameter("load_w", 100.0, 1.0, 1e5, "power of each, W"),
        Parameter("source_w", 550.0, 1.0, 1e7, "power of the source, W"),
        Parameter("accepts", "partial", meaning="whether a load accepts a part of its need: whole, partial"),
        Parameter("contract_s", 600.0, 20.0, 86_400.0, "longest duration of a contract, s"),
    ),
    meter_s=1.0,
    build=build,
    figures=figures,
)
