"""Attacks on the broker of a provisioned node: does a member still get in, and after how many seconds?"""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config.check import load
from edge.net.mqtt import BackOff, MqttLinks
from host_tools.broker import Broker, BrokerError, free_port
from host_tools.setup.find_broker import find_broker

_HOST, _MEMBER = "gym", "school"
_GIVE_UP_S = 30.0
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuzehm97wfW0M4p3CxmE1PC20Fzm0LZZV6ZFYIW9spm operator@pc\n"
_BROKER_KEYS = Path(__file__).parents[2] / "deploy/rootfs/usr/lib/edge/broker-keys"


class _Site:
    """Two provisioned nodes, and the broker of one of them with TLS, as it runs on a board."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.outside = {name: free_port() for name in (_HOST, _MEMBER)}
        self.inside = {name: free_port() for name in (_HOST, _MEMBER)}
        self._broker: Broker | None = None
        nodes = folder / "deploy" / "nodes"
        nodes.mkdir(parents=True)
        (folder / "deploy" / "operator.pub").write_text(_KEY)
        hosts = "".join(f'{name} = ["127.0.0.1"]\n' for name in self.outside)
        fleet = f'[cluster]\nname = "lab"\n[operator]\npublic_keys = ["operator.pub"]\n[hosts]\n{hosts}'
        (folder / "deploy" / "fleet.toml").write_text(fleet)
        for name, other in ((_HOST, _MEMBER), (_MEMBER, _HOST)):
            (nodes / f"{name}.toml").write_text(
                f'[node]\nname = "{name}"\nstate_dir = "/data/edge/state"\n'
                f"[mqtt]\nport = {self.inside[name]}\n"
                f'[[neighbour]]\nname = "{other}"\nhost = "127.0.0.1"\nport = {self.outside[other]}\n'
            )
        for name in self.outside:
            self._provision(name)

    def root(self, name: str) -> Path:
        return self.folder / "roots" / name

    def _provision(self, name: str) -> None:
        from host_tools.__main__ import main  # imports this package

        places = {each: self.folder / each for each in ("deploy", "keys", "out")}
        words = [word for each, path in places.items() for word in (f"--{each}", str(path))]
        with redirect_stdout(StringIO()):
            code = main(["provision", name, *words, "--root", str(self.root(name))])
        if code:
            raise BrokerError(f"provisioning of {name} failed")
        data = self.root(name) / "data"
        shutil.copytree(self.folder / "out" / name, data / "edge")

    def start_broker(self) -> None:
        """With the files that `broker-keys` gives it. Raises BrokerError."""
        root = self.root(_HOST)
        subprocess.run(
            [sys.executable, str(_BROKER_KEYS)],
            env={"EDGE_ROOT": str(root)},
            check=True,
            stderr=subprocess.DEVNULL,
        )
        text = (root / "run/mosquitto/mosquitto.conf").read_text()
        text = text.replace("listener 8883\n", f"listener {self.outside[_HOST]} 127.0.0.1\n")
        if os.geteuid() == 0:
            text = text.replace("user mosquitto\n", "user root\n")
        program = replace(find_broker(), configuration=lambda *_: text)
        self._broker = Broker(_HOST, self.outside[_HOST], self.folder, program=program)
        self._broker.start()

    def links(self, name: str) -> MqttLinks:
        """The links of a node, started."""
        config = load(self.root(name) / "data/edge/config/node.toml")
        links = MqttLinks(
            config.name,
            config.inbox,
            config.neighbours,
            random.Random(1),
            back_off=BackOff(first_s=0.1, cap_s=1.0),
            kept_list=self.root(name) / "data/crl.pem",
        )
        links.start(lambda *_: None, lambda *_: None)
        return links

    def stop(self) -> None:
        if self._broker:
            self._broker.stop()


def idle(folder: Path) -> float:
    """200 connections that never show a certificate."""
    return _tried(folder, lambda site: [_connect(site.outside[_HOST]) for _ in range(200)])


def empty_list(folder: Path) -> float:
    """The list of revoked certificates is empty when broker and node start again."""
    return _tried(folder, lambda site: [], empty=True)


def client_id(folder: Path) -> float:
    """A local process connects under the names that the inbox may have: it stays up."""
    return _tried(folder, _poses)


def _tried(folder: Path, attack: Callable[[_Site], list[socket.socket]], empty: bool = False) -> float:
    """Seconds until the member has connected, infinite if it does not or does not stay."""
    site = _Site(folder / "door")
    links: list[MqttLinks] = []
    idle: list[socket.socket] = []
    try:
        if empty:
            site.start_broker()  # both have run before
            site.links(_HOST).stop()
            site.stop()
            (site.root(_HOST) / "data/edge/config/crl.pem").write_bytes(b"")
        site.start_broker()
        links.append(site.links(_HOST))
        _wait(lambda: links[0].stats()["inbox"]["connected"])
        idle = attack(site)
        began_s = time.monotonic()
        links.append(site.links(_MEMBER))
        after_s = _wait(lambda: links[1].stats()["neighbours"][_HOST]["connected"]) - began_s
        if attack is _poses:
            _poses(site)
        stays = (
            links[0].stats()["inbox"]["connected"] and not links[1].stats()["neighbours"][_HOST]["reconnects"]
        )
        return after_s if stays else float("inf")
    except BrokerError:
        return float("inf")
    finally:
        for each in idle:
            each.close()
        for one in links:
            one.stop()
        site.stop()


def _poses(site: _Site) -> list[socket.socket]:
    for name in (_HOST, f"{_HOST}/inbox", f"{_HOST}/inbox-") * 3:
        client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", site.inside[_HOST])
        client.loop_start()
        time.sleep(0.1)
        client.disconnect()
        client.loop_stop()
    return []


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def _wait(condition: Callable[[], object]) -> float:
    """The time at which it holds, infinite if it never does."""
    deadline_s = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < deadline_s:
        if condition():
            return time.monotonic()
        time.sleep(0.02)
    return float("inf")
