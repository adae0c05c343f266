"""What a microgrid is made of, before anything runs: buildings, their devices, who is whose neighbour."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

PowerAt = Callable[[float], float]  # seconds since the start of the run -> W; nan: not measured


class Series:
    """Powers (W) from given times (s, ascending) on: each holds until the next, the last for ever.

    Before the first time nothing is measured (nan).
    """

    def __init__(self, times_s: Sequence[float], powers_w: Sequence[float]) -> None:
        self.times_s = times_s
        self.powers_w = powers_w

    def __call__(self, elapsed_s: float) -> float:
        at = bisect_right(self.times_s, elapsed_s)
        return self.powers_w[at - 1] if at else math.nan


@dataclass(frozen=True)
class DevicePlan:
    """One device behind a meter of its own. `kind` and `twin` (further keys) as in a configuration."""

    name: str
    kind: str
    power_w: PowerAt
    profile: str = "sdm120"
    priority: str = "low"
    twin: dict[str, Any] = field(default_factory=dict)


@dataclass
class BuildingPlan:
    """One node. `extra` are further `[[twin]]` tables without a meter, such as a grid connection."""

    name: str
    devices: list[DevicePlan]
    extra: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[str] = field(default_factory=list)
    learning: dict[str, Any] = field(default_factory=dict)  # the `[learning]` section; empty: none

    def twins(self, meter_s: float) -> list[dict[str, Any]]:
        """Its `[[twin]]` tables; the n-th device is behind meter m<n>, read every `meter_s`."""
        metered = [
            {
                "name": device.name,
                "kind": device.kind,
                "input": f"m{i + 1}.total",
                "priority": device.priority,
                "meter_grace_s": max(1.0, 3 * meter_s),
            }
            | device.twin
            for i, device in enumerate(self.devices)
        ]
        return metered + self.extra


def connect_chain(buildings: list[BuildingPlan]) -> None:
    """Each building sends to the one before and the one after it."""
    for before, after in pairwise(buildings):
        before.neighbours.append(after.name)
        after.neighbours.append(before.name)


def grid_connection(power_w: float) -> dict[str, Any]:
    """The external supplier of the thesis, as a twin."""
    return {"name": "grid", "kind": "grid", "capacity_w": power_w}
