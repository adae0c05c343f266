"""Two altruists and a free rider who asks for power but does not share it (thesis 7.4.3).

Each prosumer produces and needs the same, at different times: 25 + 100 cos(2 pi k / 8) W in eight steps. With
`response` the altruists exclude whoever has a negative credit, or make it pay more, or serve it last.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Figure, Parameter, Scenario, Setting

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.sim.outcome import Outcome

_STEPS = 8
_OFFSETS = {"rider": 0, "altruist1": 3, "altruist2": 6}
_THESIS_SERVED = {"exclude": {"rider": 7.4}}  # % of its need, by response
_THESIS_PRICE = {"price": {"rider": 1.68, "altruist1": 0.37, "altruist2": 0.10}}  # relative to the rate
_THESIS_RATIO = {"price": 7.1}
_BASE_W, _SWING_W = 25.0, 100.0


def build(setting: Setting) -> list[BuildingPlan]:
    """One prosumer a node; further nodes have further altruists."""
    values = setting.values
    offsets = list(_OFFSETS.values())
    plans = []
    for i, node in enumerate(setting.nodes):
        name = [*_OFFSETS][i] if i < len(_OFFSETS) else f"altruist{i}"
        power_w = _series(offsets[i % len(offsets)] + i // len(offsets), values["step_s"], setting)
        twin = {
            "giving": values["rider" if i == 0 else "others"],
            "price": 1.0,
            "contract_s": _STEPS * values["step_s"],
        }
        plan = BuildingPlan(node, [DevicePlan(name, "building", power_w, twin=twin)])
        plan.community = {
            "response": values["response"],
            "tolerance_wh": values["tolerance_wh"],
            "withheld_weight": values["withheld_weight"],
            "spread_s": max(60.0, 3 * values["step_s"]),  # a need lasts for three steps
        }
        plans.append(plan)
    return plans


def _series(offset: int, step_s: float, setting: Setting) -> Series:
    """What the meter of the prosumer shows: positive is drawn."""
    count = math.ceil(3600 * setting.hours / step_s) + 1
    angles = [2 * math.pi * ((offset + i) % _STEPS) / _STEPS for i in range(count)]
    powers = [-(_BASE_W + _SWING_W * math.cos(angle)) for angle in angles]
    return Series([i * step_s for i in range(count)], [round(each, 3) for each in powers])


def figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """What each prosumer was served of its need, and what it paid per kWh, relative to the rate."""
    response = setting.values["response"]
    served, prices = _THESIS_SERVED.get(response, {}), _THESIS_PRICE.get(response, {})
    found: list[Figure] = []
    paid: list[float | None] = []
    for node in nodes:
        for name, each in node.community.accounts.items() if node.community else ():
            short = name.partition(".")[2]
            share = 100 * each.received_wh / each.needed_wh if each.needed_wh else None
            price = 1000 * each.paid / each.received_wh if each.received_wh else None
            found.append(Figure(f"{short}: served of its need", "%", share, thesis=served.get(short)))
            found.append(Figure(f"{short}: price", "of the rate", price, thesis=prices.get(short)))
            paid.append(price)
    others = [price for price in paid[1:] if price is not None]
    if paid and paid[0] is not None and sum(others):
        ratio = paid[0] * len(others) / sum(others)
        found.append(
            Figure("price of the first to the others", "", ratio, thesis=_THESIS_RATIO.get(response))
        )
    return found


SCENARIO = Scenario(
    name="awards",
    title="two altruists and a free rider, with credits",
    hours=0.75,
    nodes="full:3",
    parameters=(
        Parameter("response", "exclude", meaning="none, exclude, price or place"),
        Parameter("rider", "free_rider", meaning="policy of the first: all, altruist, free_rider, ..."),
        Parameter("others", "all", meaning="policy of the others"),
        Parameter("step_s", 18.0, 5.0, 3600.0, "length of a step, s"),
        Parameter(
            "withheld_weight",
            3.0,
            0.0,
            100.0,
            "weight of what was withheld; 1 in the reference, where requests wait some ten times longer",
        ),
        Parameter("tolerance_wh", 0.1, 0.0, 1e6, "a credit is negative below minus so much, Wh"),
    ),
    meter_s=1.0,
    build=build,
    figures=figures,
)
