"""The plan of a microgrid: buildings, their devices and their neighbours."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

PowerAt = Callable[[float], float]  # seconds since the start of the run -> W (nan: not measured)

UP, DOWN = "up", "down"  # the twins of a gate: in its holon, and in the parent


class Series:
    """Powers (W) that start at the given times (s, ascending); each holds until the next, the last forever.

    Before the first time the value is nan: not measured.
    """

    def __init__(self, times_s: Sequence[float], powers_w: Sequence[float]) -> None:
        self.times_s = times_s
        self.powers_w = powers_w

    def __call__(self, elapsed_s: float) -> float:
        at = bisect_right(self.times_s, elapsed_s)
        return self.powers_w[at - 1] if at else math.nan


@dataclass(frozen=True)
class DevicePlan:
    """One device with its own meter. `kind` and `twin` (further keys) as in the configuration."""

    name: str
    kind: str
    power_w: PowerAt
    profile: str = "sdm120"
    priority: str = "low"
    twin: dict[str, Any] = field(default_factory=dict)


@dataclass
class BuildingPlan:
    """One node. `extra`: further `[[twin]]` tables without a meter, such as a grid connection."""

    name: str
    devices: list[DevicePlan]
    extra: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[str] = field(default_factory=list)
    learning: dict[str, Any] = field(default_factory=dict)  # the `[learning]` section, or empty
    gossip: dict[str, Any] = field(default_factory=dict)  # the `[gossip]` section, or empty
    push: dict[str, Any] = field(default_factory=dict)  # the `[push]` section, or empty
    regulator: dict[str, Any] | None = None  # the `[regulator]` section, if there is one
    past: Callable[[Path], None] | None = None  # writes the minutes before the run, for `node_history`
    orders: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # limits: when (s), and what
    community: dict[str, Any] = field(default_factory=dict)  # the `[community]` section, or empty
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)  # further sections, by name
    limits: dict[str, int] = field(default_factory=dict)  # of the `[limits]` section
    machine: str = ""  # the node whose process also runs this one, in the parent; empty: it has its own

    def twins(self, meter_s: float) -> list[dict[str, Any]]:
        """The `[[twin]]` tables; the n-th device has meter m<n>, which is read every `meter_s`."""
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
    """Connect the buildings in a chain."""
    for before, after in pairwise(buildings):
        before.neighbours.append(after.name)
        after.neighbours.append(before.name)


def grid_connection(power_w: float) -> dict[str, Any]:
    """A grid connection: the external supplier of the thesis, as a twin."""
    return {"name": "grid", "kind": "grid", "capacity_w": power_w}


def gate_twin(name: str) -> dict[str, Any]:
    """The twin of a gate in its holon, where members are served by members first, or in the parent, where
    there are only gates."""
    wait = {"holon_wait_s": 0.1} if name == DOWN else {}
    return {"name": name, "kind": "holon", **wait}
