"""Price tables, tariffs, and loads that wait for the cheapest slot."""

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.book import Book, Promise, State
from edge.energy.daily_run import RunSettings, Stage
from edge.energy.deferral import Deferral
from edge.energy.messages import Contract, Offer, Part, Priority, encode_parts
from edge.energy.parsing import parse_contract, parse_offer, parse_parts
from edge.energy.prices import SLOTS_MAX, Slot, averaged, cheapest, price_at, read_rows, rows_of
from edge.energy.rules import EPSILON_W
from edge.energy.tariff import Production, Tariff, factor, parse_production, read_schedule

HOUR = 3600
RATE = st.integers(0, 10**8).map(lambda n: n / 10_000)
TABLE = st.lists(st.tuples(st.integers(0, 10**9), RATE, RATE), max_size=SLOTS_MAX).map(
    lambda rows: tuple(Slot(*row) for row in sorted({row[0]: row for row in rows}.values()))
)


@given(TABLE)
def test_a_table_survives_its_journey(table):
    assert read_rows(orjson.loads(orjson.dumps(rows_of(table)))) == table


@pytest.mark.parametrize(
    "rows",
    [
        [[1]],
        [[1, 2, 3, 4]],
        [[1, -1]],
        [[1, 2.5]],
        [[True, 2]],
        [[2, 1], [1, 1]],
        [[1, 1], [1, 1]],
        [[1, 10**12]],
        [[1, 1, -(10**12)]],
        [[i, 1] for i in range(SLOTS_MAX + 1)],
        "rows",
        [7],
    ],
)
def test_invalid_tables_are_refused(rows):
    with pytest.raises(ValueError, match="price"):
        read_rows(rows)


def test_a_slot_holds_until_the_next_one_and_its_price_is_never_below_zero():
    table = (Slot(100, 6.0, 2.0), Slot(200, 7.0, 9.0))
    assert [price_at(table, at_s) for at_s in (0, 100, 199, 200, 10**9)] == [4, 4, 4, 0, 0]
    assert price_at((), 0, default=0.3) == 0.3
    assert Slot(0, 1.0, -2.0).price == 3.0


def test_tables_are_averaged_by_weight():
    one, other = (Slot(0, 10.0), Slot(100, 20.0)), (Slot(0, 40.0),)
    assert averaged([(one, 300.0), (other, 100.0)], 50) == (Slot(50, 17.5), Slot(100, 25.0))
    assert averaged([((), 5.0), (one, 0.0)], 0) == ()
    assert averaged([(one, 5e-324)], 0) == ()


@given(st.lists(st.tuples(TABLE, st.floats(0, 1e6)), max_size=4), st.integers(0, 10**9))
def test_an_average_lies_between_its_tables(tables, at_s):
    table = averaged(tables, at_s)
    rates = [
        price_at([Slot(s, r) for s, r, _ in each], at_s) for each, w in tables if each and w >= EPSILON_W
    ]
    if table:
        assert min(rates) - 1e-6 <= table[0].rate <= max(rates) + 1e-6


def test_the_cheapest_slot_is_one_in_which_half_of_the_run_still_fits():
    table = (Slot(0, 6.0), Slot(120, 7.0), Slot(240, 8.0))
    assert cheapest(table, 5.0, 120.0, 1e9) == 5.0
    assert cheapest(table, 60.0, 120.0, 1e9) == 60.0
    assert cheapest(table, 61.0, 120.0, 1e9) == 120
    assert cheapest(table, 61.0, 120.0, 100.0) == 61.0  # it may not wait for it
    assert cheapest((), 61.0, 120.0, 1e9) == 61.0


# ---- tariffs --------------------------------------------------------------------------------------


def test_the_factor_is_that_of_the_thesis():
    used = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    expected = [1, 1, 1.25, 1.429, 1.667, 2, 2.5, 3.333, 5, 10, 10]
    assert [factor(1 - each) for each in used] == pytest.approx(expected, abs=0.001)
    assert factor(0.899) == pytest.approx(1 / 0.899)


@pytest.mark.parametrize(
    "text", ["6:00 1", "24:00 1", "06:60 1", "06:00", "06:00 -1", "06:00 1e9", "x", "06:00 1.2.3"]
)
def test_invalid_schedules_are_refused(text):
    with pytest.raises(ValueError, match=r"HH:MM|range|float"):
        read_schedule(text)


def test_a_schedule_is_civil_time_and_wraps_around_midnight():
    tariff = Tariff(read_schedule("06:00 0.30; 22:00 0.18"), dynamic=False)
    table = tariff.table(Book(4, "n"), 100.0, 0.0, 2 * HOUR, HOUR)  # 3 h by the clock on the wall
    assert table[0] == Slot(-3 * HOUR, 0.18)
    assert table[1] == Slot(5 * HOUR, 0.30)
    assert len(table) <= SLOTS_MAX
    assert tariff.due_s(1000.0, 2 * HOUR, HOUR) == 1000.0 + 3 * HOUR


def test_a_dynamic_tariff_counts_offers_now_and_later_only_contracts_that_last():
    book = Book(8, "n")
    for consumer, state, deadline_s in (("m.a", State.VALID, 900.0), ("m.b", State.OFFERED, 8.0)):
        book.add(Promise(consumer, 1, state, 25.0, 26.0, deadline_s, Priority.LOW, 1))
    tariff = Tariff(read_schedule("00:00 6; 00:10 7; 00:20 8"), dynamic=True)
    rates = [slot.rate for slot in tariff.table(book, 100.0, 0.0, 0.0, 0.0)]
    assert rates[:3] == pytest.approx([6 / 0.5, 7, 8])  # the contract ends in the middle of the second slot
    book.add(Promise("m.c", 2, State.VALID, 25.0, 26.0, 1000.0, Priority.LOW, 1))
    rates = [slot.rate for slot in tariff.table(book, 100.0, 0.0, 0.0, 0.0)]
    assert rates[:3] == pytest.approx([6 / 0.25, 7 / 0.75, 8], abs=1e-3)


def test_production_survives_its_journey_and_lies_are_refused():
    production = Production(100.0, 40.0, 2, (Slot(5, 0.25),))
    assert parse_production(production.encode()) == production
    assert (production.used_w, production.green) == (60.0, True)
    for wrong in ({"of": 10, "w": 11}, {"of": -1}, {"impact": 10}, {"prices": 5}, {"of": True}):
        fields = {"of": 100.0, "w": 40.0, "impact": 2, "prices": []} | wrong
        with pytest.raises(ValueError, match=r".+"):
            parse_production(orjson.dumps(fields))


# ---- messages -------------------------------------------------------------------------------------


def test_offers_and_parts_carry_their_table():
    table = (Slot(5, 0.25, -0.5), Slot(10, 0.5))
    offer = Offer(7, 100.0, 105.0, 2, 0.75, prices=table)
    assert parse_offer(offer.encode()) == offer
    part = Part("n.sun", 100.0, 105.0, table)
    assert parse_parts(encode_parts([part])) == (part,)
    contract = Contract(1, 0, True, 60, Priority.LOW, (part, Part("n.grid", 5.0, 5.0)))
    assert parse_contract(contract.encode()) == contract


def test_a_merged_share_costs_the_average():
    first, second = Part("n.sun", 30.0, 31.5, (Slot(0, 1.0),)), Part("n.sun", 10.0, 10.5, (Slot(0, 5.0),))
    contract = Contract(1, 0, True, 60, Priority.LOW, (first,))
    (part,) = contract.merged(Contract(2, 0, True, 60, Priority.LOW, (second,))).parts
    assert part.prices == (Slot(0, 2.0),)


# ---- deferral -------------------------------------------------------------------------------------


def deferral(**changes):
    run = {"power_w": 10.0, "run_s": 100.0, "within_s": 7200.0, "ready_hour": 0.0} | changes
    load = Deferral(RunSettings(**run))
    load.step(0.0, 86_390.0, False, False)  # the day before
    return load


def test_a_load_waits_for_its_slot_runs_while_it_is_served_and_rests_until_the_next_day():
    load = deferral()
    load.hear("n.grid", Production(100.0, 100.0, 3, (Slot(0, 9.0), Slot(86_500, 5.0))))
    load.step(10.0, 86_400.0, False, False)
    assert (load.stage, load.need_w, load.due_s(10.0, 86_400.0)) == (Stage.WAITING, 0.0, 110.0)
    load.step(110.0, 86_500.0, False, False)
    assert load.need_w == 10.0
    for second in range(111, 220):
        load.step(float(second), 86_390.0 + second, True, True)
    assert (load.stage, load.runs, load.missed) == (Stage.IDLE, 1, 0)


def test_a_load_that_is_not_served_moves_when_prices_rise_but_not_while_it_is_offered_power():
    load = deferral()
    cheap, dear = (Production(100.0, 0.0, 3, (Slot(0, rate), Slot(86_500, 5.0))) for rate in (4.0, 40.0))
    load.hear("n.grid", cheap)
    load.step(10.0, 86_400.0, False, False)
    assert load.stage is Stage.DUE
    load.hear("n.grid", dear)
    load.step(13.0, 86_403.0, False, True)
    assert load.stage is Stage.DUE
    load.step(14.0, 86_404.0, False, False)
    assert (load.stage, load.moves, load.begins_s) == (Stage.WAITING, 1, 86_500)


def test_a_load_that_nobody_serves_is_missed_after_its_tolerance():
    load = deferral(within_s=50.0)
    for second in range(10, 170):
        load.step(float(second), 86_390.0 + second, False, False)
    assert (load.stage, load.runs, load.missed) == (Stage.IDLE, 0, 1)


def test_a_run_survives_a_restart():
    load = deferral()
    load.step(10.0, 86_400.0, False, False)
    for second in range(11, 52):
        load.step(float(second), 86_390.0 + second, True, True)
    other = Deferral(load.settings)
    other.recall(load.memory(51.0), 0.0, 86_441.0)
    assert other.need_w == 10.0
    for second in range(1, 62):
        other.step(float(second), 86_441.0 + second, True, True)
    assert other.runs == 1


def test_a_date_that_was_wrong_makes_no_load_run_twice():
    load = deferral(within_s=3600.0)
    load.step(10.0, 86_400.0, False, False)
    for second in range(11, 112):
        load.step(float(second), 86_390.0 + second, True, True)
    assert load.runs == 1
    load.date_jumped()  # the board started three days behind
    load.step(200.0, 4 * 86_400.0, False, False)
    assert (load.stage, load.need_w) == (Stage.IDLE, 0.0)


def test_a_load_that_waits_chooses_again_by_the_right_date():
    load = deferral()
    load.hear("n.grid", Production(100.0, 100.0, 3, (Slot(0, 9.0), Slot(90_000, 5.0))))
    load.step(10.0, 86_400.0, False, False)
    assert load.stage is Stage.WAITING
    load.date_jumped()
    load.step(11.0, 3 * 86_400.0 + 8000.0, False, False)
    assert (load.stage, load.need_w) == (Stage.IDLE, 0.0)  # too late for that day
    load.step(12.0, 4 * 86_400.0, False, False)
    assert load.stage is Stage.DUE


@given(st.integers(0, 2**32))
def test_the_suppliers_of_one_load_are_bounded(seed):
    load, rng = deferral(), random.Random(seed)
    for _ in range(100):
        load.hear(f"n{rng.randrange(1000)}.x", Production(1.0, 1.0, 3, (Slot(0, 1.0),)))
    assert len(load._productions) <= 64
