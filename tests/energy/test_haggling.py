"""Negotiation of a price by messages: the same outcome as the rules, bounded, and no more than that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.bargaining import negotiate
from edge.energy.book import Promise, State
from edge.energy.haggling import ANSWER_S, Buying, Counter, Selling, Terms, parse_counter
from edge.energy.messages import Offer, Priority, Request
from edge.energy.policies import SeenOffer
from edge.energy.prices import Slot

REQUEST = Request(9, 100.0, Priority.LOW)


def promise(prices=()):
    offer = Promise("home.load", 9, State.OFFERED, 100.0, 105.0, 9.0, Priority.LOW, 1)
    offer.prices = prices
    return offer


def seen(offer, price):
    now = offer.prices[0].price if offer.prices else price
    return [SeenOffer("roof.pv", Offer(9, 100.0, 105.0, 2, now, prices=offer.prices), 1, 9.0)]


def talk(buyer, seller, price, most=40):
    """The offer after the talk, the two sides, and how many counters there were."""
    buying, selling, offer = Buying(), Selling(), promise()
    buying.terms, selling.terms = buyer, seller
    now_s = 0.4
    for counters in range(most):
        if not buying.holds(seen(offer, price), REQUEST, now_s, now_s):
            return offer, buying, selling, counters
        if not selling.hear(offer, price, parse_counter(buying.counter.encode()), 1000.0):
            now_s += ANSWER_S
    raise AssertionError("it did not end")


cents = st.integers(0, 50).map(lambda each: each / 100)  # the rounding of messages decides nothing


@given(cents, cents, cents, st.integers(1, 16))
@settings(max_examples=60, deadline=None)
def test_messages_come_to_what_the_rules_say(price, least, most, rounds):
    buyer, seller = Terms(rounds, most, 0.05), Terms(rounds, least)
    offer, buying, _, counters = talk(buyer, seller, price)
    assert counters <= rounds
    sides = seller.seller(price), buyer.buyer
    deal = negotiate(*sides, rounds)
    paid = offer.prices[0].price if offer.prices else price
    if deal is None:
        assert paid == price
        assert (buying.agreed, buying.failed) == (0, 1)
    elif buying.agreed:  # rounding may shift it by one step of a side
        steps = [abs(each.opening - each.reservation) / max(1, rounds - 1) for each in sides]
        assert paid == pytest.approx(deal.price, abs=max(steps) + 2e-4)
    else:  # who does not come down says nothing, and is taken at its first price
        assert paid == price


def test_who_concedes_too_little_pays_what_was_asked_at_first():
    offer, buying, selling, _ = talk(Terms(4, 0.12, 0.05), Terms(4, 0.20), 0.30)
    assert offer.prices == ()
    assert (buying.failed, selling.failed) == (1, 1)


def test_later_slots_change_by_the_same_factor():
    selling, offer = Selling(), promise((Slot(100, 0.30), Slot(900, 0.20, 0.02)))
    selling.terms = Terms(2, 0.10)
    assert selling.hear(offer, 0.0, Counter(9, 0.15, 0), 500.0)
    assert offer.prices == (Slot(100, 0.15), Slot(900, 0.10, 0.01))


def test_what_is_out_of_turn_or_belongs_to_no_open_offer_changes_nothing():
    selling, offer = Selling(), promise()
    selling.terms = Terms(3, 0.10)
    assert not selling.hear(offer, 0.30, Counter(8, 0.20, 0), 0.0)
    assert not selling.hear(None, 0.30, Counter(9, 0.20, 0), 0.0)
    assert not selling.hear(offer, 0.30, Counter(9, 0.20, 1), 0.0)
    assert selling.hear(offer, 0.30, Counter(9, 0.01, 0), 0.0)
    assert not selling.hear(offer, 0.30, Counter(9, 0.01, 0), 0.0)
    offer.state = State.VALID
    assert not selling.hear(offer, 0.30, Counter(9, 0.01, 1), 0.0)


def test_a_supplier_that_does_not_answer_is_waited_for_once():
    buying, offers = Buying(), seen(promise(), 0.30)
    buying.terms = Terms(4, 0.25, 0.05)
    assert not buying.holds(offers, REQUEST, 0.1, 0.1)  # other offers may still arrive
    assert buying.holds(offers, REQUEST, 0.4, 0.4)
    assert not buying.holds(offers, REQUEST, 0.4 + ANSWER_S, 0.4 + ANSWER_S)
    other = Request(10, 100.0, Priority.LOW)
    assert not buying.holds(offers, other, 0.4, 3.0)


def test_with_no_rounds_nobody_waits_and_nothing_changes():
    offer = promise()
    assert not Buying().holds(seen(offer, 0.30), REQUEST, 0.4, 0.4)
    assert not Selling().hear(offer, 0.30, Counter(9, 0.2, 0), 0.0)


@pytest.mark.parametrize("asked", [0.0, 0.30])
def test_a_bid_above_what_was_asked_does_not_raise_the_price(asked):
    table = (Slot(100, asked), Slot(900, 0.20))
    selling, offer = Selling(), promise(table)
    selling.terms = Terms(3, 0.10)
    assert not selling.hear(offer, asked, Counter(9, 1e5, 0), 500.0)
    assert offer.prices == table
