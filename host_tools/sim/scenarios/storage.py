"""A blackout: the external supplier fails while the local production sinks (thesis 7.5.4).

Three prosumers produce `base + 100 cos(2 pi k / 8)` W, each with another phase; a negative power is a need.
The base falls in steps from 150 to -75 W. The external supplier gives 1000 W and fails for the last 20 of 50
minutes. Variants: no storage; a battery for each prosumer; one battery for all; and a smaller one for all, of
which the first prosumer, of high priority, must get all it needs.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Figure, Parameter, Scenario, ScenarioError, Setting

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.sim.outcome import Outcome

VARIANTS = ("none", "private", "common", "critical")
_STEPS, _STEP_S = 50, 60.0
_PHASES = (0, 3, 6)
_FAILS, _EXTERNAL_W = 30, 1000.0  # the step from which there is no external supply
PRIVATE_WH = (10.0, 20.0, 70.0)
COMMON_WH = {"common": 200.0, "critical": 70.0}
_THESIS_MISSING_WH = {"none": 84.07, "private": 57.7}  # tables 7.26 and 7.27; in common each below 1 Wh
_THESIS_USED_WH = {"private": 57.64, "common": 126.16}


def power_w(prosumer: int, step: int) -> float:
    """What a prosumer produces in a step, in W; negative: needs."""
    base_w = 150.0 if step < 10 else 70.0 if step < 20 else -10.0 if step < _FAILS else -75.0
    return base_w + 100.0 * math.cos(2 * math.pi * ((_PHASES[prosumer] + step) % 8) / 8)


def build(setting: Setting) -> list[BuildingPlan]:
    """The prosumers spread over the nodes, the supplier at the first, the common storage at the last."""
    values, nodes = setting.values, setting.nodes
    variant = values["variant"]
    if variant not in VARIANTS:
        raise ScenarioError(f"variant = {variant!r}: must be one of {', '.join(VARIANTS)}")
    plans = [BuildingPlan(node, []) for node in nodes]
    times_s = [_STEP_S * step for step in range(_STEPS)]
    for i in range(len(_PHASES)):
        twin: dict[str, Any] = {"accepts": "partial", "connection": "own"}
        if variant == "private":
            twin |= {"battery_wh": PRIVATE_WH[i], "battery_least_wh": values["least_wh"]}
        elif variant in COMMON_WH:
            twin |= {"donates": 1.0}
        course = Series(times_s, [-power_w(i, step) for step in range(_STEPS)])
        priority = "high" if variant == "critical" and i == 0 else "low"
        device = DevicePlan(f"local_{i + 1}", "building", course, priority=priority, twin=twin)
        plans[i % len(plans)].devices.append(device)
    external = Series([0.0, _STEP_S * _FAILS], [-_EXTERNAL_W, 0.0])
    plans[0].devices.append(DevicePlan("external", "building", external, twin={"connection": "own"}))
    if variant in COMMON_WH:
        storage = {
            "name": "storage",
            "kind": "storage",
            "battery_wh": COMMON_WH[variant],
            "battery_reserve_wh": values["reserve_wh"] if variant == "critical" else 0.0,
            "storage_wait_s": values["wait_s"],
            "storage_retry_s": values["retry_s"],
        }
        plans[-1].extra.append(storage)
    return plans


def ideal(variant: str) -> tuple[list[float], float]:
    """Energy missing for each prosumer, and what batteries give during the failure, in Wh; at once and
    without loss. In the common variants the shortage of all is that of the others than the first."""
    locals_ = range(len(_PHASES))
    energy_wh = [[power_w(i, step) * _STEP_S / 3600 for i in locals_] for step in range(_STEPS)]
    if variant == "private":
        return _ideal_private(energy_wh)
    level_wh = COMMON_WH.get(variant, 0.0)  # full when the supplier fails
    needs_wh, missing_wh, given_wh = [0.0] * len(_PHASES), 0.0, 0.0
    for row in energy_wh[_FAILS:]:
        short_wh = max(0.0, -sum(row))
        gives_wh = min(short_wh, level_wh)
        level_wh, given_wh, missing_wh = (
            level_wh - gives_wh,
            given_wh + gives_wh,
            missing_wh + short_wh - gives_wh,
        )
        needs_wh = [need_wh + max(0.0, -each) for need_wh, each in zip(needs_wh, row, strict=True)]
    if variant == "critical":
        needs_wh[0] = 0.0
    return [missing_wh * need_wh / sum(needs_wh) for need_wh in needs_wh], given_wh


def _ideal_private(energy_wh: list[list[float]]) -> tuple[list[float], float]:
    missing_wh, given_wh, levels_wh = [0.0] * 3, 0.0, [0.0] * 3
    for step, row in enumerate(energy_wh):
        for i, each_wh in enumerate(row):
            levels_wh[i] = min(PRIVATE_WH[i], levels_wh[i] + max(0.0, each_wh))
            if step >= _FAILS and each_wh < 0:
                gives_wh = min(-each_wh, levels_wh[i])
                levels_wh[i] -= gives_wh
                given_wh += gives_wh
                missing_wh[i] -= each_wh + gives_wh
    return missing_wh, given_wh


def figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """Missing and used energy, beside the ideal and the thesis. Only the first total counts what is missing
    between two seconds, too."""
    variant, recorder = setting.values["variant"], outcome.recorder
    missing_wh, used_wh = ideal(variant)
    rows = {name.rpartition(".")[2]: i for i, name in enumerate(recorder.cast.names)}
    locals_ = [rows[f"local_{i + 1}"] for i in range(len(_PHASES))]
    all_wh = recorder.requested_wh - recorder.consumed_wh
    whole = len(recorder.moments_s) >= _STEPS * _STEP_S
    found = []
    for late_s, late_wh in ((0, all_wh), *recorder.late_wh.items()):
        name = f"missing, after {late_s} s" if late_s else "missing"
        exact = sum(missing_wh) if whole else None
        thesis = _THESIS_MISSING_WH.get(variant) if late_s == 5 else None
        total_wh = float(late_wh[locals_].sum()) if late_s else recorder.log.missing_wh
        found.append(Figure(name, "Wh", total_wh, exact, thesis))
        if late_s != 5:
            for i, row in enumerate(locals_):
                one = (
                    missing_wh[i]
                    if variant in ("private", "common") or (variant, i) == ("critical", 0)
                    else None
                )
                found.append(
                    Figure(f"  local-{i + 1}", "Wh", float(late_wh[row]), one if whole else None, None)
                )
    if outcome.batteries:
        given_wh = sum(each["given_wh"] for each in outcome.batteries.values())
        found.append(Figure("used from batteries", "Wh", given_wh, used_wh, _THESIS_USED_WH.get(variant)))
    return found


SCENARIO = Scenario(
    name="storage",
    title="the external supplier fails: no storage, private batteries, or a common one",
    hours=_STEPS * _STEP_S / 3600,
    nodes="chain:1",
    meter_s=1.0,
    parameters=(
        Parameter("variant", "common", meaning=f"one of {', '.join(VARIANTS)}"),
        Parameter(
            "wait_s", 0.2, 0.0, 60.0, "age of a request before the common storage answers; thesis: 5 s"
        ),
        Parameter("retry_s", 0.0, 0.0, 86_400.0, "after so long it lets others try again; thesis: never"),
        Parameter("least_wh", 0.05, 0.0, 10.0, "less in a private battery is not used; thesis: 0.5 Wh"),
        Parameter("reserve_wh", 0.1, 0.0, 70.0, "reserve of the critical variant for high priority, Wh"),
    ),
    build=build,
    figures=figures,
)
