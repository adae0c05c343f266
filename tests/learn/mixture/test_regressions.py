"""Regressions and their running sums from outside."""

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
def test_the_mean_of_any_stretch_is_that_of_its_minutes(steps, age, length):
    sums, minute, line, last = RunningSums(), 100 * DAY_MIN, [], 0.0
    for number, (gap, value) in enumerate(steps):
        minute += gap
        line += [last] * (gap - 1 if number else 0)
        last = last if value is None else value
        line = line or [last] * 500
        line.append(last)
        sums.take_in(minute, np.full(6, np.nan if value is None else value, np.float32))
    stretch = line[len(line) - age - length : len(line) - age]
    stretch = [line[0]] * (length - len(stretch)) + stretch
    np.testing.assert_allclose(sums.means(np.array([minute - age]), length), np.mean(stretch), atol=1e-9)


def follow(powers, learnt=None, known=KNOWN, start=50 * DAY_MIN):
    """What is foretold after the last of the steps (n,), all variables alike."""
    one, said = learnt or Regressions(), None
    for minute, value in enumerate(powers, start):
        one.take_in(minute, np.full(6, value, np.float32))
        one.learn(minute, known)
        said = one.foretell(minute, NEVER)
    return said


def test_before_anything_was_learnt_the_power_stays():
    assert follow([2.5]).argmax(-1).tolist() == np.full((6, 4), 3).tolist()


def test_a_power_that_rises_is_seen_to_cross_the_limit():
    minutes = np.arange(3000)
    hill = 1.0 + np.abs(minutes % 480 - 240) / 60  # four hours down, four hours up
    ups = np.flatnonzero((minutes % 480 > 240) & (hill > 2.915) & (hill < 2.925))  # state 3, 5 minutes more
    said = follow(hill[: ups[-1] + 1])
    assert said[:, 1:3].argmax(-1).tolist() == [[4, 4]] * 6  # in 10 and 30
    assert said[:, 0, 4].min() > 0.1  # in 5
    np.testing.assert_allclose(said.sum(-1), 1.0, rtol=1e-5)


def test_it_is_as_sure_as_it_was_right():
    series = made_up(4)
    scale = StateScale.of_max_power(30_000.0)
    lines, one = series.last(len(series)), Regressions()
    steps, states = scale.position(lines), scale.of(lines)
    sure, right = [], []
    for at in range(len(lines) - 60):
        minute = series.first_minute + at
        one.take_in(minute, steps[at])
        one.learn(minute, KNOWN)
        said = one.foretell(minute, NEVER)
        if at > 2 * DAY_MIN and at % 7 == 0:
            sure.append(said[1, 2].max())  # the sun in half an hour
            right.append(said[1, 2].argmax() == states[at + 30, 1])
    assert np.mean(right) > 0.85
    assert abs(np.mean(sure) - np.mean(right)) < 0.08


def test_nothing_breaks_it():
    rng = np.random.default_rng(1)
    wild = rng.choice([0.0, np.nan, 1e-9, 3.0, 12.0], 2000)
    one = Regressions()
    for said in (follow(wild, one), follow(np.zeros(2000), one), follow([np.nan] * 200, one, ~KNOWN)):
        assert np.isfinite(said).all()
        assert said.min() >= 0
        np.testing.assert_allclose(said.sum(-1), 1.0, rtol=1e-5)


def test_what_was_learnt_is_kept():
    first, second = Regressions(), Regressions()
    waves = 3 + np.sin(np.arange(1000) / 9)
    follow(waves, first)
    second.take_up(first.arrays())
    again = [follow(waves, one, start=60 * DAY_MIN) for one in (first, second)]
    np.testing.assert_allclose(again[0], again[1], atol=1e-3)
