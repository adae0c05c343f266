"""The scenarios of the simulator by name (thesis 4.4.5). A new one is a module and a line here."""

from host_tools.sim.scenario import Scenario

from . import (
    awards,
    commons,
    degraded,
    forecast,
    growing,
    holons,
    limit,
    living_lab,
    market,
    overconsumption,
    overproduction,
    profiles,
    random_twins,
    realistic,
    scarcity,
    shiftable,
    six_buildings,
    storage,
    urgent,
)

_ALL = (
    random_twins.SCENARIO,
    realistic.SCENARIO,
    degraded.SCENARIO,
    living_lab.SCENARIO,
    overproduction.SCENARIO,
    overconsumption.SCENARIO,
    urgent.SCENARIO,
    growing.SCENARIO,
    limit.SCENARIO,
    forecast.SCENARIO,
    shiftable.SCENARIO,
    storage.SCENARIO,
    six_buildings.SCENARIO,
    commons.SCENARIO,
    awards.SCENARIO,
    profiles.SCENARIO,
    scarcity.SCENARIO,
    holons.SCENARIO,
    market.SCENARIO,
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
