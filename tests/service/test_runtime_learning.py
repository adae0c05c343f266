"""The main loop with work: it runs when nothing else is due, and delays no reaction."""

import random
import threading
import time
from types import SimpleNamespace

import pytest

from edge.clock import SystemClock
from edge.config.check import build
from edge.node import Node
from edge.service.runtime import Runtime
from host_tools.world import HandMeters

_PIECE_S = 0.01


class Wire:
    """Links to nobody."""

    neighbours: tuple[str, ...] = ()

    def start(self, receive, changed):
        self.receive = receive

    def stop(self):
        pass

    def send(self, peer, frame):
        return True

    def stats(self):
        return {"inbox": {"connected": True}, "neighbours": {}}


class Busy(Node):
    """Always has work, and counts its pieces."""

    pieces = 0
    has_work = True
    only_training = True

    def work(self):
        end_s = time.monotonic() + _PIECE_S
        while time.monotonic() < end_s:
            self.pieces += 1


def until(condition):
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def running(tmp_path):
    raw = {
        "node": {"name": "n", "state_dir": str(tmp_path)},
        "learning": {"node_model": "persistence", "pause_load": 1000.0, "pause_free_mb": 0.0},
        "bus": [{"name": "b", "port": "p"}],
        "meter": [{"name": "m", "bus": "b", "address": 1, "profile": "sdm120"}],
        "twin": [{"name": "t", "kind": "load", "input": "m.total"}],
    }
    clock = SystemClock()
    node = Busy(build(raw, "n"), clock, random.Random(1), Wire(), HandMeters(clock))
    runtime = Runtime(node, clock)
    thread = threading.Thread(target=runtime.run)
    thread.start()
    runtime.ask(lambda _: None)  # links and meters have been started
    yield runtime
    runtime.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert runtime.failures == 0


def test_no_reaction_waits_for_more_than_a_piece(running):
    delays_s = []
    for power_w in range(1, 40):
        began_s = time.monotonic()
        running.node.meters.say("m.total", float(power_w))
        while running.ask(lambda node: node.total().requested_w) != power_w:
            pass
        delays_s.append(time.monotonic() - began_s)
        time.sleep(0.01)
    assert running.pieces > 20
    assert sorted(delays_s)[len(delays_s) // 2] < 0.1


def test_work_takes_half_of_the_time_at_most(running):
    began_s, cpu_s = time.monotonic(), running.work_s
    time.sleep(1.0)
    assert 0 < running.work_s - cpu_s <= 0.65 * (time.monotonic() - began_s)


def test_under_pressure_training_waits_and_other_work_does_not(running):
    running._pressure = SimpleNamespace(reason="load of 9 per core")
    until(lambda: running.waits_for == "load of 9 per core")
    before = running.pieces
    time.sleep(0.3)
    assert running.pieces == before
    assert running.waits_for == "load of 9 per core"
    running.node.only_training = False
    until(lambda: running.pieces > before)
