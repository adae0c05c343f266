"""Day-ahead prices in the shapes of public services: read, refused when they cannot be right, condensed."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.book import Book
from edge.energy.day_prices import DayPrices, PricesRefused, Step, condensed, read_json
from edge.energy.prices import SLOTS_MAX, price_at
from edge.energy.tariff import DayAhead

NOW_S = 1_764_457_200  # a full hour
HOUR, QUARTER = 3600, 900


def rows(prices, step_s=HOUR, **more):
    begins = [NOW_S + i * step_s for i in range(len(prices))]
    table = [
        {"start_timestamp": 1000 * at, "end_timestamp": 1000 * (at + step_s), "marketprice": price}
        for at, price in zip(begins, prices, strict=True)
    ]
    return orjson.dumps({"object": "list", "data": table, **more})


def columns(prices, step_s=QUARTER):
    times = [NOW_S + i * step_s for i in range(len(prices))]
    return orjson.dumps({"unix_seconds": times, "price": prices, "unit": "EUR / MWh"})


def test_hours_with_begin_and_end():
    found = read_json(rows([81.2, -5.0]), NOW_S)
    assert found.steps == (Step(NOW_S, NOW_S + HOUR, 0.0812), Step(NOW_S + HOUR, NOW_S + 2 * HOUR, -0.005))
    assert found.at(NOW_S + HOUR) == -0.005
    assert found.at(NOW_S + 2 * HOUR) is found.at(NOW_S - 1) is None


def test_quarter_hours_as_columns_and_an_unknown_price_is_not_zero():
    found = read_json(columns([100.0, None, 120.0]), NOW_S)
    assert [found.at(NOW_S + i * QUARTER) for i in range(4)] == [0.1, None, 0.12, None]
    assert found.until_s == NOW_S + 3 * QUARTER


def test_a_day_of_hours_in_columns():
    assert read_json(columns([10.0] * 24, HOUR), NOW_S).until_s == NOW_S + 24 * HOUR


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "JSON"),
        (b"[1, 2]", "neither"),
        (b'{"data": []}', "none"),
        (b'{"data": [3]}', "not an object"),
        (b'{"unix_seconds": [1764457200]}', "as many"),
        (b'{"unix_seconds": [1764457200], "price": [1, 2]}', "as many"),
        (columns(["12"]), "not a number"),
        (columns([True]), "not a number"),
        (columns([1e9]), "plausible"),
        (b'{"unix_seconds": [1764457200], "price": [1e999]}', "JSON|number"),
        (columns([1.0] * 5000), "more than"),
        (columns([1.0, 2.0], -QUARTER), "order"),
        (b'{"unix_seconds": [5], "price": [1]}', "these days"),
        (b'{"unix_seconds": [1764457230], "price": [1]}', "quarter-hour"),
        (b'{"unix_seconds": [1764457200000], "price": [1]}', "these days"),
        (rows([1.0], 86_400), "step of"),
        (b" " * (1 << 20) + b"{}", "longer"),
    ],
)
def test_what_cannot_be_right_is_refused(data, why):
    with pytest.raises(PricesRefused, match=why):
        read_json(data, NOW_S)


@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.floats() | st.text(max_size=3), st.lists).map(repr)
)
def test_nothing_else_than_a_refusal_comes_of_rubbish(data):
    text = data if isinstance(data, bytes) else data.encode()
    for each in (text, b'{"data":' + text + b"}", b'{"unix_seconds":' + text + b',"price":' + text + b"}"):
        try:
            read_json(each, NOW_S)
        except PricesRefused:
            continue


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=96), st.integers(2, 6))
def test_condensed_prices_cover_the_same_time_at_the_same_mean(rates, most):
    steps = [Step(i * QUARTER, (i + 1) * QUARTER, rate) for i, rate in enumerate(rates)]
    found = condensed(steps, most)
    assert len(found) == min(most, len(steps))
    assert found[0] == steps[0]
    assert [each.from_s for each in found[1:]] == [each.until_s for each in found[:-1]]

    def total(table):
        return sum((each.until_s - each.from_s) * each.rate for each in table)

    assert total(found) == pytest.approx(total(steps), abs=1e-6)


def test_a_tariff_follows_them_and_falls_back_to_its_schedule():
    prices = DayPrices()
    tariff = DayAhead(((0, 0.30),), False, lambda: prices, 1.2, 0.10)
    table = tariff.table(Book(8, "a"), 0.0, 0.0, NOW_S, 0.0)
    assert price_at(table, NOW_S) == 0.30
    prices = read_json(columns([100.0] * 4 + [-200.0] * 4 + [50.0] * 80), NOW_S)
    table = tariff.table(Book(8, "a"), 0.0, 0.0, NOW_S + 60, 0.0)
    assert len(table) <= SLOTS_MAX
    assert price_at(table, NOW_S) == pytest.approx(0.22)
    assert price_at(table, NOW_S + 5 * QUARTER) == 0.0  # a rate is never below 0
    assert price_at(table, NOW_S + 20 * HOUR) == pytest.approx(0.16)
    assert tariff.due_s(0.0, NOW_S + 60, 0.0) == QUARTER - 60
