"""What a member was awarded counts as far as it follows from what it ordered."""

import orjson
import pytest

from edge.energy.day_market import STEPS
from edge.energy.day_messages import Awarded
from edge.twins.traded_day import TradedDay, is_ahead, read_day

BUYS = [((3000, 300), (1000, 100))] * STEPS  # at most 0.30, 400 Wh in all
SELLS = [((800, -200),)] * STEPS  # at least 0.08


def award(price, position_wh):
    return Awarded(price, position_wh, (("x", abs(position_wh)),) if position_wh else ())


def day_of(*orders):
    day = TradedDay()
    for rows in orders:
        day.order(rows)
    return day


@pytest.mark.parametrize(
    ("orders", "price", "position_wh", "counts"),
    [
        ([BUYS], 0.20, 400, True),
        ([BUYS], 0.30, 300, True),
        ([BUYS], 0.20, 401, False),
        ([BUYS], 0.31, 100, False),
        ([BUYS], None, 100, False),
        ([BUYS], 0.20, -1, False),
        ([SELLS], 0.08, -200, True),
        ([SELLS], 0.20, -201, False),
        ([SELLS], 0.07, -100, False),
        ([SELLS, BUYS], 0.20, 400, True),
        ([SELLS, BUYS], 0.20, -200, True),
        ([[]], 0.20, 1, False),
    ],
)
def test_an_award_counts_within_the_orders(orders, price, position_wh, counts):
    day = day_of(*orders)
    assert day.take([award(price, position_wh)]) == (not counts)
    assert day.position_wh == [position_wh if counts else 0]
    assert day.partners == [[("x", abs(position_wh))] if counts else []]


def test_a_day_is_read_back_as_it_was_kept():
    day = day_of(BUYS)
    day.take([award(0.2, 400)] * STEPS)
    assert read_day(orjson.loads(orjson.dumps(day.row()))) == day


def test_a_day_that_was_kept_without_its_orders_goes_on():
    row = TradedDay(ordered=True).row()
    del row["bounds"]
    day = read_day(row)
    assert day.take([award(0.2, 400)]) == 0


def test_orders_are_made_for_the_next_two_days():
    assert [day for day in range(10, 20) if is_ahead(day, 12)] == [13, 14]
