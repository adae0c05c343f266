"""A battery never holds more than it can, keeps its reserve, and its books balance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.battery import Battery, BatteryLimits

POWERS_W = st.floats(0.0, 5_000.0)
SPANS_S = st.floats(0.0, 7_200.0)
STEPS = st.lists(
    st.tuples(st.sampled_from(["charge", "discharge", "critical"]), POWERS_W, SPANS_S), max_size=60
)
LIMITS = st.builds(
    lambda capacity_wh, charge_w, discharge_w, efficiency, reserve: BatteryLimits(
        capacity_wh=capacity_wh,
        charge_w=charge_w,
        discharge_w=discharge_w,
        efficiency=efficiency,
        reserve_wh=reserve * capacity_wh,
    ),
    st.floats(1.0, 20_000.0),
    st.floats(0.0, 5_000.0),
    st.floats(0.0, 5_000.0),
    st.floats(0.5, 1.0),
    st.floats(0.0, 1.0),
)


@given(LIMITS, st.floats(0.0, 1.0), STEPS)
def test_it_stays_within_its_limits_and_its_books_balance(limits, full, steps):
    battery = Battery(limits, full * limits.capacity_wh)
    first_wh = battery.level_wh
    taken_wh = given_wh = 0.0
    for action, power_w, seconds in steps:
        before_wh = battery.level_wh
        if action == "charge":
            energy_wh = battery.charge(power_w, seconds)
            taken_wh += energy_wh
            assert energy_wh <= min(power_w, limits.charge_w) * seconds / 3600 + 1e-6
        else:
            energy_wh = battery.discharge(power_w, seconds, critical=action == "critical")
            given_wh += energy_wh
            assert energy_wh <= min(power_w, limits.discharge_w) * seconds / 3600 + 1e-6
        assert 0.0 <= battery.level_wh <= limits.capacity_wh
        if action == "discharge":
            assert battery.level_wh >= min(before_wh, limits.reserve_wh) - 1e-6
    assert limits.efficiency * taken_wh == pytest.approx(given_wh + battery.level_wh - first_wh, abs=1e-5)
    assert abs(battery.imbalance_wh) < 1e-5


@given(LIMITS, st.floats(0.0, 1.0), st.floats(0.1, 3_600.0))
def test_the_power_it_says_it_can_take_or_give_is_possible(limits, full, seconds):
    battery = Battery(limits, full * limits.capacity_wh)
    out_w = battery.most_out_w(seconds)
    assert battery.discharge(out_w, seconds) == pytest.approx(out_w * seconds / 3600, abs=1e-6)
    in_w = battery.most_in_w(seconds)
    assert battery.charge(in_w, seconds) == pytest.approx(in_w * seconds / 3600, abs=1e-6)


@pytest.mark.parametrize("level_wh", [None, math.nan, math.inf, -5.0, 1_001.0])
def test_an_unknown_level_is_not_zero(level_wh):
    battery = Battery(BatteryLimits(capacity_wh=1_000.0), 400.0)
    battery.measured(level_wh)
    assert battery.level_wh is None
    assert battery.state_of_charge is None
    assert battery.charge(100.0, 3600.0) == battery.discharge(100.0, 3600.0) == 0.0
    assert battery.room_wh == battery.usable_wh() == 0.0


def test_what_a_real_battery_says_is_an_adjustment_of_the_books():
    battery = Battery(BatteryLimits(capacity_wh=1_000.0, efficiency=0.9), None)
    battery.measured(500.0)
    assert battery.adjusted_wh == 0.0
    battery.charge(100.0, 3600.0)
    battery.measured(580.0)
    assert battery.adjusted_wh == pytest.approx(-10.0)
    battery.measured(None)
    battery.measured(560.0)
    assert battery.adjusted_wh == pytest.approx(-30.0)
    assert battery.imbalance_wh == pytest.approx(0.0)


def test_only_critical_needs_may_use_the_reserve():
    battery = Battery(BatteryLimits(capacity_wh=100.0, reserve_wh=30.0), 50.0)
    assert battery.discharge(1_000.0, 3600.0) == pytest.approx(20.0)
    assert battery.usable_wh() == 0.0
    assert battery.discharge(1_000.0, 3600.0, critical=True) == pytest.approx(30.0)


@pytest.mark.parametrize(
    "wrong",
    [{"capacity_wh": 0.0}, {"efficiency": 0.0}, {"efficiency": 1.1}, {"charge_w": -1.0}, {"reserve_wh": 2e3}],
)
def test_impossible_batteries_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        BatteryLimits(**{"capacity_wh": 1_000.0, **wrong})
