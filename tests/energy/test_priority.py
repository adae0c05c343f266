"""High-priority requests interrupt other supplies, as few as necessary (thesis 4.1.2)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, make_consumer, make_supplier

from edge.energy.book import Promise, State
from edge.energy.interruption import fewest
from edge.energy.messages import Priority


def committed(loads_w, capacities_w, **urgent):
    """Suppliers whose whole power is used by low-priority loads, and one urgent load."""
    consumers = {f"n.c{i}": make_consumer() for i in range(len(loads_w))}
    suppliers = {f"n.p{i}": make_supplier(f"n.p{i}", w) for i, w in enumerate(capacities_w)}
    table = Table(consumers, suppliers)
    for consumer, power_w in zip(consumers.values(), loads_w, strict=True):
        consumer.set_need(power_w)
        table.talk()
        assert consumer.satisfied
    table.consumers["n.urgent"] = make_consumer(priority=Priority.HIGH, **urgent)
    return table


def need(table, power_w):
    urgent = table.consumers["n.urgent"]
    urgent.set_need(power_w)
    table.talk()
    table.talk(0.4)
    return urgent


def interrupted(table):
    return sum(supplier.interrupted for supplier in table.suppliers.values())


def test_the_one_supply_that_suffices_is_interrupted():
    table = committed([20.0, 40.0, 30.0], [95.0])
    assert need(table, 38.0).satisfied
    assert interrupted(table) == 1
    assert [c.satisfied for c in table.consumers.values()] == [True, False, True, True]


def test_nothing_is_interrupted_while_free_power_suffices():
    table = committed([20.0, 40.0], [63.0, 50.0])
    assert need(table, 45.0).satisfied
    assert interrupted(table) == 0


def test_free_power_is_used_before_power_of_others():
    table = committed([50.0, 20.0], [75.0, 30.0])
    urgent = need(table, 48.0)  # 31.5 W are free, a supply of 20 W is enough for the rest
    assert urgent.satisfied
    assert interrupted(table) == 1
    assert table.consumers["n.c0"].satisfied


def test_several_suppliers_together_serve_an_urgent_request():
    table = committed([38.0, 38.0, 38.0], [40.0, 40.0, 40.0])
    assert need(table, 75.0).satisfied
    assert interrupted(table) == 2


def test_nothing_is_interrupted_when_it_would_not_be_enough():
    table = committed([38.0, 38.0], [40.0, 40.0])
    assert not need(table, 100.0).satisfied
    table.talk(3.0)
    assert interrupted(table) == 0
    assert table.consumers["n.c0"].satisfied


def test_high_priority_does_not_interrupt_high_priority():
    table = committed([], [40.0])
    table.consumers["n.first"] = make_consumer(priority=Priority.HIGH)
    table.consumers["n.first"].set_need(38.0)
    table.talk()
    assert not need(table, 38.0).satisfied
    assert table.consumers["n.first"].satisfied


def test_medium_comes_before_low_but_interrupts_no_contract():
    table = committed([38.0], [40.0])
    table.consumers["n.m"] = make_consumer(priority=Priority.MEDIUM)
    table.consumers["n.m"].set_need(20.0)
    table.talk()
    table.talk(1.0)
    assert not table.consumers["n.m"].satisfied
    assert interrupted(table) == 0


def promise(i, max_w, priority=Priority.LOW, state=State.VALID):
    return Promise(f"n.c{i}", i, state, max_w, max_w, 0.0, priority, 0)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=7), st.integers(1, 200))
def test_as_few_contracts_as_possible_are_interrupted(powers_w, short_w):
    promises = [promise(i, float(w)) for i, w in enumerate(powers_w)]
    chosen = fewest(promises, float(short_w))
    if sum(powers_w) < short_w:
        assert set(chosen) == set(promises)
        return
    assert sum(each.max_w for each in chosen) >= short_w
    sizes = [
        n for n in range(len(powers_w) + 1) for c in itertools.combinations(powers_w, n) if sum(c) >= short_w
    ]
    assert len(chosen) == min(sizes)
    assert all(sum(each.max_w for each in chosen) - one.max_w < short_w for one in chosen)


@pytest.mark.parametrize(
    ("short_w", "expected"),
    [(10.0, {0}), (35.0, {0, 1}), (70.0, {1, 2}), (75.0, {0, 1, 2}), (0.0, set()), (200.0, {0, 1, 2, 3})],
)
def test_offers_go_before_contracts_and_low_before_high(short_w, expected):
    promises = [
        promise(0, 10.0, state=State.OFFERED),
        promise(1, 30.0),
        promise(2, 40.0, Priority.MEDIUM),
        promise(3, 50.0, Priority.HIGH),
    ]
    assert {each.key for each in fewest(promises, short_w)} == expected
