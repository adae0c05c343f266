"""The links of the field test once more, with real brokers: here the MQTT connections run, in hurried time.

Each case is a trouble that the virtual field test plays in its own way (host_tools/field).
"""

import os
import random
import signal
import threading
import time
from collections import deque
from dataclasses import replace

import pytest

from edge.api.troubles import troubles
from edge.clock import SystemClock
from edge.config.check import build
from edge.net.mqtt import BackOff, MqttLinks
from edge.node import Node
from edge.service.beats import Beats
from host_tools.broker import Broker, free_port
from host_tools.setup.find_broker import find_broker
from host_tools.world import HandMeters, LocalClock

pytestmark = pytest.mark.system
HURRY = 5.0  # seconds of a node in a real one
NAMED_S = 60.0  # real; the machine may be busy
TWINS = {
    "a": {"name": "heater", "kind": "load", "power_w": 100.0},
    "b": {"name": "roof", "kind": "pv", "power_w": 5000.0},
}


class Driven:
    """A node with real links, driven by its beats in a thread of its own."""

    def __init__(self, folder, name, port, neighbours):
        raw = {
            "node": {"name": name, "state_dir": str(folder / name)},
            "mqtt": {"host": "127.0.0.1", "port": port, "keepalive_s": 5},
            "neighbour": [
                {"name": peer, "host": "127.0.0.1", "port": at, "keepalive_s": 5}
                for peer, at in neighbours.items()
            ],
            "twin": [TWINS[name]],
        }
        self.config = build(raw, name)
        self.clock = LocalClock(SystemClock())
        self.clock.run_at(HURRY)
        self._mail = deque()
        self._stopping = False
        self.codes = set()
        self.texts = {}
        self.satisfied = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        config, rng = self.config, random.Random(self.config.name)
        back_off = BackOff(0.05, 0.2)
        links = MqttLinks(
            config.name, config.inbox, config.neighbours, rng, clock=self.clock, back_off=back_off
        )
        node = Node(config, self.clock, rng, links, HandMeters(self.clock))
        beats = Beats(node, self.clock.now_s(), pause_s=0.02, rest_s=0.0)
        links.start(
            lambda peer, frame: self._mail.append((node.receive, peer, frame)),
            lambda peer, up: self._mail.append((node.link_changed, peer, up)),
        )
        while not self._stopping:
            while self._mail:
                act, *arguments = self._mail.popleft()
                act(*arguments)
            now_s = self.clock.now_s()
            if step := beats.due(now_s):
                beats.do(step)
                beats.done(step, now_s, self.clock.now_s())
                found = list(troubles(node))
                self.texts = {(each.code, each.subject): each.text for each in found}
                self.codes = set(self.texts)
                self.satisfied = node.prosumers[0].consumer.satisfied
            else:
                time.sleep(0.002)
        node.leave()
        links.stop()
        node.history.close()

    def stop(self):
        self._stopping = True
        self._thread.join()


class Pair:
    """Nodes a and b, each with a broker of its own; that of b obeys an access list."""

    def __init__(self, folder):
        self.folder = folder
        self.rules = folder / "acl"
        self.rules.write_text("topic readwrite #\n")
        user = "user root\n" if os.geteuid() == 0 else ""
        port = free_port()
        text = f"{user}listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {self.rules}\n"
        program = replace(find_broker(), configuration=lambda *_: text)
        self.brokers = {
            "a": Broker("a", free_port(), folder),
            "b": Broker("b", port, folder, program=program),
        }
        self.nodes = {}
        for broker in self.brokers.values():
            broker.start()

    def begin(self, name, *neighbours):
        ports = {peer: self.brokers[peer].port for peer in neighbours}
        self.nodes[name] = Driven(self.folder, name, self.brokers[name].port, ports)
        return self.nodes[name]

    def stop(self):
        for broker in self.brokers.values():
            if broker.pid:
                os.kill(broker.pid, signal.SIGCONT)
        for node in self.nodes.values():
            node.stop()
        for broker in self.brokers.values():
            broker.stop()


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path)
    yield pair
    pair.stop()


def until(condition):
    deadline_s = time.monotonic() + NAMED_S
    while not condition():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.02)


def both(pair):
    a, b = pair.begin("a", "b"), pair.begin("b", "a")
    until(lambda: a.satisfied and not a.codes and not b.codes)
    return a, b


def well(a, b):
    return a.satisfied and not a.codes and not b.codes


def test_an_access_list_that_drops_what_a_neighbour_publishes(pair):
    a, b = both(pair)
    pair.rules.write_text("topic read #\n")
    os.kill(pair.brokers["b"].pid, signal.SIGHUP)
    until(lambda: ("neighbour_deaf", "b") in a.codes and ("neighbour_silent", "a") in b.codes)
    assert "access list" in a.texts["neighbour_deaf", "b"]
    until(lambda: not a.satisfied)
    pair.rules.write_text("topic readwrite #\n")
    os.kill(pair.brokers["b"].pid, signal.SIGHUP)
    until(lambda: well(a, b))


def test_a_broker_that_is_stalled_needs_a_reconnect(pair):
    a, b = both(pair)
    os.kill(pair.brokers["b"].pid, signal.SIGSTOP)
    until(lambda: ("neighbour_unreachable", "b") in a.codes and ("broker_unreachable", "broker") in b.codes)
    os.kill(pair.brokers["b"].pid, signal.SIGCONT)
    until(lambda: well(a, b))


def test_a_broker_that_is_gone_and_comes_back(pair):
    a, b = both(pair)
    pair.brokers["b"].kill()
    until(lambda: ("neighbour_unreachable", "b") in a.codes and ("broker_unreachable", "broker") in b.codes)
    until(lambda: "refused" in a.texts.get(("neighbour_unreachable", "b"), ""))
    pair.brokers["b"].start()
    until(lambda: well(a, b))


def test_a_neighbour_that_lists_nobody(pair):
    a, b = pair.begin("a", "b"), pair.begin("b")
    until(lambda: ("neighbour_silent", "b") in a.codes and ("neighbour_unlisted", "a") in b.codes)
    assert not a.satisfied


def test_a_connection_on_which_nothing_passes_is_made_again(pair, monkeypatch):
    """Here the access list is to blame, so a new connection changes nothing; but there is one."""
    monkeypatch.setattr("edge.net.hearing.STALE_S", 20)
    renewals = []
    renew = MqttLinks.renew

    def noted(self, peer):
        renewals.append((peer, self.stats()["neighbours"][peer]["reconnects"]))
        renew(self, peer)

    monkeypatch.setattr(MqttLinks, "renew", noted)
    a, b = both(pair)
    pair.rules.write_text("topic read #\n")
    os.kill(pair.brokers["b"].pid, signal.SIGHUP)
    until(lambda: [peer for peer, _ in renewals].count("b") >= 2)
    assert max(count for peer, count in renewals if peer == "b") >= 1
    pair.rules.write_text("topic readwrite #\n")
    os.kill(pair.brokers["b"].pid, signal.SIGHUP)
    until(lambda: well(a, b))
