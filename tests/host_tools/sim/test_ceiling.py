"""The least that must be missing with perfect foresight."""

import numpy as np
import pytest

from edge.energy.battery import BatteryLimits
from host_tools.sim.ceiling import Site, least_missing_wh

pytest.importorskip("scipy")


def battery(capacity_wh, power_w=1e4, efficiency=1.0):
    return BatteryLimits(
        capacity_wh=capacity_wh, charge_w=power_w, discharge_w=power_w, efficiency=efficiency
    )


def site(others_w, own_w=0.0, grid_w=1000.0, common=None, own=None):
    others_w = np.repeat(np.array(others_w, dtype=float), 60)
    own_w = np.repeat(np.broadcast_to(np.array(own_w, dtype=float), len(others_w) // 60), 60)
    return Site(others_w, own_w, grid_w, common, own)


def test_without_batteries_it_is_what_the_grid_cannot_give():
    here = site([500.0, 1800.0])
    assert least_missing_wh(here) == pytest.approx(800.0)
    assert here.lacks_w.sum() / 60 == pytest.approx(800.0)


@pytest.mark.parametrize(
    ("limits", "missing_wh"),
    [
        (battery(300.0), 500.0),  # its capacity
        (battery(2000.0), 300.0),  # what is free before
        (battery(2000.0, power_w=200.0), 600.0),  # its power
        (battery(2000.0, efficiency=0.5), 550.0),  # its losses
    ],
)
def test_a_common_battery_is_charged_before(limits, missing_wh):
    assert least_missing_wh(site([500.0, 1800.0], common=limits)) == pytest.approx(missing_wh, abs=1.0)


def test_the_own_battery_serves_its_building_only():
    own = battery(2000.0)
    assert least_missing_wh(site([0.0, 1800.0], own_w=[-300.0, 0.0], own=own)) == pytest.approx(
        800.0, abs=1.0
    )
    assert least_missing_wh(site([0.0, 1300.0], own_w=[-300.0, 200.0], own=own)) == pytest.approx(
        300.0, abs=1.0
    )
