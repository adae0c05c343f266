"""The trial under the virtual clock, with the same delay on every link.

A cut loses every frame, and no node is told, as in a network that is cut somewhere between switches. Packets
that a real network loses are sent again by TCP, so links here lose none: they would only be late.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..invariants import broken
from ..microgrid.plan import BuildingPlan
from ..sim.virtual import MeterReader
from ..world import World
from ..world.members import Members
from .trial import METER_S, Served, Start, limits_of


class VirtualSite:
    """Nodes of a `World`."""

    def __init__(
        self, plans: list[BuildingPlan], start: Start, delay_ms: float, seed: int, trust: bool
    ) -> None:
        self._start = start
        self._world = World(seed, delay_ms / 1000)
        if trust:
            self._world.trust = Members(self._world.clock, nodes=len(plans) + 8).trust
        limits = limits_of(plans)
        for plan in plans:
            twins = plan.twins(METER_S)
            node = self._world.add(plan.name, plan.neighbours, twins, {}, (), {}, None, None, None, **limits)
            reader = MeterReader(self._world, node, plan, METER_S)
            self._world.after(self._world.rng.uniform(0.0, METER_S), reader.read)
        self._world.boot()
        self._broken: list[str] = []

    def begin(self) -> None:
        self._start.at_s = self._world.clock.now_s()

    def wait(self, seconds: float) -> float:
        self._world.run(seconds)
        self._broken += broken(self._world)
        return seconds

    def known(self) -> dict[str, int]:
        return {name: len(each.node.distances()) for name, each in self._world.nodes.items()}

    def consumers(self, nodes: Collection[str]) -> dict[str, list[Served]]:
        return {name: self._consumers(name) for name in self._world.nodes if name in nodes}

    def _consumers(self, name: str) -> list[Served]:
        twins = [twin for twin in self._world.nodes[name].node.prosumers if twin.settings.consumes]
        return [Served(twin.consumer.satisfied, _known(twin.consumer.response_s)) for twin in twins]

    def sent(self) -> dict[str, tuple[int, int]]:
        found = {}
        for name, each in self._world.nodes.items():
            links = each.node.links.stats()["neighbours"].values()
            found[name] = (
                sum(link["sent_frames"] for link in links),
                sum(link["sent_bytes"] for link in links),
            )
        return found

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        at = {name: number for number, part in enumerate(parts) for name in part}
        network = self._world.network
        for name, each in self._world.nodes.items():
            for neighbour in each.config.neighbours:
                loss = float(at.get(name, 0) != at.get(neighbour.name, 0))
                quality = network.wire(name, neighbour.name).quality
                network.set_quality(name, neighbour.name, replace(quality, loss=loss))

    def broken(self) -> list[str]:
        return self._broken

    def close(self) -> None:
        """Delete the files of the nodes."""
        self._world.close()


def _known(seconds: float) -> float | None:
    return None if seconds != seconds else seconds
