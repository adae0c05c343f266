"""The tragedy of the commons: ten loads that may wait, and one source for three of them (thesis 7.3).

Power is cheapest in the first slot and dearer in each that follows, so that all want the first. With dynamic
prices the slot that is in demand becomes dear at once, and those who were not served move to the next one.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge.twins.deferrable import DeferrableTwin
from host_tools.microgrid.plan import BuildingPlan
from host_tools.sim.scenario import Figure, Parameter, Scenario, Setting

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.sim.outcome import Outcome

_RATES = (6, 7, 8, 9, 10)  # of the slots, the last one lasting; as in the thesis
_READY_S = (1.0, 5.0)  # after the begin of the first slot
_AT_HOUR = 12
_IDLE_S = 60  # the run of the scenario begins that long before the first slot


def build(setting: Setting) -> list[BuildingPlan]:
    """The source at the first node, the loads shared out over the others."""
    values, nodes = setting.values, setting.nodes
    plans = [BuildingPlan(node, []) for node in nodes]
    plans[0].extra.append(
        {
            "name": "sig",
            "kind": "grid",
            "capacity_w": values["source_w"],
            "prices": "; ".join(_rates(values["slot_s"])),
            "pricing": "dynamic" if values["dynamic"] else "fixed",
        }
    )
    run_s = values["slot_s"] - 2 * _READY_S[1]
    rng = random.Random(f"{setting.seed}/commons")
    for i in range(values["loads"]):
        plans[1 + i % (len(nodes) - 1) if len(nodes) > 1 else 0].extra.append(
            {
                "name": f"load_{i + 1:02}",
                "kind": "deferrable",
                "power_w": values["load_w"],
                "run_s": run_s,
                "within_s": 7200.0,
                "ready_hour": round(_AT_HOUR + rng.uniform(*_READY_S) / 3600, 6),
                "contract_s": run_s + _READY_S[1],
                "consumer_policy": "lowest_price",
            }
        )
    return plans


def _rates(slot_s: float) -> list[str]:
    """The slots begin on whole minutes; before the first the rate is that of the last."""
    begins = [int(_AT_HOUR * 60 + i * slot_s // 60) for i in range(len(_RATES))]
    entries = [f"{at // 60:02}:{at % 60:02} {rate}" for at, rate in zip(begins, _RATES, strict=True)]
    return [f"00:00 {_RATES[-1]}", *entries]


def figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """How many loads ran, and in how many slots."""
    dynamic = setting.values["dynamic"]
    twins = (twin for node in nodes for twin in node.prosumers)
    loads = [twin.daily for twin in twins if isinstance(twin, DeferrableTwin)]
    slots = [load.moves for load in loads if load.runs]
    last = max(slots, default=-1) + 1
    return [
        Figure("loads that ran in the first slot", "", slots.count(0), thesis=3),
        Figure("loads that ran at all", "", len(slots), thesis=10 if dynamic else 3),
        Figure("slots in which any ran", "", last, thesis=4 if dynamic else 1),
    ]


SCENARIO = Scenario(
    name="commons",
    title="ten loads want the cheapest slot, and there is power for three",
    hours=0.2,
    nodes="chain:2",
    parameters=(
        Parameter("dynamic", True, meaning="whether prices rise when little is left"),
        Parameter("loads", 10, 1, 30, "number of loads"),
        Parameter("load_w", 10.0, 1.0, 1e5, "power of each, W"),
        Parameter("source_w", 33.0, 1.0, 1e6, "power of the source, W"),
        Parameter("slot_s", 120.0, 60.0, 3600.0, "length of a slot, in whole minutes, s"),
        Parameter("start_hour", _AT_HOUR - _IDLE_S / 3600, 0.0, 24.0, "hour at which the run begins"),
    ),
    build=build,
    figures=figures,
)
