"""The inputs of a network."""

import math

import numpy as np
import pytest

from edge.learn.lstm.features import Features
from edge.learn.states import StateScale
from edge.learn.weather import WeatherTable

SCALE = StateScale.of_max_power(5.0)  # one step is 1 W
MONDAY_NOON = 4 * 1440 + 720


def filled(blocks, lines, minute=MONDAY_NOON, weather=None, variables=(0, 5)):
    features = Features(blocks, SCALE, weather)
    lines = np.asarray(lines, np.float32)
    out = np.full((len(variables), len(lines) - features.lead_min, features.size), 9.0, np.float32)
    features.fill(out, np.array(variables), minute, lines)
    return out


def test_the_own_power_and_state():
    out = filled("power state", [[0.5, 0, 0, 0, 0, 2.5], [math.nan] * 6])
    assert out[0, 0].tolist() == [0.5, 0, 1, 0, 0, 0, 0, 0]
    assert out[1, 0].tolist() == [2.5, 0, 0, 0, 1, 0, 0, 0]
    assert not out[:, 1].any()


def test_the_powers_and_states_of_all():
    out = filled("powers states", [[0, 1, 2, 3, 4, 5]])
    assert out[0, 0, :6].tolist() == [0, 1, 2, 3, 4, 5]
    assert out[0, 0, 6:].reshape(6, 7).argmax(-1).tolist() == [0, 2, 3, 4, 5, 6]
    assert (out[0] == out[1]).all()


def test_the_clock():
    out = filled("time quarter day", [[0.0] * 6] * 2, MONDAY_NOON + 4)
    assert out[0, 0, :2] == pytest.approx(
        [math.sin(math.pi * 724 / 720), math.cos(math.pi * 724 / 720)], abs=1e-5
    )
    assert out[0, :, 2:17].argmax(-1).tolist() == [4, 5]
    assert out[0, 0, 17:].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_the_weather_now_and_in_an_hour():
    weather = WeatherTable(np.array([0, 100_000]), np.array([[500.0, 20.0], [500.0, 20.0]]), 10**6)
    assert filled("weather", [[0.0] * 6], 50, weather)[0, 0].tolist() == [1, 1, 1, 1]
    assert filled("weather", [[0.0] * 6], -50, weather)[0, 0].tolist() == [0, 1, 0, 0]


def test_the_same_time_of_the_day_before():
    lead = Features("yesterday", SCALE).lead_min
    lines = np.arange(lead + 3, dtype=np.float32)[:, None].repeat(6, 1) / 1000
    out = filled("yesterday", lines)
    expected = [(lead + 2 - 1440 + horizon) / 1000 for horizon in (5, 10, 30, 60)]
    assert out[1, 2] == pytest.approx(expected, abs=1e-5)


def test_levels_ignore_unknown_minutes():
    lines = np.full((1442, 6), 2.0, np.float32)
    lines[-1] = 4.0
    lines[-200:-100] = np.nan
    out = filled("level", lines)
    assert out[0, 1] == pytest.approx([(139 * 2 + 4) / 140, (1339 * 2 + 4) / 1340], abs=1e-5)
    assert not filled("level", np.full((1441, 6), np.nan)).any()
