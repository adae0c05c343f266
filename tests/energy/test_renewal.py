"""Contracts are renewed before they end, so nobody is without power when their time is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, contract, make_consumer, make_supplier, offered, show

from edge.energy.book import State
from edge.energy.events import EventKind
from edge.energy.invariants import violations
from edge.energy.messages import Answer, encode_answers
from edge.energy.parsing import lenient, parse_answers, parse_contract, parse_stub
from edge.energy.rules import OFFER_GRACE_S
from host_tools.invariants import broken, disagreements
from host_tools.world import World
from host_tools.world.links import LinkQuality


def trade(suppliers=1, contract_s=60.0, need_w=50.0, told=None):
    consumer = make_consumer(told=told, contract_s=contract_s)
    table = Table({"n.c": consumer}, {f"n.p{i}": make_supplier(f"n.p{i}", 60.0) for i in range(suppliers)})
    consumer.set_need(need_w)
    table.talk(1.0)
    table.talk(1.0)
    assert consumer.satisfied
    return table, consumer


def test_a_contract_goes_on_over_its_end_without_a_gap():
    told = []
    table, consumer = trade(told=told)
    number = consumer.main.id
    for _ in range(600):
        table.talk(0.5)
        assert consumer.satisfied
        assert violations("n", consumer, table.suppliers["n.p0"], table.now_s) == []
    assert consumer.main.id == number
    assert consumer.main.term >= 5
    assert {kind for kind, _ in told} == {EventKind.START, EventKind.UPDATE}


def test_a_supplier_never_ends_a_term_before_its_consumer():
    table, consumer = trade()
    for _ in range(200):
        table.talk(1.0)
        promise = table.suppliers["n.p0"].book.get("n.c", consumer.main.id)
        assert consumer.ends_s(consumer.main) <= promise.deadline_s - OFFER_GRACE_S + 1e-6


def test_without_an_answer_it_ends_when_its_time_is_over():
    told = []
    _, consumer = trade(told=told)
    ends_s = consumer.ends_s(consumer.main)
    consumer.step(ends_s - 0.1)
    assert consumer.satisfied
    consumer.step(ends_s)
    assert told[-1][0] is EventKind.EXPIRY
    assert consumer.main is None


def test_a_supplier_that_does_not_renew_is_left_out_and_the_others_go_on():
    table, consumer = trade(suppliers=2, need_w=100.0)
    silent = table.suppliers.pop("n.p1")
    ends_s = consumer.ends_s(consumer.main)
    while table.now_s < ends_s + 0.5:
        table.talk(0.5)
        silent.step(table.now_s)
    assert [part.supplier for part in consumer.main.parts] == ["n.p0"]
    assert consumer.supplied_w == pytest.approx(60 / 1.05, abs=3)
    assert consumer.request is not None  # for what is missing now
    silent.step(ends_s + 10.0)
    assert len(silent.book) == 0


def test_a_contract_from_before_a_restart_is_renewed_at_once():
    """When its supplier would end it is not known any more."""
    table, consumer = trade()
    table.talk(20.0)
    again = make_consumer(contract_s=60.0)
    again.set_need(50.0)
    again.restore(consumer.main, None, table.now_s)
    table.consumers["n.c"] = again
    while table.now_s < 90.0:
        table.talk(1.0)
        assert again.satisfied or table.now_s < 24.0
    assert again.main.id == consumer.main.id


def test_a_contract_that_is_merged_is_renewed_as_one():
    table, consumer = trade(suppliers=2)
    table.talk(30.0)
    consumer.set_need(90.0)
    for _ in range(10):
        table.talk(1.0)
    assert consumer.extra is None
    for _ in range(150):
        table.talk(1.0)
        assert consumer.satisfied
    assert len(consumer.main.parts) == 2


def test_a_term_that_is_claimed_lasts_no_longer_than_any_other():
    supplier = make_supplier()
    offered(supplier, "n.c", 50.0)
    show(supplier, "n.c", contract(1, 50.0))
    for number in range(1, 6):
        show(supplier, "n.c", contract(1, 50.0, valid=True, revision=number).renewed(60).renewed(60))
    assert supplier.book.get("n.c", 1).deadline_s <= 60.0 + OFFER_GRACE_S


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 8.0), st.booleans(), st.booleans(), st.sampled_from([50.0, 52.0, 40.0, 55.0])
        ),
        min_size=5,
        max_size=60,
    )
)
def test_whatever_is_lost_both_sides_keep_the_rules(course):
    table, consumer = trade(contract_s=20.0)
    supplier = table.suppliers["n.p0"]
    for seconds, said, answered, need_w in course:
        consumer.set_need(need_w)
        table.pass_time(seconds)
        if said:
            table.consumer_is_heard("n.c", "n.p0")
        if answered:
            table.supplier_is_heard("n.c", "n.p0")
        assert violations("n", consumer, supplier, table.now_s) == []
        for each in consumer.active:
            promise = supplier.book.get("n.c", each.id)
            if promise and promise.state is State.VALID:
                assert consumer.ends_s(each) <= promise.deadline_s - OFFER_GRACE_S + 1e-6
    for _ in range(30):
        table.talk(1.0)
    assert consumer.satisfied
    assert {each.key for each in supplier.book if each.committed} == {each.id for each in consumer.active}


@given(st.integers(0, 2**53), st.sampled_from([float("inf"), 0.5, 1e6]), st.integers(0, 2**31 - 1))
def test_an_answer_survives_encoding(number, limit_w, term):
    answers = {"c": (Answer(number, True, limit_w, term), Answer(1, False))}
    assert parse_answers(encode_answers(answers)) == answers


@pytest.mark.parametrize("term", [-1, 1.5, "1", None, True, 2**31])
def test_a_term_that_is_no_number_of_renewals_is_refused(term):
    text = str(term).lower() if not isinstance(term, str) else '"1"'
    data = '{"id":1,"rev":1,"ok":true,"ttl":60,"prio":0,"term":' + text.replace("none", "null") + "}"
    assert lenient(parse_stub)(data.encode()) is None


def test_a_term_survives_encoding():
    renewed = contract(1, 50.0, valid=True).renewed(60)
    assert parse_contract(renewed.encode()) == renewed


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_nobody_in_a_microgrid_misses_a_second_at_the_end_of_contracts(loss):
    world = World(seed=2)
    try:
        loads = [
            {"name": f"l{i}", "kind": "load", "power_w": 100.0 + i, "contract_s": 60.0} for i in range(3)
        ]
        world.add("a", ["b"], [*loads, {"name": "pv", "kind": "pv", "power_w": 400.0}])
        world.add("b", ["a"], [*loads, {"name": "pv", "kind": "pv", "power_w": 300.0}])
        world.boot()
        world.run(20)
        for pair in (("a", "b"), ("b", "a")):
            world.network.wire(*pair).quality = LinkQuality(latency_s=0.02, loss=loss)
        twins = [twin for each in world.nodes.values() for twin in each.node.prosumers]
        consumers = [twin.consumer for twin in twins if twin.settings.consumes]
        assert all(each.satisfied for each in consumers)
        unserved = set()
        world.run(200, lambda: unserved.update(i for i, each in enumerate(consumers) if not each.satisfied))
        assert unserved == set()
        assert min(each.main.term for each in consumers) >= 3
        assert broken(world) == disagreements(world) == []
    finally:
        world.close()
