"""Contracts for a later span: what suppliers expect and offer, and when a flexible load starts."""

from dataclasses import replace
from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, ask, contract, make_consumer, make_supplier, offered, show
from msgspec import msgpack

from edge.clock import Zone
from edge.energy.daily_run import RunSettings, Stage
from edge.energy.forecast import FreePower
from edge.energy.invariants import violations
from edge.energy.messages import Answer, Offer, Part, Priority, Request
from edge.energy.parsing import lenient, parse_contract, parse_offer, parse_request, parse_stub
from edge.energy.planner import Planner
from edge.energy.plans import Plan
from edge.energy.rules import CLAIM_S, LATE_S, MIN_POWER_W, REPLAN_S, SLOT_S

MIDNIGHT = 1_699_920_000.0
HOUR = 3600.0


def sunny_day(ahead, peak_w=1000.0):
    """A day on which power is free from 10:00 to 14:00."""
    for minute in range(24 * 60):
        hour = minute / 60
        ahead.note(peak_w if 10 <= hour < 14 else 0.0, MIDNIGHT + minute * 60)


@given(
    st.floats(0.1, 1e5).map(lambda each: round(each, 3)),
    st.floats(1, 86400),
    st.floats(0, 86400),
    st.floats(0, 86400),
)
def test_a_request_for_later_survives_encoding(power_w, run_s, begin_in_s, more_s):
    request = Request(
        7, power_w, Priority.LOW, run_s=run_s, begin_in_s=begin_in_s, latest_in_s=begin_in_s + more_s
    )
    assert parse_request(request.encode()) == request


@given(st.floats(0, 2 * 86400), st.integers(0, 2 * 86400))
def test_a_begin_survives_encoding(in_s, later_s):
    offer = Offer(7, 50.0, 52.5, 3, 0.25, in_s=in_s)
    assert parse_offer(offer.encode()) == offer
    made = replace(contract(1, 50.0), in_s=later_s)
    assert parse_contract(made.encode()) == made


@pytest.mark.parametrize("in_s", [-1, 1e6, True, None, "1", [0]])
def test_a_bad_begin_is_refused(in_s):
    assert lenient(parse_offer)(msgpack.encode([7, 50_000, 52_500, 3, 0.0, 0, in_s])) is None
    stub = {"id": 1, "rev": 0, "ok": False, "ttl": 60, "prio": 0, "in": in_s}
    assert lenient(parse_stub)(orjson.dumps(stub)) is None


@pytest.mark.parametrize(
    "change",
    [{"w": 0}, {"run_s": 0}, {"run_s": 1e6}, {"begin_in_s": -1}, {"latest_in_s": 9}, {"latest_in_s": None}],
)
def test_a_bad_request_for_later_is_refused(change):
    fields = {"id": 1, "w": 5.0, "prio": 0, "run_s": 60, "begin_in_s": 10, "latest_in_s": 60} | change
    assert lenient(parse_request)(orjson.dumps(fields)) is None
    del fields["latest_in_s"]
    assert lenient(parse_request)(orjson.dumps(fields)) is None


def test_free_power_is_forecast_by_time_of_day():
    free = FreePower()
    free.note(300.0, MIDNIGHT)
    assert free.expect(MIDNIGHT + 12 * HOUR, 12 * HOUR) == 300.0  # nothing known yet: as now
    for minute in range(24 * 60):
        free.note(float(minute // 60), MIDNIGHT + minute * 60)
    assert free.expect(MIDNIGHT + 31.5 * HOUR, 7.5 * HOUR) == pytest.approx(7.0)
    free.note(50.0, MIDNIGHT + 24 * HOUR)
    assert free.expect(MIDNIGHT + 31 * HOUR, 7 * HOUR) == pytest.approx(7.0)
    assert free.expect(MIDNIGHT + 24.5 * HOUR, 0.5 * HOUR) == 50.0  # the next hour is as now


def later(supplier, name, number, power_w, run_s, latest_in_s, now_s=0.0, civil_s=MIDNIGHT):
    """A consumer asks for a run that begins later; what it is offered."""
    request = Request(number, power_w, Priority.LOW, run_s=run_s, latest_in_s=latest_in_s)
    supplier.see_request(name, request, 0, now_s)
    supplier.step(now_s, civil_s)
    return supplier.offers().get(name)


def accept(supplier, name, number, power_w, in_s, now_s=0.0):
    """Its contract over that, confirmed and valid."""
    supplier.see_request(name, None, 0, now_s)
    proposed = replace(contract(number, power_w), in_s=max(1, round(in_s)))
    show(supplier, name, proposed, now_s=now_s)
    assert supplier.answers()[name] == (Answer(number, True, MIN_POWER_W),)  # it cannot begin yet
    valid = replace(proposed, revision=1, valid=True)
    show(supplier, name, valid, now_s=now_s)
    return valid


def test_a_run_is_placed_at_the_earliest_time_at_which_it_fits():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    offer = later(supplier, "n.c", 1, 800.0, 2 * HOUR, 12 * HOUR, civil_s=MIDNIGHT + 30 * HOUR)
    assert (offer.request_id, offer.in_s) == (1, 4 * HOUR)
    assert later(supplier, "n.late", 1, 800.0, 2 * HOUR, 3 * HOUR, civil_s=MIDNIGHT + 30 * HOUR) is None


def test_a_begin_that_is_wanted_later_is_not_offered_sooner():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    for begin_h, found_h in ((0, 10), (11, 11), (13, None)):
        name = f"n.c{begin_h}"
        spans = {"run_s": 2 * HOUR, "begin_in_s": begin_h * HOUR, "latest_in_s": 20 * HOUR}
        supplier.see_request(name, Request(1, 300.0, Priority.LOW, **spans), 0, 0.0)
        supplier.step(0.0, MIDNIGHT + 24 * HOUR)
        offer = supplier.offers().get(name)
        assert (offer and offer.in_s) == (found_h and found_h * HOUR)


def test_runs_that_do_not_fit_together_are_placed_one_after_the_other():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    found = []
    for i in range(4):
        offer = later(supplier, f"n.c{i}", i, 400.0, HOUR, 14 * HOUR, civil_s=MIDNIGHT + 24 * HOUR)
        accept(supplier, f"n.c{i}", i, 400.0, offer.in_s)
        found.append(offer.in_s / HOUR)
    assert found == [10, 10, 11, 11]
    assert len(supplier.ahead) == 4


def test_only_power_under_contract_is_kept_and_only_for_its_consumer():
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    assert later(supplier, "n.a", 1, 100.0, HOUR, HOUR).in_s == 0.0
    ask(supplier, "n.x", 50.0)
    supplier.step(0.0, MIDNIGHT)
    assert "n.x" in supplier.offers()  # an offer for later keeps nothing now
    supplier.see_request("n.x", None, 0, 1.0)
    supplier.step(1.0, MIDNIGHT)
    accept(supplier, "n.a", 1, 100.0, 0.0, now_s=1.0)
    ask(supplier, "n.x", 50.0, number=2, now_s=1.0)
    supplier.step(1.0, MIDNIGHT)
    assert "n.x" not in supplier.offers()
    assert supplier.committed_w == pytest.approx(105.0)
    assert supplier.supplied_w == 0.0  # it has not begun


def test_what_is_not_free_yet_is_kept_from_new_offers():
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    offer = later(supplier, "n.a", 1, 100.0, HOUR, HOUR)
    offered(supplier, "n.b", 20.0)
    show(supplier, "n.b", contract(5, 20.0))
    accept(supplier, "n.a", 1, 100.0, offer.in_s)
    supplier.step(1.0, MIDNIGHT)
    assert len(supplier.ahead) == 1
    ask(supplier, "n.x", 30.0, now_s=1.0)
    supplier.step(1.0, MIDNIGHT)
    assert "n.x" not in supplier.offers()
    show(supplier, "n.b", None, now_s=2.0)
    assert len(supplier.ahead) == 0
    assert supplier.committed_w == pytest.approx(105.0)


@pytest.mark.parametrize("begins", [False, True])
def test_a_promise_that_is_not_claimed_ends_soon_after_its_begin(begins):
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    valid = accept(supplier, "n.a", 1, 100.0, later(supplier, "n.a", 1, 100.0, HOUR, HOUR).in_s)
    supplier.step(CLAIM_S - 1)
    assert supplier.promise("n.a", 1)
    if begins:
        show(supplier, "n.a", valid.begun(), now_s=CLAIM_S - 1)
        assert supplier.supplied_w == 100.0
    supplier.step(CLAIM_S)
    assert bool(supplier.promise("n.a", 1)) is begins
    supplier.step(3 * CLAIM_S)
    assert supplier.promise("n.a", 1) is None


def test_a_run_that_is_under_way_counts_until_its_end():
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    valid = accept(supplier, "n.a", 1, 100.0, later(supplier, "n.a", 1, 100.0, HOUR, HOUR).in_s)
    show(supplier, "n.a", valid.begun(), now_s=30.0)
    supplier.note_free(MIDNIGHT)  # planned power counts as free in the forecast: it may move tomorrow
    offer = later(supplier, "n.b", 1, 100.0, HOUR, 3 * HOUR, now_s=60.0)
    assert HOUR - 30.0 <= offer.in_s < HOUR + SLOT_S


def test_a_contract_for_later_that_is_withdrawn_frees_its_span():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    offer = later(supplier, "n.a", 1, 800.0, HOUR, 14 * HOUR, civil_s=MIDNIGHT + 24 * HOUR)
    accept(supplier, "n.a", 1, 800.0, offer.in_s)
    show(supplier, "n.a", None)
    assert len(supplier.ahead) == 0
    assert later(supplier, "n.b", 1, 800.0, HOUR, 14 * HOUR, civil_s=MIDNIGHT + 24 * HOUR).in_s == offer.in_s


def test_an_offer_for_later_that_is_not_taken_expires():
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    assert later(supplier, "n.a", 1, 100.0, HOUR, HOUR)
    supplier.see_request("n.a", None, 0, 1.0)
    supplier.step(9.0, MIDNIGHT)
    assert len(supplier.ahead) == 0


@pytest.mark.parametrize("change", [{"valid": True}, {"id": 9}, {"parts": (Part("n.p", 100.0, 106.0),)}])
def test_a_claim_for_later_that_was_not_offered_is_refused(change):
    """One that calls itself valid at first sight, one over more, one after another was agreed."""
    supplier = make_supplier(capacity_w=200.0)
    supplier.note_free(MIDNIGHT)
    later(supplier, "n.a", 1, 100.0, HOUR, HOUR)
    if "id" in change:
        accept(supplier, "n.a", 1, 100.0, 100.0)
    show(supplier, "n.a", replace(contract(7, 100.0), in_s=100, **change))
    number = change.get("id", 7)
    assert supplier.answers()["n.a"][-1] == Answer(number, False)
    assert supplier.promise("n.a", number) is None


def test_a_begin_that_finds_less_power_is_refused():
    """A run would not begin with a part of its power, but keep that part from others."""
    supplier = make_supplier(capacity_w=105.0)
    supplier.note_free(MIDNIGHT)
    valid = accept(supplier, "n.a", 1, 100.0, later(supplier, "n.a", 1, 100.0, HOUR, HOUR).in_s)
    supplier.set_capacity(50.0)
    show(supplier, "n.a", valid.begun(), now_s=1.0)
    assert supplier.answers()["n.a"] == (Answer(1, False),)
    assert len(supplier.book) == 0
    assert violations("n", make_consumer(), supplier, 1.0) == []


def planner(within_s=8 * HOUR):
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=6.0))
    made.step(0.0, MIDNIGHT, False, None)
    made.step(6 * HOUR, MIDNIGHT + 6 * HOUR, False, None)
    assert made.stage is Stage.PLANNING
    return made


def test_a_run_waits_for_the_begin_of_its_contract():
    plan = planner()
    assert plan.plan == Plan(800.0, HOUR, 6 * HOUR, 14 * HOUR)
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    assert plan.stage is Stage.BOOKED
    plan.step(7 * HOUR - 1, MIDNIGHT, False, 7 * HOUR)
    assert plan.need_w == 0.0
    plan.step(7 * HOUR, MIDNIGHT, False, 7 * HOUR)
    assert (plan.need_w, plan.plan) == (800.0, None)


def test_a_run_whose_power_did_not_come_is_planned_again_while_there_is_time():
    plan = planner()
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    plan.step(7 * HOUR, MIDNIGHT, False, 7 * HOUR)
    plan.step(7 * HOUR + REPLAN_S - 1, MIDNIGHT, False, None)
    assert plan.need_w == 800.0
    plan.step(7 * HOUR + REPLAN_S, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.PLANNING, 0.0)
    assert plan.plan.latest_s == 14 * HOUR
    plan.step(14 * HOUR, MIDNIGHT, False, None)
    plan.step(14 * HOUR + 2 * REPLAN_S, MIDNIGHT, False, None)
    assert plan.need_w == 800.0  # no time is left


def test_a_run_whose_contract_was_lost_waits_for_another():
    plan = planner()
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    plan.step(6 * HOUR + 3, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.PLANNING, 0.0)
    plan.step(14 * HOUR - 1, MIDNIGHT, False, None)
    assert plan.plan is not None
    plan.step(14 * HOUR, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.DUE, 800.0)


def planning(now_s=0.0, latest_s=20 * HOUR, **settings):
    consumer = make_consumer(**settings)
    consumer.planned = Plan(50.0, HOUR, now_s, latest_s)
    consumer.step(now_s)
    return consumer


def test_the_earliest_begin_is_taken_and_kept():
    consumer = planning()
    number = consumer.request.id
    for name, in_s, hops in (("n.far", 3600.0, 3), ("n.near", 3600.0, 0), ("n.late", 7200.0, 0)):
        consumer.see_offer(name, Offer(number, 50.0, 52.5, 3, in_s=in_s), hops, 0.0)
    consumer.see_offer("n.stale", Offer(number - 1, 50.0, 52.5, 3), 0, 0.0)
    consumer.see_offer("n.small", Offer(number, 49.0, 51.0, 3), 0, 0.0)
    consumer.step(1.0)
    assert consumer.main is None  # others may still answer
    consumer.see_offer("n.near", Offer(number, 50.0, 52.5, 3, in_s=3600.0), 0, 1.5)  # the same again
    consumer.step(2.0)
    assert [part.supplier for part in consumer.main.parts] == ["n.near"]
    consumer.see_answers("n.near", (Answer(consumer.main.id, True),))
    consumer.step(2.5)
    assert consumer.begins_s == 3600.0
    assert (consumer.active, consumer.request) == ([], None)


def test_a_request_for_later_is_published_again_until_it_is_answered():
    consumer = planning()
    number = consumer.request.id
    consumer.step(59.0)
    assert consumer.request.id == number
    consumer.step(60.0)
    assert consumer.request.id != number
    assert (consumer.request.begin_in_s, consumer.request.latest_in_s) == (0.0, 20 * HOUR - 60.0)
    consumer.planned = None
    consumer.step(61.0)
    assert consumer.request is None


def test_a_run_is_supplied_from_the_moment_at_which_its_contract_begins():
    consumer, supplier = planning(), make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    supplier.capacity_w, told = 60.0, []
    table = Table({"n.c": consumer}, {"n.p": supplier})
    later_offers = supplier.step
    supplier.step = lambda now_s: later_offers(now_s, MIDNIGHT + now_s)
    for _ in range(4):
        table.talk(1.0)
    assert consumer.begins_s is not None
    consumer.planned = None
    consumer.set_need(50.0)
    consumer.step(table.now_s)
    assert consumer.satisfied
    table.talk(0.1)
    told.append(consumer.main.id)
    for _ in range(100):
        table.talk(60.0)
        assert consumer.satisfied
        assert violations("n", consumer, supplier, table.now_s) == []
    assert supplier.supplied_w == 50.0
    assert told == [consumer.main.id]


def begun_without_power():
    """A run has a contract and begins, but its supplier has too little power by now."""
    consumer, supplier = planning(), make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    table = Table({"n.c": consumer}, {"n.p": supplier})
    plain = supplier.step
    supplier.step = lambda now_s: plain(now_s, MIDNIGHT + now_s)
    table.talk(1.0)
    supplier.set_capacity(30.0)
    for _ in range(5):
        table.talk(1.0)
    assert consumer.begins_s is not None
    consumer.planned = None
    consumer.set_need(50.0)
    return consumer, supplier, table


def test_a_run_waits_at_its_begin_until_its_supplier_has_the_power():
    """The run before it takes a bit longer than was planned."""
    consumer, supplier, table = begun_without_power()
    for _ in range(5):
        table.talk(1.0)
    assert (consumer.active, consumer.request) == ([], None)
    number = consumer.main.id
    supplier.set_capacity(60.0)
    table.talk(0.1)
    table.talk(0.1)
    assert [each.id for each in consumer.active] == [number]


def test_a_run_whose_power_does_not_come_is_soon_requested_from_all():
    consumer, _, table = begun_without_power()
    for _ in range(int(LATE_S) + 2):
        table.talk(1.0)
    assert consumer.main is None
    assert consumer.request.power_w == 50.0
    assert consumer.request.run_s == 0.0


def test_a_run_is_not_promised_where_its_margin_does_not_fit():
    supplier = make_supplier(capacity_w=100.0)
    supplier.note_free(MIDNIGHT)
    assert later(supplier, "n.whole", 1, 100.0, HOUR, 8 * HOUR) is None
    assert later(supplier, "n.less", 1, 95.0, HOUR, 8 * HOUR).in_s == 0.0


def test_a_promise_counts_on_a_part_of_what_was_free_on_other_days():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    for power_w, found_h in ((800.0, 10), (900.0, None)):
        offer = later(supplier, f"n.{power_w:g}", 1, power_w, HOUR, 20 * HOUR, civil_s=MIDNIGHT + 24 * HOUR)
        assert (offer and offer.in_s) == (found_h and found_h * HOUR)


def test_a_load_that_may_wait_takes_the_greenest_offer_and_of_those_the_first():
    consumer = planning()
    number = consumer.request.id
    for name, in_s, impact in (("n.grid", 0.0, 3), ("n.roof", 7200.0, 2), ("n.sun", 3600.0, 2)):
        consumer.see_offer(name, Offer(number, 50.0, 52.5, impact, in_s=in_s), 0, 0.0)
    consumer.step(2.0)
    assert [part.supplier for part in consumer.main.parts] == ["n.sun"]


def test_a_run_that_is_no_longer_planned_gives_its_contract_back():
    consumer, supplier = planning(), make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    table = Table({"n.c": consumer}, {"n.p": supplier})
    later_offers = supplier.step
    supplier.step = lambda now_s: later_offers(now_s, MIDNIGHT + 24 * HOUR + now_s)
    for _ in range(4):
        table.talk(1.0)
    assert consumer.begins_s == pytest.approx(10 * HOUR, abs=SLOT_S)
    consumer.planned = None
    for _ in range(2):
        table.talk(1.0)
    assert (consumer.main, len(supplier.ahead)) == (None, 0)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 400.0), st.booleans(), st.booleans(), st.sampled_from([40.0, 60.0, 100.0])),
        min_size=4,
        max_size=40,
    )
)
def test_whatever_is_lost_a_contract_for_later_keeps_the_rules(course):
    """A consumer with a plan, one that asks for what is free, a supplier whose capacity changes."""
    consumer, other = planning(contract_s=600.0, latest_s=1e9), make_consumer(contract_s=600.0)
    supplier = make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    table = Table({"n.c": consumer, "n.d": other}, {"n.p": supplier})
    plain = supplier.step
    supplier.step = lambda now_s: plain(now_s, MIDNIGHT + now_s)
    for seconds, said, answered, capacity_w in course:
        supplier.set_capacity(capacity_w)
        other.set_need(40.0 if said else 0.0)
        if consumer.begins_s is not None and table.now_s >= consumer.begins_s:
            consumer.planned = None
            consumer.set_need(50.0)
        table.pass_time(seconds)
        for name in table.consumers:
            if said:
                table.consumer_is_heard(name, "n.p")
            if answered:
                table.supplier_is_heard(name, "n.p")
        for each in table.consumers.values():
            assert violations("n", each, supplier, table.now_s) == []
    supplier.set_capacity(200.0)
    for _ in range(80):
        if consumer.begins_s is not None and table.now_s >= consumer.begins_s:
            consumer.planned = None
            consumer.set_need(50.0)
        table.talk(1.0)
    held = [(each.consumer, each.key) for each in (*supplier.book, *supplier.ahead) if each.committed]
    shown = [(name, each.id) for name, one in table.consumers.items() for each in one.contracts]
    assert sorted(held) == sorted(shown)


def test_a_run_counts_only_the_time_it_is_served():
    plan = planner(within_s=0.0)
    now_s = 6 * HOUR
    served_s = 0
    while plan.stage is not Stage.IDLE:
        now_s += 1.0
        served = now_s % 1000 < 900
        plan.step(now_s, MIDNIGHT, served, None)
        served_s += served
        assert now_s < 8 * HOUR
    assert plan.runs == 1
    assert 3600 <= served_s <= 3610


def test_an_unserved_load_misses_its_day_and_is_ready_on_the_next():
    plan = planner(within_s=HOUR)
    for minute in range(6 * 60, 9 * 60):
        plan.step(minute * 60.0, MIDNIGHT + minute * 60.0, False, None)
    assert (plan.stage, plan.missed) == (Stage.IDLE, 1)
    plan.step(30 * HOUR, MIDNIGHT + 30 * HOUR, False, None)
    assert plan.stage is Stage.PLANNING


def test_an_unfinished_run_goes_on_after_a_restart():
    plan = planner(within_s=0.0)
    for second in range(1, 1000):
        plan.step(6 * HOUR + second, MIDNIGHT, True, None)
    again = Planner(plan.settings)
    again.recall(plan.memory(6 * HOUR + 999), 50.0)
    assert again.need_w == 800.0
    second = 50
    while again.stage is not Stage.IDLE:
        second += 1
        again.step(float(second), MIDNIGHT, True, None)
    assert 2590 <= second - 50 <= 2610


@pytest.mark.parametrize("memory", [{}, {"stage": "x", "left_s": 1, "latest_in_s": 1}, {"stage": "due"}])
def test_invalid_saved_data_is_refused(memory):
    with pytest.raises((KeyError, ValueError)):
        planner().recall(memory, 0.0)


def test_a_clock_that_is_set_back_does_not_repeat_the_run_of_the_day():
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=HOUR, ready_hour=6.0))
    began = []
    for now_s, hour in ((0, 5.0), (10, 7.0), (20, 4.0), (30, 6.5), (40, 29.0), (50, 31.0)):
        made.stage = Stage.IDLE  # each run is over by then
        made.step(now_s, MIDNIGHT + hour * HOUR, False, None)
        began.append(made.stage is Stage.PLANNING)
    assert began == [False, True, False, False, False, True]


DAY = 24 * HOUR


def behind(days, hour=3.0, within_s=8 * HOUR, ready_hour=13.0):
    """A load on a board whose date is some days behind, at a time of day."""
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=ready_hour))
    made.step(0.0, MIDNIGHT + hour * HOUR - days * DAY, False, None)
    return made


def ready_at(made, now_s, wall_s, hours):
    """Step a load for some hours; when it becomes ready, in hours from `now_s`."""
    found = []
    for step in range(int(hours * HOUR / 5)):
        before = made.stage
        made.step(now_s + 5.0 * step, wall_s + 5.0 * step, True, None)
        if before is Stage.IDLE and made.stage is Stage.PLANNING:
            found.append(round(step * 5 / HOUR, 2))
    return found


@pytest.mark.parametrize("days", [1, 3, 400, -3])
def test_a_date_that_is_set_at_night_starts_no_run_before_its_hour(days):
    made = behind(days)
    made.date_jumped()
    assert ready_at(made, 600.0, MIDNIGHT + 3 * HOUR + 600.0, 24) == [round(10 - 600 / HOUR, 2)]
    assert made.runs == 1


def test_a_date_that_is_set_in_the_window_leaves_what_is_left_of_it():
    made = behind(3)
    made.date_jumped()
    made.step(600.0, MIDNIGHT + 15 * HOUR, False, None)
    assert made.stage is Stage.PLANNING
    assert made.plan.latest_s - 600.0 == pytest.approx(6 * HOUR)


def test_what_was_planned_by_a_wrong_date_is_planned_anew_by_the_right_one():
    made = behind(3, hour=12.99)
    made.step(60.0, MIDNIGHT + 13 * HOUR - 3 * DAY, False, None)
    assert made.stage is Stage.PLANNING
    made.date_jumped()  # in truth it is ten past three
    assert ready_at(made, 600.0, MIDNIGHT + 3 * HOUR + 600.0, 20) == [round(10 - 600 / HOUR, 2)]


def test_a_run_that_began_by_a_wrong_date_is_the_one_of_the_day():
    made = behind(3, hour=12.99, within_s=0.0)
    for second in range(60, 660):
        made.step(float(second), MIDNIGHT + 12.99 * HOUR - 3 * DAY + second, True, None)
    assert made.stage is Stage.RUNNING
    made.date_jumped()
    assert ready_at(made, 660.0, MIDNIGHT + 3 * HOUR + 660.0, 15) == []
    assert made.runs == 1


@pytest.mark.parametrize(
    ("start", "hours"), [("2025-03-29T12:00", [1.0, 24.0]), ("2025-10-25T12:00", [1.0, 26.0])]
)
def test_the_hour_of_a_load_is_civil_time_in_nights_of_23_and_25_hours(start, hours):
    """Ready at 13:00 of Zurich on both days, whatever the clocks are set to in the night between them."""
    zone = Zone("Europe/Zurich")
    settings = RunSettings(power_w=800.0, run_s=HOUR, within_s=HOUR, ready_hour=13.0)
    made = Planner(settings, zone.civil_s)
    wall_s = 60.0 * zone.utc(int(datetime.fromisoformat(start + "+00:00").timestamp()) // 60)
    found = ready_at(made, 0.0, wall_s, 30)
    assert found == hours


@pytest.mark.parametrize("start", ["2025-03-30T00:00", "2025-10-26T00:00"])
def test_an_hour_that_is_skipped_or_twice_starts_one_run(start):
    zone = Zone("Europe/Zurich")
    made = Planner(RunSettings(power_w=800.0, run_s=60.0, within_s=HOUR, ready_hour=2.5), zone.civil_s)
    wall_s = 60.0 * zone.utc(int(datetime.fromisoformat(start + "+00:00").timestamp()) // 60)
    assert len(ready_at(made, 0.0, wall_s, 8)) == 1


def test_a_date_that_cannot_be_believed_teaches_the_forecast_nothing():
    free = FreePower()
    for minute in range(24 * 60):
        free.note(100.0, MIDNIGHT + minute * 60)
    for _ in range(30):
        free.note(7.0, None)
    free.note(7.0, MIDNIGHT + DAY)
    assert free.expect(MIDNIGHT + 30 * HOUR, 6 * HOUR) == 100.0
    assert free.expect(MIDNIGHT + DAY, 60.0) == 7.0
