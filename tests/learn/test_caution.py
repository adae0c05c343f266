"""Persistence has the last word where it was right more often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.learn.caution import Caution
from edge.learn.terms import HORIZONS_MIN, STATES


def sure_of(state):
    """A prediction (6, 4, 7) of one state, with the next one as the second likeliest."""
    found = np.full((6, len(HORIZONS_MIN), STATES), 0.1 / STATES, np.float32)
    found[..., state] += 0.6
    found[..., (state + 1) % STATES] += 0.3
    return found


def states_of(state):
    return np.full(6, state, np.int8)


def test_where_predictions_are_wrong_and_persistence_is_right_the_present_state_is_served():
    caution = Caution()
    for minute in range(200):
        caution.learn(minute, states_of(3))
        served = caution.predicted(minute, sure_of(2), states_of(3))
    assert (served.argmax(-1) == 3).all()
    np.testing.assert_allclose(served.sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(served[..., 2], served[..., 3], rtol=0.01)  # they share what both had


def test_predictions_that_are_right_more_often_are_served_as_they_are():
    caution = Caution()
    for minute in range(200):
        state = minute % 5  # what comes after 5, 10, 30 and 60 minutes is the same again; not so after 7
        caution.learn(minute, states_of(state))
        served = caution.predicted(minute, sure_of(state), states_of((state + 1) % 5))
    np.testing.assert_array_equal(served, sure_of(199 % 5))


def test_it_returns_to_predictions_that_become_better():
    caution = Caution()
    for minute in range(3 * 1440):
        state = 3 if minute < 300 else minute // 5 % 2
        then = 2 if minute < 300 else 1 - state  # right at 5 minutes, where persistence is wrong
        caution.learn(minute, states_of(state))
        served = caution.predicted(minute, sure_of(then), states_of(state))
    assert (served[:, 0].argmax(-1) == then).all()


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=150), st.integers(0, 6), st.integers(1, 3))
def test_unknown_states_and_gaps_change_nothing_and_what_is_served_stays_a_distribution(states, top, step):
    caution = Caution()
    for number, state in enumerate(states):
        caution.learn(step * number, states_of(state))
        served = caution.predicted(step * number, sure_of(top), states_of(state))
        assert served.min() >= 0
        np.testing.assert_allclose(served.sum(-1), 1.0, atol=1e-5)
        if state < 0:
            np.testing.assert_array_equal(served, sure_of(top))
    if all(state < 0 for state in states):
        assert not caution.lead.any()


@pytest.mark.parametrize("told", ["much", [1, 2], {"a": 1}, [[float("nan")] * 4] * 6])
def test_a_damaged_lead_is_refused_and_a_good_one_is_kept(told):
    caution = Caution()
    caution.learn(5, states_of(3))
    caution.predicted(0, sure_of(2), states_of(3))
    caution.learn(5, states_of(3))
    assert Caution.of(caution.told()).lead.tolist() == caution.lead.tolist()
    assert not Caution.of(None).lead.any()
    with pytest.raises(ValueError, match="lead over persistence"):
        Caution.of(told)
