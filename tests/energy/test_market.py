"""Negotiation between suppliers and consumers, property-based: any message may be lost or late."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from market import Table, ask, contract, make_consumer, make_supplier, offered, show

from edge.energy.book import State
from edge.energy.messages import Priority, Request
from edge.trust.trust import Trust
from edge.twins.envelope import Writer, longest_value
from host_tools.world.clock import VirtualClock

CONSUMERS = ["n.c0", "n.c1", "n.c2"]
SUPPLIERS = ["n.p0", "n.p1"]


class Market(RuleBasedStateMachine):
    """Three consumers, two suppliers; hypothesis decides when a message arrives."""

    @initialize(policy=st.sampled_from(["prioritisation", "random", "hybrid", "fair_share"]))
    def open(self, policy):
        high = {"priority": Priority.HIGH}
        kinds = [{}, {"partial": True}, high]
        self.table = Table(
            {name: make_consumer(**kind) for name, kind in zip(CONSUMERS, kinds, strict=True)},
            {name: make_supplier(name, 100.0, i, policy) for i, name in enumerate(SUPPLIERS)},
        )

    @rule(
        name=st.sampled_from(CONSUMERS), power_w=st.sampled_from([0.0, 30.0, 31.0, 33.0, 60.0, 150.0, 500.0])
    )
    def need(self, name, power_w):
        self.table.consumers[name].set_need(power_w)
        self.table.consumers[name].step(self.table.now_s)

    @rule(name=st.sampled_from(SUPPLIERS), power_w=st.sampled_from([0.0, 40.0, 100.0, 300.0]))
    def capacity(self, name, power_w):
        self.table.suppliers[name].set_capacity(power_w)

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS))
    def consumer_is_heard(self, consumer, supplier):
        self.table.consumer_is_heard(consumer, supplier)

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS))
    def supplier_is_heard(self, consumer, supplier):
        self.table.supplier_is_heard(consumer, supplier)

    @rule()
    def all_are_heard(self):
        self.table.talk()

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS), which=st.booleans())
    def one_is_lost(self, consumer, supplier, which):
        if which:
            self.table.suppliers[supplier].lost(consumer)
        else:
            self.table.consumers[consumer].lost(supplier)

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0, 9.0, 12.0]))
    def time_passes(self, seconds):
        self.table.pass_time(seconds)

    @invariant()
    def i1_nothing_is_promised_twice(self):
        for supplier in self.table.suppliers.values() if hasattr(self, "table") else ():
            assert supplier.reserved_w <= supplier.capacity_w + 0.01

    @invariant()
    def i2_i3_nobody_holds_or_gets_more_than_asked(self):
        for consumer in self.table.consumers.values() if hasattr(self, "table") else ():
            assert len(consumer.contracts) <= 2
            assert consumer.supplied_w <= consumer.need_w * 1.05 + 0.01

    def teardown(self):
        """After all messages have arrived, both sides agree."""
        if not hasattr(self, "table"):
            return
        for _ in range(40):
            self.table.talk(1.0, rounds=1)
        for name, consumer in self.table.consumers.items():
            for supplier in self.table.suppliers.values():
                held = {each.id for each in consumer.contracts if each.part_of(supplier.name)}
                promised = {each.key for each in supplier.book.of(name) if each.committed}
                assert held == promised


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_thesis_example_two_suppliers_meet_50_w():
    """Thesis figure 4.4: offers of 13 and 60 W; the greener one is used first and suffices."""
    suppliers = {"n.a": make_supplier("n.a", 13.0), "n.b": make_supplier("n.b", 60.0, impact=2)}
    table = Table({"n.c": make_consumer()}, suppliers)
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    assert [part.supplier for part in consumer.main.parts] == ["n.b"]
    assert consumer.main.parts[0].max_w == 52.5
    assert consumer.satisfied


def test_offers_of_several_suppliers_are_composed():
    table = Table(
        {"n.c": make_consumer()}, {n: make_supplier(n, w) for n, w in (("n.a", 13.0), ("n.b", 17.0))}
    )
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    assert consumer.main is None  # 30 W of 50: it waits for more
    table.suppliers["n.d"] = make_supplier("n.d", 40.0)
    table.talk()
    assert consumer.main.power_w == 50.0


def test_an_offer_expires_and_its_power_is_free_again():
    supplier = make_supplier()
    ask(supplier)
    supplier.step(0.0)
    assert supplier.available_w == 47.5
    supplier.step(8.5)
    assert supplier.offers()  # a second of grace beyond what it says
    ask(supplier, number=1)
    supplier.step(9.0)
    assert not supplier.offers()
    assert supplier.available_w == 100.0


def test_a_contract_beyond_the_free_power_is_refused():
    supplier = make_supplier(capacity_w=40.0)
    offered(supplier, "n.c", 50.0)
    show(supplier, "n.c", contract(7, 50.0))
    assert [supplier.answers()["n.c"][0].agreed, supplier.reserved_w] == [False, 0.0]
    show(supplier, "n.c", None)
    assert supplier.answers() == {}


def test_a_consumer_that_exceeds_the_capacity_loses_its_contract():
    supplier = make_supplier()
    offered(supplier, "n.c", 50.0)
    show(supplier, "n.c", contract(7, 50.0))
    show(supplier, "n.c", contract(7, 120.0, valid=True))
    assert supplier.reserved_w == 0.0
    assert not supplier.answers()["n.c"][0].agreed


def test_a_drop_in_production_sheds_the_least_urgent_and_no_more():
    supplier = make_supplier(capacity_w=160.0)
    for i, priority in enumerate((Priority.LOW, Priority.HIGH, Priority.MEDIUM)):
        offered(supplier, f"n.c{i}", 50.0, priority)
        show(supplier, f"n.c{i}", contract(i, 50.0, priority=priority))
    supplier.set_capacity(110.0)
    assert {promise.consumer for promise in supplier.book} == {"n.c1", "n.c2"}
    assert supplier.shed == 1


@pytest.mark.parametrize("promises", [1, 16, 128])
def test_the_longest_confirmation_table_fits_the_configured_size(promises):
    supplier = make_supplier("own.p", capacity_w=1e6, promises=promises)
    for i in range(promises + 40):
        power_w = 1.0 if i < promises else 1e6
        name = f"{i:04d}.{'x' * 59}"
        offered(supplier, name, power_w)
        show(supplier, name, contract(2**53 - i, power_w, supplier="own.p", valid=True))
    for promise in supplier.book:
        promise.limit_w = 9_999_999.123
    answers = supplier.answers()
    assert sum(each[0].agreed for each in answers.values()) == promises
    assert len(answers) > promises
    assert len(Writer("n.p", Trust(), VirtualClock()).answers(answers)) <= longest_value(promises, 1024)


def test_an_open_offer_is_increased_when_power_becomes_free():
    supplier = make_supplier(capacity_w=40.0)
    ask(supplier, "n.a", 30.0, 1)
    ask(supplier, "n.b", 31.0, 2)
    supplier.step(0.0)
    assert [offer.power_w for offer in supplier.offers().values()] == [30.0, 8.5]
    supplier.see_request("n.a", None, 0, 0.5)
    supplier.step(0.5)
    assert [offer.power_w for offer in supplier.offers().values()] == [31.0]


def test_a_supplier_without_power_need_not_act_on_requests_until_it_has_some():
    supplier = make_supplier(capacity_w=40.0)
    assert supplier.see_request("n.a", Request(1, 40.0, Priority.LOW), 1, 0.0)
    supplier.step(0.0)
    show(supplier, "n.a", contract(7, 40.0, 40.0))
    show(supplier, "n.a", contract(7, 40.0, 40.0, valid=True))
    assert not supplier.see_request("n.a", None, 1, 0.0)
    assert not supplier.see_request("n.b", Request(2, 30.0, Priority.LOW), 1, 0.0)
    assert supplier.due_s > 0.0
    assert supplier.see_request("n.c", Request(3, 30.0, Priority.HIGH), 1, 0.0)
    assert supplier.see_request("n.c", None, 1, 0.0) is False
    show(supplier, "n.a", None)
    assert supplier.due_s == 0.0
    supplier.step(0.1)
    assert set(supplier.offers()) == {"n.b"}


def test_without_an_order_for_partial_offers_they_expire_soon_and_others_come_first():
    supplier = make_supplier(capacity_w=40.0, policy="random")
    ask(supplier, "n.a", 300.0, 1)
    supplier.step(0.0)
    assert supplier.offers()["n.a"].power_w == 40.0
    ask(supplier, "n.b", 35.0, 2, now_s=1.9)
    supplier.step(1.9)
    assert set(supplier.offers()) == {"n.a"}
    supplier.step(2.0)
    assert set(supplier.offers()) == {"n.b"}


def test_partial_offers_stay_open_for_their_consumer_but_not_forever():
    supplier = make_supplier(capacity_w=38.0)
    ask(supplier, "n.a", 300.0)
    for second in range(30):
        supplier.step(float(second))
        assert supplier.offers()["n.a"].power_w == 38.0
        assert supplier.offer_until_s("n.a") == second + 8.0
    for second in range(30, 39):
        supplier.step(float(second))
    assert supplier.offers() == {}


def test_an_unused_partial_offer_goes_to_a_consumer_that_can_use_it():
    supplier = make_supplier(capacity_w=38.0)
    ask(supplier, "n.a", 300.0, 1)
    supplier.step(0.0)
    ask(supplier, "n.b", 35.0, 2, now_s=0.2)
    supplier.step(0.2)
    assert set(supplier.offers()) == {"n.a"}  # it may be composing right now
    assert supplier.wake_s == pytest.approx(0.3)
    supplier.step(0.3)
    assert supplier.offers()["n.b"].max_w == 36.75
    assert supplier.offers()["n.a"].power_w == 1.25  # crumbs may be all that somebody lacks


def test_the_remainders_of_all_suppliers_gather_at_one_request():
    suppliers = [make_supplier(f"n.p{i}", 20.0) for i in range(3)]
    for i, supplier in enumerate(suppliers):
        for consumer, power_w in enumerate((90.0, 50.0, 70.0)):
            hops = 0 if consumer == i else 2
            supplier.see_request(f"n.c{consumer}", Request(consumer, power_w, Priority.LOW), hops, 0.0)
        supplier.step(0.0)
    assert [list(supplier.offers()) for supplier in suppliers] == [["n.c1"]] * 3


def test_a_full_offer_goes_to_the_nearest_and_the_remainder_to_the_smallest():
    supplier = make_supplier(capacity_w=100.0)
    for consumer, power_w, hops in (("n.far", 60.0, 2), ("n.near", 70.0, 0), ("n.big", 200.0, 0)):
        supplier.see_request(consumer, Request(1, power_w, Priority.LOW), hops, 0.0)
    supplier.step(0.0)
    assert {name: offer.power_w for name, offer in supplier.offers().items()} == {
        "n.near": 70.0,
        "n.far": 26.5,
    }


def test_a_request_ends_after_its_tolerance_and_is_repeated_when_the_need_changes():
    table = Table({"n.c": make_consumer(tolerance_s=30.0)}, {"n.p": make_supplier(capacity_w=10.0)})
    consumer = table.consumers["n.c"]
    consumer.set_need(50.0)
    table.talk()
    table.talk(29.0)
    assert consumer.request is not None
    table.talk(2.0)
    assert consumer.gave_up
    assert consumer.request is None
    table.suppliers["n.p"].set_capacity(200.0)
    table.talk(1.0)
    assert not consumer.satisfied
    consumer.set_need(60.0)
    table.talk(1.0)
    assert consumer.satisfied
    assert not consumer.gave_up


def test_a_request_that_its_node_could_serve_is_in_alert():
    consumer = make_consumer()
    consumer.set_need(50.0)
    consumer.step(0.0)
    consumer.see_free(40.0, 1.0)  # too little
    consumer.step(5.0)
    assert not consumer.request.alert
    consumer.see_free(60.0, 5.0)
    consumer.step(6.0)
    assert not consumer.request.alert  # this short it is the negotiation itself
    consumer.step(7.5)
    assert (consumer.request.alert, consumer.request.alert_s) == (True, 2.5)
    consumer.see_free(10.0, 9.0)
    consumer.step(9.0)
    assert not consumer.request.alert


def test_valid_promises_are_the_ones_of_valid_contracts():
    supplier = make_supplier()
    offered(supplier, "n.c", 50.0)
    show(supplier, "n.c", contract(7, 50.0))
    assert [promise.state for promise in supplier.book] == [State.PENDING]
    show(supplier, "n.c", contract(7, 50.0, valid=True, revision=1))
    assert [promise.state for promise in supplier.book] == [State.VALID]
    show(supplier, "n.c", contract(7, 30.0, valid=True, revision=2))
    assert (supplier.supplied_w, supplier.available_w) == (30.0, 68.5)


def test_a_supply_that_is_interrupted_before_it_was_confirmed_is_refused():
    supplier = make_supplier(capacity_w=60.0)
    offered(supplier, "n.low", 50.0)
    supplier.see_contract("n.low", False, contract(1, 50.0), 0)
    supplier.step(0.0)
    offered(supplier, "n.high", 50.0, Priority.HIGH)
    supplier.see_contract("n.high", False, contract(2, 50.0, priority=Priority.HIGH), 0)
    supplier.step(0.0)
    told = {name: [answer.agreed for answer in answers] for name, answers in supplier.answers().items()}
    assert told == {"n.low": [False], "n.high": [True]}


def test_one_other_node_cannot_occupy_all_offers_promises_or_requests():
    supplier = make_supplier("own.p", 1e6)
    for i in range(200):
        ask(supplier, f"crowd.c{i}", 1.0, i)
    supplier.step(0.0)
    assert len(supplier.offers()) == 7
    ask(supplier, "fair.c", 50.0)
    ask(supplier, "own.c", 50.0)
    supplier.step(0.1)
    assert {"fair.c", "own.c"} <= set(supplier.offers())
    for i in range(40):
        offered(supplier, f"crowd.c{i}", 1.0)
        show(supplier, f"crowd.c{i}", contract(i, 1.0, supplier="own.p"))
    assert len(supplier.book) < 16
    offered(supplier, "fair.c", 1.0)
    show(supplier, "fair.c", contract(77, 1.0, supplier="own.p"))
    assert supplier.answers()["fair.c"][0].agreed
