"""How late the latest reactions were, of the last 10 to 20 s."""

import random
import threading
import time

import pytest

from edge.api.context import Context
from edge.api.health import health
from edge.clock import SystemClock
from edge.config.check import build
from edge.node import Node
from edge.service.lateness import Lateness
from edge.service.mailbox import Mailbox
from edge.service.runtime import Runtime
from host_tools.world import HandMeters, MemoryNetwork


def test_a_reaction_is_as_late_as_what_has_waited_longest():
    late = Lateness()
    late.waits(100.0)
    late.waits(100.2)
    late.reacted(100.25, float("inf"))
    assert abs(late.longest_s(101) - 0.25) < 1e-9
    late.waits(101.0)
    late.reacted(101.01, float("inf"))
    assert abs(late.longest_s(102) - 0.25) < 1e-9


def test_a_twin_that_acts_by_itself_is_late_against_its_own_time():
    late = Lateness()
    late.reacted(100.0, 50.0)  # an old date, at the start
    late.reacted(101.0, 100.75)
    assert abs(late.longest_s(101) - 0.25) < 1e-9
    late.reacted(102.0, 3.0)  # it wanted to act already when the last reaction ended
    assert abs(late.longest_s(102) - 1.0) < 1e-9


def test_what_is_over_is_forgotten_after_20_s_and_not_before_10():
    late = Lateness()
    for second in range(100):
        late.waits(100.0 + second)
        late.reacted(100.5 + second if second % 50 == 0 else 100.01 + second, float("inf"))
        if second % 50 < 10:
            assert late.longest_s(100.5 + second) > 0.4, second
        if second % 50 >= 21:
            assert late.longest_s(100.5 + second) < 0.1, second
    assert late.longest_s(1000.0) is None
    assert Lateness().longest_s(0.0) is None


def test_a_mailbox_knows_how_long_its_oldest_item_has_waited():
    times = iter((5.0, 6.0, 7.0))
    box = Mailbox(2, threading.Event(), now_s=lambda: next(times))
    assert box.since_s == float("inf")
    box.put("a")
    box.put("b")
    assert box.since_s == 5.0
    assert box.take(1) == ["a"]
    assert box.since_s == 6.0
    assert box.drain() == ["b"]
    assert box.since_s == float("inf")


@pytest.fixture
def meters():
    return HandMeters(SystemClock())


@pytest.fixture
def runtime(tmp_path, meters):
    clock = SystemClock()
    links = MemoryNetwork(lambda _delay_s, _event: None, random.Random(1)).links("gym", ())
    twins = [
        {"name": "roof", "kind": "pv", "power_w": 900.0},
        {"name": "tv", "kind": "load", "input": "m.total"},
    ]
    meter = {"name": "m", "bus": "line", "address": 1, "profile": "sdm120"}
    tables = {"bus": [{"name": "line", "port": "/dev/null"}], "meter": [meter], "twin": twins}
    config = build({"node": {"name": "gym", "state_dir": str(tmp_path)}, **tables}, "gym")
    runtime = Runtime(Node(config, clock, random.Random(1), links, meters), clock)
    thread = threading.Thread(target=runtime.run)
    thread.start()
    yield runtime
    runtime.stop()
    thread.join(5)


def test_a_node_tells_how_long_a_reading_waited_for_its_reaction(runtime, meters):
    busy, goes_on = threading.Event(), threading.Event()

    def hold(node):
        busy.set()
        goes_on.wait(10)

    holder = threading.Thread(target=lambda: runtime.ask(hold))
    holder.start()
    assert busy.wait(10)
    before = runtime.node.engine.reactions
    meters.say("m.total", 120.0)
    said_s = time.monotonic()
    while time.monotonic() < said_s + 0.3:  # the main thread is held so long
        time.sleep(0.01)
    goes_on.set()
    holder.join(10)
    until_s = time.monotonic() + 10
    while runtime.ask(lambda node: node.engine.reactions) == before:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    told = runtime.ask(lambda _: health(Context(runtime)))
    assert 300 <= told["longest_reaction_ms"] < 10_000
