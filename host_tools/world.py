"""A whole microgrid in one process under a virtual clock: the same node code as on the Pi (DESIGN 3).

Events are run in order of time, and of submission where times are equal, so a seed replays a run exactly.
"""

import heapq
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from edge.clock import VirtualClock
from edge.config import build
from edge.meter.reading import Reading
from edge.net.memory import LinkQuality, MemoryNetwork
from edge.node import Node


class HandMeters:
    """Meters whose readings are given by hand, or by a scenario."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._deliver: Callable[[Reading], None] | None = None
        self.relays: dict[str, bool] = {}

    def start(self, deliver: Callable[[Reading], None]) -> None:
        self._deliver = deliver

    def stop(self) -> None:
        self._deliver = None

    def switch(self, relay: str, on: bool) -> None:
        self.relays[relay] = on

    def stats(self) -> list[dict[str, Any]]:
        return []

    def say(self, device: str, power_w: float | None) -> None:
        """A meter input reads that power, or an undefined one."""
        if self._deliver:
            self._deliver(Reading(device, power_w, self._clock.now_s(), None))


class WorldNode:
    """One node and the events that drive it."""

    def __init__(self, world: "World", raw: dict[str, Any]) -> None:
        self.world = world
        self.config = build(raw, raw["node"]["name"])
        self.name = self.config.name
        self.meters = HandMeters(world.clock)
        self.alive = False
        self.node: Node
        self._life = 0
        self._reacting = False
        self._last_reaction_s = float("-inf")

    def boot(self) -> None:
        """Start the node, with whatever memory its state folder holds."""
        self._life += 1
        self.alive, self._reacting = True, False
        neighbours = [each.name for each in self.config.neighbours]
        links = self.world.network.links(self.name, neighbours)
        rng = random.Random(self.world.rng.getrandbits(64))
        self.node = Node(self.config, self.world.clock, rng, links, self.meters)
        life = self._life
        links.start(
            lambda peer, frame: self._do(life, lambda: self.node.receive(peer, frame)),
            lambda peer, up: self._do(life, lambda: self.node.link_changed(peer, up)),
        )
        self.meters.start(lambda reading: self._do(life, lambda: self.node.read(reading)))
        self.world.after(self.world.rng.uniform(0.0, 1.0), lambda: self._tick(life))
        self._arrange_reaction(life)

    def kill(self) -> None:
        """Power cut: it stops between two instructions, nothing is said or saved."""
        self.alive = False
        self._life += 1
        self.node.links.stop()

    def touch(self, work: Callable[[Node], None]) -> None:
        """Do something to the node from outside, as the runtime would."""
        self._do(self._life, lambda: work(self.node))

    def _do(self, life: int, work: Callable[[], None]) -> None:
        if self.alive and life == self._life:
            work()
            self._arrange_reaction(life)

    def _tick(self, life: int) -> None:
        if self.alive and life == self._life:
            self.node.tick()
            self._arrange_reaction(life)
            self.world.after(1.0, lambda: self._tick(life))

    def _arrange_reaction(self, life: int) -> None:
        if self._reacting or not self.node.busy:
            return
        self._reacting = True
        pause_s = self.config.limits.reaction_ms / 1000
        wait_s = max(0.0, self._last_reaction_s + pause_s - self.world.clock.now_s())
        self.world.after(wait_s, lambda: self._react(life))

    def _react(self, life: int) -> None:
        if self.alive and life == self._life:
            self._reacting = False
            self._last_reaction_s = self.world.clock.now_s()
            self.node.react()
            self._arrange_reaction(life)


class World:
    """Nodes, links and time of one microgrid."""

    def __init__(self, seed: int, latency_s: float = 0.02) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.network = MemoryNetwork(
            self.after, random.Random(self.rng.getrandbits(64)), quality=LinkQuality(latency_s=latency_s)
        )
        self.nodes: dict[str, WorldNode] = {}
        self.events = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="world-")

    def add(
        self, name: str, neighbours: Iterable[str], twins: Iterable[Mapping[str, Any]], **limits: int
    ) -> WorldNode:
        """A node with a list of `[[twin]]` tables; inputs are meters `m.total` of one's own naming."""
        twins = [dict(twin) for twin in twins]
        inputs = [twin[key] for twin in twins for key in ("input", "production_input") if twin.get(key)]
        meters = sorted({each.partition(".")[0] for each in inputs})
        raw = {
            "node": {"name": name, "state_dir": str(Path(self._folder.name) / name)},
            "limits": limits,
            "neighbour": [{"name": each, "host": "virtual"} for each in neighbours],
            "bus": [{"name": "bus", "port": "virtual"}] if meters else [],
            "meter": [
                {"name": meter, "bus": "bus", "address": i + 1, "profile": "sdm120"}
                for i, meter in enumerate(meters)
            ],
            "twin": twins,
        }
        self.nodes[name] = WorldNode(self, raw)
        return self.nodes[name]

    def after(self, delay_s: float, work: Callable[[], None]) -> None:
        """Run something later; equal times keep their order."""
        self.events += 1
        heapq.heappush(self._queue, (self.clock.now_s() + delay_s, self.events, work))

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> None:
        """Let that much time pass; `each` is called after every event."""
        until_s = self.clock.now_s() + seconds
        while self._queue and self._queue[0][0] <= until_s:
            at_s, _, work = heapq.heappop(self._queue)
            self.clock.advance_to(at_s)
            work()
            if each:
                each()
        self.clock.advance_to(until_s)

    def boot(self) -> "World":
        """Start all nodes."""
        for node in self.nodes.values():
            node.boot()
        return self

    def close(self) -> None:
        """Throw the state folders away."""
        self._folder.cleanup()


def chain(names: list[str]) -> dict[str, list[str]]:
    """Who sends to whom when each node has the one before and the one after as neighbours."""
    return {
        name: [other for other in (names[i - 1] if i else "", *names[i + 1 : i + 2]) if other]
        for i, name in enumerate(names)
    }
