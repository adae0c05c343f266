"""A site for the tests of the fleet: a deploy/ of its own, provisioned nodes, their real brokers."""

import os
import random
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config.check import load
from edge.net.mqtt import BackOff, MqttLinks
from host_tools.__main__ import main
from host_tools.broker import Broker, free_port
from host_tools.setup.find_broker import find_broker

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuzehm97wfW0M4p3CxmE1PC20Fzm0LZZV6ZFYIW9spm operator@pc\n"
CHAIN = {"primary": ["afterschool"], "afterschool": ["primary", "gym"], "gym": ["afterschool"], "lone": []}


def wait_until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.005)


class Site:
    """`deploy/` of a chain whose nodes are all at 127.0.0.1, each with two ports of its own."""

    def __init__(self, directory: Path, cluster: str = "lab", chain: dict[str, list[str]] = CHAIN) -> None:
        self.directory = directory
        self.cluster = cluster
        self.deploy, self.keys, self.out = (directory / name for name in ("deploy", "keys", "out"))
        self.outside = {name: free_port() for name in chain}
        self.inside = {name: free_port() for name in chain}
        self.brokers: list[Broker] = []
        self.nodes: list[Listener] = []
        (self.deploy / "nodes").mkdir(parents=True)
        (self.deploy / "operator.pub").write_text(SSH_KEY)
        self.write_fleet({name: ["127.0.0.1"] for name in chain})
        for name, neighbours in chain.items():
            self.write_node(name, neighbours)

    def write_fleet(self, hosts: dict[str, list[str]]) -> None:
        lines = [
            "[cluster]",
            f'name = "{self.cluster}"',
            "[operator]",
            'public_keys = ["operator.pub"]',
            "[hosts]",
            *(f"{name} = {given}" for name, given in hosts.items()),
        ]
        (self.deploy / "fleet.toml").write_text("\n".join(lines))

    def write_node(self, name: str, neighbours: list[str], more: str = "") -> None:
        lines = [
            "[node]",
            f'name = "{name}"',
            'state_dir = "/data/edge/state"',
            "[mqtt]",
            f"port = {self.inside[name]}",
        ]
        for peer in neighbours:
            lines += [
                "[[neighbour]]",
                f'name = "{peer}"',
                'host = "127.0.0.1"',
                f"port = {self.outside[peer]}",
            ]
        (self.deploy / "nodes" / f"{name}.toml").write_text("\n".join([*lines, more]))

    def provision(self, name: str, *options: str) -> int:
        places = ["--deploy", self.deploy, "--keys", self.keys, "--out", self.out]
        return main(["provision", name, *map(str, places), "--root", str(self.root(name)), *options])

    def root(self, name: str) -> Path:
        return self.directory / "roots" / name

    def install(self, name: str) -> Path:
        """Put what was provisioned where it would be on the node; returns its configuration."""
        data = self.root(name) / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(self.out / name, data / "edge")
        shutil.copytree(self.out / name / "keys", data / "mosquitto" / "keys")
        return data / "edge" / "config" / "node.toml"

    def broker(self, name: str, *above: str) -> Broker:
        """Start the broker of an installed node, with its port outside changed to a free one.

        `above`: the nodes that its machine has in parents.
        """
        text = (self.root(name) / "data/edge/config/mosquitto.conf").read_text()
        for port, node in enumerate((name, *above), 8883):
            assert f"listener {port}\n" in text
            text = text.replace(f"listener {port}\n", f"listener {self.outside[node]} 127.0.0.1\n")
        if os.geteuid() == 0:
            text = text.replace("user mosquitto\n", "user root\n")
        program = replace(find_broker(), configuration=lambda *_: text)
        broker = Broker(name, self.outside[name], self.directory, program=program)
        broker.start()
        self.brokers.append(broker)
        return broker

    def listener(self, name: str) -> "Listener":
        """A node that only listens, started."""
        node = Listener(self.root(name) / "data/edge/config/node.toml")
        self.nodes.append(node)
        return node

    def up(self, name: str) -> "Listener":
        """Provision, install, start broker and node."""
        assert self.provision(name) == 0
        self.install(name)
        self.broker(name)
        return self.listener(name)

    def stop(self) -> None:
        for node in self.nodes:
            node.links.stop()
        for broker in self.brokers:
            broker.stop()


class Listener:
    """What a node's links handed over and told."""

    def __init__(self, config_file: Path) -> None:
        config = load(config_file)
        self.frames: list[tuple[str, bytes]] = []
        self.news: list[tuple[str, bool]] = []
        quick = BackOff(first_s=0.05, cap_s=0.2)
        self.links = MqttLinks(config.name, config.inbox, config.neighbours, random.Random(1), back_off=quick)
        self.links.start(lambda *frame: self.frames.append(frame), lambda *news: self.news.append(news))
        wait_until(lambda: self.links.stats()["inbox"]["connected"])

    def linked(self, peer: str) -> bool:
        return self.links.stats()["neighbours"][peer]["connected"]

    def heard(self) -> tuple[int, int, list, list]:
        """Frames received and refused, frames handed over, news: all there is to hear."""
        inbox = self.links.stats()["inbox"]
        return inbox["received_frames"], inbox["refused"], self.frames, self.news


class Stranger:
    """An MQTT client that is no node: says what the broker answered. `files`: ca, certificate, key."""

    def __init__(
        self,
        port: int,
        files: tuple[Path, ...] = (),
        *,
        client_id: str = "stranger",
        will: str = "",
        username: str = "",
    ) -> None:
        self.received: list[str] = []
        self._answers: dict[int, str] = {}
        self._closed = False
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
        if files:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(files[0])
            if len(files) > 1:
                context.load_cert_chain(*files[1:])
            self.client.tls_set_context(context)
        if username:
            self.client.username_pw_set(username)
        if will:
            self.client.will_set(will, b"0")
        self.client.reconnect_on_failure = False
        self.client.on_disconnect = self._lost
        self.client.on_publish = lambda c, u, mid, reason, p: self._answers.__setitem__(mid, str(reason))
        self.client.on_message = lambda c, u, message: self.received.append(message.topic)
        try:
            self.client.connect("127.0.0.1", port)
        except (OSError, ValueError):
            self._closed = True
        self.client.loop_start()
        wait_until(lambda: self._closed or self.client.is_connected())
        self.let_in = self.client.is_connected()

    def _lost(self, *_: object) -> None:
        self._closed = True

    def publish(self, topic: str, payload: bytes = b"intruder") -> str:
        """The broker's word on a message."""
        mid = self.client.publish(topic, payload, qos=1).mid
        wait_until(lambda: mid in self._answers or self._closed)
        return self._answers.get(mid, "closed")

    def crash(self) -> None:
        """Vanish without goodbye: the broker publishes the last will."""
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
