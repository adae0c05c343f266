"""The households of the realistic scenario follow their statistics, with devices of the catalogue."""

from collections import defaultdict

import pytest

from host_tools.sim.scenario import Setting
from host_tools.sim.scenarios import SCENARIOS
from host_tools.sim.scenarios.appliances import categories
from host_tools.sim.scenarios.realistic import fleets

DAY_MIN = 24 * 60
HOMES = ("n1", "n2", "n3")


def households(name="realistic", hours=24.0, **values):
    values = {"start_hour": 0.0, **values}
    return SCENARIOS[name].build(Setting(HOMES, hours, 1, SCENARIOS[name].values(values)))


def means_w(plans):
    """Mean power of a household in W, by category, in a day."""
    category_of = {device.name: each for each in categories() for device in each.appliances}
    sums = defaultdict(float)
    for plan in plans:
        for device in plan.devices:
            energy_wmin = sum(device.power_w(60.0 * minute + 59.0) for minute in range(DAY_MIN))
            sums[category_of[device.name].name] += energy_wmin / DAY_MIN / len(plans)
    return sums


@pytest.mark.parametrize("devices", [22, 40, 131])
def test_each_category_draws_what_the_table_says(devices):
    measured = means_w(households(devices=devices))
    for category in categories():
        if category.name != "external":
            factor = 12.0 if category.produces else 3.0
            wanted_w = factor * sum(category.mean_w) / 24
            assert measured[category.name] == pytest.approx(wanted_w, rel=0.05), category.name


def test_each_hour_of_the_night_and_the_evening_differs_as_in_the_table():
    plans = households(devices=131)
    lights = {
        each.name for category in categories() if category.name == "lighting" for each in category.appliances
    }
    for hour, table_w in ((4, 18.0), (22, 140.0)):
        minutes = range(60 * hour, 60 * hour + 60)
        drawn_w = (
            sum(
                device.power_w(60.0 * minute + 59.0)
                for plan in plans
                for device in plan.devices
                if device.name in lights
                for minute in minutes
            )
            / 60
            / len(plans)
        )
        assert drawn_w == pytest.approx(3 * table_w, rel=0.08)


def test_a_household_has_the_devices_it_was_asked_for():
    assert sum(len(each.appliances) for each in categories() if not each.produces) == 131
    for count in (22, 40, 131):
        (home, *_) = households(devices=count, hours=0.1)
        assert sum(each.kind == "load" for each in home.devices) == count
        assert sum(each.kind == "pv" for each in home.devices) == 6
        assert len({each.name for each in home.devices}) == len(home.devices)


def test_no_device_leaves_its_range_of_power():
    ranges = {each.name: each for category in fleets(40, 1.0, 1.0) for each in category.appliances}
    for plan in households(hours=6.0):
        for device in plan.devices:
            known = ranges[device.name]
            for power_w in device.power_w.powers_w:
                assert power_w == 0.0 or known.least_w - 0.1 <= power_w <= known.most_w + 0.1, device.name


def test_homes_differ_and_change_at_moments_of_their_own():
    first, second, _ = households(hours=1.0)
    changes = [{at_s for each in home.devices for at_s in each.power_w.times_s} for home in (first, second)]
    assert changes[0] & changes[1] == {0.0}


def test_the_external_supplier_is_a_grid_connection():
    for plan in households(hours=0.1):
        assert [twin["kind"] for twin in plan.extra] == ["grid"]
        assert plan.extra[0]["capacity_w"] == pytest.approx(12 * 78, rel=0.01)


def test_the_degraded_sources_give_half_and_the_devices_ask_the_same():
    usual, degraded = households(), households("degraded")
    for name in ("solar", "wind", "hydro", "biomass"):
        assert means_w(degraded)[name] == pytest.approx(means_w(usual)[name] / 2, rel=0.03)
    assert means_w(degraded)["lighting"] == pytest.approx(means_w(usual)["lighting"])
    assert degraded[0].extra[0]["capacity_w"] == usual[0].extra[0]["capacity_w"] / 2


def test_production_is_enough_on_the_whole():
    means = means_w(households())
    producing = {each.name for each in categories() if each.produces}
    produced_w = sum(means[name] for name in producing) + 12 * 78
    consumed_w = sum(power_w for name, power_w in means.items() if name not in producing)
    assert 1.5 < produced_w / consumed_w < 1.9
