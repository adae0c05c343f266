"""Which changes of the contracts a restart can do without: those of powers within the margin, no others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.memory import is_near
from edge.energy.messages import Contract, Part, Priority
from edge.energy.rules import MARGIN

SHARES = Part("a.roof", 100.0, 105.0), Part("b.grid", 400.0, 420.0)
CONTRACT = Contract(7, 3, True, 3600, Priority.LOW, SHARES)
PROMISE = ["b.lamp", 12, 80.0, 84.0, 1]


def memory(contract=CONTRACT, promise=PROMISE, need_w=500.0, **more):
    promises = [promise] if promise else []
    contracts = [contract.encode().decode()] if contract else []
    return {"need_w": need_w, "capacity_w": 900.0, "contracts": contracts, "promises": promises, **more}


def scaled(factor):
    parts = [
        replace(part, power_w=factor * part.power_w, max_w=factor * part.max_w) for part in CONTRACT.parts
    ]
    return replace(CONTRACT, revision=9, parts=tuple(parts))


@given(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(0.5, 1.5))
def test_powers_within_the_margin_are_near(of_contract, of_promise, of_need):
    promise = [*PROMISE[:2], 80.0 * of_promise, 84.0 * of_promise, 1]
    new = memory(scaled(of_contract), promise, 500.0 * of_need)
    worst = max(abs(each - 1) for each in (of_contract, of_promise, of_need))
    if abs(worst - MARGIN) > 1e-9:
        assert is_near(memory(), new) == (worst < MARGIN)


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
        memory(promise=None),
        memory(promise=["b.lamp", 13, 80.0, 84.0, 1]),
        memory(promise=["b.lamp", 12, 80.0, 84.0, 0]),
        memory(promise=["b.tv", 12, 80.0, 84.0, 1]),
        memory(need_w=0.0),
        memory(off_s=60),
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
