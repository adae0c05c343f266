"""Questions to the main thread: what a question raises, the thread that asked is told."""

import random
import threading

import pytest

from edge.api.access import Caller
from edge.api.answer import Problem
from edge.api.dispatch import Api, Asked
from edge.api.parameters import BadRequest
from edge.api.route import Route
from edge.clock import SystemClock
from edge.config.check import build
from edge.node import Node
from edge.service.runtime import Runtime
from host_tools.world import HandMeters, MemoryNetwork


@pytest.fixture
def runtime(tmp_path):
    clock = SystemClock()
    links = MemoryNetwork(lambda *_: None, random.Random(1)).links("gym", ())
    config = build({"node": {"name": "gym", "state_dir": str(tmp_path)}}, "gym")
    runtime = Runtime(Node(config, clock, random.Random(1), links, HandMeters(clock)), clock)
    thread = threading.Thread(target=runtime.run)
    thread.start()
    yield runtime
    runtime.stop()
    thread.join(5)


def refuse(context) -> str:
    raise BadRequest("day = x: expected a day")


def conflict(context) -> str:
    raise Problem(409, "there is no such relay")


def fail(context) -> str:
    raise KeyError("kW")


def answer(runtime, view):
    answer = Api(runtime, routes=(Route("GET", "/", view, "asks"),)).answer("GET", "/")
    return answer.status, answer.content


def test_a_refusal_of_the_main_thread_is_told_to_the_client_and_is_no_failure(runtime):
    status, content = answer(runtime, refuse)
    assert (status, content["detail"]) == (400, "day = x: expected a day")
    assert runtime.failures == 0


def test_a_conflict_is_told_to_the_client_and_is_no_failure(runtime):
    status, content = answer(runtime, conflict)
    assert (status, content["detail"]) == (409, "there is no such relay")
    asked = Asked(Caller("10.0.0.7", "configure", "token"))
    released = Api(runtime).answer("DELETE", "/api/v1/limits/box", asked)
    assert (released.status, "no regulator" in released.content["detail"]) == (409, True)
    assert runtime.ask(lambda _: runtime.failures) == 0


def test_a_defect_in_the_main_thread_is_told_to_the_client_and_counted(runtime):
    status, content = answer(runtime, fail)
    assert (status, content["detail"]) == (503, "the node failed to answer: 'kW' (KeyError)")
    assert runtime.ask(lambda _: runtime.failures) == 1


def test_a_node_that_is_stuck_is_told_in_a_sentence(runtime):
    goes_on = threading.Event()
    try:
        status, content = answer(runtime, lambda _: goes_on.wait(10))
    finally:
        goes_on.set()
    assert (status, content["detail"]) == (503, "the node does not answer")
