"""How long a value needs to nodes farther and farther away (thesis 6.2.2), in a simulated chain."""

import json
from collections.abc import Iterator
from statistics import median

from edge.space.agent import Agent, Bond
from edge.space.engine import Engine
from edge.space.lsa import Aggregation
from host_tools.world import World, chain

from .sheet import Part, Sheet

NODES = 8
LATENCY_S = 0.02
_RENEW_S = 3
_TIMES = 5


class Probe(Agent):
    """Shows a number to all nodes, and averages another one with the neighbours, again and again."""

    wants = ("TOLD",)

    def __init__(self, name: str, first: str, world: World) -> None:
        super().__init__(name)
        self.number = 0.0
        self.told_s = self.merged_s = 0.0  # when it got the value of the first node, 0: not yet
        self._published = 0  # tick
        self._first = first
        self._world = world

    def joined(self, engine: Engine) -> None:
        super().joined(engine)
        self.aggregate([Aggregation("MEAN", "mean", 1, keeps=True)])
        self.show(0.0)

    def show(self, number: float) -> None:
        """A value of its own to be told and merged."""
        self.number = number
        self.submit("TOLD", json.dumps(number).encode())
        self._publish()

    def bonded(self, bond: Bond) -> None:
        if bond.name == self._first and json.loads(bond.value() or b"0") and not self.told_s:
            self.told_s = self._world.clock.now_s()

    def aggregated(self, label: str) -> None:
        self.number = json.loads(self.aggregate_of(label))
        if self.number and not self.merged_s:
            self.merged_s = self._world.clock.now_s()
        self._publish()

    def act(self) -> None:
        if self.space.tick - self._published >= _RENEW_S:  # what was lost is sent once more
            self._publish()

    def _publish(self) -> None:
        self._published = self.space.tick
        self.submit("MEAN", json.dumps(self.number).encode(), life_s=30, reach=1)


def measure() -> dict[str, dict[str, float]]:
    """By hops: median `told_s` until a node has the value, and `merged_s` until it is in its mean."""
    found: dict[int, list[tuple[float, float]]] = {}
    for seed in range(1, _TIMES + 1):
        world = World(seed, LATENCY_S)
        names = [f"n{i}" for i in range(NODES)]
        for name, neighbours in chain(names).items():
            world.add(name, neighbours, [])
        world.boot()
        world.run(20)
        probes = [Probe(f"{name}.probe", "n0.probe", world) for name in names]
        for name, probe in zip(names, probes, strict=True):
            node = world.nodes[name].node
            assert node is not None
            node.engine.add(probe)
        world.run(10 + seed / _TIMES)
        started_s = world.clock.now_s()
        probes[0].show(1.0)
        world.run(30)
        for hops, probe in enumerate(probes[1:], 1):
            found.setdefault(hops, []).append((probe.told_s - started_s, probe.merged_s - started_s))
        world.close()
    return {
        str(hops): {
            "told_s": median(each[0] for each in times),
            "merged_s": median(each[1] for each in times),
        }
        for hops, times in found.items()
    }


def _sheets(found: dict[str, dict[str, float]]) -> Iterator[Sheet]:
    yield Sheet(
        f"from the first node of a simulated chain, {1000 * LATENCY_S:.0f} ms a link",
        ("hops", "a value is there after s", "it is in the mean of neighbours after s"),
        [(hops, f"{row['told_s']:.2f}", f"{row['merged_s']:.2f}") for hops, row in found.items()],
    )


PART = Part("propagation", lambda folder: measure(), _sheets)
