"""Loads that may run later, in homes with solar power: supply staggered in time (thesis 4.1, 4.4.5.1).

The machines of a home become ready between evening and morning, before there is sun again; each may start
until noon. With `flexible = false` the same machines run as soon as they are ready, so the difference between
two runs with the same seed is the value of flexibility. Powers and times are invented.
"""

import random
from typing import Any

from host_tools.microgrid.generator import sun
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series, grid_connection
from host_tools.sim.scenario import Parameter, Scenario, Setting

_DAY_S = 86_400
_STEP_S = 300  # solar power changes every five minutes
_LATEST_HOUR = 12.0  # the latest start of all machines
_BASE_W = 150.0
_MACHINES = (  # name, power in W, running time in minutes, hour at which it is ready
    ("washing_machine", 800.0, 75, 19.0),
    ("dishwasher", 1200.0, 90, 20.0),
    ("tumble_dryer", 1500.0, 60, 21.0),
    ("water_heater", 1500.0, 120, 5.0),
    ("bread_oven", 1000.0, 60, 6.0),
)


def build(setting: Setting) -> list[BuildingPlan]:
    """A home for each node; the grid connection is at the first node."""
    plans = [_home(setting, node) for node in setting.nodes]
    if setting.values["grid_w"] > 0:
        plans[0].extra.append(grid_connection(setting.values["grid_w"]))
    return plans


def _home(setting: Setting, node: str) -> BuildingPlan:
    values = setting.values
    rng = random.Random(f"{setting.seed}/shiftable/{node}")
    devices = [
        DevicePlan("pv_roof", "pv", _solar(values["pv_w"], values["start_hour"], setting.hours, rng)),
        DevicePlan("base", "load", Series([0.0], [_BASE_W * rng.uniform(0.7, 1.3)])),
    ]
    plan = BuildingPlan(node, devices)
    for name, power_w, minutes, hour in _MACHINES:
        power_w = round(power_w * rng.uniform(0.8, 1.2), 1)
        ready_hour = round((hour + rng.uniform(-0.5, 0.5)) % 24, 2)
        if values["flexible"]:
            plan.extra.append(_flexible(name, power_w, minutes, ready_hour))
        else:
            course = _at_once(power_w, 60.0 * minutes, ready_hour, values["start_hour"], setting.hours)
            plan.devices.append(DevicePlan(name, "load", course))
    return plan


def _flexible(name: str, power_w: float, minutes: int, ready_hour: float) -> dict[str, Any]:
    within_s = 3600 * ((_LATEST_HOUR - ready_hour) % 24)
    return {
        "name": name,
        "kind": "shiftable",
        "power_w": power_w,
        "run_s": 60.0 * minutes,
        "within_s": round(within_s),
        "ready_hour": ready_hour,
    }


def _at_once(power_w: float, run_s: float, ready_hour: float, start_hour: float, hours: float) -> Series:
    times_s, powers_w = [0.0], [0.0]
    ready_s = 3600 * ((ready_hour - start_hour) % 24)
    while ready_s < 3600 * hours:
        times_s += [ready_s, ready_s + run_s]
        powers_w += [power_w, 0.0]
        ready_s += _DAY_S
    return Series(times_s, powers_w)


def _solar(peak_w: float, start_hour: float, hours: float, rng: random.Random) -> Series:
    times_s = [float(_STEP_S * i) for i in range(int(3600 * hours) // _STEP_S + 1)]
    day = [(start_hour + at_s / 3600) % 24 for at_s in times_s]
    clouds = [1 - 0.3 * rng.random() for _ in day]
    height = [sun(hour) for hour in day]
    return Series(times_s, [peak_w * up * clear for up, clear in zip(height, clouds, strict=True)])


SCENARIO = Scenario(
    name="shiftable",
    title="machines that are ready at night and may wait for solar power",
    hours=24.0,
    nodes="chain:4",
    parameters=(
        Parameter(
            "flexible", True, meaning="whether machines may wait; false: they run as soon as they are ready"
        ),
        Parameter("pv_w", 3000.0, 0.0, 1e5, "peak power of each roof, W"),
        Parameter("grid_w", 2000.0, 0.0, 1e6, "capacity of the grid connection at the first node, W"),
        Parameter("start_hour", 17.0, 0.0, 24.0, "hour of the day at which the run begins"),
    ),
    build=build,
)
