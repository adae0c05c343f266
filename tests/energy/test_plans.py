"""Contracts for a later span: how they are asked for, what suppliers expect, promise and keep."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from later_spans import HOUR, MIDNIGHT, accept, later, sunny_day
from market import ask, contract, make_consumer, make_supplier, offered, show
from msgspec import msgpack

from edge.energy.forecast import FreePower
from edge.energy.invariants import violations
from edge.energy.messages import Answer, Offer, Part, Priority, Request
from edge.energy.parsing import lenient, parse_contract, parse_offer, parse_request, parse_stub
from edge.energy.rules import CLAIM_S, SLOT_S


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
