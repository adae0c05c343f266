"""Limits in storms: devices obey their relays and what is left to them, and the judge looks at what flows."""

from dataclasses import replace

import pytest

from edge.twins.limiter import Limiter
from host_tools.storm.draw import draw
from host_tools.storm.plan import LIMIT, Fault, Storm, StormBuilding
from host_tools.storm.play import play
from host_tools.storm.premises import CONNECTION
from host_tools.storm.stage import Stage

HEATER = {"name": "heater", "kind": "load", "input": "m0.total", "flexible": "switched", "relay": "r_heater"}
CAR = {"name": "car", "kind": "load", "input": "m1.total", "flexible": "dimmed"}
ROOF = {"name": "roof", "kind": "pv", "input": "m2.total", "relay": "r_roof"}
GRID = {"name": "grid", "kind": "grid", "capacity_w": 1000.0}


def limited(direction, power_w, **regulator):
    powers_w = {"m0.total": 100.0, "m1.total": 80.0, "m2.total": 40.0}
    settings = {"guaranteed_w": 0.0, "max_consumed_w": 1e6, "max_produced_w": 1e6} | regulator
    house = StormBuilding("n1", (), (HEATER, CAR, ROOF, GRID), powers_w, {"regulator": settings})
    order = Fault(0, 10.0, LIMIT, ("n1", direction, power_w, 20.0))
    return Storm(7, (house,), (order,), 40.0)


@pytest.mark.parametrize("regulator", [{}, {"connection_input": CONNECTION}], ids=["twins", "connection"])
@pytest.mark.parametrize(("direction", "power_w"), [("consume", 60.0), ("consume", 0.0), ("feed_in", 0.0)])
def test_a_limit_is_obeyed(direction, power_w, regulator):
    assert play(limited(direction, power_w, **regulator)).violations == ()


def test_devices_obey_and_meters_show_it():
    storm = limited("consume", 60.0, connection_input=CONNECTION)
    stage = Stage(storm)
    stage.world.run(10.0)
    node, premises = stage.world.nodes["n1"].node, stage.premises["n1"]
    assert premises.imported_w() == premises.shown_w == 140.0
    stage.strike(storm.faults[0])
    stage.world.run(1.0)
    assert premises.imported_w() <= 60.0
    stage.world.run(2.0)
    assert premises.shown_w == premises.imported_w()
    assert node.prosumer("car").measured_w[0] < 80.0
    stage.world.close()


@pytest.mark.parametrize(
    ("direction", "power_w"), [("consume", 60.0), ("feed_in", 0.0)], ids=["consume", "feed_in"]
)
def test_a_regulator_that_obeys_no_limit_is_found_within_a_second(monkeypatch, direction, power_w):
    monkeypatch.setattr(Limiter, "_leave", lambda *given: None)
    storm = limited(direction, power_w)
    if direction == "feed_in":
        house = replace(storm.buildings[0], powers_w={"m0.total": 0.0, "m1.total": 0.0, "m2.total": 40.0})
        storm = replace(storm, buildings=(house,))
    outcome = play(storm)
    assert outcome.violations
    assert outcome.violations[0].startswith(f"limit n1 exceeds {direction}")
    assert 11.0 < outcome.at_s < 13.0


def test_a_meter_that_fails_excuses_its_node(monkeypatch):
    monkeypatch.setattr(Limiter, "_leave", lambda *given: None)
    storm = limited("consume", 60.0)
    silent = Fault(1, 9.9, "meter", ("n1", "m0.total", "silent", 29.0))
    assert play(replace(storm, faults=(silent, *storm.faults))).violations == ()


def test_regulated_storms_have_devices_of_all_kinds():
    storms = [draw(seed) for seed in range(60)]
    limited = [
        each for each in storms if not each.gates and any(fault.kind == LIMIT for fault in each.faults)
    ]
    twins = [twin for each in limited for house in each.buildings for twin in house.twins]
    assert {twin["flexible"] for twin in twins} == {"no", "switched", "dimmed"}
    assert all(twin.get("relay") for twin in twins if twin["flexible"] == "switched")
    houses = [house.sections["regulator"] for each in limited for house in each.buildings]
    assert {bool(house.get("connection_input")) for house in houses} == {True, False}
