"""Measures what regulators achieve: how long a threshold or a limit is exceeded, and what that costs.

The power of a device is what its plan says while it is not switched off, and at most what it is left. It is
measured after every event of the world, so times are exact and not those of the meters.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.energy.limits import Direction
from edge.node import Node
from host_tools.microgrid.plan import BuildingPlan
from host_tools.world import World, WorldNode

if TYPE_CHECKING:
    from edge.twins.regulator import RegulatorTwin

_NOISE_W = 0.01
_EFFECT_S = 1.0  # a regulator must have reached its aim by then


class PhysicalDevices:
    """The devices of one node as they are switched and dimmed."""

    def __init__(self, world: World, node: WorldNode, plan: BuildingPlan) -> None:
        self._world, self._node, self._plan = world, node, plan
        self._kinds = [device.kind for device in plan.devices]
        self.flexible = [device.twin.get("flexible", "no") != "no" for device in plan.devices]

    def powers_w(self) -> list[float]:
        """The power of each device now, as its meter counts it."""
        now_s = self._world.clock.now_s()
        twins = self._node.node.prosumers
        found = []
        for twin, device in zip(twins, self._plan.devices, strict=False):
            power_w = device.power_w(now_s)
            off = self._plan.regulator is not None and twin.disabled
            found.append(0.0 if off else min(power_w, twin.obedience.most_w))
        return found

    def sums_w(self) -> tuple[float, float]:
        """Drawn and given by all devices, in W."""
        drawn_w = given_w = 0.0
        for kind, power_w in zip(self._kinds, self.powers_w(), strict=False):
            if kind == "pv":
                given_w += power_w
            else:
                drawn_w += power_w
        return drawn_w, given_w


@dataclass
class Excess:
    """How long and how far one power was above what it may be. Times of episodes in s."""

    episodes_s: list[float] = field(default_factory=list)
    energy_wh: float = 0.0
    highest_w: float = 0.0  # above the threshold, later than a second after an episode began
    _since_s: float = math.nan
    _last: tuple[float, float] = (math.nan, 0.0)

    def look(self, now_s: float, over_w: float) -> bool:
        """The power is that far above (below 0: under) its threshold; whether an episode has just ended."""
        last_s, last_w = self._last
        if last_w > _NOISE_W:
            self.energy_wh += last_w * (now_s - last_s) / 3600
        self._last = now_s, over_w
        if over_w > _NOISE_W:
            if math.isnan(self._since_s):
                self._since_s = now_s
            if now_s - self._since_s > _EFFECT_S:
                self.highest_w = max(self.highest_w, over_w)
            return False
        if math.isnan(self._since_s):
            return False
        self.episodes_s.append(now_s - self._since_s)
        self._since_s = math.nan
        return True

    def close(self, now_s: float) -> None:
        """The run is over."""
        self.look(now_s, -1.0)


class NodeWatch:
    """What the regulator of one node achieves."""

    def __init__(self, world: World, node: WorldNode, plan: BuildingPlan) -> None:
        self.production, self.consumption, self.limit = Excess(), Excess(), Excess()
        self.stops = 0
        self.served_s: list[float] = []  # after a stop, until all that are on have contracts again
        self.back_s: list[float] = []  # after a limit, until all flexible devices run as they would without
        self.household_off_s = 0.0
        self._world, self._node, self._plan = world, node, plan
        self._devices = PhysicalDevices(world, node, plan)
        self._stopped_s = self._ended_s = math.nan
        self._off: set[str] = set()
        self._limited = False
        self._last_s = 0.0
        self.moved_w = 0.0  # by forecasts, at most at one time
        self.before_min: float | None = None  # from the first stop by a forecast to what would be an excess
        self._moved_s = math.nan

    def look(self) -> None:
        """Something has happened somewhere."""
        node, now_s = self._node.node, self._world.clock.now_s()
        regulator = node.regulator
        if regulator is None:
            return
        drawn_w, given_w = self._devices.sums_w()
        self.production.look(now_s, given_w - regulator.settings.produced_w)
        self.consumption.look(now_s, drawn_w - regulator.settings.consumed_w)
        imported_w = drawn_w - given_w
        limits = [
            (limit, imported_w if limit.direction is Direction.CONSUME else -imported_w)
            for limit in regulator.held.values()
        ]
        self.limit.look(now_s, max((power_w - limit.power_w for limit, power_w in limits), default=-1.0))
        self._look_ahead(regulator, now_s)
        self._look_at_service(node, now_s)
        self._look_at_return(bool(limits), now_s)

    def _look_ahead(self, regulator: "RegulatorTwin", now_s: float) -> None:
        moved = [each for each in regulator.stopped.values() if each.kind.startswith("forecast")]
        if not moved:
            return
        self.moved_w = max(self.moved_w, sum(each.drawn_w + each.given_w for each in moved))
        if math.isnan(self._moved_s):
            self._moved_s = now_s
        given_w = sum(each.power_w(now_s) for each in self._plan.devices if each.kind == "pv")
        if self.before_min is None and given_w > regulator.settings.produced_w:
            self.before_min = (now_s - self._moved_s) / 60

    def _look_at_service(self, node: Node, now_s: float) -> None:
        off = {twin.short_name for twin in node.prosumers if twin.disabled}
        household = {
            device.name
            for device, flexible in zip(self._plan.devices, self._devices.flexible, strict=True)
            if not flexible
        }
        if self._limited and off & household:
            self.household_off_s += now_s - self._last_s
        self._last_s = now_s
        if off - self._off:
            self.stops += len(off - self._off)
            self._stopped_s = now_s
        self._off = off
        if not math.isnan(self._stopped_s):
            gone = {f"{node.config.name}.{name}" for name in off}
            needing = [twin.consumer for twin in node.prosumers if twin.consumer.need_w and not twin.disabled]
            if all(each.satisfied and not any(map(each.deals_with, gone)) for each in needing):
                self.served_s.append(now_s - self._stopped_s)
                self._stopped_s = math.nan

    def _look_at_return(self, limited: bool, now_s: float) -> None:
        if self._limited and not limited:
            self._ended_s = now_s
        self._limited = limited
        if not math.isnan(self._ended_s):
            wanted = [device.power_w(now_s) for device in self._plan.devices]
            if all(abs(a - b) < _NOISE_W for a, b in zip(wanted, self._devices.powers_w(), strict=True)):
                self.back_s.append(now_s - self._ended_s)
                self._ended_s = math.nan

    def close(self) -> None:
        """The run is over."""
        for excess in (self.production, self.consumption, self.limit):
            excess.close(self._world.clock.now_s())


class RegulationWatch:
    """All nodes of a run that have a regulator."""

    def __init__(self, world: World, plans: list[BuildingPlan]) -> None:
        self.nodes = [
            NodeWatch(world, world.nodes[plan.name], plan) for plan in plans if plan.regulator is not None
        ]

    def look(self) -> None:
        """Called after every event."""
        for node in self.nodes:
            node.look()

    def summary(self) -> dict[str, Any]:
        """For summary.json; None where nothing happened."""
        for node in self.nodes:
            node.close()
        found: dict[str, Any] = {"stops": sum(node.stops for node in self.nodes)}
        for name in ("production", "consumption", "limit"):
            excesses: list[Excess] = [getattr(node, name) for node in self.nodes]
            episodes = [each for excess in excesses for each in excess.episodes_s]
            found[name] = {
                "exceeded": len(episodes),
                "longest_s": max(episodes, default=None),
                "energy_wh": math.fsum(excess.energy_wh for excess in excesses),
                "over_after_1_s_w": max((excess.highest_w for excess in excesses), default=0.0),
            }
        found["contracts_back_s"] = self._longest("served_s")
        found["loads_back_s"] = self._longest("back_s")
        found["moved_w"] = sum(node.moved_w for node in self.nodes)
        found["moved_before_min"] = min(
            (node.before_min for node in self.nodes if node.before_min is not None), default=None
        )
        found["household_off_s"] = math.fsum(node.household_off_s for node in self.nodes)
        return found

    def _longest(self, name: str) -> float | None:
        values: Iterator[float] = (each for node in self.nodes for each in getattr(node, name))
        return max(values, default=None)
