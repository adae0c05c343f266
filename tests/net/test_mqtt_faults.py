"""`MqttLinks` when brokers are down, stalled or malicious, and when nodes crash."""

import contextlib
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest
from repository import REPOSITORY

from edge.net.links import LinkLimits

pytestmark = pytest.mark.system

CONNACK = bytes([0x20, 3, 0, 0, 0])


def test_broker_down_at_start_is_tried_until_it_is_up(grid, caplog):
    grid.start_brokers("a", "b")
    for broker in grid.brokers.values():
        broker.stop()
    with caplog.at_level(logging.INFO, "edge.net"):
        a, b = grid.node("a", "b").start(), grid.node("b").start()
        grid.wait_until(lambda: len(caplog.records) >= 3)
        time.sleep(0.5)  # several attempts
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 3, "one line a connection, not one an attempt"
        assert all("unreachable" in line for line in lines)
        assert not a.links.send("b", b"too early")
        for broker in grid.brokers.values():
            broker.start()
        a.wait_connected()
        b.wait_connected()
    assert a.links.send("b", b"now")
    grid.wait_until(lambda: b.frames == [("a", b"now")])
    assert a.neighbour("b")["dropped"] == 1


def test_a_killed_broker_is_noticed_and_reconnected(grid):
    a, b = grid.pair()
    grid.brokers["b"].kill()
    grid.wait_until(lambda: a.news[-1] == ("b", False))
    assert not a.links.send("b", b"lost")
    grid.brokers["b"].start()
    grid.wait_until(lambda: a.news[-1] == ("b", True))
    b.wait_connected()
    assert a.links.send("b", b"back")
    grid.wait_until(lambda: b.frames == [("a", b"back")])
    assert a.neighbour("b")["reconnects"] == 1


def test_a_node_that_missed_frames_greets_its_neighbours_again(grid):
    a, b = grid.pair()  # a sends to b, and b could not tell that a did not hear
    grid.wait_until(lambda: ("a", True) in b.news)
    grid.brokers["a"].kill()
    grid.wait_until(lambda: not a.inbox()["connected"])
    b.news.clear()
    grid.brokers["a"].start()
    grid.wait_until(lambda: ("a", True) in b.news)
    grid.wait_until(lambda: a.inbox()["connected"])


def test_nothing_accumulates_while_the_broker_is_unreachable(grid):
    a, _ = grid.pair()
    grid.brokers["b"].kill()
    grid.wait_until(lambda: not a.neighbour("b")["connected"])
    frame = bytes(1000)
    a.links.send("b", frame)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            a.links.send("b", frame)
        gc.collect()
        grown_bytes, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert a.neighbour("b")["dropped"] == 20_001
    assert grown_bytes < 50_000


def test_what_waits_for_a_stalled_broker_is_bounded_and_then_dropped(grid):
    limits = LinkLimits(max_pending_frames=20, max_pending_bytes=100_000)
    a, b = grid.pair(limits=limits, keepalive_s=1)
    os.kill(grid.brokers["b"].pid, signal.SIGSTOP)
    try:
        accepted = sum(a.links.send("b", bytes(60_000)) for _ in range(500))
        # Beyond the kernel's buffers at both ends one or two frames of this size wait with us.
        assert accepted < 200
        assert a.neighbour("b")["dropped"] == 500 - accepted
        assert not a.links.send("b", bytes(60_000))
        grid.wait_until(lambda: ("b", False) in a.news, timeout_s=5.0)  # keepalive
    finally:
        os.kill(grid.brokers["b"].pid, signal.SIGCONT)
    a.wait_connected()
    b.wait_connected()
    assert a.links.send("b", b"healed")
    grid.wait_until(lambda: bool(b.frames) and b.frames[-1] == ("a", b"healed"))
    stats = a.neighbour("b")
    assert stats["sent_frames"] + stats["dropped"] == 502, "every frame is accounted for"


def test_stopping_does_not_wait_for_a_stalled_broker(grid):
    a, _ = grid.pair()
    before = threading.active_count()
    os.kill(grid.brokers["b"].pid, signal.SIGSTOP)
    try:
        for _ in range(40):  # until the kernel's buffers are full as well as ours
            while a.links.send("b", bytes(60_000)):
                pass
            time.sleep(0.005)
        started_s = time.monotonic()
        a.links.stop()
        assert time.monotonic() - started_s < 2.0
        assert threading.active_count() == before - 2
    finally:
        os.kill(grid.brokers["b"].pid, signal.SIGCONT)


SENDER = """
import random, sys, time
from edge.net.mqtt import BrokerSettings, MqttLinks, NeighbourSettings
own, other = map(int, sys.argv[1:])
neighbour = NeighbourSettings(name="b", host="127.0.0.1", port=other)
links = MqttLinks("a", BrokerSettings(port=own), [neighbour], random.Random(1))
links.start(lambda *_: None, lambda *_: None)
time.sleep(60)
"""


def test_last_will_of_a_killed_process(grid):
    grid.start_brokers("a", "b")
    b = grid.node("b").start().wait_connected()
    ports = [str(grid.brokers[name].port) for name in "ab"]
    sender = subprocess.Popen([sys.executable, "-c", SENDER, *ports], cwd=REPOSITORY)
    try:
        grid.wait_until(lambda: ("a", True) in b.news)
    finally:
        sender.kill()
        sender.wait()
    grid.wait_until(lambda: bool(b.news) and b.news[-1] == ("a", False))


def test_a_planned_stop_is_announced_like_a_crash(grid):
    a, b = grid.pair()
    a.links.stop()
    grid.wait_until(lambda: bool(b.news) and b.news[-1] == ("a", False))
    assert not a.links.send("b", b"after the end")


def test_error_in_the_node_does_not_end_the_link(grid):
    grid.start_brokers("a", "b")
    seen = []

    def deliver(peer: str, frame: bytes) -> None:
        seen.append(frame)
        raise RuntimeError("a defect of the node")

    def changed(peer: str, up: bool) -> None:
        raise RuntimeError("another")

    b = grid.node("b")
    b.links.start(deliver, changed)
    b.wait_connected()
    a = grid.node("a", "b").start().wait_connected()
    assert a.links.send("b", b"1")
    assert a.links.send("b", b"2")
    grid.wait_until(lambda: seen == [b"1", b"2"])
    grid.wait_until(lambda: b.inbox()["refused"] == 2)  # counted after it was seen


@pytest.mark.parametrize(
    "words",
    [
        bytes([0x30, 0xFF, 0xFF, 0xFF, 0x7F]) + bytes(2000),  # announces a packet of 256 MB
        bytes([0x30, 0x03, 0xFF, 0xFF, 0xFF]),  # topic longer than its packet
        bytes([0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]),  # length of five bytes
        bytes([0xF0, 0x02, 0x00, 0x7F]),
    ],
    ids=["huge", "short", "length", "unknown"],
)
def test_a_lying_broker_is_disconnected_and_retried(grid, words):
    """A neighbour's broker is another household's machine: it may say anything."""
    grid.start_brokers("a")
    with socket.create_server(("127.0.0.1", 0)) as liar:
        liar.settimeout(5)
        a = grid.node("a", b=liar.getsockname()[1]).start()
        for _ in range(2):
            connection, _address = liar.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(1000)
                connection.sendall(CONNACK + words)
                with contextlib.suppress(ConnectionResetError):
                    while connection.recv(1000):  # until a hangs up
                        pass
    assert a.news[:2] == [("b", True), ("b", False)]


def test_a_connection_is_made_again_on_demand_and_said_once(grid, caplog):
    a, b = grid.pair()
    with caplog.at_level(logging.INFO, "edge.net"):
        for count in (1, 2, 3):
            a.links.renew("b")
            b.links.renew_inbox()
            grid.wait_until(lambda count=count: a.neighbour("b")["reconnects"] == count)
            a.wait_connected()
            b.wait_connected()
    assert a.neighbour("b")["trouble"] == ""
    grid.wait_until(lambda: a.links.send("b", b"again") and b.frames[-1:] == [("a", b"again")])
    said = [each.getMessage() for each in caplog.records if each.getMessage().startswith("link to b")]
    assert said == ["link to b: nothing passes, so it is connected again"] * 2, (
        "the first and the second time"
    )
    a.links.renew("nobody")


def test_an_own_broker_that_refuses_the_subscription_is_named_until_it_does_not(grid, caplog):
    """Connected, and yet no frame can arrive."""
    grid.start_brokers("a")
    with socket.create_server(("127.0.0.1", 0)) as own, caplog.at_level(logging.INFO, "edge.net"):
        own.settimeout(5)
        a = grid.node("b", own_port=own.getsockname()[1]).start()
        for answer in (0x87, 0x87, 0x00):  # not authorized, twice; then it is
            connection, _address = own.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(1000)
                connection.sendall(CONNACK)
                subscribe = connection.recv(1000)
                connection.sendall(bytes([0x90, 5, *subscribe[2:4], 0, 0x00, answer]))
                refused = "Not authorized" if answer else ""
                grid.wait_until(lambda refused=refused: a.inbox()["delivery"] == refused)
                grid.wait_until(lambda answer=answer: a.inbox()["connected"] == (answer == 0))
            grid.wait_until(lambda: not a.inbox()["connected"] and a.inbox()["delivery"] == "")
    said = [each for each in caplog.messages if "subscription" in each]
    assert said == ["inbox: the broker refuses the subscription: Not authorized"]
