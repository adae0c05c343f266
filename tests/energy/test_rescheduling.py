"""A predicted excess: when it is likely, and whose activity is moved for it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.orders import Candidate
from edge.energy.rescheduling import Moved, moved_w, risk_of_powers, risk_of_states, to_move

T = 3000.0
PRODUCED = 1


def of(*powers_w):
    return [Candidate(twin=f"t{n}", power_w=power_w) for n, power_w in enumerate(powers_w)]


def names(chosen):
    return [each.twin for each in chosen]


def packed(*leads_w):
    """The same power for each quantile, of the leads within an hour; far leads are not known."""
    values = [[[float("nan")] * 7 for _ in range(9)] for _ in range(6)]
    for lead, powers_w in enumerate(leads_w):
        values[PRODUCED][lead] = [each / 1000 for each in powers_w]
    return struct.pack("<378e", *(each for variable in values for lead in variable for each in lead))


FLAT, HIGH = [2650.0] * 7, [3350.0] * 7


def test_the_earliest_likely_excess_counts():
    risk = risk_of_powers(packed(FLAT, FLAT, HIGH, HIGH), PRODUCED, T, 0.5)
    assert (risk.after_s, risk.probability) == (1800, 1.0)
    assert risk.power_w == pytest.approx(3350, rel=0.01)
    assert risk_of_powers(packed(FLAT, FLAT, FLAT, FLAT), PRODUCED, T, 0.5) is None


def test_an_excess_is_as_likely_as_the_quantiles_say():
    spread = [2000, 2200, 2600, 3000, 3400, 3800, 4000]
    risk = risk_of_powers(packed(spread), PRODUCED, 3200, 0.3)
    assert risk.probability == pytest.approx(0.375, abs=0.01)
    assert 3400 <= risk.power_w <= 3800
    assert risk_of_powers(packed(spread), PRODUCED, 3200, 0.4) is None


def test_a_forecast_that_knows_nothing_is_no_all_clear():
    with pytest.raises(ValueError, match="nothing"):
        risk_of_powers(packed(), PRODUCED, T, 0.5)
    with pytest.raises(ValueError, match="no forecast"):
        risk_of_powers(b"abc", PRODUCED, T, 0.5)


def test_states_tell_an_excess_too():
    states = [[[0] * 7 for _ in range(4)] for _ in range(6)]
    states[PRODUCED][3][6] = 600
    risk = risk_of_states(states, PRODUCED, T, 0.5)
    assert (risk.after_s, risk.probability, risk.power_w) == (3600, 0.6, T)
    assert risk_of_states(states, PRODUCED, T, 0.7) is None


def test_the_thesis_moves_650_w_of_2650():
    assert names(to_move(of(2000, 150, 300, 200), 3000, T, 1.0, 0.0)) == ["t1", "t3", "t2"]
    assert names(to_move(of(2000, 150, 300, 200), 3350, T, 1.0, 0.0)) == ["t1", "t3", "t2"]
    assert to_move(of(2000), 3350, T, 1.0, 650.0) == []


powers = st.lists(st.floats(10, 2000), min_size=1, max_size=10)


@given(powers, st.floats(3000, 6000))
def test_at_least_a_fifth_is_moved_and_the_excess_is_gone_if_that_is_possible(powers_w, predicted_w):
    chosen_w = sum(each.power_w for each in to_move(of(*powers_w), predicted_w, T, 1.0, 0.0))
    enough_w = max(predicted_w - T, 0.2 * T)
    assert chosen_w >= min(enough_w, sum(powers_w)) - 0.01


@given(st.lists(powers, min_size=2, max_size=5), st.floats(3000, 6000))
def test_several_regulators_move_no_more_than_their_parts_and_one_activity_each(nodes, predicted_w):
    """They see the same forecast of the microgrid; its threshold is that of all."""
    all_w = sum(map(sum, nodes))
    moved = []
    for powers_w in nodes:
        share = sum(powers_w) / all_w
        chosen = to_move(of(*powers_w), predicted_w, T, share, 0.0)
        chosen_w = sum(each.power_w for each in chosen)
        part_w = share * max(predicted_w - 0.8 * T, 0.2 * T)
        assert chosen_w - max((each.power_w for each in chosen), default=0.0) <= part_w
        moved.append(chosen_w)
    enough_w = max(predicted_w - T, 0.2 * T)
    assert sum(moved) >= min(enough_w, all_w) - 0.01 or any(
        moved_w < sum(powers_w) for moved_w, powers_w in zip(moved, nodes, strict=True)
    )


def test_what_is_moved_out_of_the_same_hour_counts():
    moved = [Moved(200.0, 0.0, 3600.0), Moved(300.0, 3600.0, 7200.0)]
    assert moved_w(moved, 100.0, 200.0) == 200.0
    assert moved_w(moved, 3000.0, 4000.0) == 500.0
    assert moved_w(moved, 8000.0, 9000.0) == 0.0
