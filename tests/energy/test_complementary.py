"""A rise beyond the margin: a second contract for the difference, and its merge (thesis 4.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, contract, make_consumer, make_supplier, offered, show

from edge.energy.events import EventKind


@pytest.fixture
def told():
    return []


@pytest.fixture
def table(told):
    suppliers = {"n.a": make_supplier("n.a", 52.5), "n.b": make_supplier("n.b", 90.0, impact=4)}
    return Table({"n.c": make_consumer(told=told)}, suppliers)


def test_a_rise_is_requested_separately_and_supplied_by_a_second_contract(table, told):
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    main = consumer.main.id
    consumer.set_need(90.0)
    consumer.step(table.now_s)
    assert consumer.request.power_w == 40.0
    assert consumer.supplied_w == pytest.approx(52.5)  # up to the margin meanwhile
    table.talk()
    assert consumer.main.id == main
    assert consumer.extra.power_w == pytest.approx(40.0)
    assert consumer.satisfied
    assert consumer.supplied_w == pytest.approx(90.0)
    assert [kind for kind, _ in told if kind is EventKind.START] == [EventKind.START] * 2


def test_an_offer_that_meets_the_need_without_the_margin_is_accepted(table):
    table.suppliers["n.b"].set_capacity(38.0)
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    consumer.set_need(90.0)
    consumer.step(table.now_s)
    assert (consumer.request.power_w, consumer.request.least_w) == (40.0, 37.5)
    table.talk()
    assert consumer.satisfied
    assert consumer.extra.max_w == pytest.approx(38.0)


def test_the_second_contract_is_merged_into_the_first_in_both_books(table, told):
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    main = consumer.main.id
    consumer.set_need(90.0)
    table.talk()
    table.talk(2.0)
    assert (consumer.main.id, consumer.extra) == (main, None)
    assert consumer.main.max_w == pytest.approx(94.5)
    assert told[-1][0] is EventKind.MERGE
    books = [[(each.consumer, each.key) for each in supplier.book] for supplier in table.suppliers.values()]
    assert books == [[("n.c", main)], [("n.c", main)]]
    promised = sum(supplier.reserved_w for supplier in table.suppliers.values())
    assert promised == pytest.approx(94.5)
    table.talk(5.0)
    assert consumer.satisfied


def test_a_merge_that_suppliers_see_late_ends_no_contract(table):
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    consumer.set_need(90.0)
    table.talk()
    table.pass_time(3.0)
    assert consumer.extra is None
    for supplier in table.suppliers:  # they still answer for the two contracts
        table.supplier_is_heard("n.c", supplier)
    assert consumer.satisfied
    for supplier in table.suppliers:
        table.consumer_is_heard("n.c", supplier)
        table.supplier_is_heard("n.c", supplier)
    assert consumer.satisfied
    assert [len(supplier.book) for supplier in table.suppliers.values()] == [1, 1]


def test_demand_that_keeps_growing_is_met_step_by_step_until_nothing_is_left(table):
    consumer = table.consumers["n.c"]
    for power_w in (20.0, 30.0, 45.0, 70.0, 100.0, 130.0):
        consumer.set_need(power_w)
        for _ in range(4):
            table.talk(1.0)
            assert len(consumer.contracts) <= 2
        assert consumer.satisfied, power_w
    consumer.set_need(200.0)
    for _ in range(6):
        table.talk(1.0)
    assert not consumer.satisfied
    assert consumer.supplied_w == pytest.approx(consumer.main.max_w)


def test_a_rise_that_ends_removes_only_the_second_contract(table, told):
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    main = consumer.main.id
    consumer.set_need(90.0)
    table.talk()
    consumer.set_need(51.0)
    table.talk()
    assert (consumer.main.id, consumer.extra) == (main, None)
    assert consumer.supplied_w == pytest.approx(51.0)
    assert sum(supplier.reserved_w for supplier in table.suppliers.values()) == pytest.approx(52.5)


def test_when_the_main_contract_ends_the_second_takes_its_place(table):
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    consumer.set_need(90.0)
    table.talk()
    extra = consumer.extra.id
    table.suppliers["n.a"].set_capacity(0.0)
    table.supplier_is_heard("n.c", "n.a")
    assert (consumer.main.id, consumer.extra) == (extra, None)
    assert consumer.request.power_w == pytest.approx(50.0)


@given(st.lists(st.tuples(st.floats(1.0, 80.0), st.floats(1.0, 80.0)), min_size=1, max_size=6))
def test_a_supplier_accepts_only_restatements_that_it_has_power_for(shown):
    """Main and complementary contract in any sizes, one after the other: the book holds both or refuses."""
    supplier = make_supplier(capacity_w=100.0)
    for i, (main_w, extra_w) in enumerate(shown):
        show(supplier, "n.c", None)
        offered(supplier, "n.c", main_w + extra_w)
        show(supplier, "n.c", contract(i, main_w), contract(1000 + i, extra_w))
        agreed = {answer.contract_id for answer in supplier.answers()["n.c"] if answer.agreed}
        fits = [round(1.05 * main_w, 3) <= 100.0, round(1.05 * main_w, 3) + round(1.05 * extra_w, 3) <= 100.0]
        assert (i in agreed) == fits[0]
        assert supplier.reserved_w <= 100.0
        if fits[1]:
            assert agreed == {i, 1000 + i}


def test_a_drop_in_production_cuts_one_supply_by_what_is_missing_and_no_other(table):
    second = table.consumers["n.d"] = make_consumer()
    table.suppliers["n.b"].set_capacity(0.0)
    consumer, supplier = table.consumers["n.c"], table.suppliers["n.a"]
    consumer.set_need(30.0)
    second.set_need(19.0)
    table.talk()
    supplier.set_capacity(40.0)
    table.talk()
    assert supplier.shed == 1
    assert consumer.satisfied
    assert second.supplied_w == pytest.approx(40.0 - 31.5)  # the smallest that is enough
    assert supplier.supplied_w == pytest.approx(consumer.supplied_w + second.supplied_w)
    supplier.set_capacity(60.0)
    table.talk()
    table.talk(3.0)
    assert second.satisfied
    assert second.extra is None


def test_a_restatement_that_crosses_a_cut_loses_nothing_more(table):
    consumer, supplier = table.consumers["n.c"], table.suppliers["n.a"]
    consumer.set_need(48.0)
    table.talk()
    supplier.set_capacity(30.0)
    consumer.set_need(49.0)
    consumer.step(table.now_s)
    table.consumer_is_heard("n.c", "n.a")
    assert supplier.supplied_w == pytest.approx(30.0)
    table.talk()
    assert consumer.main.part_of("n.a").max_w == pytest.approx(30.0)
    assert consumer.satisfied  # the other supplier has taken over the rest


def test_a_contract_of_several_suppliers_survives_the_loss_of_one():
    suppliers = {f"n.p{i}": make_supplier(f"n.p{i}", 30.0) for i in range(3)}
    table = Table({"n.c": make_consumer()}, suppliers)
    consumer = table.consumers["n.c"]
    consumer.set_need(80.0)
    table.talk()
    main = consumer.main.id
    gone = suppliers.pop("n.p1")
    consumer.lost(gone.name)
    table.talk()
    assert consumer.main.id == main
    assert {part.supplier for part in consumer.main.parts} == {"n.p0", "n.p2"}
    assert consumer.request.power_w == pytest.approx(80.0 - consumer.main.agreed_w, abs=0.001)
    assert [supplier.supplied_w > 0 for supplier in suppliers.values()] == [True, True]
