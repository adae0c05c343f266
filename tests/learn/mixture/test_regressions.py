"""Regressions and their running sums."""

import numpy as np
from days import made_up
from hypothesis import given
from hypothesis import strategies as st

from edge.learn.mixture.regressions import Regressions
from edge.learn.mixture.running_sums import RunningSums
from edge.learn.states import StateScale
from edge.terms import DAY_MIN

KNOWN = np.ones((6, 4), bool)
NEVER = np.zeros((6, 4), np.float32)
values = st.one_of(st.none(), st.floats(0, 12, width=32))


@given(
    st.lists(st.tuples(st.integers(1, 40), values), min_size=1, max_size=60),
    st.integers(0, 100),
    st.integers(1, 300),
)
def test_the_mean_of_any_span_is_that_of_its_minutes(steps, age, length):
    sums, minute, line, last = RunningSums(), 100 * DAY_MIN, [], 0.0
    for number, (gap, value) in enumerate(steps):
        minute += gap
        line += [last] * (gap - 1 if number else 0)
        last = last if value is None else value
        line = line or [last] * 500
        line.append(last)
        sums.add(minute, np.full(6, np.nan if value is None else value, np.float32))
    span = line[len(line) - age - length : len(line) - age]
    span = [line[0]] * (length - len(span)) + span
    np.testing.assert_allclose(sums.means(np.array([minute - age]), length), np.mean(span), atol=1e-9)


def follow(powers, learnt=None, known=KNOWN, start=50 * DAY_MIN):
    """The prediction after the last of the steps (n,), the same for all variables."""
    one, predicted = learnt or Regressions(), None
    for minute, value in enumerate(powers, start):
        one.observe(minute, np.full(6, value, np.float32))
        one.learn(minute, known)
        predicted = one.predict(minute, NEVER)
    return predicted


def test_untrained_it_expects_the_power_to_stay():
    assert follow([2.5]).argmax(-1).tolist() == np.full((6, 4), 3).tolist()


def test_a_rising_power_is_expected_to_cross_the_limit():
    minutes = np.arange(3000)
    hill = 1.0 + np.abs(minutes % 480 - 240) / 60  # four hours down, four hours up
    ups = np.flatnonzero((minutes % 480 > 240) & (hill > 2.915) & (hill < 2.925))  # state 3, 5 minutes more
    predicted = follow(hill[: ups[-1] + 1])
    assert predicted[:, 1:3].argmax(-1).tolist() == [[4, 4]] * 6  # in 10 and 30
    assert predicted[:, 0, 4].min() > 0.1  # in 5
    np.testing.assert_allclose(predicted.sum(-1), 1.0, rtol=1e-5)


def test_its_probabilities_match_its_accuracy():
    series = made_up(4)
    scale = StateScale.of_max_power(30_000.0)
    lines, one = series.last(len(series)), Regressions()
    steps, states = scale.position(lines), scale.of(lines)
    sure, right = [], []
    for at in range(len(lines) - 60):
        minute = series.first_minute + at
        one.observe(minute, steps[at])
        one.learn(minute, KNOWN)
        predicted = one.predict(minute, NEVER)
        if at > 2 * DAY_MIN and at % 7 == 0:
            sure.append(predicted[1, 2].max())  # the sun in half an hour
            right.append(predicted[1, 2].argmax() == states[at + 30, 1])
    assert np.mean(right) > 0.85
    assert abs(np.mean(sure) - np.mean(right)) < 0.08


def test_extreme_values_give_valid_probabilities():
    rng = np.random.default_rng(1)
    wild = rng.choice([0.0, np.nan, 1e-9, 3.0, 12.0], 2000)
    one = Regressions()
    for predicted in (follow(wild, one), follow(np.zeros(2000), one), follow([np.nan] * 200, one, ~KNOWN)):
        assert np.isfinite(predicted).all()
        assert predicted.min() >= 0
        np.testing.assert_allclose(predicted.sum(-1), 1.0, rtol=1e-5)


def test_what_was_learnt_can_be_restored():
    first, second = Regressions(), Regressions()
    waves = 3 + np.sin(np.arange(1000) / 9)
    follow(waves, first)
    second.restore(first.arrays())
    again = [follow(waves, one, start=60 * DAY_MIN) for one in (first, second)]
    np.testing.assert_allclose(again[0], again[1], atol=1e-3)
