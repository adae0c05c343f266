"""What a microgrid is made of, before anything runs: buildings, their devices, who is whose neighbour."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

PowerAt = Callable[[float], float]  # seconds since the start of the run -> W; nan: not measured


@dataclass(frozen=True)
class DevicePlan:
    """One device behind a meter of its own. `kind` as in a node's configuration."""

    name: str
    kind: str
    power_w: PowerAt
    profile: str = "sdm120"
    priority: str = "low"


@dataclass
class BuildingPlan:
    """One node. `extra` are further `[[twin]]` tables without a meter, such as a grid connection."""

    name: str
    devices: list[DevicePlan]
    extra: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[str] = field(default_factory=list)


def connect_chain(buildings: list[BuildingPlan]) -> None:
    """Each building sends to the one before and the one after it."""
    for before, after in pairwise(buildings):
        before.neighbours.append(after.name)
        after.neighbours.append(before.name)


def grid_connection(power_w: float) -> dict[str, Any]:
    """The external supplier of the thesis, as a twin."""
    return {"name": "grid", "kind": "grid", "capacity_w": power_w}
