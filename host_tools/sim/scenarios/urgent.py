"""An urgent request in a microgrid whose production is all promised (thesis 4.4.5.1).

Low-priority loads take whatever there is, then one of high priority appears at the last node: it can be
served only by interrupting others. The thesis' demonstration had one fifth of the production asked for.
"""

import random
from math import ceil

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, Setting

_NODE_W = 1000.0  # produced by a node in the mean
_MARGIN = 1.05  # set aside with each contract (thesis 4.1)
_COMMITTED = 0.98  # of the production, margins included: the rest is too little for anybody
_ALONE = 1.1  # a source that can serve the urgent request has that much of it
_APART = 1.5  # otherwise the request is at least so many times what any source has


def build(setting: Setting) -> list[BuildingPlan]:
    """Sources and loads spread over the nodes, and the urgent load at the last."""
    nodes, values = setting.nodes, setting.values
    rng = random.Random(f"{setting.seed}/urgent")
    total_w = _NODE_W * len(nodes)
    urgent_w = values["power"] * total_w
    sources_w = _sources_w(total_w, urgent_w, len(nodes), values["alone"])
    weights = [rng.uniform(0.5, 1.5) for _ in range(values["loads"] * len(nodes))]
    loads_w = [_COMMITTED * total_w / _MARGIN * weight / sum(weights) for weight in weights]
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
    title="a high-priority load when all production is promised to others",
    hours=0.2,
    nodes="chain:4",
    parameters=(
        Parameter("power", 0.2, 0.05, 0.9, "what the urgent load needs, as a share of the production"),
        Parameter("alone", True, meaning="whether one source could serve it alone"),
        Parameter("at_s", 180.0, 0.0, 86_400.0, "when it appears, s"),
        Parameter("lasts_s", 300.0, 1.0, 86_400.0, "for how long, s"),
        Parameter("loads", 5, 1, 50, "low-priority loads of a node"),
    ),
    build=build,
)
