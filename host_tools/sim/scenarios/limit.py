"""The operator of the grid limits the consumption of four buildings to 4.2 kW (§ 14a EnWG).

Each building has its own grid connection with a meter, household load that changes, and one or two flexible
loads, six in all: heat pumps and boilers that a relay switches, wallboxes that can be dimmed. Powers are
invented. The order comes from the operator, to one building after another.
"""

import random
from typing import Any

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series, grid_connection
from host_tools.sim.scenario import Parameter, Scenario, Setting

_FLEXIBLE = (  # of the first building, the second and so on: name, power in W, how
    (("heat_pump", 3000.0, "switched"), ("wallbox", 3700.0, "dimmed")),
    (("boiler", 4000.0, "switched"),),
    (("heat_pump", 2500.0, "switched"), ("wallbox", 3700.0, "dimmed")),
    (("wallbox", 4200.0, "dimmed"),),
)
_HOUSEHOLD_W = (300.0, 1500.0)
_CHANGES_S = 20.0  # mean time from one household power to the next
_APART_S = 7.0
_CONNECTION_W = 15_000.0
_METER_S = 0.5


def build(setting: Setting) -> list[BuildingPlan]:
    """A building for each node."""
    values = setting.values
    order = {"direction": "consume", "power_w": values["limit_w"], "lasts_s": values["lasts_s"]}
    plans = []
    for i, node in enumerate(setting.nodes):
        devices = [DevicePlan("household", "load", _household(setting, node), priority="medium")]
        devices += [_flexible(*each) for each in _FLEXIBLE[i % len(_FLEXIBLE)]]
        regulator = {"connection_input": "connection.total", "max_consumed_w": _CONNECTION_W}
        plan = BuildingPlan(node, devices, extra=[grid_connection(_CONNECTION_W)], regulator=regulator)
        plan.orders.append((values["at_s"] + i * _APART_S, order))
        plans.append(plan)
    return plans


def _flexible(name: str, power_w: float, how: str) -> DevicePlan:
    twin: dict[str, Any] = {"flexible": how, "rated_w": power_w}
    if how == "switched":
        twin["relay"] = f"r_{name}"
    return DevicePlan(name, "load", Series([0.0], [power_w]), twin=twin)


def _household(setting: Setting, node: str) -> Series:
    rng = random.Random(f"{setting.seed}/limit/{node}")
    times_s, powers_w, at_s = [0.0], [500.0], 0.0
    while at_s < 3600 * setting.hours:
        at_s += rng.uniform(0.5, 1.5) * _CHANGES_S
        times_s.append(at_s)
        powers_w.append(round(rng.uniform(*_HOUSEHOLD_W), 1))
    return Series(times_s, powers_w)


SCENARIO = Scenario(
    name="limit",
    title="the operator of the grid limits what buildings may draw",
    hours=0.25,
    nodes="chain:4",
    parameters=(
        Parameter("limit_w", 4200.0, 0.0, 1e6, "what a building may draw, W"),
        Parameter("at_s", 120.0, 0.0, 86_400.0, "when it is ordered at the first building, s"),
        Parameter("lasts_s", 600.0, 1.0, 86_400.0, "for how long, s"),
    ),
    build=build,
    meter_s=_METER_S,
)
