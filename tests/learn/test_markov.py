"""Markov chains."""

import random

import numpy as np
import pytest

from edge.learn.calendar import SLOTS, is_weekend, slot_of, weekday_of
from edge.learn.markov import Markov
from edge.learn.states import StateScale
from edge.learn.weather import WeatherTable

SCALE = StateScale.of_max_power(5.0)  # state k is (k - 1, k) W
MONDAY = 4 * 1440  # 5 January 1970


def powers(state):
    return np.full(6, max(0.0, state - 0.5), np.float32)


def markov(**options):
    return Markov(SCALE, random.Random(1), **options)


def feed(model, start, states):
    for minute, state in enumerate(states, start):
        model.observe(minute, powers(state))


def test_nineteen_slots():
    hours = [slot_of(hour * 60) for hour in range(24)]
    assert hours == [0] * 6 + list(range(1, 19))
    assert hours[-1] == SLOTS - 1
    assert slot_of(359) == 0
    assert slot_of(1440 + 360) == 1


def test_days_of_the_week():
    assert weekday_of(MONDAY) == 0
    assert weekday_of(np.arange(3) * 1440 + MONDAY - 1440).tolist() == [6, 0, 1]
    assert [is_weekend(MONDAY + day * 1440) for day in range(7)] == [False] * 5 + [True] * 2


def test_it_counts_transitions():
    model = markov(prior=1e-9)
    feed(model, 600, [1, 2, 1, 2, 2])
    chain = model.matrices(0, slot_of(600))[3]
    assert chain[1] == pytest.approx([0, 0, 1, 0, 0, 0, 0], abs=1e-6)
    assert chain[2] == pytest.approx([0, 0.5, 0.5, 0, 0, 0, 0], abs=1e-6)


def test_an_unknown_minute_breaks_the_chain():
    model = markov(prior=1e-9)
    model.observe(600, powers(1))
    model.observe(601, np.full(6, np.nan, np.float32))
    feed(model, 602, [2])
    feed(model, 610, [3])
    assert model.predict() is None


def test_a_prediction_goes_minute_by_minute_through_the_slots():
    """Before noon the state alternates, afterwards it stays: 5 and 10 minutes after 11:53 differ."""
    model = markov(prior=1e-9)
    for day in range(3):
        feed(model, day * 1440 + 690, [1 + minute % 2 for minute in range(30)] + [1] * 30)
    feed(model, 3 * 1440 + 690, [1 + minute % 2 for minute in range(24)])  # 11:53, state 2
    prediction = model.predict()
    assert prediction.shape == (6, 4, 7)
    assert prediction[0, 0] == pytest.approx([0, 1, 0, 0, 0, 0, 0], abs=1e-5)  # an odd number of steps
    assert prediction[0, 1, 1] > 0.9
    assert prediction.sum(-1) == pytest.approx(1)


def test_an_empty_row_is_completed_from_the_whole_day():
    model = markov()
    feed(model, 600, [1, 3] * 20)
    chain = model.matrices(0, slot_of(0))[0]
    assert chain[1].argmax() == 3
    assert chain[6].argmax() == 6  # never observed: stays
    assert chain.sum(-1) == pytest.approx(1)


def test_days_beyond_the_window_are_forgotten():
    model, fresh = markov(window_days=3), markov(window_days=3)
    feed(model, 600, [1, 6] * 5)
    for day in (1, 2):
        feed(model, day * 1440 + 600, [1, 2] * 5)
        feed(fresh, day * 1440 + 600, [1, 2] * 5)
    assert (model.matrices(0, 5) != fresh.matrices(0, 5)).any()
    for one in (model, fresh):
        feed(one, 3 * 1440 + 600, [1, 2] * 5)
    assert (model.matrices(0, 5) == fresh.matrices(0, 5)).all()
    feed(model, 500 * 1440, [4, 4])
    assert model._counts.sum() == 6


def test_the_weekend_has_separate_chains():
    model = markov(context="weekday")
    feed(model, MONDAY + 600, [1, 2] * 20)
    feed(model, MONDAY + 5 * 1440 + 600, [1, 3] * 20)  # Saturday
    assert model.matrices(0, 5)[0, 1].argmax() == 2
    assert model.matrices(1, 5)[0, 1].argmax() == 3
    assert not (model.matrices(0, 5)[0, 1, 4:] > 0.01).any()


def test_each_class_of_weather_has_separate_chains():
    weather = WeatherTable(np.array([0, 60, 61, 200]), np.array([[0, 5], [0, 5], [800, 20], [800, 20]]))
    model = markov(context="weather", weather=weather)
    feed(model, 0, [1, 2] * 30)
    feed(model, 61, [1, 3] * 30)
    assert model.matrices(0, 0)[0, 1].argmax() == 2
    assert model.matrices(3, 0)[0, 1].argmax() == 3


def test_a_restart_continues_with_what_was_learnt():
    first = markov(context="weekday")
    states = random.Random(2).choices(range(7), k=300)
    feed(first, 600, states[:200])
    second = markov(context="weekday")
    second.load(first.save())
    assert len(first.save()) < 15_000
    feed(second, 600, states)  # the same minutes are loaded again from the history
    feed(first, 800, states[200:])
    assert second.save() == first.save()
    assert (second.predict() == first.predict()).all()


@pytest.mark.parametrize(
    "other", [markov(), markov(window_days=50, context="weekday"), markov(context="weekday")]
)
def test_data_of_other_settings_are_rejected(other):
    model = Markov(StateScale.of_max_power(6.0), random.Random(1), context="weekday")
    with pytest.raises(ValueError):  # noqa: PT011
        model.load(other.save())


@pytest.mark.parametrize("options", [{"context": "moon"}, {"window_days": 0}, {"prior": 0}])
def test_invalid_options_are_rejected(options):
    with pytest.raises(ValueError, match="markov"):
        markov(**options)
