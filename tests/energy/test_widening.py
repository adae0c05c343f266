"""How far a request goes while it is unserved."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edge.energy.widening import MOST_HOPS, WIDEN_S, first_hops, hops_of, next_s

FIRST = st.integers(1, 64)
WAITED_S = st.floats(0.0, 1e6)


def test_it_goes_twice_as_far_each_time_and_then_everywhere():
    assert [hops_of(1, WIDEN_S * step) for step in range(6)] == [1, 2, 4, MOST_HOPS, MOST_HOPS, MOST_HOPS]
    assert [hops_of(3, WIDEN_S * step) for step in range(4)] == [3, MOST_HOPS, MOST_HOPS, MOST_HOPS]
    assert hops_of(20, 0.0) == 20


@given(FIRST, WAITED_S, WAITED_S)
def test_it_never_goes_less_far_than_before(first, one_s, other_s):
    low, high = sorted((one_s, other_s))
    assert first <= hops_of(first, low) <= hops_of(first, high) <= MOST_HOPS


@given(FIRST, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_it_says_when_it_goes_farther(first, since_s, waited_s):
    now_s = since_s + waited_s
    at_s = next_s(first, since_s, now_s)
    assert at_s > now_s
    if at_s < math.inf:
        assert hops_of(first, at_s - since_s) >= hops_of(first, now_s - since_s)
    else:
        assert hops_of(first, now_s - since_s) == MOST_HOPS


def test_without_a_first_step_there_is_none():
    assert hops_of(0, 100.0) == 0
    assert next_s(0, 0.0, 5.0) == math.inf


def test_a_policy_that_compares_begins_farther():
    assert first_hops(1, 0.0) == 1
    assert first_hops(1, 0.3) > 1
    assert first_hops(60, 0.3) == MOST_HOPS
