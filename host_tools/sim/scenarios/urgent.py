"""An urgent request in a microgrid whose whole production is under contract (thesis 4.4.5.1).

Low-priority loads use all the production, then a high-priority load appears at the last node. It can only be
served by interrupting others. In the demonstration of the thesis it requested a fifth of the production.
"""

import random
from math import ceil

from edge.energy.rules import MARGIN
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, Setting

_NODE_W = 1000.0  # mean production of a node

_COMMITTED = 0.98  # share of the production under contract, margins included; the rest is too little to use
_ALONE = 1.1  # power of a source that can serve the urgent request alone, relative to the request
_APART = 1.5  # otherwise the request is at least this many times the power of any source


def build(setting: Setting) -> list[BuildingPlan]:
    """Sources and loads spread over the nodes, and the urgent load at the last."""
    nodes, values = setting.nodes, setting.values
    rng = random.Random(f"{setting.seed}/urgent")
    total_w = _NODE_W * len(nodes)
    urgent_w = values["power"] * total_w
    sources_w = _sources_w(total_w, urgent_w, len(nodes), values["alone"])
    weights = [rng.uniform(0.5, 1.5) for _ in range(values["loads"] * len(nodes))]
    loads_w = [_COMMITTED * total_w / (1 + MARGIN) * weight / sum(weights) for weight in weights]
    start_s = values["at_s"]
    course = Series([0.0, start_s, start_s + values["lasts_s"]], [0.0, urgent_w, 0.0])
    plans = [
        BuildingPlan(
            node,
            [_constant(f"source_{n + 1}", "pv", sources_w[n]) for n in range(i, len(sources_w), len(nodes))]
            + [_constant(f"load_{n + 1}", "load", loads_w[n]) for n in range(i, len(loads_w), len(nodes))],
        )
        for i, node in enumerate(nodes)
    ]
    plans[-1].devices.append(DevicePlan("urgent", "load", course, priority="high"))
    return plans


def _sources_w(total_w: float, urgent_w: float, nodes: int, alone: bool) -> list[float]:
    if alone:
        strong_w = _ALONE * urgent_w
        return [strong_w, *[(total_w - strong_w) / nodes] * nodes]
    count = max(nodes, ceil(_APART * total_w / urgent_w))
    return [total_w / count] * count


def _constant(name: str, kind: str, power_w: float) -> DevicePlan:
    return DevicePlan(name, kind, Series([0.0], [power_w]))


SCENARIO = Scenario(
    name="urgent",
    title="a high-priority load when all production is under contract",
    hours=0.2,
    nodes="chain:4",
    parameters=(
        Parameter("power", 0.2, 0.05, 0.9, "need of the urgent load, as a share of the production"),
        Parameter("alone", True, meaning="whether a single source can serve it alone"),
        Parameter("at_s", 180.0, 0.0, 86_400.0, "when it appears, s"),
        Parameter("lasts_s", 300.0, 1.0, 86_400.0, "how long it lasts, s"),
        Parameter("loads", 5, 1, 50, "low-priority loads per node"),
    ),
    build=build,
)
