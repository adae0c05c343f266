"""What gates tell each other, and which of them serves which request."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.charging import LEADS_MIN
from edge.energy.messages import Priority, Request
from edge.energy.rules import with_margin
from edge.energy.surplus import (
    AHEAD_STEPS,
    Outlook,
    Sources,
    Surplus,
    Wanted,
    assign,
    encode_left,
    near,
    parse_left,
    parse_surplus,
)

W = st.floats(0.0, 1e5)
SURPLUS = st.builds(
    Surplus, W, W, st.floats(0.0, 10.0), W, st.booleans(), st.lists(W, max_size=AHEAD_STEPS).map(tuple)
)
GATES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.booleans(), W), min_size=1)
POWERS = st.lists(st.floats(0.1, 1e4), max_size=12)


def wanted(power_w, name="h.lamp", late=False, partial=False, first=False):
    return Wanted(name, Request(1, power_w, Priority.LOW, partial=partial), late, first)


@given(SURPLUS)
def test_what_a_gate_tells_is_read_back(surplus):
    read = parse_surplus(surplus.encode())
    assert read.left_w == pytest.approx(surplus.left_w, abs=0.06)
    assert (read.up, read.price) == (surplus.up, surplus.price)
    assert len(read.ahead_w) == len(surplus.ahead_w)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"w": 1}',
        b'{"w": -1, "lacks": 0}',
        b'{"w": 1e9, "lacks": 0}',
        b'{"w": true, "lacks": 0}',
        b'{"w": 1, "lacks": 0, "ahead": [1,1,1,1,1,1,1,1,1]}',
        b'{"w": 1, "lacks": 0, "ahead": "x"}',
    ],
)
def test_what_no_gate_says_is_refused(data):
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_surplus(data)


def test_what_a_supplier_has_left_is_believed_up_to_a_limit():
    sources = Sources(100.0)
    sources.see_left("a.pv", parse_left(encode_left(5000.0)))
    sources.see_gate("b.down", Surplus(0.0))
    sources.see_left("b.down", parse_left(Surplus(50.0, most_w=20.0).encode()))
    sources.see_gate("b.down", Surplus(0.0))
    assert sources.left_w == 120.0
    sources.forget("a.pv")
    sources.see_gate("b.down", None)
    assert sources.left_w == 0.0


def test_only_what_matters_is_told_again():
    assert near(100.0, 104.0)
    assert not near(100.0, 110.0)
    assert not near(0.0, 1.0)  # that there is something at all
    assert Surplus(100.0, 5.0).is_near(Surplus(101.0, 5.0))
    assert not Surplus(100.0, up=True).is_near(Surplus(100.0))


@given(POWERS, W, GATES)
def test_gates_that_know_the_same_give_together_what_each_request_needs(powers_w, own_w, gates):
    requests = [wanted(power_w, f"h{i}.lamp") for i, power_w in enumerate(powers_w)]
    found = {name: assign(requests, own_w, gates, name).by_consumer for name in gates}
    for name, by_consumer in found.items():
        assert sum(by_consumer.values()) <= gates[name][1] + 0.01
    given_w = sum(sum(each.values()) for each in found.values())
    assert given_w <= sum(map(with_margin, powers_w)) + 0.01
    for each in requests:
        parts_w = [by_consumer.get(each.consumer, 0.0) for by_consumer in found.values()]
        assert sum(parts_w) <= each.power_w + 0.01


def test_own_suppliers_come_first_then_the_gate_that_fits_best_and_the_parent_last():
    gates = {"a": (False, 150.0), "b": (False, 120.0), "up": (True, 110.0)}
    served = [wanted(130.0)]
    assert assign(served, 140.0, gates, "a").by_consumer == {}
    assert assign(served, 0.0, gates, "a").by_consumer == {"h.lamp": 136.5}
    both = [wanted(130.0), wanted(131.0, "h.pump")]
    assert assign(both, 140.0, gates, "a").by_consumer == {"h.pump": 137.55}
    late = [wanted(130.0, late=True)]
    assert assign(late, 140.0, gates, "a").by_consumer == {"h.lamp": 136.5}
    assert assign([wanted(100.0)], 0.0, {"up": (True, 500.0)}, "up").by_consumer == {"h.lamp": 105.0}


@pytest.mark.parametrize("claimed_w", [[1e7], [500.0], [120.0] * 4], ids=["huge", "ample", "divided"])
def test_when_a_request_is_late_a_gate_serves_it_whatever_others_claim(claimed_w):
    false = {f"x{i}": (False, power_w) for i, power_w in enumerate(claimed_w)}
    gates = {"up": (True, 110.0), **false}
    assert assign([wanted(100.0)], 0.0, gates, "up").by_consumer == {}
    assert assign([wanted(100.0, late=True)], 0.0, gates, "up").by_consumer == {"h.lamp": 105.0}


def test_when_a_request_is_late_those_who_could_have_served_it_alone_do_not_count():
    gates = {"a": (False, 60.0), "b": (False, 50.0), "x": (False, 1e7)}
    late = [wanted(100.0, late=True)]
    assert assign(late, 0.0, gates, "a").by_consumer == {"h.lamp": 60.0}
    assert assign(late, 0.0, gates, "b").by_consumer == {"h.lamp": pytest.approx(45.0)}


def test_who_waits_long_is_given_what_a_gate_has_beside_any_claims():
    gates = {"a": (False, 60.0), **{f"x{i}": (False, 90.0) for i in range(3)}}
    assert assign([wanted(100.0, late=True)], 0.0, gates, "a").by_consumer == {}
    first = [wanted(100.0, late=True, first=True)]
    assert assign(first, 0.0, gates, "a").by_consumer == {"h.lamp": 60.0}


def test_what_a_gate_tells_can_be_read_whatever_it_was_told():
    sources = Sources(50_000.0)
    for i in range(3):
        sources.see_gate(f"x{i}.up", Surplus(0.0))
        sources.see_left(f"x{i}.up", Surplus(1e7))
    told = Surplus(sources.left_w, 3e7, 2e6)
    assert parse_surplus(told.encode()) == Surplus(1e7, 1e7, 1e6)


def test_of_gates_with_ample_power_the_one_that_fits_best_serves():
    gates = {"a": (False, 500.0), "b": (False, 250.0), "c": (False, 120.0), "up": (True, 900.0)}
    found = {name: assign([wanted(100.0)], 0.0, gates, name).by_consumer for name in gates}
    assert found == {"a": {}, "b": {"h.lamp": 105.0}, "c": {}, "up": {}}


def test_a_large_request_is_divided_among_gates_that_together_have_ample_power():
    gates = {"a": (False, 300.0), "b": (False, 100.0), "up": (True, 900.0)}
    found = {name: assign([wanted(160.0)], 0.0, gates, name) for name in gates}
    powers_w = [found[name].by_consumer.get("h.lamp", 0.0) for name in gates]
    assert powers_w == pytest.approx([150.0, 18.0, 0.0])
    assert found["a"].left_w == pytest.approx(82.0 + 900.0)


def test_a_request_is_shared_if_all_together_can_serve_it():
    gates = {"a": (False, 60.0), "b": (False, 40.0)}
    assert assign([wanted(100.0)], 10.0, gates, "a").by_consumer == {"h.lamp": 60.0}
    assert assign([wanted(100.0)], 10.0, gates, "b").by_consumer == {"h.lamp": pytest.approx(35.0)}
    assert assign([wanted(110.0)], 10.0, gates, "b").by_consumer == {"h.lamp": 40.0}  # with less margin
    shares = assign([wanted(120.0)], 10.0, gates, "b")
    assert shares.by_consumer == {}
    assert shares.left_w == 70.0
    assert shares.lacks_w == 0.0
    assert assign([wanted(120.0, first=True)], 10.0, gates, "b").lacks_w == pytest.approx(56.0)
    assert assign([wanted(200.0, partial=True)], 0.0, gates, "b").by_consumer == {"h.lamp": 40.0}


def test_a_forecast_of_the_learning_twin_is_told_by_quarter_hours():
    outlook = Outlook(1000, tuple(float(lead) for lead in LEADS_MIN))
    assert outlook.ahead_w(1000) == tuple(15.0 * (i + 1) for i in range(AHEAD_STEPS))
    assert outlook.ahead_w(1100) == ()
    assert Outlook(1000, (math.nan,) * len(LEADS_MIN)).ahead_w(1000) == ()
