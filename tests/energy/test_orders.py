"""Whom the regulator stops: as few as its policy says, and always enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.orders import (
    CHOICES,
    LIFE_S,
    Candidate,
    Deed,
    Order,
    OrderKind,
    ascending,
    decode_orders,
    encode_orders,
    largest_first,
    lowest_priority,
    smallest_set,
)


def of(*powers_w, priorities=()):
    priorities = priorities or (0,) * len(powers_w)
    return [
        Candidate(twin=f"t{n}", power_w=power_w, priority=priority)
        for n, (power_w, priority) in enumerate(zip(powers_w, priorities, strict=True))
    ]


def names(chosen):
    return [each.twin for each in chosen]


candidates = st.lists(st.tuples(st.floats(1, 5000), st.integers(0, 2)), max_size=8).map(
    lambda rows: of(*(power for power, _ in rows), priorities=tuple(level for _, level in rows))
)


@pytest.mark.parametrize("policy", CHOICES)
@given(candidates=candidates, over_w=st.floats(0, 20_000))
def test_every_policy_stops_enough_and_none_without_need(policy, candidates, over_w):
    chosen = CHOICES[policy](candidates, over_w)
    stopped_w, all_w = sum(each.power_w for each in chosen), sum(each.power_w for each in candidates)
    assert len(set(names(chosen))) == len(chosen)
    assert stopped_w >= min(over_w, all_w) - 0.01
    assert all(stopped_w - each.power_w < over_w for each in chosen)


@given(candidates=candidates, over_w=st.floats(1, 20_000))
def test_the_smallest_set_is_never_larger_than_that_of_the_largest(candidates, over_w):
    small, large = smallest_set(candidates, over_w), largest_first(candidates, over_w)
    assert len(small) == len(large)
    assert sum(each.power_w for each in small) <= sum(each.power_w for each in large) + 0.01


def test_the_thesis_stops_the_largest_first():
    assert names(largest_first(of(2000, 150, 300, 1000), 450)) == ["t0"]


def test_the_smallest_set_spares_the_largest():
    assert names(smallest_set(of(2000, 150, 300, 1000), 450)) == ["t3"]
    assert names(smallest_set(of(2000, 150, 300, 1000), 2100)) == ["t0", "t1"]


def test_low_priority_comes_first_and_what_became_unnecessary_is_left_alone():
    assert names(lowest_priority(of(500, 300, 900, priorities=(2, 0, 1)), 250)) == ["t1"]
    assert names(lowest_priority(of(500, 300, 900, priorities=(2, 0, 1)), 800)) == ["t2"]
    assert names(lowest_priority(of(500, 300, 900, priorities=(2, 0, 1)), 1150)) == ["t1", "t2"]


def test_activities_are_moved_in_ascending_order_flexible_ones_first():
    assert names(ascending(of(2000, 150, 300, 200), 600)) == ["t1", "t3", "t2"]
    flexible = [*of(100, 200), Candidate(twin="heat", power_w=900.0, flexible=True)]
    assert names(ascending(flexible, 950)) == ["heat", "t0"]


def test_orders_have_the_lives_of_the_reference():
    assert set(LIFE_S) == set(OrderKind)
    assert sorted(set(LIFE_S.values())) == [2, 3, 5, 30]
    assert (LIFE_S[OrderKind.USER], LIFE_S[OrderKind.CHANGE], LIFE_S[OrderKind.MERGE]) == (2, 3, 5)


def test_orders_survive_their_way():
    orders = [
        Order(number=1, kind=OrderKind.LIMIT, deed=Deed.REDUCE, twin="wallbox", power_w=4200.0),
        Order(number=2, kind=OrderKind.OVERPRODUCTION, deed=Deed.STOP, twin="roof", for_s=360.0),
    ]
    assert decode_orders(encode_orders(orders)) == orders


@pytest.mark.parametrize("data", [b"", b"1", b"[1]", b'[[1,"limit","dance","a",0,0]]', b'[[1,"limit"]]'])
def test_other_bytes_are_no_orders(data):
    with pytest.raises(ValueError, match=r"."):
        decode_orders(data)
