"""What passes between a microgrid and its parent: at most what was bought, and in one direction at a time."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.passage import HOLD_S, Demand, Passage, Way
from edge.energy.rules import with_margin

NOTHING = Demand()
W = st.floats(0.0, 1e5)
DEMANDS = st.builds(Demand, committed_w=W, used_w=st.just(0.0), open_w=W)


def passage():
    return Passage(SimpleNamespace(taken_w=0.0, given_w=0.0), SimpleNamespace(taken_w=0.0, given_w=0.0))


def asks(power_w):
    return Demand(open_w=with_margin(power_w))


@given(st.lists(st.tuples(DEMANDS, DEMANDS, W, st.floats(0.0, 5.0)), max_size=20))
def test_what_leaves_is_reduced_at_once_by_what_members_lack(steps):
    way, now_s = passage(), 0.0
    for inside, outside, lacks_w, wait_s in steps:
        now_s += wait_s
        import_w, export_w = way.needs_w(inside, outside, now_s, lacks_w)
        if lacks_w:
            assert export_w <= max(0.0, outside.need_w - lacks_w) + 0.001
        bought_w = max(import_w, export_w)
        assert (way.way is Way.NONE) == (bought_w == 0.0)
        assert (
            way.way is not (Way.OUT if import_w > export_w else Way.IN)
            or not bought_w
            or import_w == export_w
        )


@given(DEMANDS)
def test_what_it_buys_covers_all_that_is_promised_with_its_margin(inside):
    import_w, _ = passage().needs_w(inside, NOTHING, 0.0)
    assert with_margin(import_w) >= inside.committed_w - 0.001
    assert with_margin(import_w) >= inside.open_w - 0.001 or not import_w


def test_members_come_first():
    way = passage()
    assert way.needs_w(NOTHING, asks(100.0), 0.0) == (0.0, pytest.approx(100.0, abs=0.25))
    assert way.needs_w(NOTHING, asks(100.0), 0.1, lacks_w=42.0) == (0.0, pytest.approx(58.0, abs=0.25))
    assert way.needs_w(asks(140.0), asks(100.0), 0.2, lacks_w=147.0) == (pytest.approx(140.0, abs=0.25), 0.0)
    assert way.way is Way.IN


def test_what_is_under_contract_is_bought_already():
    way = passage()
    way.needs_w(asks(100.0), NOTHING, 0.0)
    held_w, _ = way.needs_w(Demand(committed_w=105.0), NOTHING, 0.1)
    assert way.needs_w(Demand(committed_w=106.0), NOTHING, 0.2)[0] == held_w


def test_a_need_falls_late_and_rises_at_once():
    way = passage()
    way.needs_w(asks(100.0), NOTHING, 0.0)
    assert way.needs_w(NOTHING, NOTHING, 0.1)[0] == pytest.approx(100.0, abs=0.25)
    assert way.needs_w(asks(300.0), NOTHING, 0.2)[0] == pytest.approx(300.0, abs=0.25)
    way.needs_w(NOTHING, NOTHING, 0.3)
    assert way.needs_w(NOTHING, NOTHING, 0.3 + HOLD_S) == (0.0, 0.0)
    assert way.way is Way.NONE


def test_energy_is_booked_on_both_sides():
    way = passage()
    way.count(0.0)
    way.outside.taken_w, way.inside.given_w = 105.0, 100.0
    way.count(100.0)  # nothing has flowed until now
    way.outside.taken_w = way.inside.given_w = 0.0
    way.count(136.0)
    way.count(500.0)
    assert way.bought_wh == {Way.IN: pytest.approx(1.05), Way.OUT: 0.0}
    assert way.sold_wh == {Way.IN: pytest.approx(1.0), Way.OUT: 0.0}
