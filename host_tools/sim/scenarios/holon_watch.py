"""What is seen of holons while they run: latency by level, energy through gates, and one that fails."""

import math
from collections.abc import Iterator

from edge.energy.passage import Way
from edge.twins.holon import HolonTwin
from edge.twins.prosumer import ProsumerTwin
from host_tools.sim.metrics import spread
from host_tools.sim.scenario import Figure, Setting
from host_tools.world import World

_MOST_LEVELS = 8


class HolonWatch:
    """Looks once a second. Latency counts from the request on, also while there is not enough power."""

    def __init__(self, world: World, setting: Setting) -> None:
        self._world = world
        self._kill_s = setting.values["kill_s"]
        self._from_s = 60 * setting.values["fill_min"]  # until then supply may not be there yet
        self._responses_s: dict[int, list[float]] = {}  # by level
        self._validated: dict[str, int] = {}
        self._lost: dict[str, float] = {}  # consumers that the failed gate served: when served again
        self._gone = ""

    def look(self, second: int) -> None:
        """See `Watch`."""
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
        rows = [row for level in sorted(self._responses_s) for row in self._latencies(level)]
        for twin in sorted(self._doors(), key=lambda twin: twin.name):
            passage = twin.passage
            if passage and passage.inside is twin and sum(passage.bought_wh.values()) > 0.0:
                rows += [
                    Figure(f"{twin.name}: {what} {way}", "Wh", books[way])
                    for way in (Way.IN, Way.OUT)
                    for what, books in (("bought", passage.bought_wh), ("sold", passage.sold_wh))
                ]
        if self._lost:
            times_s = [each - self._kill_s for each in self._lost.values() if not math.isnan(each)]
            rows += [
                Figure("consumers that a failed gate served", "", len(self._lost)),
                Figure(" of them served again", "", len(times_s)),
                Figure(" the last after", "s", max(times_s, default=None)),
            ]
        return rows

    def _latencies(self, level: int) -> list[Figure]:
        times_s = self._responses_s[level]
        told = spread(times_s)
        where = f"{level} levels up" if level else "from the own microgrid"
        return [
            Figure(f"supplied {where}", "contracts", len(times_s)),
            Figure(f" median latency, {where}", "s", told["median"]),
            Figure(f" p95 latency, {where}", "s", told["p95"]),
        ]

    # ---- inside --------------------------------------------------------------------------------

    def _look_at_failure(self, second: int) -> None:
        if not self._kill_s or second < self._kill_s:
            return
        if not self._lost:
            first = next(twin for twin in self._doors() if twin.passage and twin.passage.inside is twin)
            self._lost = {
                twin.name: math.nan
                for twin in self._consumers()
                if twin.home.node != first.home.node
                and any(part.supplier == first.name for each in twin.consumer.active for part in each.parts)
            }
            self._gone = first.name
            self._world.nodes[first.home.node].kill()
        for twin in self._consumers():
            if math.isnan(self._lost.get(twin.name, 0.0)) and self._goes_on(twin):
                self._lost[twin.name] = second

    def _goes_on(self, twin: ProsumerTwin) -> bool:
        """Whether it has what it needs without the gate that failed."""
        consumer = twin.consumer
        parts = [part.supplier for each in consumer.active for part in each.parts]
        return self._gone not in parts and (consumer.satisfied or not consumer.need_w)

    def _prosumers(self) -> Iterator[ProsumerTwin]:
        for each in self._world.nodes.values():
            if each.alive:
                yield from each.node.prosumers

    def _consumers(self) -> Iterator[ProsumerTwin]:
        return (twin for twin in self._prosumers() if twin.settings.kind == "load")

    def _doors(self) -> Iterator[HolonTwin]:
        return (twin for twin in self._prosumers() if isinstance(twin, HolonTwin))

    def _level(self, twin: ProsumerTwin) -> int:
        """How many levels up the farthest of its suppliers is reached."""
        level, buyers = 0, [twin]
        while buyers and level < _MOST_LEVELS:
            names = {part.supplier for each in buyers for deal in each.consumer.active for part in deal.parts}
            ups = [
                door
                for door in self._doors()
                if door.name in names and door.passage and door.passage.inside is door
            ]
            buyers = [door.partner for door in ups if door.partner]
            level += bool(buyers)
        return level
