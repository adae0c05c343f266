"""Real processes and brokers: a chain of nodes that exchange models and predictions."""

import time
from datetime import datetime

import pytest

from host_tools.microgrid.launch import Microgrid, Pace
from host_tools.microgrid.lessons import ANY_LOAD, gossip, lessons, write_past
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, connect_chain

pytestmark = pytest.mark.system
_DAYS = 0.2
_MOST_S = 170.0  # a full minute, after the one in which the nodes start


@pytest.fixture
def buildings(tmp_path):
    plans = [
        BuildingPlan("primary", [DevicePlan("pv", "pv", lambda elapsed_s: 2_000.0)]),
        BuildingPlan("gym", [DevicePlan("heater", "load", lambda elapsed_s: 1_000.0)]),
        BuildingPlan("underground", [DevicePlan("pumps", "load", lambda elapsed_s: 500.0)]),
    ]
    connect_chain(plans)
    for number, plan in enumerate(plans):
        past = tmp_path / f"{plan.name}.csv"
        write_past(past, _DAYS, datetime.now(), 3000.0, number)
        files = {"node_history": str(past), "cluster_history": str(past)}
        plan.learning = lessons("markov", 3000.0, pause_load=ANY_LOAD, **files)
        plan.gossip = gossip(every_min=1)
    with Microgrid(plans, tmp_path / "run", Pace(power_period_s=0.5)) as microgrid:
        yield microgrid.buildings


def scopes(building):
    return building.ask("/gossip")["scopes"]


def exchanged(building, sources):
    return all(
        set(each["contributors"]) == sources
        and each["merged"] > 0
        and each["received"]["predictions"] >= len(sources)
        for each in scopes(building).values()
    )


@pytest.mark.timeout(400)
def test_models_and_predictions_cross_one_link_and_are_merged(buildings):
    primary, gym, underground = buildings
    deadline_s = time.monotonic() + _MOST_S
    wanted = ((primary, {"gym"}), (gym, {"primary", "underground"}), (underground, {"gym"}))
    while not all(exchanged(building, sources) for building, sources in wanted):
        assert time.monotonic() < deadline_s, [scopes(building) for building in buildings]
        time.sleep(0.5)
    for building in buildings:
        told = scopes(building)
        assert set(told) == {"node", "cluster"}
        for each in told.values():
            assert each["refused"] == {}
            assert each["bytes"]["sent"] > 0
            assert each["bytes"]["last_hour"] <= each["bytes"]["per_hour"]
        assert building.ask("/learning")["scopes"]["node"]["merges"] > 0
        codes = {each["code"] for each in building.ask("/health")["troubles"]}
        assert not codes & {"gossip_refused", "learning_failed", "twin_failed", "step_failed"}
