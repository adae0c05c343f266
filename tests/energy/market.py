"""Suppliers and consumers without a microgrid, for the tests of this folder."""

import random

from edge.energy.consumer import Consumer, ConsumerSettings
from edge.energy.messages import Contract, Part, Priority, Request
from edge.energy.offering import SupplierSettings
from edge.energy.policies import consumer_policy, producer_policy
from edge.energy.supplier import Supplier


def make_supplier(name="n.p", capacity_w=100.0, seed=0, policy="prioritisation", members=None, **settings):
    rng = random.Random(seed)
    given = {"impact": 3, "price": 0.0, "promises": 16, "offers": 7, **settings}
    supplier = Supplier(name, SupplierSettings(**given), producer_policy(policy, rng), rng, members)
    supplier.set_capacity(capacity_w)
    return supplier


def make_consumer(policy="least_distance", told=None, members=None, **settings):
    numbers = iter(range(1, 10**6))
    tell = (lambda kind, contract, *_: told.append((kind, contract))) if told is not None else lambda *_: None
    given = {
        "priority": Priority.LOW,
        "partial": False,
        "tolerance_s": 0.0,
        "contract_s": 3600.0,
        "offers": 32,
        **settings,
    }
    return Consumer(ConsumerSettings(**given), consumer_policy(policy), lambda: next(numbers), tell, members)


def ask(supplier, name="n.c", power_w=50.0, number=1, priority=Priority.LOW, now_s=0.0):
    supplier.see_request(name, Request(number, power_w, priority), 0, now_s)


def contract(number, power_w, max_w=None, supplier="n.p", valid=False, priority=Priority.LOW, revision=0):
    part = Part(supplier, power_w, max_w or round(1.05 * power_w, 3))
    return Contract(number, revision, valid, 60, priority, (part,))


def offered(supplier, name, power_w, priority=Priority.LOW, now_s=0.0):
    """The consumer has requested power and was offered it, as before every contract."""
    ask(supplier, name, power_w, 10**9, priority, now_s)
    supplier.step(now_s)
    supplier.see_request(name, None, 0, now_s)


def show(supplier, name, main, extra=None, now_s=0.0):
    supplier.see_contract(name, False, main, 0)
    supplier.see_contract(name, True, extra, 0)
    supplier.step(now_s)


class Table:
    """Named consumers and suppliers that hear each other at once, whenever `talk` is called."""

    def __init__(self, consumers, suppliers):
        self.consumers, self.suppliers = consumers, suppliers
        self.now_s = 0.0

    def consumer_is_heard(self, consumer, supplier):
        said, hears = self.consumers[consumer], self.suppliers[supplier]
        hears.see_request(consumer, said.request, 1, self.now_s)
        hears.see_contract(consumer, False, said.main, 1)
        hears.see_contract(consumer, True, said.extra, 1)
        hears.step(self.now_s)

    def supplier_is_heard(self, consumer, supplier):
        said, hears = self.suppliers[supplier], self.consumers[consumer]
        hears.see_offer(supplier, said.offers().get(consumer), 1, self.now_s)
        hears.see_answers(supplier, said.answers().get(consumer, ()))
        hears.step(self.now_s)

    def pass_time(self, seconds):
        self.now_s += seconds
        for each in (*self.consumers.values(), *self.suppliers.values()):
            each.step(self.now_s)

    def talk(self, seconds=0.0, rounds=4):
        self.pass_time(seconds)
        for _ in range(rounds):
            for heard in (self.consumer_is_heard, self.supplier_is_heard):
                for consumer in self.consumers:
                    for supplier in self.suppliers:
                        heard(consumer, supplier)
