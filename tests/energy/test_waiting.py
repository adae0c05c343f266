"""Requests that a gate watches: they wait for their own suppliers first, and not for ever."""

import pytest

from edge.energy.messages import Priority, Request
from edge.energy.waiting import AHEAD_S, CLAIM_S, FIRST_S, REQUESTS_MAX, REST_S, SOON_S, TRY_S, Waiting


def request(power_w, number=1):
    return Request(number, power_w, Priority.LOW)


def test_a_request_is_left_to_others_first_and_not_tried_for_ever():
    waiting = Waiting(1.0)
    waiting.see("a.lamp", request(100.0), 2, 0.0)
    assert (waiting.due(0.9), waiting.open_w(0.9), waiting.due_s(0.9)) == ([], 0.0, 1.0)
    assert waiting.due(1.0) == [("a.lamp", request(100.0), 2)]
    assert waiting.due(1.1) == []  # once is enough
    assert waiting.open_w(1.1) == pytest.approx(105.0)
    assert waiting.open_w(1.0 + TRY_S) == 0.0
    assert waiting.open_w(1.1 + TRY_S + REST_S) == pytest.approx(105.0)
    waiting.see("a.lamp", request(200.0, 2), 2, 50.0)
    assert waiting.open_w(50.5) == 0.0  # another request: it waits again
    waiting.see("a.lamp", None, 0, 51.0)
    assert len(waiting) == 0


def test_power_that_was_bought_and_has_no_taker_goes_to_younger_requests():
    waiting = Waiting(1.0)
    waiting.see("a.lamp", request(100.0), 2, 0.0)
    waiting.see("a.pump", request(50.0, 2), 2, 0.0)
    assert waiting.due(0.1, spare_w=110.0) == [("a.lamp", request(100.0), 2)]


def test_a_flood_of_requests_takes_no_more_room():
    waiting = Waiting(0.0)
    for i in range(2 * REQUESTS_MAX):
        waiting.see(f"n{i}.lamp", request(1.0), 1, 0.0)
    assert len(waiting) == REQUESTS_MAX


def test_who_asked_first_keeps_it_from_others_for_a_moment():
    waiting = Waiting(0.0)
    waiting.see("a.up", request(100.0), 1, 10.0)
    assert waiting.claimed_w(before_s=10.0, now_s=10.5) == 0.0
    assert waiting.claimed_w(before_s=10.1, now_s=10.5) == pytest.approx(105.0)
    waiting.see("a.up", request(200.0, 2), 1, 11.0)  # it asks for more, and has not lost its turn
    assert waiting.claimed_w(before_s=10.1, now_s=11.0) == pytest.approx(210.0)
    assert waiting.claimed_w(before_s=10.1, now_s=10.0 + CLAIM_S) == 0.0


def test_a_request_comes_before_other_microgrids_when_it_has_waited_for_long():
    waiting = Waiting(0.0)
    waiting.see("a.lamp", request(100.0), 1, 0.0)
    assert not any(each.first for each in waiting.wanted(FIRST_S - 0.1))
    assert all(each.first for each in waiting.wanted(FIRST_S))


def test_a_request_that_is_told_ahead_is_left_to_those_who_do_not_know_it_yet():
    waiting = Waiting(0.5)
    waiting.see("a.lamp", request(100.0), 4, 10.0, ahead=True)
    nobody_else, somebody = {"a.lamp": 105.0}, {}
    assert waiting.open_w(10.05, nobody_else) == 0.0
    assert waiting.due_s(10.0) == pytest.approx(10.0 + SOON_S)
    assert waiting.open_w(10.0 + SOON_S, nobody_else) == pytest.approx(105.0)
    assert waiting.open_w(10.0 + AHEAD_S, somebody) == 0.0
    late = Waiting(0.5)
    late.see("a.lamp", request(100.0), 4, 10.0, ahead=True)
    assert late.due(10.4 + AHEAD_S) == []
    assert late.due(10.5 + AHEAD_S)
    late.see("a.pump", request(50.0, 2), 4, 20.0, ahead=True)
    late.see("a.pump", request(50.0, 2), 4, 20.2)  # now the others have it, too
    assert not late.due(20.6)
    assert late.due(20.7)
