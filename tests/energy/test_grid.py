"""The operator of a grid: to what it limits whom, and until when."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.grid import HOLD_S, GridOperator, common_level, read_orders
from edge.energy.limits import GUARANTEED_W, Direction

CONSUME, FEED_IN = Direction.CONSUME, Direction.FEED_IN
POWERS = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e5), max_size=8)


@given(POWERS, st.floats(0, 1e5))
def test_a_common_level_uses_what_there_is_and_no_more(powers_w, most_w):
    level_w = common_level(powers_w, most_w)
    kept_w = sum(min(each, level_w) for each in powers_w.values())
    assert kept_w == pytest.approx(min(most_w, sum(powers_w.values())), abs=1e-6)


def operator(**most_w):
    return GridOperator({CONSUME: most_w.get("draw", 0.0), FEED_IN: most_w.get("feed_in", 0.0)}, 8)


def told(found):
    return {member: read_orders(data) for member, data in found.orders().items()}


def test_the_largest_are_limited_and_who_draws_less_is_left_alone():
    grid = operator(draw=20_000.0)
    for member, power_w in {"a": 12_000.0, "b": 9_000.0, "c": 3_000.0, "d": -1_000.0}.items():
        grid.see(member, power_w)
    assert grid.step(0.0)
    assert told(grid) == {"a": {CONSUME: 9_000.0}}
    assert grid.step(HOLD_S)
    assert told(grid) == {"a": {CONSUME: 9_000.0}}  # it would be too much again
    grid.see("b", 1_000.0)
    grid.step(2 * HOLD_S + 1)
    assert told(grid) == {}


def test_nobody_is_limited_below_what_is_guaranteed():
    grid = operator(draw=1_000.0)
    grid.see("a", 5_000.0)
    grid.see("b", 4_000.0)
    grid.step(0.0)
    assert told(grid) == {"a": {CONSUME: GUARANTEED_W}}


def test_feed_in_may_be_limited_to_nothing():
    grid = operator(feed_in=100.0)
    for member in "ab":
        grid.see(member, -5_000.0)
    grid.step(0.0)
    assert told(grid) == {"a": {FEED_IN: 50.0}, "b": {FEED_IN: 50.0}}


def test_an_order_by_hand_stays_until_its_end_or_its_release():
    grid = operator(draw=1e5)
    grid.order("a", CONSUME, 4_200.0, 60.0)
    grid.order("b", FEED_IN, 0.0)
    grid.see("a", 2e5)
    grid.step(0.0)
    assert told(grid) == {"a": {CONSUME: 4_200.0}, "b": {FEED_IN: 0.0}}
    grid.see("a", 0.0)
    grid.step(60.0)
    assert told(grid) == {"b": {FEED_IN: 0.0}}
    assert grid.release("b") == 1
    assert told(grid) == {}


def test_a_crowd_of_members_is_bounded():
    grid = GridOperator({CONSUME: 1.0}, 200)
    for i in range(300):
        grid.see(f"m{i:03}", 10_000.0 + i)
    grid.step(0.0)
    assert len(grid.net_w) == 200
    assert len(told(grid)) == 64
    assert "m199" in told(grid)  # the largest come first
    assert grid.unlimited == 136
    with pytest.raises(ValueError, match="64 members"):
        grid.order("other", CONSUME, 1.0)


@pytest.mark.parametrize("power_w", [-1.0, math.nan, 1e12, "5", True])
def test_an_order_without_a_meaning_is_refused(power_w):
    with pytest.raises(ValueError, match="number"):
        operator().order("a", CONSUME, power_w)


@pytest.mark.parametrize("data", [b"{}", b"[[1, 2]]", b'[["consume", -1]]', b'[["consume"]]', b"x", b"[1]"])
def test_orders_that_cannot_be_read(data):
    with pytest.raises((ValueError, TypeError)):
        read_orders(data)
