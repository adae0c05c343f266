"""A node and a real broker; Home Assistant is a client that says and hears what the real one does."""

import json
import os
import random
import signal
import threading
import time
from dataclasses import replace
from getpass import getuser

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.api.dispatch import Api
from edge.api.troubles import troubles
from edge.clock import SystemClock
from edge.config.changes import Changes
from edge.homeassistant import publisher
from edge.homeassistant.assembly import home_assistant
from edge.node import Node
from edge.service.runtime import Runtime
from host_tools.broker import Broker, free_port
from host_tools.homeassistant.rules import faults_together
from host_tools.world import HandMeters, MemoryNetwork

pytestmark = pytest.mark.system

TWINS = [
    {"name": "lamp", "kind": "load", "power_w": 50.0},
    {"name": "roof", "kind": "pv", "power_w": 80.0},
]
SWITCH, STATE = "mg/v1/ha/gym/switch/lamp", "mg/v1/ha/gym/twin/lamp"


def wait_until(condition, timeout_s=15.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.01)


class Site:
    """A broker, a node that runs in a thread, and clients."""

    def __init__(self, folder):
        self.folder = folder
        self.broker = Broker("gym", free_port(), folder)
        self.broker.start()
        self.clients, self.runtime, self.outlet = [], None, None

    def node(self, **options):
        raw = {
            "node": {"name": "gym", "state_dir": str(self.folder)},
            "mqtt": {"port": self.broker.port},
            "home_assistant": {"scope": "operate", "every_s": 2, **options},
            "twin": TWINS,
        }
        changes, clock = Changes(raw, "gym.toml"), SystemClock()
        links = MemoryNetwork(lambda *_: None, random.Random(1)).links("gym", ())
        node = Node(changes.config, clock, random.Random(1), links, HandMeters(clock))
        self.runtime = Runtime(node, clock, changes=changes)
        self.outlet = home_assistant(changes.config, clock, random.Random(1), Api(self.runtime))
        node.outlets = [self.outlet]
        self._thread = threading.Thread(target=self.runtime.run)
        self._thread.start()
        return node

    def client(self, *topics):
        self.clients.append(Listener(self.broker.port, topics or ("homeassistant/#", "mg/v1/ha/#")))
        return self.clients[-1]

    def stop_node(self):
        if self.runtime:
            self.runtime.stop()
            self._thread.join(10)
            self.runtime = None

    def stop(self):
        self.stop_node()
        for client in self.clients:
            client.mqtt.disconnect()
            client.mqtt.loop_stop()
        self.broker.stop()


class Listener:
    """A client that keeps all that it hears."""

    def __init__(self, port, topics):
        self.heard, self._granted = [], 0
        self.mqtt = paho.Client(CallbackAPIVersion.VERSION2)
        self.mqtt.on_message = lambda c, u, message: self.heard.append((message.topic, message.payload))
        self.mqtt.on_connect = lambda c, *_: c.subscribe([(topic, 0) for topic in topics])
        self.mqtt.on_subscribe = self._subscribed
        self.mqtt.connect("127.0.0.1", port)
        self.mqtt.loop_start()
        wait_until(lambda: self._granted)

    def _subscribed(self, *_):
        self._granted += 1

    def say(self, topic, payload, **how):
        self.mqtt.publish(topic, payload, **how)

    def described(self):
        return {topic: payload for topic, payload in self.heard if topic.endswith("/config")}

    def newest(self, topic):
        return next((json.loads(payload) for each, payload in reversed(self.heard) if each == topic), {})


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.stop()


def test_the_node_and_its_twins_are_described_by_the_rules_and_their_states_follow(site):
    hearer = site.client()
    site.node()
    wait_until(lambda: len(hearer.described()) == 3)
    assert list(hearer.described()) == [
        "homeassistant/device/gym/config",
        "homeassistant/device/gym/lamp/config",
        "homeassistant/device/gym/roof/config",
    ]
    assert faults_together(hearer.described()) == []
    wait_until(lambda: hearer.newest("mg/v1/ha/gym/state").get("import_kwh") is not None)
    state = hearer.newest("mg/v1/ha/gym/state")
    assert (state["consumption_w"], state["production_w"], state["problem"]) == (50.0, 80.0, "OFF")
    assert state["import_kwh"] == state["from_community_kwh"] + state["residual_kwh"]
    assert hearer.newest(STATE)["switch"] == "ON"
    assert (b"online") in [payload for topic, payload in hearer.heard if topic.endswith("/alive")]
    for payload in hearer.described().values():  # every value that is described is in its state
        message = json.loads(payload)
        keys = {each["value_template"].split(".")[1].split(" ")[0] for each in message["components"].values()}
        assert keys <= hearer.newest(message["state_topic"]).keys()


def test_nothing_is_retained(site):
    site.node()
    wait_until(lambda: site.outlet.messages > 6)
    late = site.client()
    assert [topic for topic, _ in late.heard if topic.endswith("/config")] == []


def test_home_assistant_is_told_all_again_when_it_comes_up(site):
    site.node()
    wait_until(lambda: site.outlet.messages > 6)
    late = site.client()
    late.say("homeassistant/status", b"online")
    wait_until(lambda: len(late.described()) == 3)
    wait_until(lambda: late.newest(STATE))
    count = sum(topic.endswith("/config") for topic, _ in late.heard)
    for payload in (b"offline", b"", b"Online", b"online ", bytes(900)):
        late.say("homeassistant/status", payload)
    wait_until(lambda: site.outlet.refused == 4)
    states = sum(topic == STATE for topic, _ in late.heard)
    wait_until(lambda: sum(topic == STATE for topic, _ in late.heard) > states)  # the node has looked again
    assert sum(topic.endswith("/config") for topic, _ in late.heard) == count


def test_a_switch_stops_a_twin_and_starts_it_again_as_a_change_of_the_api(site):
    node, hearer = site.node(), site.client()
    wait_until(hearer.described)
    hearer.say(SWITCH, b"OFF")
    wait_until(lambda: hearer.newest(STATE).get("switch") == "OFF")
    assert node.prosumer("lamp").held
    assert (site.folder / "changes.json").exists()
    hearer.say(SWITCH, b"ON")
    wait_until(lambda: hearer.newest(STATE).get("switch") == "ON")
    assert not node.prosumer("lamp").held
    wait_until(lambda: site.outlet.commands == 2)
    _, events = node.history.latest(0)
    assert [(each.kind, each.partner) for each in events if each.partner.startswith("home")] == [
        ("stopped", "home assistant (operate) at this node"),
        ("restarted", "home assistant (operate) at this node"),
    ]


def test_what_is_no_command_is_refused_and_counted(site):
    node, hearer = site.node(), site.client()
    wait_until(hearer.described)
    bad = [
        (SWITCH, b"off"),
        (SWITCH, b"OFF "),
        (SWITCH, b""),
        (SWITCH, b"\xff"),
        (SWITCH, b"OFF" * 100),
        ("mg/v1/ha/gym/switch/nobody", b"OFF"),
        ("mg/v1/ha/gym/switch/lamp?x=1", b"OFF"),
        ("mg/v1/ha/gym/switch/%6Camp", b"OFF"),
        ("mg/v1/ha/gym/switch/", b"OFF"),
    ]
    for topic, payload in bad:
        hearer.say(topic, payload)
    wait_until(lambda: site.outlet.refused == len(bad))
    hearer.say(SWITCH, b"OFF" + bytes(100_000))  # the broker holds it back: the client takes no such packet
    hearer.say("mg/v1/ha/gym/switch/roof/x", b"OFF")
    hearer.say(SWITCH, b"x")
    wait_until(lambda: site.outlet.refused == len(bad) + 1)
    assert not node.prosumer("lamp").held
    assert site.outlet.commands == 0


def test_a_retained_command_is_not_carried_out(site):
    hearer = site.client()
    hearer.say(SWITCH, b"OFF", retain=True)
    node = site.node()
    wait_until(lambda: len(hearer.described()) == 3)
    wait_until(lambda: hearer.newest(STATE))
    assert not node.prosumer("lamp").held


def test_a_flood_of_commands_changes_little(site):
    node, hearer = site.node(), site.client()
    wait_until(hearer.described)
    for _ in range(50):
        hearer.say(SWITCH, b"OFF")
        hearer.say(SWITCH, b"ON")
    wait_until(lambda: site.outlet.commands + site.outlet.refused == 100, 30)
    assert 10 <= site.outlet.commands <= 13
    assert node.prosumer("lamp") is not None


def test_who_may_only_read_switches_nothing(site):
    node, hearer = site.node(scope="read"), site.client()
    wait_until(lambda: len(hearer.described()) == 3)
    assert (
        "switch" not in json.loads(hearer.described()["homeassistant/device/gym/lamp/config"])["components"]
    )
    hearer.say(SWITCH, b"OFF")
    hearer.say("homeassistant/status", b"online")
    wait_until(lambda: sum(topic.endswith("gym/config") for topic, _ in hearer.heard) == 2)
    assert not node.prosumer("lamp").held
    assert "switch" not in hearer.newest(STATE)


def test_a_node_that_is_gone_is_unavailable(site):
    hearer = site.client("mg/v1/ha/gym/alive")
    site.node()
    wait_until(lambda: (b"online") in [payload for _, payload in hearer.heard])
    site.stop_node()
    wait_until(lambda: hearer.heard[-1] == ("mg/v1/ha/gym/alive", b"offline"))


def test_after_a_restart_of_the_broker_all_is_told_again(site):
    site.node()
    wait_until(lambda: site.outlet.messages > 6)
    site.broker.stop()
    site.broker.start()
    hearer = site.client()
    wait_until(lambda: len(hearer.described()) == 3 and hearer.newest(STATE))


def test_a_twin_that_was_removed_is_removed_there_and_a_new_one_appears(site):
    node, hearer = site.node(), site.client()
    wait_until(lambda: len(hearer.described()) == 3)
    added = {"name": "pump", "kind": "load", "power_w": 10.0}
    site.runtime.change(lambda changes: replace(changes.overlay, added={"pump": added}))
    wait_until(lambda: "homeassistant/device/gym/pump/config" in hearer.described())
    site.runtime.change(lambda changes: replace(changes.overlay, added={}))
    wait_until(lambda: hearer.described()["homeassistant/device/gym/pump/config"] == b"")
    assert len(node.prosumers) == 2


def test_what_waits_for_a_broker_that_takes_nothing_is_bounded(site):
    node = site.node()
    wait_until(lambda: site.outlet.messages > 6)
    os.kill(site.broker.pid, signal.SIGSTOP)
    try:
        for _ in range(200):  # seconds, as the main thread counts them
            site.runtime.ask(lambda node: setattr(site.outlet, "_greeted", True))
            site.runtime.ask(site.outlet.second_passed)
        client = site.outlet._connection.client
        assert len(client._out_packet) + len(client._out_messages) < 50
        assert node.prosumers
    finally:
        os.kill(site.broker.pid, signal.SIGCONT)


def codes(site, node):
    return site.runtime.ask(lambda _: [each.code for each in troubles(node)])


def test_a_broker_that_is_away_is_a_trouble(site, monkeypatch):
    monkeypatch.setattr(publisher, "UNREACHABLE_S", 0.2)
    site.broker.stop()
    node = site.node()
    wait_until(lambda: "home_assistant_away" in site.runtime.ask(lambda _: [e.code for e in troubles(node)]))
    site.broker.start()
    wait_until(lambda: site.runtime.ask(lambda _: not list(site.outlet.troubles())))


def test_an_access_list_that_lets_nothing_out_is_a_trouble(site):
    rules = site.folder / "acl"
    rules.write_text("topic read #\n")
    text = (
        f"listener {site.broker.port} 127.0.0.1\nallow_anonymous true\nacl_file {rules}\nuser {getuser()}\n"
    )
    site.broker.stop()
    site.broker.program = replace(site.broker.program, configuration=lambda *_: text)
    site.broker.start()
    node = site.node()
    wait_until(lambda: "home_assistant_away" in codes(site, node))
    assert "Not authorized" in next(text for _, _, text in site.outlet.troubles())
    rules.write_text("topic readwrite #\n")
    site.broker.stop()
    site.broker.start()
    wait_until(lambda: site.outlet.bytes and "home_assistant_away" not in codes(site, node))


def test_another_broker_is_asked_for_with_name_and_password(site):
    (site.folder / "password").write_text("secret\n")
    site.node(
        host="127.0.0.1", port=site.broker.port, username="u", password_file=str(site.folder / "password")
    )
    client = site.outlet._connection.client
    assert (client.username, client.password) == ("u", "secret")
