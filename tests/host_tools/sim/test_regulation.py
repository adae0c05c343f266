"""What regulators achieve in the simulation: thresholds and limits hold within a second."""

import pytest

from host_tools.sim.job import Job
from host_tools.sim.regulation import Excess
from host_tools.sim.report import summarise, table
from host_tools.sim.scenario import ScenarioError
from host_tools.sim.virtual import Simulation


def played(scenario, **more):
    simulation = Simulation(Job(scenario, **more))
    try:
        return summarise(simulation.run())
    finally:
        simulation.close()


def test_an_excess_is_timed_and_counted():
    excess = Excess()
    for now_s, over_w in ((0, -5), (1, 100), (1.5, 100), (2, -1), (3, 50), (5, 50), (6, 0)):
        excess.look(now_s, over_w)
    excess.close(9)
    assert excess.episodes_s == [1, 3]
    assert excess.highest_w == 50
    assert excess.energy_wh == pytest.approx((100 + 3 * 50) / 3600)


@pytest.mark.parametrize("scenario", ["overproduction", "overconsumption"])
def test_a_threshold_is_exceeded_for_less_than_a_second(scenario):
    found = played(scenario, nodes="chain:1", hours=0.05)
    regulation = found["regulation"]
    what = regulation["production" if scenario == "overproduction" else "consumption"]
    assert what["exceeded"] == regulation["stops"] == 1
    assert what["longest_s"] < 1.0
    assert what["over_after_1_s_w"] == 0.0
    assert regulation["contracts_back_s"] < 1.0
    assert found["invariants_broken"] == 0
    assert table(found).row_count > 20


def test_without_a_regulator_the_threshold_is_exceeded_for_as_long_as_the_source_gives():
    found = played("overproduction", nodes="chain:1", hours=0.05, values={"regulator": False})
    assert "regulation" not in found


def test_an_unknown_policy_is_refused():
    with pytest.raises(ScenarioError, match="largest"):
        Job("overproduction", values={"stops": "none"}).plans()


def test_a_limit_holds_for_its_whole_life_and_household_load_is_left_alone():
    values = {"at_s": 20.0, "lasts_s": 60.0}
    found = played("limit", nodes="chain:4", hours=0.04, values=values)
    regulation = found["regulation"]
    assert regulation["limit"]["exceeded"] >= 1
    assert regulation["limit"]["longest_s"] < 1.0
    assert regulation["limit"]["over_after_1_s_w"] == 0.0
    assert regulation["household_off_s"] == 0.0
    assert regulation["loads_back_s"] < 5.0
    assert found["invariants_broken"] == 0


@pytest.mark.proof
def test_a_predicted_excess_is_avoided_as_in_the_thesis():
    found = played("forecast", hours=1.15, values={"start_hour": 21.85, "days": 2})
    regulation = found["regulation"]
    assert regulation["moved_w"] == 650.0
    assert 5.0 <= regulation["moved_before_min"] <= 15.0
    assert regulation["production"]["exceeded"] == 0
    assert found["invariants_broken"] == 0
