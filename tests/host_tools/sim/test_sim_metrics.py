"""Requests tracked on a board that the test changes: response times, energies, shares."""

import math

import numpy as np
import pytest

from edge.terms import VARIABLES
from host_tools.sim.board import Board
from host_tools.sim.cast import Cast
from host_tools.sim.metrics import jain, of_energy, of_requests, spread
from host_tools.sim.recorder import ROWS_MOST, THESIS, Recorder

LOAD, PV, GRID = 0, 1, 2


class Stage:
    """A load at node a, a roof and a grid connection at node b; each second is what the test says."""

    def __init__(self, part_of=(0, 0, 0)):
        cast = Cast(
            ["a", "b"],
            ["a.load", "b.pv", "b.grid"],
            ["load", "pv", "grid"],
            np.array([0, 1, 1]),
            np.array(part_of),
        )
        self.board = Board(cast)
        self.recorder = Recorder(cast, 100)
        self.now_s = 0.0

    def second(self, **columns):
        """One second passes; at its end the board shows these, by name of the column."""
        for name, (twin, value) in columns.items():
            getattr(self.board, name)[twin] = value
        self.now_s += 1.0
        self.recorder.look(self.board, self.now_s)

    def need(self, asked_s, power_w=100.0, capacity_w=200.0):
        self.board.need_w[LOAD] = power_w
        self.board.asked_s[LOAD] = asked_s
        self.second(capacity_w=(PV, capacity_w))

    def answer(self, response_s):
        """All of the need is met, `response_s` after it was asked for."""
        board = self.board
        board.taken_w[LOAD] = board.need_w[LOAD]
        board.given_w[PV] = board.need_w[LOAD]
        board.asked_s[LOAD], board.response_s[LOAD] = math.nan, response_s
        board.validated[LOAD] += 1
        self.second()

    def requests(self):
        self.recorder.close()
        return self.recorder.log.requests


def test_a_request_that_was_always_servable_has_an_exact_response_time():
    stage = Stage()
    stage.need(asked_s=0.25)
    stage.second()
    stage.answer(response_s=2.5)
    (request,) = stage.requests()
    assert request.satisfied
    assert request.response_s == request.waited_s == request.warning_s == 2.5
    energy = of_energy(stage.recorder)["energy_wh"]
    assert energy["in_warning"] == energy["missing"] == pytest.approx(100 * 2.5 / 3600)


def test_the_longest_stretch_counts_when_power_goes_and_comes_back():
    stage = Stage()
    stage.need(asked_s=0.25)  # at 1 s: servable for 0.75 s
    stage.second(capacity_w=(PV, 50.0))  # at 2 s it is not
    stage.second(capacity_w=(PV, 200.0))  # at 3 s it is again
    stage.answer(response_s=3.5)  # at 3.75 s
    (request,) = stage.requests()
    assert request.response_s == pytest.approx(1.75)
    assert request.waited_s == 3.5
    assert request.warning_s == pytest.approx(0.75 + 1.0 + 0.75)


def test_a_request_that_nobody_can_serve_has_no_response_time():
    stage = Stage()
    stage.need(asked_s=0.0, capacity_w=60.0)
    stage.second()
    stage.requests()
    found = of_requests(stage.recorder)
    assert (found["requests"], found["satisfied"], found["unservable"]) == (1, 0, 1)
    assert found["response_s"] == {"median": None, "p95": None, "max": None}
    energy = of_energy(stage.recorder)
    assert energy["failure_rate"] == energy["energy_wh"]["in_warning"] == 0.0
    assert energy["energy_wh"]["missing"] == pytest.approx(100 * 2 / 3600)


def test_power_that_is_only_offered_is_free_and_power_under_contract_is_not():
    stage = Stage()
    stage.board.reserved_w[PV] = 200.0
    stage.need(asked_s=0.0)
    assert stage.recorder.log.stretches["strict"].servable[LOAD]
    stage.second(committed_w=(PV, 101.0))
    assert not stage.recorder.log.stretches["strict"].servable[LOAD]


def test_the_thesis_looks_at_the_node_alone():
    stage = Stage()
    stage.need(asked_s=0.0)
    stage.requests()
    assert stage.recorder.log.worst_s == {"strict": 1.0, "together": 1.0, THESIS: 0.0}


def test_free_power_counts_for_as_many_requests_as_it_serves_together():
    stage = Stage()
    stage.board.need_w[GRID], stage.board.asked_s[GRID] = 130.0, 0.0
    stage.need(asked_s=0.0)
    strict, together = (stage.recorder.log.stretches[each] for each in ("strict", "together"))
    assert strict.servable[[LOAD, GRID]].all()
    assert together.servable[LOAD]
    assert not together.servable[GRID]
    assert of_energy(stage.recorder)["together"]["failure_rate"] == pytest.approx(100 / 230)
    stage.second(capacity_w=(PV, 230.0))
    assert together.servable[[LOAD, GRID]].all()


def test_in_parts_that_are_not_connected_free_power_is_shared_by_each_part():
    stage = Stage(part_of=(0, 0, 1))
    stage.board.need_w[GRID], stage.board.asked_s[GRID] = 50.0, 0.0
    stage.need(asked_s=0.0)
    together = stage.recorder.log.stretches["together"]
    assert together.servable[LOAD]
    assert not together.servable[GRID]


def test_power_that_cannot_be_reached_is_not_free():
    stage = Stage(part_of=(0, 1, 1))
    stage.need(asked_s=0.0)
    (request,) = stage.requests()
    assert math.isnan(request.response_s)


def test_requests_that_come_and_go_between_two_looks_are_seen_even_when_alike():
    stage = Stage()
    stage.second(need_w=(LOAD, 100.0), capacity_w=(PV, 200.0))
    stage.board.unserved_w[LOAD] = 60.0  # the rest went on under the main contract
    stage.answer(response_s=0.04)
    stage.answer(response_s=0.04)
    requests = stage.requests()
    assert [request.response_s for request in requests] == pytest.approx([0.04, 0.04])
    assert all(request.satisfied for request in requests)
    assert of_energy(stage.recorder)["energy_wh"]["missing"] == pytest.approx(2 * 60 * 0.04 / 3600)


def test_a_need_that_ends_unserved_was_not_satisfied():
    stage = Stage()
    stage.need(asked_s=0.5)
    stage.board.asked_s[LOAD] = math.nan
    stage.second(need_w=(LOAD, 0.0))
    (request,) = stage.requests()
    assert not request.satisfied
    assert request.response_s == 0.5


def test_one_request_after_the_other_is_two():
    stage = Stage()
    stage.need(asked_s=0.5)
    stage.board.response_s[LOAD], stage.board.asked_s[LOAD] = 0.7, 1.8
    stage.board.validated[LOAD] += 1
    stage.second()
    first, second = stage.requests()
    assert (first.satisfied, first.response_s) == (True, 0.7)
    assert (second.satisfied, second.response_s) == (False, pytest.approx(0.2))


def test_shares_of_energy():
    stage = Stage()
    stage.board.need_w[LOAD] = stage.board.taken_w[LOAD] = 100.0
    stage.board.capacity_w[[PV, GRID]] = 150.0, 1000.0
    stage.board.given_w[[PV, GRID]] = 75.0, 25.0
    stage.second()
    stage.recorder.close()
    found = of_energy(stage.recorder)
    assert found["self_sufficiency"] == pytest.approx(0.75)
    assert found["self_consumption"] == pytest.approx(0.5)
    assert found["failure_rate"] == 0.0
    assert found["fairness"] == pytest.approx(1.0)


def test_what_flows_is_counted_apart_from_what_could():
    stage = Stage()
    board = stage.board
    board.need_w[LOAD], board.taken_w[LOAD] = 200.0, 100.0
    board.capacity_w[[PV, GRID]] = 150.0, 1000.0
    board.given_w[[PV, GRID]] = 75.0, 25.0
    board.committed_w[[PV, GRID]] = 80.0, 30.0
    board.reserved_w[[PV, GRID]] = 80.0, 130.0
    stage.second()
    stage.recorder.close()
    found = of_energy(stage.recorder)
    energy = {name: 3600 * each for name, each in found["energy_wh"].items()}
    assert (energy["ready"], energy["produced"]) == pytest.approx((1150.0, 150.0))
    assert (energy["imported"], energy["exported"]) == pytest.approx((25.0, 75.0))
    assert energy["from_pv"] + energy["imported"] == pytest.approx(energy["supplied"])
    assert energy["from_pv"] + energy["exported"] == pytest.approx(energy["produced"])
    assert (energy["from_battery"], energy["from_other"]) == (0.0, 0.0)
    assert found["served"] == pytest.approx(0.5)
    assert {name: 1150 * share for name, share in found["ready_shares"].items()} == pytest.approx(
        {"used": 100.0, "margins": 10.0, "offered": 100.0, "free": 940.0}
    )


def test_without_a_grid_connection_nothing_is_exported():
    stage = Stage(part_of=(0, 0, 1))
    stage.second(capacity_w=(PV, 150.0))
    stage.recorder.close()
    assert of_energy(stage.recorder)["energy_wh"]["exported"] == 0.0


def test_what_is_offered_is_available_to_the_own_node_too():
    stage = Stage()
    stage.recorder.cast.node_of[LOAD] = 1  # beside the roof
    stage.board.reserved_w[PV] = 200.0
    stage.need(asked_s=0.0)
    stage.requests()
    assert stage.recorder.log.worst_s == {"strict": 1.0, "together": 1.0, THESIS: 1.0}
    assert stage.recorder.whole_w[-1, VARIABLES.index("available")] == 200.0


def test_where_there_is_no_whole_there_is_no_share():
    stage = Stage()
    stage.second()
    found = of_energy(stage.recorder)
    assert [found[key] for key in ("failure_rate", "self_sufficiency", "self_consumption", "fairness")] == [
        None
    ] * 4


def test_the_index_of_jain():
    assert jain(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert jain(np.array([0.4, 0.4])) == pytest.approx(1.0)


def test_a_spread_ends_with_the_worst():
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "p95": pytest.approx(2.9), "max": 3.0}


def test_the_time_series_stays_small_and_says_its_stride():
    cast = Stage().board.cast
    recorder = Recorder(cast, 2 * ROWS_MOST)
    assert recorder.stride == 4
    assert recorder.nodes_w.shape[0] * recorder.nodes_w.shape[1] <= ROWS_MOST
