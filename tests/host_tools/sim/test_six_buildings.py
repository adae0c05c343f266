"""A day of measured buildings with two batteries, on made-up measurements."""

import csv
from datetime import UTC, datetime, timedelta

import pytest

from host_tools.sim.job import Job
from host_tools.sim.report import summarise
from host_tools.sim.scenario import ScenarioError
from host_tools.sim.virtual import Simulation

BEGIN = datetime(2014, 6, 1, tzinfo=UTC)
START = BEGIN + timedelta(days=14)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two weeks and a morning: 8 kW are needed in the first hour of each day, 1 kW otherwise; some sun."""
    folder = tmp_path_factory.mktemp("buildings")
    for name, devices in (("one", {"load": 7000.0}), ("two", {"load": 1000.0, "pv": 1500.0})):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "device", "kind", "power_w"])
            for minute in range(0, 14 * 1440 + 180, 15):
                at = BEGIN + timedelta(minutes=minute)
                for kind, power_w in devices.items():
                    peak = kind == "pv" or name == "two" or at.hour == 1
                    for offset in range(15):
                        stamp = at + timedelta(minutes=offset)
                        writer.writerow([f"{stamp:%Y-%m-%dT%H:%MZ}", kind, kind, power_w if peak else 500.0])
    return folder


def summary(data, plan):
    values = {"plan": plan, "grid_w": 5000.0, "common_wh": 2000.0, "own_wh": 0.0}
    job = Job("six_buildings", hours=2.2, start=f"{START:%Y-%m-%dT%H:%M}", data=data, values=values)
    simulation = Simulation(job)
    try:
        return summarise(simulation.run())
    finally:
        simulation.close()


def test_it_needs_data_and_a_known_plan(tmp_path):
    with pytest.raises(ScenarioError, match="--data"):
        Job("six_buildings").plans()
    with pytest.raises(ScenarioError, match="plan"):
        summary(tmp_path, "luck")


@pytest.mark.proof
def test_a_storage_that_buys_before_the_shortage_reaches_most_of_what_is_possible(data):
    found = summary(data, "forecast")
    figures = found["figures"]
    assert figures["missing without batteries, at least"]["ours"] == pytest.approx(1500.0, rel=0.05)
    assert figures["bought for the storage"]["ours"] > 500.0
    assert figures["share of the possible gain"]["ours"] >= 80.0
    assert found["invariants_broken"] == 0
