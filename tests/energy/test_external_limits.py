"""External limits: the lowest holds, 4.2 kW are guaranteed, and the failsafe is left by two signs."""

import contextlib
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.limit_messages import MOST_BYTES, Heartbeat, Release, parse_limit, read_limit
from edge.energy.limits import (
    FAILSAFE,
    GUARANTEED_W,
    HEARTBEAT_S,
    MOST_LIMITS,
    Direction,
    Limit,
    LimitRefused,
    Limits,
    Scope,
    guaranteed_w,
    lowest,
)

CONSUME, FEED_IN = Direction.CONSUME, Direction.FEED_IN
FAILSAFE_W = {CONSUME: 4200.0, FEED_IN: 1000.0}


def limit(power_w=4200.0, source="grid", direction=CONSUME, **more):
    return Limit(direction=direction, power_w=power_w, source=source, **more)


def nothing(_):
    return 0.0


powers = st.floats(0.0, 1e6)


@given(st.lists(st.tuples(powers, st.sampled_from("abcd"), st.sampled_from(Direction)), max_size=20))
def test_of_several_limits_the_lowest_holds(orders):
    limits, newest = Limits(0.0), {}
    for power_w, source, direction in orders:
        limits.order(limit(power_w, source, direction), 1.0)
        newest[source, direction] = power_w
    held = lowest(limits.in_force(1.0), nothing)
    for direction in Direction:
        expected = [power_w for (_, way), power_w in newest.items() if way is direction]
        assert [each.power_w for (way, _), each in held.items() if way is direction] == (
            [min(expected)] if expected else []
        )


@given(st.lists(powers, min_size=1, max_size=8), st.integers(0, 20))
def test_no_limit_goes_below_what_is_guaranteed(orders, loads):
    limits = Limits(0.0)
    for number, power_w in enumerate(orders):
        limits.order(limit(power_w, f"s{number}"), 0.0)
    (held,) = lowest(limits.in_force(0.0), lambda _: guaranteed_w(loads)).values()
    assert held.power_w == max(min(orders), guaranteed_w(loads))


def test_the_sum_that_is_guaranteed_grows_more_slowly_than_the_number_of_loads():
    expected = {1: 4200, 2: 7560, 3: 10_500, 4: 13_020, 5: 15_120, 6: 16_800, 7: 18_060, 8: 18_900, 9: 19_320}
    assert {n: round(guaranteed_w(n)) for n in expected} == expected
    assert guaranteed_w(10) == pytest.approx(4200 * (1 + 9 * 0.45))
    assert guaranteed_w(0) == GUARANTEED_W
    assert guaranteed_w(3, 0.0) == 0.0


@given(st.integers(1, 50))
def test_each_further_load_adds_something_and_never_more_than_its_own(loads):
    more_w = guaranteed_w(loads + 1) - guaranteed_w(loads)
    assert 0.0 < more_w <= GUARANTEED_W


@given(st.floats(0, 1e4), st.floats(0.1, 1e4), st.floats(0, 3e4))
def test_a_limit_holds_from_its_begin_to_its_end(from_s, lasts_s, now_s):
    limits = Limits(-1.0)
    limits.order(limit(from_s=from_s, until_s=from_s + lasts_s), -1.0)
    limits.step(now_s)
    assert bool(limits.in_force(now_s)) == (from_s <= now_s < from_s + lasts_s)
    assert len(list(limits)) == (now_s < from_s + lasts_s)


def test_the_next_change_is_known():
    limits = Limits(0.0)
    assert limits.due_s(0.0) == math.inf
    limits.order(limit(from_s=50.0, until_s=80.0), 0.0)
    limits.order(limit(source="b", until_s=60.0), 0.0)
    assert [limits.due_s(each) for each in (0.0, 50.0, 60.0, 80.0)] == [50.0, 60.0, 80.0, math.inf]


@pytest.mark.parametrize("power_w", [-1.0, math.nan, math.inf])
def test_an_impossible_power_is_refused(power_w):
    limits = Limits(0.0)
    with pytest.raises(LimitRefused):
        limits.order(limit(power_w), 0.0)
    assert limits.in_force(0.0) == []


def test_there_is_room_for_so_many_and_a_repeated_order_takes_none():
    limits = Limits(0.0)
    for number in range(MOST_LIMITS):
        limits.order(limit(source=f"s{number}"), 0.0)
        limits.order(limit(source=f"s{number}", power_w=5000.0), 0.0)
    with pytest.raises(LimitRefused):
        limits.order(limit(source="one more"), 0.0)
    limits.release("s3", 0.0)
    limits.order(limit(source="one more"), 0.0)


def test_a_source_ends_only_its_own_limits():
    limits = Limits(0.0)
    limits.order(limit(source="a"), 0.0)
    limits.order(limit(source="a", direction=FEED_IN), 0.0)
    limits.order(limit(source="b"), 0.0)
    assert limits.release("a", 0.0, FEED_IN) == 1
    assert limits.release("a", 0.0) == 1
    assert [each.source for each in limits] == ["b"]


# ---- the failsafe ------------------------------------------------------------------------------------


def failsafe_w(limits, now_s):
    limits.step(now_s)
    return {each.direction: each.power_w for each in limits.in_force(now_s) if each.source == FAILSAFE}


def test_the_failsafe_holds_at_the_start_until_the_first_order():
    limits = Limits(0.0, "box", FAILSAFE_W)
    assert failsafe_w(limits, 0.0) == FAILSAFE_W
    limits.heartbeat("box", 5.0)
    assert failsafe_w(limits, 5.0) == FAILSAFE_W
    limits.order(limit(source="somebody else"), 6.0)
    assert failsafe_w(limits, 6.0) == FAILSAFE_W
    limits.order(limit(9000.0, source="box"), 7.0)
    assert failsafe_w(limits, 7.0) == {}


def test_without_a_controller_there_is_no_failsafe():
    assert failsafe_w(Limits(0.0, "", FAILSAFE_W), 1e6) == {}
    assert failsafe_w(Limits(0.0, "box", {}), 1e6) == {}


def test_a_lost_heartbeat_brings_the_failsafe_after_120_s_for_at_least_2_h():
    limits = Limits(0.0, "box", FAILSAFE_W)
    limits.order(limit(source="box"), 0.0)
    for now_s in range(0, 1000, 100):
        limits.heartbeat("box", now_s)
        assert failsafe_w(limits, now_s) == {}
    assert failsafe_w(limits, 900 + HEARTBEAT_S) == {}
    for now_s in (900 + HEARTBEAT_S + 1, 5000.0, 900 + 2 * 3600.0, 1e5):
        assert failsafe_w(limits, now_s) == FAILSAFE_W


def test_the_failsafe_is_left_by_a_heartbeat_and_a_following_order():
    limits = Limits(0.0, "box", FAILSAFE_W)
    limits.order(limit(source="box"), 0.0)
    assert failsafe_w(limits, 500.0)
    limits.order(limit(source="box"), 500.0)
    assert failsafe_w(limits, 500.0), "this order was only the first sign"
    limits.heartbeat("box", 700.0)
    assert failsafe_w(limits, 710.0), "and that one was too long ago"
    limits.order(limit(source="box"), 720.0)
    assert failsafe_w(limits, 720.0) == {}


signs = st.lists(
    st.tuples(st.sampled_from(["heartbeat", "order", "release"]), st.floats(0.0, 400.0)), max_size=30
)


@given(signs)
def test_the_failsafe_holds_whenever_the_controller_was_silent_and_has_not_ordered_since(signs):
    """Against a plain reading of the rules: after each silence two signs no more than 120 s apart, of which
    the second is an order."""
    limits, now_s = Limits(0.0, "box", FAILSAFE_W), 0.0
    holds, lost, last_s, returned = True, False, 0.0, False
    for what, wait_s in signs:
        now_s += wait_s
        if now_s - last_s > HEARTBEAT_S:
            returned, lost, holds = False, lost or not holds, True
        if what != "heartbeat" and holds and (not lost or returned):
            holds = lost = False
        last_s, returned = now_s, lost
        if what == "heartbeat":
            limits.heartbeat("box", now_s)
        elif what == "order":
            limits.order(limit(source="box"), now_s)
        else:
            limits.release("box", now_s)
        assert bool(failsafe_w(limits, now_s)) == holds


# ---- a restart -----------------------------------------------------------------------------------------


def test_limits_outlive_a_restart_and_its_time_counts():
    before = Limits(100.0, "box", FAILSAFE_W)
    before.order(limit(source="box", until_s=400.0, scope=Scope(twins=("a", "b"))), 100.0)
    before.order(limit(source="api", direction=FEED_IN, scope=Scope(circuit="cellar")), 100.0)
    kept = orjson.loads(orjson.dumps(before.memory(1_000_000.0, 100.0)))
    after = Limits(5.0, "box", FAILSAFE_W)
    after.recall(kept, 1_000_200.0, 5.0)
    assert [(each.source, str(each.scope), each.until_s) for each in after] == [
        ("box", "twins a, b", 105.0),
        ("api", "circuit cellar", math.inf),
    ]
    assert failsafe_w(after, 5.0) == FAILSAFE_W
    gone = Limits(5.0)
    gone.recall(kept, 1_000_400.0, 5.0)
    assert [each.source for each in gone] == ["api"]


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=30))
def test_a_damaged_memory_does_no_harm(memory):
    limits = Limits(0.0)
    limits.recall(memory, 0.0, 0.0)
    assert all(0.0 <= each.power_w < math.inf for each in limits)


# ---- what is said ------------------------------------------------------------------------------------


def said(text, now_s=10.0, wall_s=1000.0):
    return parse_limit(read_limit(text.encode()), "box", now_s, wall_s)


def test_orders_releases_and_heartbeats_are_understood():
    assert said('{"direction": "consume", "power_w": 4200, "lasts_s": 60}') == limit(
        source="box", until_s=70.0
    )
    dated = said('{"direction": "feed_in", "power_w": 0, "from_s": 1100, "until_s": 1200}')
    assert (dated.direction, dated.power_w, dated.from_s, dated.until_s) == (FEED_IN, 0.0, 110.0, 210.0)
    later = said('{"direction": "consume", "power_w": 1, "from_s": 1100, "lasts_s": 5}')
    assert (later.from_s, later.until_s) == (110.0, 115.0)
    assert said('{"direction": "consume", "power_w": 1, "twins": ["b", "a", "b"]}').scope.twins == ("a", "b")
    assert said('{"direction": "consume", "power_w": 1, "circuit": "cellar"}').scope.circuit == "cellar"
    assert said('{"direction": "consume", "power_w": null}') == Release(CONSUME)
    assert said('{"power_w": null}') == Release(None)
    assert said("{}") == said("") == Heartbeat()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"direction": "sideways", "power_w": 1}',
        '{"power_w": 1}',
        '{"direction": "consume", "power_w": -1}',
        '{"direction": "consume", "power_w": 1e9}',
        '{"direction": "consume", "power_w": "4200"}',
        '{"direction": "consume", "power_w": true}',
        '{"direction": "consume", "power_w": 1, "lasts_s": -5}',
        '{"direction": "consume", "power_w": 1, "until_s": 1e11}',
        '{"direction": "consume", "power_w": 1, "until_s": 1100, "lasts_s": 5}',
        '{"direction": "consume", "power_w": 1, "twins": "a"}',
        '{"direction": "consume", "power_w": 1, "twins": [""]}',
        '{"direction": "consume", "power_w": 1, "twins": ["a"], "circuit": "b"}',
        '{"direction": "consume", "power_w": 1, "twins": []}',
        '{"direction": "consume", "power_w": 1, "twins": {}}',
        '{"direction": "consume", "power_w": 1, "twins": 0}',
        '{"direction": "consume", "power_w": 1, "circuit": ""}',
        '{"direction": "consume", "power_w": 1, "circuit": false}',
        '{"direction": "consume", "power_w": NaN}',
        '{"direction": "consume"}',
        '{"direction": "consume", "lasts_s": 60}',
        '{"direction": "consume", "power_w": 1, "watt": 1}',
        '{"direction": ["consume"], "power_w": 1}',
        '"' + MOST_BYTES * "x" + '"',
    ],
)
def test_what_is_not_valid_is_refused(text):
    with pytest.raises(LimitRefused):
        said(text)


def test_dates_need_a_clock():
    with pytest.raises(LimitRefused, match="lasts_s"):
        said('{"direction": "consume", "power_w": 1, "until_s": 1100}', wall_s=None)
    assert said('{"direction": "consume", "power_w": 1, "lasts_s": 5}', wall_s=None).until_s == 15.0


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_understood(data):
    with contextlib.suppress(LimitRefused):
        parse_limit(read_limit(data), "box", 0.0, 0.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["direction", "power_w", "circuit", "twins", "from_s", "lasts_s"]), json_values
    )
)
def test_any_object_is_refused_or_understood(found):
    with contextlib.suppress(LimitRefused):
        parse_limit(found, "box", 0.0, 0.0)
