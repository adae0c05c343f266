"""The order of requests and of offers, and how a short supply is shared."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, ask, make_consumer, make_supplier

from edge.energy.messages import Offer, Priority, Request
from edge.energy.policies import (
    CONSUMER_POLICIES,
    PRODUCER_POLICIES,
    SeenOffer,
    SeenRequest,
    consumer_policy,
    producer_policy,
)


def seen(consumer, power_w, priority=Priority.LOW, hops=0, alert_s=None):
    return SeenRequest(
        consumer, Request(1, power_w, priority, alert_s is not None, alert_s or 0.0), hops, 0.0
    )


def offer(supplier, power_w, impact=3, hops=0, price=0.0):
    return SeenOffer(supplier, Offer(1, power_w, power_w, impact, price), hops, 8.0)


def order(policy, requests, now_s=0.0, seed=1):
    return [each.consumer for each in producer_policy(policy, random.Random(seed)).order(requests, now_s)]


def choice(policy, offers, power_w=50.0):
    return [each.supplier for each in consumer_policy(policy).order(offers, power_w)]


@given(st.permutations(range(6)))
def test_prioritisation_puts_near_urgent_alerted_small_first(permutation):
    wanted = [
        seen("a", 90.0),
        seen("b", 5.0, Priority.HIGH, 1),
        seen("c", 50.0, hops=1, alert_s=9.0),
        seen("d", 5.0, hops=1, alert_s=1.0),
        seen("e", 6.0, hops=1, alert_s=1.0),
        seen("f", 1.0, Priority.HIGH, 2, alert_s=9.0),
    ]
    assert order("prioritisation", [wanted[i] for i in permutation]) == list("abcdef")


def test_random_keeps_priority_and_nothing_else():
    requests = [seen(f"c{i}", float(i + 1), hops=i) for i in range(6)] + [seen("urgent", 99.0, Priority.HIGH)]
    orders = {tuple(order("random", requests, seed=seed)) for seed in range(20)}
    assert len(orders) > 10
    assert {each[0] for each in orders} == {"urgent"}


def test_hybrid_switches_to_prioritisation_after_8_s_of_alert():
    requests = [seen(f"c{i}", float(i + 1)) for i in range(6)] + [seen("waits", 99.0, alert_s=5.0)]
    calm = {tuple(order("hybrid", requests, 2.9, seed)) for seed in range(20)}
    alarmed = {tuple(order("hybrid", requests, 3.0, seed)) for seed in range(20)}
    assert len(calm) > 10
    assert alarmed == {("waits", "c0", "c1", "c2", "c3", "c4", "c5")}


@given(st.dictionaries(st.text(max_size=3), st.floats(0.1, 500.0), min_size=1), st.floats(1.0, 2000.0))
def test_fair_shares_are_max_min_fair(claims, capacity_w):
    shares = producer_policy("fair_share", random.Random(0)).shares(capacity_w, claims)
    assert sum(shares.values()) == pytest.approx(min(capacity_w, sum(claims.values())))
    level = max(shares.values())
    for consumer, claim_w in claims.items():
        assert shares[consumer] <= claim_w
        assert shares[consumer] == pytest.approx(claim_w) or shares[consumer] == pytest.approx(level)


def test_under_fair_share_every_consumer_gets_a_part():
    table = Table(
        {f"n.c{i}": make_consumer(partial=True) for i in range(4)},
        {"n.p": make_supplier("n.p", 100.0, policy="fair_share")},
    )
    for i, consumer in enumerate(table.consumers.values()):
        consumer.set_need(20.0 if i == 3 else 60.0)
        for _ in range(4):
            table.talk(1.0)
    for _ in range(12):
        table.talk(1.0)
    supplied = [consumer.supplied_w for consumer in table.consumers.values()]
    assert supplied[3] == pytest.approx(20.0, abs=1.1)
    assert supplied[:3] == pytest.approx([26.0] * 3, rel=0.1)
    assert table.suppliers["n.p"].supplied_w == pytest.approx(sum(supplied))


def test_no_contract_is_reduced_while_high_priority_waits():
    supplier = make_supplier("n.p", 100.0, policy="fair_share")
    table = Table(
        {"n.c0": make_consumer(partial=True), "n.c1": make_consumer(partial=True)}, {"n.p": supplier}
    )
    first, second = table.consumers.values()
    first.set_need(95.0)
    table.talk()
    ask(supplier, "n.urgent", 300.0, priority=Priority.HIGH)
    second.set_need(60.0)
    for _ in range(8):
        table.talk(1.0)
    assert first.supplied_w == 95.0
    supplier.see_request("n.urgent", None, 0, table.now_s)
    for _ in range(12):
        table.talk(1.0)
    assert first.supplied_w == pytest.approx(second.supplied_w, rel=0.1)


def test_a_share_grows_again_when_others_leave():
    table = Table(
        {f"n.c{i}": make_consumer(partial=True) for i in range(2)},
        {"n.p": make_supplier("n.p", 100.0, policy="fair_share")},
    )
    for consumer in table.consumers.values():
        consumer.set_need(80.0)
    for _ in range(12):
        table.talk(1.0)
    first, second = table.consumers.values()
    assert first.supplied_w == pytest.approx(50.0, rel=0.06)
    second.set_need(0.0)
    for _ in range(12):
        table.talk(1.0)
    assert first.satisfied


def test_without_fair_share_the_first_consumer_keeps_everything():
    table = Table(
        {f"n.c{i}": make_consumer(partial=True) for i in range(2)}, {"n.p": make_supplier("n.p", 100.0)}
    )
    first, second = table.consumers.values()
    first.set_need(95.0)
    table.talk()
    second.set_need(60.0)
    for _ in range(6):
        table.talk(1.0)
    assert (first.satisfied, second.supplied_w) == (True, 0.0)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("green_first", ["far_green", "near_dirty", "near_large", "cheap"]),
        ("least_distance", ["near_large", "near_dirty", "far_green", "cheap"]),
        ("lowest_price", ["cheap", "near_large", "near_dirty", "far_green"]),
        ("first_fit", ["near_large", "cheap", "far_green", "near_dirty"]),
    ],
)
def test_the_order_in_which_a_consumer_uses_offers(policy, expected):
    offers = [
        offer("far_green", 20.0, impact=2, hops=2, price=9.0),
        offer("near_dirty", 20.0, impact=3, price=5.0),
        offer("near_large", 60.0, impact=4, hops=0, price=5.0),
        offer("cheap", 60.0, impact=5, hops=3, price=1.0),
    ]
    if policy == "least_distance":
        offers[1] = offer("near_dirty", 20.0, impact=5, price=5.0)
    assert choice(policy, offers) == expected


@pytest.mark.parametrize("name", [*PRODUCER_POLICIES, *CONSUMER_POLICIES])
def test_every_registered_policy_can_be_created_by_name(name):
    policy = producer_policy(name, random.Random(0)) if name in PRODUCER_POLICIES else consumer_policy(name)
    assert type(policy).__name__.lower() == name.replace("_", "")


@pytest.mark.parametrize("policy", PRODUCER_POLICIES)
def test_every_policy_orders_what_it_is_given_and_nothing_else(policy):
    requests = [seen(f"c{i}", float(i + 1)) for i in range(5)]
    assert sorted(order(policy, requests)) == [each.consumer for each in requests]
