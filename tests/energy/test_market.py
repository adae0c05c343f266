"""Suppliers and consumers face to face, property-based: every message may be lost or late."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.energy.consumer import Consumer
from edge.energy.messages import Contract, Part, Priority, Request, encode_answers
from edge.energy.policies import SeenRequest, consumer_policy, producer_policy
from edge.energy.supplier import State, Supplier, table_bytes

CONSUMERS = ["n.c0", "n.c1", "n.c2"]
SUPPLIERS = ["n.p0", "n.p1"]


def make_supplier(name="n.p", capacity_w=100.0, seed=0):
    supplier = Supplier(
        name, producer_policy("prioritisation"), random.Random(seed), impact=3, promises_max=16, offers_max=8
    )
    supplier.set_capacity(capacity_w)
    return supplier


def make_consumer(name="n.c"):
    numbers = iter(range(1, 10**6))
    return Consumer(
        name, consumer_policy("green_near"), lambda: next(numbers), priority=Priority.LOW, offers_max=16
    )


def ask(supplier, name="n.c", power_w=50.0, number=1, priority=Priority.LOW, now_s=0.0):
    supplier.see_request(name, Request(number, power_w, priority, 0.0), 0, now_s)


class Market(RuleBasedStateMachine):
    """Three consumers, two suppliers; what one shows reaches the other whenever hypothesis says so."""

    @initialize()
    def open(self):
        self.now_s = 0.0
        self.consumers = {name: make_consumer(name) for name in CONSUMERS}
        self.suppliers = {name: make_supplier(name, 100.0, i) for i, name in enumerate(SUPPLIERS)}

    @rule(name=st.sampled_from(CONSUMERS), power_w=st.sampled_from([0.0, 30.0, 31.0, 60.0, 150.0, 500.0]))
    def need(self, name, power_w):
        self.consumers[name].set_need(power_w)
        self.consumers[name].step(self.now_s)

    @rule(name=st.sampled_from(SUPPLIERS), power_w=st.sampled_from([0.0, 40.0, 100.0, 300.0]))
    def capacity(self, name, power_w):
        self.suppliers[name].set_capacity(power_w)

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS))
    def consumer_is_heard(self, consumer, supplier):
        said, hears = self.consumers[consumer], self.suppliers[supplier]
        hears.see_request(consumer, said.request, 1, self.now_s)
        hears.see_contract(consumer, said.contract, 1, self.now_s)
        hears.step(self.now_s)

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS))
    def supplier_is_heard(self, consumer, supplier):
        said, hears = self.suppliers[supplier], self.consumers[consumer]
        hears.see_offer(supplier, said.offers().get(consumer), 1, self.now_s)
        hears.see_answer(supplier, said.answers().get(consumer))
        hears.step(self.now_s)

    @rule(consumer=st.sampled_from(CONSUMERS), supplier=st.sampled_from(SUPPLIERS), which=st.booleans())
    def one_is_lost(self, consumer, supplier, which):
        if which:
            self.suppliers[supplier].lost(consumer)
        else:
            self.consumers[consumer].lost(supplier)

    @rule(seconds=st.sampled_from([0.1, 1.0, 9.0, 12.0]))
    def time_passes(self, seconds):
        self.now_s += seconds
        for each in (*self.consumers.values(), *self.suppliers.values()):
            each.step(self.now_s)

    @invariant()
    def i1_nothing_is_promised_twice(self):
        for supplier in getattr(self, "suppliers", {}).values():
            assert supplier.reserved_w <= supplier.capacity_w + 0.01

    @invariant()
    def i3_nobody_gets_more_than_asked(self):
        for consumer in getattr(self, "consumers", {}).values():
            assert consumer.supplied_w <= consumer.need_w * 1.05 + 0.01

    def teardown(self):
        """Once everybody hears everybody, both sides agree."""
        if not hasattr(self, "consumers"):
            return
        for _ in range(40):
            self.time_passes(1.0)
            for consumer in CONSUMERS:
                for supplier in SUPPLIERS:
                    self.consumer_is_heard(consumer, supplier)
                    self.supplier_is_heard(consumer, supplier)
        for name, consumer in self.consumers.items():
            for supplier in self.suppliers.values():
                promise = supplier.promises.get(name)
                held = consumer.contract is not None and consumer.contract.part_of(supplier.name) is not None
                agreed = promise is not None and promise.state is not State.OFFERED
                assert held == agreed
                if held and promise.state is State.VALID:
                    assert promise.key == consumer.contract.id


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_thesis_example_two_suppliers_meet_50_w():
    """Thesis figure 4.4: 13 and 60 W, the greener one is taken first and suffices."""
    consumer, small, green = make_consumer(), make_supplier("n.a", 13.0), make_supplier("n.b", 60.0)
    green._impact = 2
    consumer.set_need(50.0)
    consumer.step(0.0)
    for supplier in (small, green):
        supplier.see_request("n.c", consumer.request, 0, 0.0)
        supplier.step(0.0)
        consumer.see_offer(supplier.name, supplier.offers()["n.c"], 0, 0.0)
    consumer.step(0.0)
    assert [part.supplier for part in consumer.contract.parts] == ["n.b"]
    assert consumer.contract.parts[0].max_w == 52.5


def test_offers_of_several_suppliers_are_composed():
    consumer = make_consumer()
    consumer.set_need(50.0)
    consumer.step(0.0)
    for name, power_w in (("n.a", 13.0), ("n.b", 17.0)):
        supplier = make_supplier(name, power_w)
        supplier.see_request("n.c", consumer.request, 0, 0.0)
        supplier.step(0.0)
        consumer.see_offer(name, supplier.offers()["n.c"], 0, 0.0)
    consumer.step(0.0)
    assert consumer.contract is None  # 30 W of 50: it waits for more
    supplier = make_supplier("n.d", 40.0)
    supplier.see_request("n.c", consumer.request, 0, 0.0)
    supplier.step(0.0)
    consumer.see_offer("n.d", supplier.offers()["n.c"], 0, 0.0)
    consumer.step(0.0)
    assert consumer.contract.power_w == 50.0


def test_an_offer_lapses_and_its_power_is_free_again():
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


def test_a_proposal_beyond_what_is_left_is_refused():
    supplier = make_supplier(capacity_w=40.0)
    contract = Contract(7, 0, False, 60, (Part("n.p", 50.0, 52.5),))
    supplier.see_contract("n.c", contract, 0, 0.0)
    assert [supplier.answers()["n.c"].agreed, supplier.reserved_w] == [False, 0.0]


def test_a_valid_contract_that_was_never_confirmed_is_refused():
    supplier = make_supplier()
    supplier.see_contract("n.c", Contract(7, 1, True, 60, (Part("n.p", 50.0, 52.5),)), 0, 0.0)
    assert not supplier.answers()["n.c"].agreed


def test_a_consumer_that_helps_itself_loses_its_contract():
    supplier = make_supplier()
    supplier.see_contract("n.c", Contract(7, 0, False, 60, (Part("n.p", 50.0, 52.5),)), 0, 0.0)
    supplier.see_contract("n.c", Contract(7, 1, True, 60, (Part("n.p", 80.0, 84.0),)), 0, 0.0)
    assert supplier.reserved_w == 0.0
    assert not supplier.answers()["n.c"].agreed


def test_a_drop_in_production_sheds_the_least_urgent_and_no_more():
    supplier = make_supplier(capacity_w=160.0)
    for i, priority in enumerate((Priority.LOW, Priority.HIGH, Priority.MEDIUM)):
        ask(supplier, f"n.c{i}", 50.0, i, priority)
    supplier.step(0.0)
    for i in range(3):
        supplier.see_contract(f"n.c{i}", Contract(i, 0, False, 60, (Part("n.p", 50.0, 52.5),)), 0, 0.0)
    supplier.set_capacity(110.0)
    assert set(supplier.promises) == {"n.c1", "n.c2"}


@given(st.permutations(range(6)))
def test_prioritisation_puts_near_urgent_waiting_small_first(order):
    wanted = [
        SeenRequest("a", Request(1, 90.0, Priority.LOW, 0.0), 0, 0.0),
        SeenRequest("b", Request(1, 5.0, Priority.HIGH, 0.0), 1, 0.0),
        SeenRequest("c", Request(1, 50.0, Priority.LOW, 9.0), 1, 0.0),
        SeenRequest("d", Request(1, 5.0, Priority.LOW, 1.0), 1, 0.0),
        SeenRequest("e", Request(1, 6.0, Priority.LOW, 1.0), 1, 0.0),
        SeenRequest("f", Request(1, 1.0, Priority.HIGH, 9.0), 2, 0.0),
    ]
    shuffled = [wanted[i] for i in order]
    assert [each.consumer for each in producer_policy("prioritisation").order(shuffled, 0.0)] == list(
        "abcdef"
    )


@pytest.mark.parametrize("promises", [1, 16, 160])
def test_the_longest_confirmation_table_fits_what_the_configuration_asks_for(promises):
    supplier = make_supplier(capacity_w=1e6)
    supplier._promises_max = promises
    for i in range(promises + 40):
        part = Part("n.p", 1.0 if i < promises else 1e6, 1.05e6)
        contract = Contract(2**53 - i, 0, False, 60, (Part("n.p", 1.0, 1.05),) if i < promises else (part,))
        supplier.see_contract(f"{'x' * 60}{i:04d}", contract, 0, 0.0)
    answers = supplier.answers()
    assert sum(each.agreed for each in answers.values()) == promises
    assert len(answers) > promises
    assert len(encode_answers(answers)) <= table_bytes(promises)


def test_an_offer_grows_while_it_stands_as_power_frees_up():
    supplier = make_supplier(capacity_w=40.0)
    ask(supplier, "n.a", 30.0, 1)
    ask(supplier, "n.b", 31.0, 2)
    supplier.step(0.0)
    assert [offer.power_w for offer in supplier.offers().values()] == [30.0, 8.5]
    supplier.see_request("n.a", None, 0, 0.5)
    supplier.step(0.5)
    assert [offer.power_w for offer in supplier.offers().values()] == [31.0]


def test_an_offer_of_less_than_was_asked_lapses_soon_and_lets_others_first():
    supplier = make_supplier(capacity_w=40.0)
    ask(supplier, "n.a", 300.0, 1)
    supplier.step(0.0)
    assert supplier.offers()["n.a"].power_w == 40.0
    ask(supplier, "n.b", 35.0, 2, now_s=1.9)
    supplier.step(1.9)
    assert set(supplier.offers()) == {"n.a"}
    supplier.step(2.0)
    assert set(supplier.offers()) == {"n.b"}
