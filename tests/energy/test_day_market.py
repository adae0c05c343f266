"""The market of the next day: what is ordered from a forecast, what becomes of it, and who pays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.auction import Order
from edge.energy.day_market import STEPS, admitted, balancing_price, clear_day, settle
from edge.energy.day_orders import orders_of, worth

LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
SHORT, LONG = 0.30, 0.08
QUANTILES = st.lists(st.integers(-3000, 3000), min_size=7, max_size=7).map(sorted)


def curve(needs_wh):
    return list(orders_of("a", needs_wh, LEVELS, SHORT, LONG))


@given(QUANTILES)
def test_orders_reach_from_what_is_surely_needed_to_what_is_hardly_needed(needs_wh):
    orders = curve(needs_wh)
    bought = sum(each.energy_wh for each in orders if not each.sells)
    sold = sum(each.energy_wh for each in orders if each.sells)
    assert (bought, sold) == (max(0, needs_wh[-1]), max(0, -needs_wh[0]))
    assert all(LONG <= each.limit <= SHORT for each in orders)


@given(QUANTILES)
def test_the_more_it_has_the_less_another_kwh_is_worth_so_it_never_trades_with_itself(needs_wh):
    orders = curve(needs_wh)
    asked = [each.limit for each in orders if each.sells]
    paid = [each.limit for each in orders if not each.sells]
    assert asked == sorted(asked, reverse=True)
    assert paid == sorted(paid, reverse=True)
    assert not asked or not paid or min(asked) > max(paid)


def test_who_is_sure_to_need_it_pays_nearly_the_tariff_and_who_has_it_asks_little():
    assert curve([500] * 7) == [Order("a", False, 500, worth(0.975, SHORT, LONG))]
    assert curve([-500] * 7) == [Order("a", True, 500, worth(0.025, SHORT, LONG))]
    assert curve([float("nan")] * 7) == []


def day(*books):
    return [list(book) for book in books] + [[] for _ in range(STEPS - len(books))]


@settings(max_examples=20)
@given(st.lists(QUANTILES, min_size=2, max_size=6))
def test_positions_of_a_step_add_up_to_nothing(needs):
    orders = {
        f"m{i}": day(orders_of(f"m{i}", needs_wh, LEVELS, SHORT, LONG)) for i, needs_wh in enumerate(needs)
    }
    cleared = clear_day(orders)
    for step in range(STEPS):
        assert sum(steps[step] for steps in cleared.positions_wh.values()) == 0
    assert (cleared.prices[0] is None) == (cleared.traded_wh == 0)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(-900, 900), st.integers(-900, 900))),
    st.floats(0.05, 0.3),
)
def test_the_bills_of_all_are_what_the_grid_charges(members, price):
    positions = {name: position for name, (position, _) in members.items()}
    if positions:
        first = min(positions)
        positions[first] -= sum(positions.values())  # the market has no position of its own
    needs = {name: need for name, (_, need) in members.items()}
    balancing = balancing_price(needs, SHORT, LONG)
    paid = sum(settle(positions[name], price, need, balancing).paid for name, need in needs.items())
    total = sum(needs.values())
    assert paid == pytest.approx((SHORT if total > 0 else LONG) * total / 1000, abs=1e-9)


def test_a_step_without_a_measurement_is_not_settled():
    assert settle(100, 0.2, None, 0.3) is None
    assert settle(100, 0.2, 150, 0.3)[1:] == (50, pytest.approx(0.02), pytest.approx(0.015))


def test_who_orders_beyond_its_means_or_without_a_meaning_takes_no_part():
    fair = Order("a", False, 100, 0.2)
    book = [fair, Order("b", True, 900, 0.1), Order("b", True, 200, 0.2), Order("c", False, 0, 0.1)]
    book += [Order("d", False, 10, float("nan")), Order("d", False, 10, 1e9), Order("e", False, -5, 0.1)]
    valid, refused = admitted(book, 1000)
    assert valid == [fair]
    assert refused == {"b": 2, "c": 1, "d": 2, "e": 1}
