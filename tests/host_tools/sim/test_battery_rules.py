"""Rules for a common battery that know nothing of the future, beside perfect foresight."""

import numpy as np
import pytest

from edge.energy.battery import BatteryLimits
from host_tools.sim.battery_rules import day_of, play
from host_tools.sim.ceiling import Site


def site(others_w, own_w=None, own_wh=0.0):
    """A grid of 1 kW; each power holds an hour."""
    limits = [
        BatteryLimits(capacity_wh=wh, charge_w=1e4, discharge_w=1e4) if wh else None for wh in (600.0, own_wh)
    ]
    powers = [
        np.repeat(np.array(each, dtype=float), 60) for each in (others_w, own_w or [0.0] * len(others_w))
    ]
    return Site(*powers, 1000.0, *limits)


def test_what_would_be_exported_is_taken_and_given_when_power_lacks():
    played = play(site([-400.0, 500.0, 1300.0]), 0.0)
    assert played.missing_wh == pytest.approx(0.0, abs=0.1)
    assert played.bought_wh == 0.0
    assert played.exported_wh == 0.0


def test_free_power_fills_a_part_and_leaves_the_rest_to_the_sun():
    here = site([0.0, -400.0, 1500.0])
    half, full = play(here, 0.5), play(here, 1.0)
    assert (half.bought_wh, half.exported_wh) == (pytest.approx(300.0), pytest.approx(100.0))
    assert (full.bought_wh, full.exported_wh) == (pytest.approx(600.0), pytest.approx(400.0))
    assert half.missing_wh == pytest.approx(0.0, abs=0.1)


def test_the_own_battery_serves_its_building_only():
    played = play(site([0.0, 1300.0], own_w=[-300.0, 0.0], own_wh=500.0), 0.0)
    assert played.missing_wh == pytest.approx(300.0)


def test_a_day_is_cut_out_of_a_longer_time():
    here = site([0.0] * 24 + [1500.0] * 24)
    assert play(day_of(here, 0), 0.0).missing_wh == 0.0
    assert play(day_of(here, 1), 0.0).missing_wh == pytest.approx(12_000.0)
