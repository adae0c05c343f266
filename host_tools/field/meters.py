"""The meters of a virtual node: the real MeterBus on a rough line, in its own time.

On a node the bus has a thread of its own, so its polls delay nobody. Here it runs ahead of the world by the
poll that it does, and what it reads and counts shows when the world has come to that moment.
"""

import random
from collections.abc import Callable
from typing import Any

from edge.config.settings import NodeConfig
from edge.meter import MeterBus
from edge.meter.reading import Deliver, Reading
from host_tools.world import VirtualClock, World

from .line import RoughLine


class FieldMeters:
    """The `Meters` of one node. The line outlives the process of the node; the bus does not."""

    def __init__(
        self,
        world: World,
        config: NodeConfig,
        power_w: Callable[[int, float], float],
        rng: random.Random,
        listen: Deliver,
    ) -> None:
        """`listen` gets every reading when the node gets it."""
        self._world, self._config, self._listen = world, config, listen
        self.clock = VirtualClock(world.clock.now_s())
        profiles = {each.address: each.profile for each in config.meters}
        self.line = RoughLine(profiles, power_w, self.clock, rng)
        self._life = 0
        self._bus = self._new_bus(lambda reading: None)
        self._before = self._bus.stats()  # the last step

    def start(self, deliver: Deliver) -> None:
        """The node has started."""
        self._life += 1
        life = self._life
        self.clock.advance_to(self._world.clock.now_s())

        def arrive(reading: Reading) -> None:
            if life == self._life:
                self._listen(reading)
                deliver(reading)

        def later(reading: Reading) -> None:
            self._world.after(self.clock.now_s() - self._world.clock.now_s(), lambda: arrive(reading))

        self._bus = self._new_bus(later)
        self._before = self._bus.stats()
        self._step(life)

    def stop(self) -> None:
        """The node has stopped."""
        self._life += 1

    def switch(self, relay: str, on: bool) -> None:
        """There are no relays."""
        raise KeyError(relay)

    def steer(self, meter: str, power_w: float | None) -> None:
        """There are no batteries."""
        raise KeyError(meter)

    def stats(self) -> list[dict[str, Any]]:
        """As the node sees it."""
        ahead = self.clock.now_s() > self._world.clock.now_s()
        return [self._before if ahead else self._bus.stats()]

    def _new_bus(self, deliver: Deliver) -> MeterBus:
        (bus,) = self._config.buses
        return MeterBus(bus, self._config.meters, [], self.clock, deliver, self.line.open)

    def _step(self, life: int) -> None:
        if life != self._life:
            return
        self.clock.advance_to(self._world.clock.now_s())
        self._before = self._bus.stats()
        wait_s = self._bus.step()
        next_s = self.clock.now_s() + wait_s
        self._world.after(next_s - self._world.clock.now_s(), lambda: self._step(life))
