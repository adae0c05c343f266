"""Clearing at one price: nobody is worse off than it asked, and no welfare is lost."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.auction import Order, clear, welfare

LIMIT = st.integers(-5, 40).map(lambda cents: cents / 100)
ORDER = st.builds(Order, st.sampled_from("abcdefgh"), st.booleans(), st.integers(0, 500), LIMIT)
BOOK = st.lists(ORDER, max_size=25)


def sums(orders, filled):
    rows = list(zip(orders, filled, strict=True))
    return [sum(wh for order, wh in rows if order.sells is sells) for sells in (False, True)]


@given(BOOK)
def test_what_is_bought_is_sold_and_nobody_gets_more_than_it_ordered(orders):
    found = clear(orders)
    assert sums(orders, found.filled_wh) == [found.energy_wh] * 2
    assert all(0 <= wh <= order.energy_wh for order, wh in zip(orders, found.filled_wh, strict=True))
    assert (found.price is None) == (found.energy_wh == 0)


@given(BOOK)
def test_no_order_is_filled_against_its_limit_and_none_that_beats_the_price_is_left(orders):
    found = clear(orders)
    for order, wh in zip(orders, found.filled_wh, strict=True):
        if found.price is None:
            continue
        better = order.limit - found.price if not order.sells else found.price - order.limit
        assert not (wh and better < 0)
        assert wh == order.energy_wh or better <= 0


@given(BOOK)
def test_the_books_balance(orders):
    found = clear(orders)
    if found.price is not None:
        bought, sold = sums(orders, found.filled_wh)
        assert bought * found.price == sold * found.price


def linear_programme(orders):
    """The highest welfare that there is, by another method."""
    from scipy.optimize import linprog

    signs = [-1 if order.sells else 1 for order in orders]
    solved = linprog(
        [-sign * order.limit / 1000 for sign, order in zip(signs, orders, strict=True)],
        A_eq=[signs],
        b_eq=[0],
        bounds=[(0, order.energy_wh) for order in orders],
        method="highs",
    )
    assert solved.success
    return -solved.fun


@settings(max_examples=40)
@given(BOOK.filter(bool))
def test_no_other_division_has_a_higher_welfare(orders):
    assert welfare(orders, clear(orders).filled_wh) == pytest.approx(linear_programme(orders), abs=1e-9)


@given(BOOK, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(orders, rng):
    found = clear(orders)
    places = list(range(len(orders)))
    rng.shuffle(places)
    again = clear([orders[i] for i in places])
    assert (again.price, again.energy_wh) == (found.price, found.energy_wh)

    def by_member(orders, filled):
        rows = sorted((order, wh) for order, wh in zip(orders, filled, strict=True))
        return [(order[:3], order.limit, wh) for order, wh in rows]

    moved = [again.filled_wh[places.index(i)] for i in range(len(orders))]
    assert by_member(orders, moved) == by_member(orders, found.filled_wh)


def test_the_price_is_in_the_middle_of_what_all_accept():
    orders = [Order("a", False, 100, 0.30), Order("b", True, 100, 0.10)]
    assert clear(orders) == (pytest.approx(0.20), 100, (100, 100))
    rejected = [*orders, Order("c", False, 50, 0.24)]  # it would have paid more than 0.20
    assert clear(rejected).price == pytest.approx(0.27)


def test_whoever_was_filled_in_part_makes_the_price():
    orders = [Order("a", False, 100, 0.30), Order("b", True, 60, 0.10), Order("c", True, 60, 0.20)]
    assert clear(orders) == (0.20, 100, (100, 60, 40))


def test_orders_at_the_price_share_what_is_left_in_proportion():
    orders = [Order("a", False, 100, 0.30), Order("b", True, 150, 0.10), Order("c", True, 50, 0.10)]
    assert clear(orders).filled_wh == (100, 75, 25)


def test_without_a_buyer_who_pays_enough_nothing_is_traded():
    assert clear([Order("a", False, 100, 0.10), Order("b", True, 100, 0.11)]) == (None, 0, (0, 0))
    assert clear([]) == (None, 0, ())


def test_two_thousand_orders_of_one_limit_are_cleared_to_the_watt_hour():
    rng = random.Random(1)
    orders = [Order(f"m{i}", i % 2 == 1, rng.randint(1, 2000), 0.2) for i in range(2000)]
    found = clear(orders)
    assert sums(orders, found.filled_wh) == [found.energy_wh] * 2
