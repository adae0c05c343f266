"""What is seen of holons while they run: latency by level, energy through gates, and one that fails.

Each process sees the nodes of its area. What others need is gathered each second, the rest at the end.
"""

import math
from collections.abc import Iterator
from typing import TypeVar

from edge.energy.book import node_of
from edge.energy.passage import Passage, Way
from edge.twins.holon import HolonTwin
from edge.twins.prosumer import ProsumerTwin
from host_tools.sim.metrics import spread
from host_tools.sim.scenario import Figure, Setting
from host_tools.world import World

T = TypeVar("T")
_MOST_LEVELS = 8


class HolonWatch:
    """Looks once a second. Latency counts from the request on, also while there is not enough power."""

    def __init__(self, world: World, setting: Setting, first: str) -> None:
        """`first`: the twin of the gate that fails, in its inner microgrid."""
        self._world = world
        self._team = world.team
        self._kill_s = setting.values["kill_s"]
        self._from_s = 60 * setting.values["fill_min"]  # until then supply may not be there yet
        self._responses_s: dict[int, list[float]] = {}  # by level
        self._validated: dict[str, int] = {}
        self._lost: dict[str, float] = {}  # consumers that the failed gate served: when served again
        self._first, self._gone = first, ""
        self._bought: dict[str, set[str]] = {}  # by gate: of whom it buys in the parent

    def look(self, second: int) -> None:
        """See `Watch`."""
        self._bought = self._of_all({door.name: _suppliers(door.partner) for door in self._doors()})
        for twin in self._consumers():
            count = twin.validated
            if count != self._validated.get(twin.name, 0) and twin.consumer.satisfied:
                self._validated[twin.name] = count
                response_s = twin.consumer.response_s
                if not math.isnan(response_s) and second > self._from_s:
                    self._responses_s.setdefault(self._level(twin), []).append(response_s)
        self._look_at_failure(second)

    def figures(self) -> list[Figure]:
        """See `Watch`."""
        responses_s: dict[int, list[float]] = {}
        for found in self._team.gather(self._responses_s):
            for level, times_s in found.items():
                responses_s.setdefault(level, []).extend(times_s)
        rows = [row for level in sorted(responses_s) for row in _latencies(level, responses_s[level])]
        books = self._of_all({door.name: _books(door.passage) for door in self._doors() if door.passage})
        rows += [row for name in sorted(books) for row in _passed(name, books[name])]
        lost = self._of_all(self._lost)
        if lost:
            times_s = [each - self._kill_s for each in lost.values() if not math.isnan(each)]
            rows += [
                Figure("consumers that a failed gate served", "", len(lost)),
                Figure(" of them served again", "", len(times_s)),
                Figure(" the last after", "s", max(times_s, default=None)),
            ]
        return rows

    # ---- inside --------------------------------------------------------------------------------

    def _look_at_failure(self, second: int) -> None:
        if not self._kill_s or second < self._kill_s:
            return
        if not self._gone:
            self._gone = self._first
            node = node_of(self._gone)
            self._lost = {
                twin.name: math.nan
                for twin in self._consumers()
                if twin.home.node != node and self._gone in _suppliers(twin)
            }
            if self._team.has(node):
                self._world.nodes[node].kill()
        for twin in self._consumers():
            if math.isnan(self._lost.get(twin.name, 0.0)) and self._goes_on(twin):
                self._lost[twin.name] = second

    def _goes_on(self, twin: ProsumerTwin) -> bool:
        """Whether it has what it needs without the gate that failed."""
        consumer = twin.consumer
        return self._gone not in _suppliers(twin) and (consumer.satisfied or not consumer.need_w)

    def _prosumers(self) -> Iterator[ProsumerTwin]:
        for each in self._world.nodes.values():
            if each.alive:
                yield from each.node.prosumers

    def _consumers(self) -> Iterator[ProsumerTwin]:
        return (twin for twin in self._prosumers() if twin.settings.kind == "load")

    def _doors(self) -> Iterator[HolonTwin]:
        """Those in the inner microgrids."""
        doors = (twin for twin in self._prosumers() if isinstance(twin, HolonTwin))
        return (twin for twin in doors if twin.passage and twin.passage.inside is twin)

    def _level(self, twin: ProsumerTwin) -> int:
        """How many levels up the farthest of its suppliers is reached."""
        level, names = 0, _suppliers(twin)
        while level < _MOST_LEVELS and (ups := names & self._bought.keys()):
            names = set().union(*(self._bought[up] for up in ups))
            level += 1
        return level

    def _of_all(self, found: dict[str, T]) -> dict[str, T]:
        """What the processes found, by name."""
        return {name: each for part in self._team.gather(found) for name, each in part.items()}


def _suppliers(twin: ProsumerTwin | None) -> set[str]:
    """Those of its contracts."""
    active = twin.consumer.active if twin else []
    return {part.supplier for contract in active for part in contract.parts}


def _latencies(level: int, times_s: list[float]) -> list[Figure]:
    told = spread(times_s)
    where = f"{level} levels up" if level else "from the own microgrid"
    return [
        Figure(f"supplied {where}", "contracts", len(times_s)),
        Figure(" median latency", "s", told["median"]),
        Figure(" p95 latency", "s", told["p95"]),
    ]


def _books(passage: Passage) -> dict[str, float]:
    """Energy that passed, in Wh."""
    return {
        f"{what} {way}": books[way]
        for way in (Way.IN, Way.OUT)
        for what, books in (("bought", passage.bought_wh), ("sold", passage.sold_wh))
    }


def _passed(name: str, books: dict[str, float]) -> list[Figure]:
    if not any(books.values()):
        return []
    return [Figure(f"{name}: {what}", "Wh", energy_wh) for what, energy_wh in books.items()]
