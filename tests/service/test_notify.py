"""Notifications to the service manager: a node is up, and its laws run; otherwise the watchdog is not fed."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from repository import REPOSITORY

from edge.clock import SystemClock
from edge.config.check import build
from edge.node import Node
from edge.service.notify import Manager
from edge.service.runtime import Runtime
from host_tools.broker import free_port
from host_tools.world import HandMeters, MemoryNetwork


class Listener:
    """The manager's end: a datagram socket like that of systemd."""

    def __init__(self, address):
        self.address = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)

    def receive(self, timeout_s):
        """The lines of the next message; None if there is none in time."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return None

    def drain(self):
        """Discard what has been sent so far."""
        while self.receive(0.01) is not None:
            pass

    def close(self):
        self._socket.close()


@pytest.fixture
def listener(tmp_path):
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.close()


class RunningNode:
    """A node without neighbours in a thread of its own."""

    def __init__(self, directory, address):
        config = build({"node": {"name": "gym", "state_dir": str(directory)}}, "gym")
        clock = SystemClock()
        links = MemoryNetwork(lambda *_: None, random.Random(1)).links("gym", ())
        self.node = Node(config, clock, random.Random(1), links, HandMeters(clock))
        manager = Manager(address)
        self._runtime = Runtime(self.node, clock, lambda: manager.alive("well"))
        self._thread = threading.Thread(target=self._runtime.run)
        self._thread.start()

    def stop(self):
        self._runtime.stop()
        self._thread.join()


@pytest.fixture
def start_node(tmp_path):
    nodes = []

    def start(address):
        nodes.append(RunningNode(tmp_path / "state", address))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()


def test_a_node_is_ready_after_its_first_tick_and_feeds_the_watchdog_with_each(listener, start_node):
    start_node(listener.address)
    assert listener.receive(3) == ["READY=1", "WATCHDOG=1", "STATUS=well"]
    assert listener.receive(3) == ["WATCHDOG=1"]
    assert listener.receive(3) == ["WATCHDOG=1"]


def test_an_engine_that_hangs_does_not_feed_the_watchdog(listener, start_node):
    running, goes_on = start_node(listener.address), threading.Event()
    assert listener.receive(3) is not None
    hangs = threading.Event()

    def hang():
        hangs.set()
        goes_on.wait()

    running.node.engine.tick = hang
    assert hangs.wait(3)
    listener.drain()
    assert listener.receive(2.2) is None
    goes_on.set()  # so that the test ends; it also shows that nothing else was broken
    assert listener.receive(3) == ["WATCHDOG=1"]


def test_an_engine_that_fails_at_every_tick_does_not_feed_the_watchdog(listener, start_node):
    running = start_node(listener.address)
    assert listener.receive(3) is not None

    fails = threading.Event()

    def fail():
        fails.set()
        raise RuntimeError("a law is broken")

    running.node.engine.tick = fail
    assert fails.wait(3)
    listener.drain()
    assert listener.receive(2.2) is None


def test_a_socket_may_have_an_abstract_address():
    listener = Listener(f"@edge-test-{os.getpid()}")
    Manager(listener.address).alive("well")
    assert listener.receive(1) == ["READY=1", "WATCHDOG=1", "STATUS=well"]
    listener.close()


def test_a_manager_that_does_not_listen_delays_nothing(tmp_path):
    deaf = Listener(tmp_path / "deaf")
    manager = Manager(deaf.address)
    began_s = time.monotonic()
    for _ in range(2000):  # more than a socket takes
        manager.alive("well")
    Manager(str(tmp_path / "absent")).alive("well")
    Manager("").alive("well")
    assert time.monotonic() - began_s < 2
    deaf.close()


def test_a_real_node_tells_when_it_is_up_and_when_it_ends_and_shows_its_release(tmp_path):
    listener, port = Listener(tmp_path / "notify"), free_port()
    config = tmp_path / "node.toml"
    config.write_text(
        f'[node]\nname = "gym"\nstate_dir = "{tmp_path}/state"\n'
        f"[mqtt]\nport = {free_port()}\n[api]\nport = {port}\n"
    )
    environment = os.environ | {"NOTIFY_SOCKET": listener.address, "EDGE_RELEASE": "1.2.3-abc"}
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(config)], cwd=REPOSITORY, env=environment
    )
    try:
        lines = listener.receive(20)
        assert lines[:2] == ["READY=1", "WATCHDOG=1"]
        assert lines[2] == "STATUS=gym: 0 twins, 0 of 0 neighbours in reach"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            health = json.loads(response.read())
        assert (health["release"], health["failures"]) == ("1.2.3-abc", 0)
        process.send_signal(signal.SIGTERM)
        while (lines := listener.receive(5)) == ["WATCHDOG=1"]:
            pass
        assert lines[0] == "STOPPING=1"
        assert process.wait(10) == 0
    finally:
        process.kill()
        listener.close()
