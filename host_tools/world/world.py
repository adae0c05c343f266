"""A whole microgrid in one process under a virtual clock: the same node code as on the Pi (DESIGN 3).

Events are run in order of time, and of submission where times are equal, so a seed replays a run exactly.
"""

import heapq
import math
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from edge.clock import Clock, VirtualClock
from edge.config.check import build
from edge.meter.reading import Reading
from edge.node import Node
from host_tools.world.links import LinkQuality, MemoryNetwork

_ROUNDING_S = 1e-9  # between a node's clock and the world's: no moment is missed by a hair


_RAM = Path("/dev/shm")  # nodes sync their state to disk every few seconds; a simulated day would take hours


class LocalClock:
    """The clock of one machine: it may run fast or slow, start anew, and its date be set wrongly."""

    def __init__(self, truth: Clock) -> None:
        self.rate = 1.0  # own seconds in a true one
        self.wall_error_s = 0.0
        self._truth = truth
        self._true_s = self._own_s = 0.0  # a moment at which both were known

    def now_s(self) -> float:
        return self._own_s + (self._truth.now_s() - self._true_s) * self.rate

    def wall_s(self) -> float:
        return self._truth.wall_s() + self.wall_error_s

    def run_at(self, rate: float) -> None:
        """Gain or lose from now on; what has passed stays."""
        self._set(self.now_s(), rate)

    def restart(self, now_s: float) -> None:
        """The machine was off: its monotonic clock counts from another moment. No node may be running."""
        self._set(now_s, self.rate)

    def _set(self, own_s: float, rate: float) -> None:
        self._true_s, self._own_s, self.rate = self._truth.now_s(), own_s, rate


class HandMeters:
    """Meters whose readings are given by hand, or by a scenario."""

    def __init__(self, clock: Clock) -> None:
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
        self.clock = LocalClock(world.clock)
        self.meters = HandMeters(self.clock)
        self.alive = False
        self.node: Node
        self._life = 0
        self._reacting = False
        self._last_reaction_s = float("-inf")
        self._waking_s = math.inf

    def boot(self) -> None:
        """Start the node, with whatever memory its state folder holds."""
        self._life += 1
        self.alive, self._reacting, self._waking_s = True, False, math.inf
        neighbours = [each.name for each in self.config.neighbours]
        links = self.world.network.links(self.name, neighbours)
        rng = random.Random(self.world.rng.getrandbits(64))
        self.node = Node(self.config, self.clock, rng, links, self.meters)
        self.world.acted += 1
        life = self._life
        links.start(
            lambda peer, frame: self._do(life, lambda: self.node.receive(peer, frame)),
            lambda peer, up: self._do(life, lambda: self.node.link_changed(peer, up)),
        )
        self.meters.start(lambda reading: self._act(life, lambda: self.node.read(reading)))
        self.world.after(self.world.rng.uniform(0.0, 1.0), lambda: self._tick(life))
        self._arrange_reaction(life)

    def kill(self) -> None:
        """Power cut: it stops between two instructions, nothing is said or saved."""
        self.alive = False
        self._life += 1
        self.node.links.stop()

    def touch(self, work: Callable[[Node], None]) -> None:
        """Do something to the node from outside, as the runtime would."""
        self._act(self._life, lambda: work(self.node))

    def _act(self, life: int, work: Callable[[], None]) -> None:
        self.world.acted += 1
        self._do(life, work)

    def _do(self, life: int, work: Callable[[], None]) -> None:
        if self.alive and life == self._life:
            work()
            self._arrange_reaction(life)

    def _tick(self, life: int) -> None:
        if self.alive and life == self._life:
            self.world.acted += 1
            self.node.tick()
            self._write_history()
            self._arrange_reaction(life)
            self.world.after(1.0 / self.clock.rate, lambda: self._tick(life))

    def _arrange_reaction(self, life: int) -> None:
        if self._reacting or not self.alive or life != self._life:
            return
        if not self.node.busy:
            self._arrange_waking(life)
            return
        self._reacting = True
        pause_s = self.config.limits.reaction_ms / 1000
        wait_s = max(0.0, self._last_reaction_s + pause_s - self.world.clock.now_s())
        self.world.after(wait_s, lambda: self._react(life))

    def _arrange_waking(self, life: int) -> None:
        wake_s = self.node.wake_s
        if wake_s not in (math.inf, self._waking_s):
            self._waking_s = wake_s
            wait_s = max(0.0, wake_s - self.clock.now_s()) / self.clock.rate
            self.world.after(wait_s + _ROUNDING_S, lambda: self._arrange_reaction(life))

    def _react(self, life: int) -> None:
        if self.alive and life == self._life:
            self._reacting = False
            self._last_reaction_s = self.world.clock.now_s()
            self.world.acted += 1
            self.node.react()
            self._work()
            self._arrange_reaction(life)

    def _work(self) -> None:
        """What a real node does when nothing else waits takes no time here, and always the same steps."""
        while self.node.has_work:
            self.node.work()
        self._write_history()

    def _write_history(self) -> None:
        if self.node.history.news.is_set():
            self.node.history.write()


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
        self.acted = 0  # how often twins may have changed; they do not when a frame merely arrives
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="world-", dir=_RAM if _RAM.is_dir() else None)

    def add(
        self,
        name: str,
        neighbours: Iterable[str],
        twins: Iterable[Mapping[str, Any]],
        learning: Mapping[str, Any] | None = None,
        **limits: int,
    ) -> WorldNode:
        """A node with a list of `[[twin]]` tables; inputs are meters `m.total` of one's own naming."""
        twins = [dict(twin) for twin in twins]
        inputs = [twin[key] for twin in twins for key in ("input", "production_input") if twin.get(key)]
        meters = sorted({each.partition(".")[0] for each in inputs})
        raw = {
            "node": {"name": name, "state_dir": str(Path(self._folder.name) / name), "timezone": "UTC"},
            "limits": limits,
            "learning": dict(learning or {}),
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
