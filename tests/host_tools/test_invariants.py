"""The check of a virtual microgrid detects broken invariants."""

import pytest

from host_tools.invariants import broken, disagreements
from host_tools.world import World


@pytest.fixture
def world():
    world = World(seed=3)
    world.add("n1", ["n2"], [{"name": "p", "kind": "pv", "power_w": 100.0}])
    world.add("n2", ["n1"], [{"name": "c", "kind": "load", "power_w": 50.0}])
    world.boot()
    world.run(5)
    yield world
    world.close()


@pytest.fixture
def supplier(world):
    return world.nodes["n1"].node.prosumers[0].supplier


@pytest.fixture
def consumer(world):
    return world.nodes["n2"].node.prosumers[0].consumer


def test_an_intact_microgrid_breaks_no_invariant(world, consumer):
    assert consumer.satisfied
    assert broken(world) == []
    assert disagreements(world) == []


def test_a_supplier_that_promises_too_much_is_seen(world, supplier):
    supplier.capacity_w = 10.0
    assert any(line.startswith("I1") for line in broken(world))


def test_a_consumer_that_gets_too_much_is_seen(world, consumer):
    consumer.need_w = 20.0
    assert any(line.startswith("I3") for line in broken(world))


def test_books_that_differ_are_seen(world, supplier):
    supplier.book.of("n2.c")[0].power_w = 40.0
    assert any(line.startswith("I6") for line in broken(world))


def test_a_promise_past_its_deadline_is_detected(world, supplier):
    promise = supplier.book.of("n2.c")[0]
    promise.state = type(promise.state).PENDING
    promise.deadline_s = world.clock.now_s() - 3
    assert any(line.startswith("I4") for line in broken(world))


def test_a_contract_that_one_side_lost_is_seen(world, supplier, consumer):
    promise = supplier.book.of("n2.c")[0]
    supplier.book.drop(promise)
    assert "n1.p does not" in disagreements(world)[0]
    supplier.book.add(promise)
    consumer._holdings.main = None
    assert "does not hold it" in disagreements(world)[0]


def test_the_node_itself_counts_a_broken_invariant(world, supplier):
    supplier.capacity_w = 10.0
    world.run(11)  # idle twins are looked at every ten ticks
    assert world.nodes["n1"].node.invariants_broken > 0
