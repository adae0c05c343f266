"""Two members negotiate: a price that both accept, within the rounds, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.bargaining import Deal, Side, negotiate

PRICE = st.floats(-1.0, 1.0)
PACE = st.sampled_from([0.5, 1.0, 3.0])
SELLER = st.builds(lambda a, b, pace: Side(max(a, b), min(a, b), pace), PRICE, PRICE, PACE)
BUYER = st.builds(lambda a, b, pace: Side(min(a, b), max(a, b), pace), PRICE, PRICE, PACE)
ROUNDS = st.integers(1, 32)


@given(SELLER, BUYER, ROUNDS)
def test_a_price_is_one_that_both_accept_and_there_is_one_if_any_exists(seller, buyer, rounds):
    found = negotiate(seller, buyer, rounds)
    assert (found is not None) == (seller.reservation <= buyer.reservation)
    if found:
        assert seller.reservation - 1e-12 <= found.price <= buyer.reservation + 1e-12
        assert 1 <= found.rounds <= rounds
    assert found == negotiate(seller, buyer, rounds)


def test_equal_steps_meet_in_the_middle_and_patience_pays():
    seller, buyer = Side(0.30, 0.08), Side(0.08, 0.30)
    assert negotiate(seller, buyer, 11) == Deal(pytest.approx(0.19), 6)
    patient = negotiate(seller, Side(0.08, 0.30, pace=3.0), 11)
    assert patient.price < 0.15
    assert patient.rounds > 6


def test_without_a_common_price_it_ends_all_the_same():
    assert negotiate(Side(0.30, 0.20), Side(0.05, 0.10), 32) is None


@pytest.mark.parametrize(
    ("seller", "buyer", "rounds"),
    [
        (Side(0.1, 0.2), Side(0.1, 0.2), 5),
        (Side(0.2, 0.1), Side(0.2, 0.1), 5),
        (Side(0.2, 0.1), Side(0.1, 0.2), 0),
        (Side(0.2, 0.1), Side(0.1, 0.2), 33),
        (Side(0.2, 0.1, 0.0), Side(0.1, 0.2), 5),
        (Side(float("nan"), 0.1), Side(0.1, 0.2), 5),
    ],
)
def test_sides_without_a_meaning_are_refused(seller, buyer, rounds):
    with pytest.raises(ValueError, match=r"negotiation|seller"):
        negotiate(seller, buyer, rounds)
