"""From powers to states."""

import numpy as np
import pytest

from edge.learn.states import StateScale

SCALE = StateScale.of_max_power(30_000.0)


@pytest.mark.parametrize(
    ("power_w", "state"),
    [
        (0.0, 0),
        (0.0009, 0),
        (-0.0009, 0),
        (-5.0, 0),
        (0.001, 1),
        (5999.9, 1),
        (6000.0, 2),
        (12_000.0, 3),
        (18_000.0, 4),
        (24_000.0, 5),
        (29_999.0, 5),
        (30_000.0, 6),
        (1e9, 6),
        (float("nan"), -1),
    ],
)
def test_the_seven_states_of_the_thesis(power_w, state):
    assert SCALE.of(np.full(6, power_w, np.float32)).tolist() == [state] * 6


def test_states_of_many_minutes_at_once():
    powers = np.array([[0, 1, 6000, 12_000, 24_000, 30_000], [np.nan] * 6], np.float32)
    assert SCALE.of(powers).tolist() == [[0, 1, 2, 3, 5, 6], [-1] * 6]


def test_fitted_limits_divide_the_minutes_evenly():
    rng = np.random.default_rng(1)
    powers = rng.lognormal(7, 1, (6000, 6)).astype(np.float32)
    powers[:1000, 0] = 0
    powers[::7, 1] = np.nan
    scale = StateScale.fitted(powers)
    counts = np.bincount(scale.of(powers)[:, 0], minlength=7)
    assert counts[0] == 1000
    assert (abs(counts[1:] - 5000 / 6) < 10).all()


def test_fitted_limits_rise_even_where_nothing_varies():
    scale = StateScale.fitted(np.full((100, 6), 50.0, np.float32))
    assert (np.diff(scale.limits_w) > 0).all()
    assert (np.diff(StateScale.fitted(np.zeros((10, 6), np.float32)).limits_w) > 0).all()


@pytest.mark.parametrize(
    "limits", [[[1, 2, 3, 4]] * 6, [[1, 2, 3, 4, 4]] * 6, [[1, 2, 3, 4, float("nan")]] * 6]
)
def test_invalid_limits_are_rejected(limits):
    with pytest.raises(ValueError, match="limits"):
        StateScale.of_limits(limits)


def test_positions_are_powers_in_steps():
    powers = np.array([0, 3000, 6000, 9000, 30_000, 36_000], np.float32)
    assert SCALE.position(powers) == pytest.approx([0, 0.5, 1, 1.5, 5, 6])
    assert SCALE.position(np.full(6, 1e12, np.float32)).max() <= 12
    assert np.isnan(SCALE.position(np.full(6, np.nan, np.float32))).all()
