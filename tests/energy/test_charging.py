"""How much the common storage should hold, by the forecasts."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.charging import AHEAD, CAUTION, LEADS_MIN, ChargePlan, parse_forecast
from edge.learn import terms

NONE = (math.nan, math.nan)


def packed(minute, requested_w, produced_w):
    """As the learning twin publishes it: medians that are given, other quantiles far away."""
    powers = []
    for values_w in (requested_w, produced_w, *[[0.0] * len(LEADS_MIN)] * 4):
        for value_w in values_w:
            powers += [0.0, 0.0, 0.0, value_w / 1000, 60_000.0, 60_000.0, 60_000.0]
    return struct.pack(f"<q{len(powers)}e", minute, *powers)


def test_it_reads_what_the_learning_twin_publishes():
    assert terms.LEADS_MIN == LEADS_MIN
    assert terms.LEVELS[3] == 0.5
    minute, powers_w = parse_forecast(packed(29_000_000, [1000.0] * 9, [500.0] * 9))
    assert minute == 29_000_000
    assert [each for pair in powers_w for each in pair] == pytest.approx([1000.0, 500.0] * 9)


@given(st.binary(max_size=800) | st.binary(min_size=764, max_size=764))
def test_any_bytes_are_read_or_refused(data):
    try:
        _, powers_w = parse_forecast(data)
    except ValueError:
        return
    assert all(math.isnan(each) or each >= 0.0 for pair in powers_w for each in pair)


def test_the_target_is_what_will_lack_and_some_more():
    plan = ChargePlan(50_000.0)
    assert plan.target_wh(0) == 0.0
    for minute in range(0, 1440, 5):  # 2 kW will lack for an hour, eight hours from the last forecast
        lacks = [2100.0 if 1900 <= minute + lead < 1960 else 0.0 for lead in LEADS_MIN]
        plan.see(minute, [(each / 1.05, 0.0) for each in lacks])
    assert plan.target_wh(1440) == pytest.approx(CAUTION * 2000.0, rel=0.15)
    assert plan.target_wh(1960) == 0.0


def test_it_is_never_more_than_the_capacity_nor_below_zero():
    plan = ChargePlan(1_000.0)
    plan.see(0, [(9_000.0, 0.0)] * 9)
    assert plan.target_wh(0) == 1_000.0
    plan.see(5, [(0.0, 9_000.0)] * 9)
    assert plan.target_wh(1450) == 0.0


def test_unknown_powers_are_not_zero():
    plan = ChargePlan(1_000.0)
    plan.see(0, [(9_000.0, math.nan)] * 9)
    assert plan.target_wh(0) == 0.0


def test_a_corrected_date_drops_what_was_known():
    plan = ChargePlan(1_000.0)
    plan.see(10**6, [(9_000.0, 0.0)] * 9)
    plan.see(1000, [NONE] * 9)
    assert plan.target_wh(1000) == plan.target_wh(10**6) == 0.0


@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 1e5)), max_size=50))
def test_it_remembers_a_day(forecasts):
    plan = ChargePlan(1_000.0)
    for minute, power_w in forecasts:
        plan.see(minute, [(power_w, 0.0)] * 9)
        assert 0.0 <= plan.target_wh(minute) <= 1_000.0
        assert len(plan._lack_w) <= AHEAD + 2
