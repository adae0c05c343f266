"""One node of a virtual world: the code of the real node, driven by the beats of the real service.

Each step is an event of the world; what a real node does while it waits takes no time here.
"""

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge.config.check import build
from edge.node import Node
from edge.service.beats import ROUNDING_S, Beats, Step

from .clock import LocalClock
from .meters import HandMeters

if TYPE_CHECKING:
    from .world import World


class WorldNode:
    """One node and the events that drive it."""

    def __init__(self, world: "World", raw: dict[str, Any], rank: int) -> None:
        """`raw` is the configuration of the node, as read from TOML; `rank` orders events at equal times."""
        self.world, self.rank = world, rank
        self.config = build(raw, raw["node"]["name"])
        self.name = self.config.name
        self.clock = LocalClock(world.clock)
        self.meters: Any = HandMeters(self.clock)  # or other `Meters`, put here before it boots
        self.alive = False
        self.waits_for = ""  # why training has to wait; "" lets it run
        self.node: Node
        self._beats: Beats
        self._life = 0
        self._planned_s: dict[Step, float] = {}
        self._waking_s = math.inf
        self._gathers = False  # what comes next is planned later
        self._lot: tuple[random.Random, float] | None = None
        self.machine: tuple[WorldNode, ...] = ()  # other nodes in the same process, at a gate
        self.booted: list[Callable[[], None]] = []  # called at the end of each boot

    def use_clock(self, clock: LocalClock) -> None:
        """It has that clock from its next boot on."""
        self.clock = clock
        self.meters = HandMeters(clock)

    def draw(self) -> tuple[random.Random, float]:
        """Its luck at its next boot, and when in a second it ticks; also of nodes in other processes."""
        self._lot = random.Random(self.world.rng.getrandbits(64)), self.world.rng.uniform(0.0, 1.0)
        return self._lot

    def boot(self) -> None:
        """Start the node, with the memory that its state folder holds; nothing happens in other processes."""
        rng, phase_s = self._lot or self.draw()
        self._lot = None
        if not self.world.team.has(self.name):
            return
        self._life += 1
        self.alive, self._waking_s = True, math.inf
        self._planned_s.clear()
        neighbours = [each.name for each in self.config.neighbours]
        links = self.world.links(self.name, neighbours)
        trust = self.world.trust(self.name, self.clock)
        self.node = Node(self.config, self.clock, rng, links, self.meters, trust)
        self.world.acted += 1
        life = self._life
        links.start(
            lambda peer, frame: self._take(life, self.node.receive, peer, frame),
            lambda peer, up: self._take(life, self.node.link_changed, peer, up),
        )
        self.meters.start(lambda reading: self._act(life, self.node.read, reading))
        self._beats = Beats(
            self.node,
            self.clock.now_s() + phase_s,
            pause_s=self.config.limits.reaction_ms / 1000,
            rest_s=0.0,
            lasting_s=self.config.limits.react_every_s,
            waits_for=lambda: self.waits_for,
        )
        self._plan(life)
        for other in self.machine:
            if not other.alive:
                other.boot()
        for hook in self.booted:
            hook()

    def kill(self) -> None:
        """Power cut: the node stops between two instructions, nothing is sent or saved."""
        self._end()
        for other in self.machine:
            if other.alive:
                other.kill()

    def _end(self) -> None:
        self.alive = False
        self._life += 1
        self.node.links.stop()
        self.node.history.disconnect()  # as the end of a process does; otherwise whenever Python frees it

    def stop(self) -> None:
        """As SIGTERM does: the node saves its memory, says that it leaves, and ends."""
        self.node.save()
        self.node.history.close()
        self.node.leave()
        self._end()
        for other in self.machine:
            if other.alive:
                other.stop()

    def touch(self, change: Callable[[Node], None]) -> None:
        """Change the node from outside, as the main thread of a real node would."""
        self._act(self._life, change, self.node)

    def together(self, happen: Callable[[], None]) -> None:
        """Several things happen at this moment, such as readings: what comes next is planned once."""
        self._gathers = True
        try:
            happen()
        finally:
            self._gathers = False
        if self.alive:
            self._plan_all()

    # ---- events -------------------------------------------------------------------------------

    def _act(self, life: int, change: Callable[..., None], *of: Any) -> None:
        self.world.acted += 1
        self._take(life, change, *of)

    def _take(self, life: int, change: Callable[..., None], *of: Any) -> None:
        if self.alive and life == self._life:
            change(*of)
            if not self._gathers:
                self._plan_all()

    def _plan_all(self) -> None:
        """Twins of a gate stir each other."""
        self._plan(self._life)
        for other in self.machine:
            if other.alive:
                other._plan(other._life)

    def _plan(self, life: int) -> None:
        """Make events of the beats that come next, unless they are there already."""
        if Step.REACTION in self._planned_s and Step.TICK in self._planned_s:
            return
        reaction_s = self._beats.reaction_s(self.clock.now_s())
        if reaction_s < math.inf:
            self._plan_beat(life, Step.REACTION, reaction_s)
        elif self.node.wake_s not in (math.inf, self._waking_s):
            self._waking_s = self.node.wake_s
            wait_s = self.clock.true_wait_s(self._waking_s) + ROUNDING_S
            self.world.after(wait_s, lambda: self._take(life, lambda: None), self.rank)
        self._plan_beat(life, Step.TICK, self._beats.tick_s)

    def _plan_beat(self, life: int, step: Step, at_s: float) -> None:
        if self._planned_s.get(step) != at_s:
            self._planned_s[step] = at_s
            wait_s = self.clock.true_wait_s(at_s)
            self.world.after(wait_s, lambda: self._on_beat(life, step, at_s), self.rank)

    def _on_beat(self, life: int, planned: Step, at_s: float) -> None:
        if not (self.alive and life == self._life):
            return
        if self._planned_s.get(planned) == at_s:
            del self._planned_s[planned]
        now_s = self.clock.now_s()
        self._do(self._beats.due(now_s), now_s)
        while (step := self._beats.due(now_s)) is Step.WORK:
            self._do(step, now_s)
        if self.node.history.news.is_set():
            self.node.history.write()
        self._plan_all()

    def _do(self, step: Step | None, now_s: float) -> None:
        if step:
            self.world.acted += 1
            self._beats.do(step)
            self._beats.done(step, now_s, now_s)
