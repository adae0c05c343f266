"""A small microgrid of real brokers and listening nodes for the tests of the links."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.net.links import InboxStats, LinkLimits, NeighbourStats
from edge.net.mqtt import BackOff, BrokerSettings, MqttLinks, NeighbourSettings
from host_tools.broker import Broker, free_port

QUICK = BackOff(first_s=0.05, cap_s=0.2)


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "condition not met in time"
        time.sleep(0.005)


class Node:
    """A node that only records the frames and changes it receives."""

    def __init__(
        self, name: str, inbox_port: int, ports: dict[str, int], limits: LinkLimits | None, keepalive_s: int
    ) -> None:
        self.frames: list[tuple[str, bytes]] = []
        self.news: list[tuple[str, bool]] = []
        inbox = BrokerSettings(port=inbox_port, keepalive_s=keepalive_s)
        neighbours = [
            NeighbourSettings(name=peer, host="127.0.0.1", port=port, keepalive_s=keepalive_s)
            for peer, port in ports.items()
        ]
        self.links = MqttLinks(name, inbox, neighbours, random.Random(name), limits=limits, back_off=QUICK)

    def start(self) -> "Node":
        self.links.start(lambda *frame: self.frames.append(frame), lambda *news: self.news.append(news))
        return self

    def neighbour(self, peer: str) -> NeighbourStats:
        return self.links.stats()["neighbours"][peer]

    def inbox(self) -> InboxStats:
        return self.links.stats()["inbox"]

    def wait_connected(self) -> "Node":
        wait_until(lambda: self.inbox()["connected"])
        for peer in self.links.neighbours:
            wait_until(lambda peer=peer: self.neighbour(peer)["connected"])
        return self


class Microgrid:
    """Brokers and nodes of one test, all stopped at its end."""

    wait_until = staticmethod(wait_until)

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.brokers: dict[str, Broker] = {}
        self.nodes: list[Node] = []

    def start_brokers(self, *names: str) -> None:
        for name in names:
            self.brokers[name] = Broker(name, free_port(), self._directory)
            self.brokers[name].start()

    def node(
        self, name: str, *neighbours: str, limits=None, keepalive_s=10, own_port=0, **ports: int
    ) -> Node:
        """A node beside its broker; `ports` are neighbours with brokers outside of this test."""
        ports |= {peer: self.brokers[peer].port for peer in neighbours}
        node = Node(name, own_port or self.brokers[name].port, ports, limits, keepalive_s)
        self.nodes.append(node)
        return node

    def pair(self, **settings) -> tuple[Node, Node]:
        """Node a sends to node b, both connected."""
        self.start_brokers("a", "b")
        receiver = self.node("b", **settings).start().wait_connected()
        return self.node("a", "b", **settings).start().wait_connected(), receiver

    def stop(self) -> None:
        for node in self.nodes:
            node.links.stop()
        for broker in self.brokers.values():
            broker.stop()


@pytest.fixture
def grid(tmp_path) -> Iterator[Microgrid]:
    microgrid = Microgrid(tmp_path)
    yield microgrid
    microgrid.stop()
