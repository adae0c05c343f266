"""Households that follow hourly statistics, one for each node, with a twin for each device (thesis 4.4.5.2).

Coefficients as in the simulator of the thesis: devices have a quarter of the power and three times the use,
sources twice the power and twelve times the use. Its recorded run began at 17:00, and so does this one. The
external supplier is the grid connection of each household.
"""

import random

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, grid_connection
from host_tools.sim.scenario import Parameter, Scenario, Setting

from .appliances import Category, categories, external_w, representative
from .fleet import Fleet

_CONSUMPTION, _DEVICE_POWER = 3.0, 0.25
_PRODUCTION, _SOURCE_POWER = 12.0, 2.0

PARAMETERS = (
    Parameter("devices", 40, 22, 131, "consuming devices of a household, of the 131 in the catalogue"),
    Parameter("production", 1.0, 0.0, 10.0, "factor on the production of the sources"),
    Parameter("consumption", 1.0, 0.1, 10.0, "factor on the consumption of the devices"),
    Parameter("start_hour", 17.0, 0.0, 24.0, "hour of the day at which the run begins"),
)


def build(setting: Setting) -> list[BuildingPlan]:
    """A household for each node."""
    return [_household(setting, node) for node in setting.nodes]


def _household(setting: Setting, node: str) -> BuildingPlan:
    values = setting.values
    rng = random.Random(f"{setting.seed}/household/{node}")
    phase_s = rng.uniform(0.0, 60.0)
    devices = []
    for category in fleets(values["devices"], values["consumption"], values["production"]):
        fleet = Fleet(category, random.Random(f"{setting.seed}/household/{node}/{category.name}"))
        courses = fleet.follow(60 * values["start_hour"], int(60 * setting.hours), phase_s)
        kind = "pv" if category.produces else "load"
        devices += [DevicePlan(device.name, kind, course) for device, course in courses.items()]
    grid_w = external_w() * _PRODUCTION * values["production"]
    return BuildingPlan(node, devices, extra=[grid_connection(grid_w)] if grid_w > 0 else [])


def fleets(devices: int, consumption: float, production: float) -> list[Category]:
    """The scaled categories of one household, without the external supplier."""
    consuming = [
        each.scaled(_CONSUMPTION * consumption, _DEVICE_POWER * consumption)
        for each in categories()
        if not each.produces
    ]
    producing = [
        each.scaled(_PRODUCTION * production, _SOURCE_POWER)
        for each in categories()
        if each.produces and each.name != "external"
    ]
    return representative(consuming, devices) + producing


SCENARIO = Scenario(
    name="realistic",
    title="households whose devices follow hourly statistics",
    hours=1.0,
    nodes="chain:4",
    parameters=PARAMETERS,
    build=build,
)
