"""What is due at a node, and when: the same object paces the real service and the virtual world."""

import math

import pytest

from edge.service.beats import Beats, Step

PAUSE_S = 0.02
REST_S = 0.001


class Node:
    """Writes down what it is told to do."""

    def __init__(self):
        self.busy = self.has_work = self.only_training = False
        self.wake_s = math.inf
        self.done = []

    def tick(self):
        self.done.append("tick")

    def react(self):
        self.done.append("react")
        self.busy = False

    def work(self):
        self.done.append("work")


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def beats(node):
    return Beats(node, 1.0, pause_s=PAUSE_S, rest_s=REST_S)


def step(beats, began_s, took_s=0.0):
    """Do what is due; returns it."""
    beat = beats.due(began_s)
    if beat:
        beats.do(beat)
        beats.done(beat, began_s, began_s + took_s)
    return beat


def test_nothing_is_due_at_a_node_at_rest_until_its_tick(beats, node):
    assert step(beats, 0.5) is None
    assert beats.next_s(0.5) == 1.0
    assert step(beats, 1.0) is Step.TICK
    assert node.done == ["tick"]
    assert beats.next_s(1.0) == 2.0


def test_ticks_keep_their_second_though_each_comes_a_little_late(beats):
    for second in range(1, 50):
        assert step(beats, second + 0.3) is Step.TICK
        assert beats.next_s(second + 0.3) == second + 1


def test_ticks_that_were_missed_are_not_made_up_for(beats, node):
    assert step(beats, 10.5) is Step.TICK
    assert step(beats, 10.5) is Step.TICK  # the next one is due already, those between are not
    assert step(beats, 10.6) is None
    assert beats.next_s(10.6) == 11.5
    assert node.done == ["tick", "tick"]


def test_a_change_is_reacted_to_at_once(beats, node):
    node.busy = True
    assert beats.reaction_s(0.1) == beats.next_s(0.1) == 0.1
    assert step(beats, 0.1) is Step.REACTION
    assert node.done == ["react"]


def test_between_two_reactions_there_is_a_pause_counted_from_the_end_of_the_first(beats, node):
    node.busy = True
    step(beats, 0.1, took_s=0.05)
    assert beats.reaction_s(0.15) == math.inf
    node.busy = True
    assert step(beats, 0.16) is None
    assert beats.next_s(0.16) == beats.reaction_s(0.16) == pytest.approx(0.17)
    assert step(beats, 0.17) is Step.REACTION


def test_the_tick_goes_before_the_reaction_and_both_before_work(beats, node):
    node.busy = node.has_work = True
    assert [step(beats, 1.0) for _ in range(4)] == [Step.TICK, Step.REACTION, Step.WORK, None]
    assert node.done == ["tick", "react", "work"]


def test_a_twin_that_wants_to_act_by_itself_is_waited_for_and_so_is_the_pause(beats, node):
    node.wake_s = 0.4
    assert beats.next_s(0.1) == 0.4
    node.busy = True
    step(beats, 0.39)
    assert beats.next_s(0.39) == pytest.approx(0.41)


def test_a_clock_that_is_early_by_a_rounding_error_misses_no_beat(beats, node):
    node.busy = True
    step(beats, 0.7)
    node.busy = True
    assert step(beats, math.nextafter(beats.next_s(0.7), 0.0)) is Step.REACTION
    assert step(beats, math.nextafter(1.0, 0.0)) is Step.TICK


def test_after_a_piece_of_work_there_is_a_rest(beats, node):
    node.has_work = True
    assert beats.next_s(0.1) <= 0.1
    assert step(beats, 0.1, took_s=0.005) is Step.WORK
    assert step(beats, 0.105) is None
    assert beats.next_s(0.105) == pytest.approx(0.105 + REST_S)
    assert step(beats, 0.106) is Step.WORK


def test_training_rests_as_long_as_it_worked(beats, node):
    node.has_work = node.only_training = True
    step(beats, 0.1, took_s=0.03)
    assert step(beats, 0.155) is None
    assert beats.next_s(0.155) == pytest.approx(0.16)
    assert step(beats, 0.16) is Step.WORK


def test_a_rest_delays_no_reaction_and_ends_with_it(beats, node):
    node.has_work = node.only_training = True
    step(beats, 0.1, took_s=0.03)
    node.busy = True
    assert step(beats, 0.14) is Step.REACTION
    assert step(beats, 0.14) is Step.WORK


def test_a_rest_ends_when_the_node_is_woken(beats, node):
    node.has_work = node.only_training = True
    step(beats, 0.1, took_s=0.03)
    assert step(beats, 0.14) is None
    beats.end_rest()
    assert step(beats, 0.14) is Step.WORK


def test_training_waits_for_a_reason_and_other_work_does_not(node):
    reasons = ["load of 9 per core"]
    beats = Beats(node, 1.0, pause_s=PAUSE_S, rest_s=REST_S, waits_for=lambda: reasons[0])
    node.has_work = node.only_training = True
    assert step(beats, 0.1) is None
    assert beats.next_s(0.1) == 1.0
    node.only_training = False
    assert step(beats, 0.1) is Step.WORK
    node.only_training, reasons[0] = True, ""
    assert step(beats, 0.2) is Step.WORK


def test_only_a_tick_that_succeeded_is_told(node):
    told, well = [], [True]

    def guard(work):
        work()
        return well[0]

    beats = Beats(node, 1.0, pause_s=PAUSE_S, rest_s=REST_S, guard=guard, ticked=lambda: told.append(1))
    assert step(beats, 1.0) is Step.TICK
    assert len(told) == 1
    well[0] = False
    assert step(beats, 2.0) is Step.TICK
    assert len(told) == 1
    node.busy = well[0] = True
    assert step(beats, 2.0) is Step.REACTION
    assert len(told) == 1


def test_without_a_guard_a_defect_is_raised(beats, node):
    def fail():
        raise RuntimeError("a law is broken")

    node.tick = fail
    with pytest.raises(RuntimeError, match="law"):
        step(beats, 1.0)


def test_a_node_that_is_busy_for_long_reacts_less_often_and_at_once_again_after_a_rest(node):
    beats = Beats(node, math.inf, pause_s=PAUSE_S, rest_s=REST_S, lasting_s=0.1)

    def reactions(from_s, to_s):
        now_s, count = from_s, 0
        while now_s < to_s:
            node.busy = True
            if step(beats, now_s):
                count += 1
            node.busy = True
            now_s = max(beats.next_s(now_s), now_s + 1e-6)
        return count

    assert reactions(0.0, 2.0) == 100, "a burst is answered as fast as it may be"
    reactions(2.0, 60.0)
    assert reactions(60.0, 70.0) == pytest.approx(100, abs=1)
    assert reactions(80.0, 82.0) == pytest.approx(100, abs=1), "the burst is there again"
