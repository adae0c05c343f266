"""The parts of plans: series of powers, twin tables, parameters of scenarios."""

import math

import pytest

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, ScenarioError


def test_a_series_holds_each_power_until_the_next():
    series = Series([1.0, 3.0], [10.0, 20.0])
    assert math.isnan(series(0.9))
    assert [series(at_s) for at_s in (1.0, 2.9, 3.0, 1e9)] == [10.0, 10.0, 20.0, 20.0]


def test_twin_tables_carry_the_further_keys_of_a_device():
    heater = DevicePlan("heater", "load", Series([0.0], [1.0]), priority="high", twin={"accepts": "partial"})
    plan = BuildingPlan("a", [heater], extra=[{"name": "grid", "kind": "grid"}])
    assert plan.twins(10.0) == [
        {
            "name": "heater",
            "kind": "load",
            "input": "m1.total",
            "priority": "high",
            "meter_grace_s": 30.0,
            "accepts": "partial",
        },
        {"name": "grid", "kind": "grid"},
    ]


PARAMETERS = (Parameter("many", 3, 1, 9), Parameter("on", False), Parameter("share", 0.5, 0.0, 1.0))
SCENARIO = Scenario("s", "", lambda setting: [], parameters=PARAMETERS)


def test_parameters_are_read_as_the_type_of_their_default():
    assert SCENARIO.values({}) == {"many": 3, "on": False, "share": 0.5}
    assert SCENARIO.values({"many": "4", "on": "true", "share": 1.0}) == {"many": 4, "on": True, "share": 1.0}


@pytest.mark.parametrize(
    ("name", "value"), [("many", "0"), ("many", "2.5"), ("on", "perhaps"), ("share", "nan"), ("few", "1")]
)
def test_values_that_do_not_fit_are_refused_by_name(name, value):
    with pytest.raises(ScenarioError, match=f"{name} = "):
        SCENARIO.values({name: value})
