"""Which changes of contracts a restart can do without: powers within the margin, and what was given back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy import memory as saved
from edge.energy.messages import Contract, Part, Priority
from edge.energy.rules import MARGIN

SHARES = Part("a.roof", 100.0, 105.0), Part("b.grid", 400.0, 420.0)
CONTRACT = Contract(7, 3, True, 3600, Priority.LOW, SHARES)
PROMISE = ["b.lamp", 12, 80.0, 84.0, 1]
HERE, AWAY = "a", "c"  # the node: of a supplier, or of none


def memory(contract=CONTRACT, promise=PROMISE, need_w=500.0, **more):
    promises = [promise] if promise else []
    contracts = [contract.encode().decode()] if contract else []
    return {"need_w": need_w, "capacity_w": 900.0, "contracts": contracts, "promises": promises, **more}


def scaled(factor):
    parts = [
        replace(part, power_w=factor * part.power_w, max_w=factor * part.max_w) for part in CONTRACT.parts
    ]
    return replace(CONTRACT, revision=9, parts=tuple(parts))


def is_near(old, new, node=AWAY):
    return saved.is_near(old, new, node)


@given(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(0.5, 1.5))
def test_powers_within_the_margin_are_near(of_contract, of_promise, of_need):
    promise = [*PROMISE[:2], 80.0 * of_promise, 84.0 * of_promise, 1]
    new = memory(scaled(of_contract), promise, 500.0 * of_need)
    worst = max(abs(of_contract - 1), of_promise - 1)
    if abs(worst - MARGIN) > 1e-9:
        assert is_near(memory(), new) == (worst < MARGIN)


@given(st.floats(0.1, 1.5))
def test_a_contract_within_the_node_may_shrink(factor):
    old, new = (local(each.parts) for each in (CONTRACT, scaled(factor)))
    if abs(factor - 1 - MARGIN) > 1e-9:
        assert is_near(memory(old), memory(new), HERE) == (factor < 1 + MARGIN)


def local(parts):
    return replace(
        CONTRACT, parts=tuple(replace(each, supplier=f"{HERE}{each.supplier[1:]}") for each in parts)
    )


def test_it_may_have_other_suppliers_of_the_node_but_none_of_another():
    old = memory(local(SHARES))
    moved = replace(SHARES[0], supplier="a.cells", power_w=500.0, max_w=525.0)
    assert is_near(old, memory(replace(CONTRACT, parts=(moved,))), HERE)
    assert not is_near(old, memory(replace(CONTRACT, parts=(replace(moved, supplier="b.cells"),))), HERE)


def test_two_contracts_within_the_node_may_become_one():
    extra = replace(local(SHARES), id=8)
    old, one = memory(local(SHARES)), local(scaled(2.0).parts)
    assert not is_near(old, memory(one), HERE)
    assert is_near(old | {"contracts": [*old["contracts"], extra.encode().decode()]}, memory(one), HERE)


def test_promises_within_the_node_are_told_by_its_contracts():
    promise = [f"{HERE}.tv", 12, 80.0, 84.0, 1]
    assert is_near(memory(promise=None), memory(promise=promise), HERE)
    assert not is_near(memory(promise=None), memory(promise=promise))


def test_it_may_lose_a_supplier_and_end():
    old = memory(local(SHARES))
    assert is_near(old, memory(local(SHARES[:1])), HERE)
    assert is_near(old, memory(None), HERE)
    assert not is_near(memory(local(SHARES[:1])), old, HERE)
    assert not is_near(memory(None), old, HERE)


def test_a_contract_with_another_node_may_not():
    for new in (scaled(0.9), replace(CONTRACT, parts=SHARES[:1]), None):
        assert not is_near(memory(), memory(new), HERE)


@pytest.mark.parametrize("promise", [None, [*PROMISE[:2], 8.0, 8.4, 1]])
def test_a_promise_may_shrink_and_end(promise):
    assert is_near(memory(), memory(promise=promise))
    assert is_near(memory(), memory(promise=promise, need_w=0.0))


def test_what_has_shrunk_does_not_hide_what_has_grown():
    def promised(lamp_w, tv_w):
        return memory() | {"promises": [["b.lamp", 1, lamp_w, lamp_w, 1], ["b.tv", 2, tv_w, tv_w, 1]]}

    assert not is_near(promised(100.0, 500.0), promised(200.0, 100.0))


def shared(*powers_w):
    parts = [replace(part, power_w=power, max_w=power) for part, power in zip(SHARES, powers_w, strict=True)]
    return replace(CONTRACT, parts=tuple(parts))


def test_a_small_share_may_change_by_the_margin_of_the_whole_contract():
    assert is_near(memory(shared(1.0, 499.0)), memory(shared(20.0, 480.0)))
    assert not is_near(memory(shared(1.0, 499.0)), memory(shared(30.0, 470.0)))
    assert not is_near(memory(shared(1.0, 499.0)), memory(shared(20.0, 510.0)))


def test_a_small_promise_may_change_by_the_margin_of_all_that_is_promised():
    def promised(*powers_w):
        return memory() | {"promises": [["b.lamp", n, power, power, 1] for n, power in enumerate(powers_w)]}

    assert is_near(promised(1.0, 499.0), promised(20.0, 480.0))
    assert not is_near(promised(1.0, 499.0), promised(30.0, 470.0))
    assert not is_near(promised(1.0, 499.0), promised(20.0, 510.0))


@pytest.mark.parametrize(
    "new",
    [
        memory(replace(CONTRACT, id=8)),
        memory(replace(CONTRACT, valid=False)),
        memory(replace(CONTRACT, term=1)),
        memory(replace(CONTRACT, ttl_s=3601)),
        memory(replace(CONTRACT, in_s=5)),
        memory(replace(CONTRACT, priority=Priority.HIGH)),
        memory(replace(CONTRACT, revision=2)),
        memory(replace(CONTRACT, revision=400)),  # nearly as many as a restart jumps ahead
        memory(replace(CONTRACT, parts=SHARES[:1])),
        memory(replace(CONTRACT, parts=(SHARES[0], replace(SHARES[1], supplier="c.grid")))),
        memory(None),
        memory(promise=["b.lamp", 13, 80.0, 84.0, 1]),
        memory(promise=["b.lamp", 12, 80.0, 84.0, 0]),
        memory(promise=["b.tv", 12, 80.0, 84.0, 1]),
        memory(off_s=60),
        memory(promise=[*PROMISE[:2], 90.0, 94.5, 1]),
        memory() | {"contracts": ["{"]},
        memory() | {"promises": [[]]},
        {"contracts": []},
        {},
    ],
)
def test_everything_else_is_not(new):
    assert not is_near(memory(), new)


def test_what_is_not_of_a_market_is_compared_as_a_whole():
    assert is_near({"battery": 3}, {"battery": 3})
    assert not is_near({"battery": 3}, {"battery": 4})
