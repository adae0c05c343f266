"""Gateways over wires that carry, hold or drop frames as a test wants: no threads, no clock."""

import random
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge.net.frame import Frame, decode
from edge.net.gateway import Gateway
from edge.space.agent import Agent
from edge.space.engine import Engine
from edge.space.tuplespace import Limits, TupleSpace
from edge.trust.trust import IDENTITY, TWIN, Trust

sys.path.append(str(Path(__file__).parents[1] / "space"))  # the checks of the kernel's own tests

from check import Watcher, assert_as_new, state
from soundness import assert_sound

__all__ = ["Fleet", "Node", "Watcher", "assert_as_new", "assert_sound", "state", "storm"]


class Wires:
    """The links of one node: what it sends waits in the fleet."""

    def __init__(self, fleet: "Fleet", name: str, neighbours: Sequence[str]) -> None:
        self.neighbours = tuple(neighbours)
        self._fleet = fleet
        self._name = name

    def send(self, peer: str, frame: bytes) -> bool:
        self._fleet.on_the_way.append((self._name, peer, frame))
        return True


class Node:
    """A space, its gateway and its engine, driven by hand."""

    def __init__(
        self,
        fleet: "Fleet",
        name: str,
        neighbours: Sequence[str],
        limits: Limits | None,
        incarnation: int,
        trust: Trust,
    ) -> None:
        self.name = name
        self.space = TupleSpace(name, limits or Limits(lsas=32, nodes=8), incarnation)
        self.trust = trust
        self.gateway = Gateway(self.space, Wires(fleet, name, neighbours), trust)
        self.engine = Engine(self.space, self.gateway.outbox)
        if trust.authentic:
            self.show(f"{name}.{TWIN}", trust.certificate(), IDENTITY)

    def add(self, agent: Agent) -> Agent:
        self.engine.add(agent)
        return agent

    def show(self, name: str, value: bytes, label: str = "L") -> Watcher:
        """A new agent that shows a value."""
        agent = Watcher(name)
        self.engine.add(agent)
        agent.submit(label, value)
        return agent

    def react(self) -> None:
        if self.engine.stirred:
            self.engine.react()
        self.gateway.flush()

    def tick(self) -> None:
        self.engine.tick()
        self.gateway.tick()

    def value(self, name: str, label: str = "L") -> bytes | None:
        handle = self.space.find(name)
        return self.space.read(handle, label) if handle else None

    def holds(self) -> dict[str, tuple[int, int]]:
        """Name -> (incarnation, version) of every LSA that has something to show."""
        space = self.space
        return {
            space.names.text(space.lsa_name[slot]): (
                space.origins.incarnation[space.lsa_origin[slot]],
                space.lsa_version[slot],
            )
            for slot in range(space.limits.lsas)
            if space.lsa_state[slot] == 1 and space.lsa_version[slot]
        }

    def hops(self) -> dict[str, int]:
        return {name: hops for name, hops in self.space.distances().items() if name != self.name}


def storm(fleet: "Fleet", rng: random.Random, submit: Callable[[Agent, int], None]) -> None:
    """Frames are lost while agents come, go and change; afterwards nothing is lost any more."""
    agents = [fleet[name].show(f"{name}.t{i}", b"0") for name in fleet.shape for i in range(3)]
    fleet.lose = lambda sender, receiver, frame: rng.random() < 0.4
    for turn in range(40):
        for agent in rng.sample(agents, 3):
            node = fleet[agent.name[0]]
            if not agent.handle:
                node.add(agent)
            if rng.random() < 0.2:
                node.engine.remove(agent)
            else:
                submit(agent, turn)
        fleet.run()
        for node in fleet.nodes.values():
            assert_sound(node.space)
    fleet.cut()


class Fleet:
    """Some nodes; every frame passes through `on_the_way`, and `lose` decides whether it is dropped."""

    def __init__(
        self,
        shape: Mapping[str, Sequence[str]],
        limits: Limits | None = None,
        trust: Callable[[str], Trust] = lambda name: Trust(),
    ) -> None:
        self.shape = shape
        self.limits = limits
        self.trust = trust
        self.on_the_way: deque[tuple[str, str, bytes]] = deque()
        self.lose: Callable[[str, str, Frame], bool] = lambda sender, receiver, frame: False
        self.carried: list[tuple[str, str, Frame]] = []
        self.nodes = {name: Node(self, name, peers, limits, 1, trust(name)) for name, peers in shape.items()}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def settle(self) -> None:
        """React and deliver until nothing waits."""
        for _ in range(200):
            for node in self.nodes.values():
                node.react()
            if not self.on_the_way:
                return
            for _ in range(len(self.on_the_way)):
                sender, receiver, data = self.on_the_way.popleft()
                frame = decode(data)
                if receiver in self.nodes and not self.lose(sender, receiver, frame):
                    self.carried.append((sender, receiver, frame))
                    self.nodes[receiver].gateway.receive(sender, data)
        raise AssertionError("frames never stop")

    def run(self, seconds: int = 1) -> None:
        """Time passes for all; each node ticks at its own moment of the second."""
        for _ in range(seconds):
            for node in list(self.nodes.values()):
                node.tick()
                self.settle()

    def seconds_until(self, condition: Callable[[], bool], at_most: int = 60) -> int:
        """Seconds until the condition holds; more than `at_most` if it never does."""
        for second in range(at_most + 1):
            if condition():
                return second
            self.run()
        return at_most + 1

    def cut(self, *links: str) -> None:
        """Lose everything on some links ("a>b"), and nothing on the others."""
        self.lose = lambda sender, receiver, frame: f"{sender}>{receiver}" in links

    def restart(self, name: str, incarnation: int = 1) -> Node:
        """The node restarts with an empty space."""
        self.nodes[name] = Node(self, name, self.shape[name], self.limits, incarnation, self.trust(name))
        return self.nodes[name]

    def link_up(self, *names: str) -> None:
        """These nodes learn that all their links are up."""
        for name in names:
            for peer in self.shape[name]:
                self.nodes[name].gateway.link_up(peer)
        self.settle()
