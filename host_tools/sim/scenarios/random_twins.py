"""About a hundred twins per node that start and stop at random, while power is scarce (thesis 4.4.5.1).

The technical test of the thesis: four in ten twins are producers; powers and running times are half-normal.
The devices start within the first minutes, some of them in bursts of simultaneous requests. A device that
stops starts again after a pause, with another power, as the same twin.
"""

import random
from dataclasses import dataclass

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, ScenarioError, Setting

_PRODUCERS = 0.4
_MAX_POWER_W = 3000.0  # M in the thesis
_SHARE = 0.1  # mean share of one device, times |gauss|
_RUN_S = 3600.0  # times |gauss|
_PAUSE_S = 300.0  # times |gauss|


@dataclass(frozen=True)
class _Draft:
    """A device before its power is scaled."""

    name: str
    produces: bool
    times_s: list[float]
    powers_w: list[float]

    def energy_ws(self, until_s: float) -> float:
        """The energy until a time, in watt seconds."""
        ends = [*self.times_s[1:], until_s]
        spans = zip(self.times_s, ends, self.powers_w, strict=True)
        return sum(power_w * max(0.0, min(end, until_s) - start) for start, end, power_w in spans)

    def plan(self, factor: float) -> DevicePlan:
        """The plan of the device, its power multiplied by `factor`."""
        powers_w = [power_w * factor for power_w in self.powers_w]
        return DevicePlan(self.name, "pv" if self.produces else "load", Series(self.times_s, powers_w))


def build(setting: Setting) -> list[BuildingPlan]:
    """Random devices at each node; production is scaled so that the scarcity is met over the whole run.

    Raises ScenarioError if no producer or no consumer runs.
    """
    drafts = {
        node: [_draft(setting, node, i) for i in range(setting.values["twins"])] for node in setting.nodes
    }
    energy_ws = {False: 0.0, True: 0.0}  # by whether it is produced
    for draft in (draft for many in drafts.values() for draft in many):
        energy_ws[draft.produces] += draft.energy_ws(3600 * setting.hours)
    if not all(energy_ws.values()):
        everybody = [draft for many in drafts.values() for draft in many]
        raise ScenarioError(_nobody(setting, everybody, produces=not energy_ws[True]))
    scale = energy_ws[False] / energy_ws[True] / setting.values["scarcity"]
    return [
        BuildingPlan(node, [draft.plan(scale if draft.produces else 1.0) for draft in many])
        for node, many in drafts.items()
    ]


def _nobody(setting: Setting, everybody: list[_Draft], produces: bool) -> str:
    """Why none of the producers, or of the consumers, runs."""
    what, count = "producer" if produces else "consumer", len(everybody)
    if not any(draft.produces == produces for draft in everybody):
        return f"seed = {setting.seed}: no {what} among {count} twins"
    values = setting.values
    bursts = "" if produces else f"; those in bursts wait up to burst_s = {values['burst_s']:g} s more"
    return (
        f"hours = {setting.hours:.3g}: no {what} among {count} twins starts within these "
        f"{3600 * setting.hours:g} s; they start within fill_min = {values['fill_min']:g} minutes{bursts}"
    )


def _draft(setting: Setting, node: str, i: int) -> _Draft:
    rng = random.Random(f"{setting.seed}/random/{node}/{i}")
    values = setting.values
    produces = rng.random() < _PRODUCERS
    times_s, powers_w = [0.0], [0.0]
    start_s = 60 * values["fill_min"] * rng.random()
    while start_s < 3600 * setting.hours:
        if not produces and rng.random() < values["burst"]:
            start_s += -start_s % values["burst_s"]
        end_s = start_s + _RUN_S * values["duration"] * abs(rng.gauss(0.0, 1.0))
        power_w = _MAX_POWER_W * _SHARE * values["power"] * abs(rng.gauss(0.0, 1.0))
        times_s += [start_s, end_s]
        powers_w += [power_w, 0.0]
        start_s = end_s + _PAUSE_S * values["duration"] * abs(rng.gauss(0.0, 1.0))
    return _Draft(f"{'source' if produces else 'device'}_{i + 1}", produces, times_s, powers_w)


SCENARIO = Scenario(
    name="random",
    title="many twins that start and stop at random while power is scarce",
    hours=1 / 6,
    nodes="chain:4",
    meter_s=1.0,
    parameters=(
        Parameter("twins", 100, 2, 240, "twins per node"),
        Parameter("scarcity", 1.2, 0.1, 10.0, "energy requested / energy produced over the run"),
        Parameter("power", 1.0, 0.01, 10.0, "factor on the power of each device; 1: 300 W x |gauss|"),
        Parameter(
            "duration", 1.0, 0.01, 100.0, "factor on running times and pauses; 1: 60 and 5 min x |gauss|"
        ),
        Parameter("fill_min", 5.0, 0.0, 60.0, "minutes within which the devices start for the first time"),
        Parameter("burst", 0.5, 0.0, 1.0, "share of the consumers that start in bursts"),
        Parameter("burst_s", 60.0, 1.0, 3600.0, "seconds between two bursts"),
    ),
    build=build,
)
PARAMETERS = tuple(each.name for each in SCENARIO.parameters)
