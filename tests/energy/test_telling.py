"""When a gate tells what stands behind it: what is bought by at once, all else seldom."""

import math
from dataclasses import replace

import pytest

from edge.energy.surplus import Surplus, parse_surplus
from edge.energy.telling import SELDOM_S, Telling

HERE = Surplus(300.0, 100.0, 0.1)


def test_what_can_be_had_is_told_at_once_and_what_changes_little_is_not():
    telling = Telling()
    assert telling.follow(HERE, 0.0)
    assert not telling.follow(replace(HERE, left_w=299.0), 0.1)
    for change in ({"left_w": 200.0}, {"left_w": 400.0}, {"most_w": 50.0}, {"left_w": 0.0}):
        assert telling.follow(replace(HERE, **change), 0.2)
        assert telling.told == replace(HERE, **change)


@pytest.mark.parametrize("change", [{"lacks_w": 500.0}, {"price": 0.2}, {"ahead_w": (1.0,) * 8}])
def test_what_no_contract_depends_on_waits(change):
    telling = Telling()
    telling.follow(HERE, 10.0)
    assert telling.due_s == math.inf
    assert not telling.follow(replace(HERE, **change), 10.1)
    assert telling.due_s == 10.0 + SELDOM_S
    assert telling.follow(replace(HERE, **change), telling.due_s)
    assert telling.due_s == math.inf


def test_a_gate_that_does_not_act_says_so_once():
    telling = Telling()
    assert not telling.follow(None, 0.0)
    assert telling.follow(HERE, 1.0)
    assert telling.follow(None, 1.1)
    assert telling.told is None
    assert not telling.follow(None, 99.0)


def test_what_is_hidden_still_says_that_a_gate_leads_up():
    assert parse_surplus(replace(HERE, up=True).hidden.encode()) == Surplus(0.0, up=True)
