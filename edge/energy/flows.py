"""What flows through a node now, apart from what could flow.

*Produced* of the six variables is what suppliers are ready to give, the whole capacity of a grid connection
included. Here stands what really comes from each source, and what is exchanged with the grid.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class PowerSource(StrEnum):
    """Where supplied power comes from."""

    PV = "pv"
    BATTERY = "battery"
    GRID = "grid"
    OTHER = "other"  # a building, or another device that gives power


@dataclass(frozen=True, slots=True)
class Supply:
    """What one twin supplies, in W. `metered_w` of a grid connection: imported, negative while exporting."""

    source: PowerSource
    ready_w: float
    supplied_w: float
    metered_w: float | None = None


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows of a node, all in W."""

    ready_w: float  # what could flow
    pv_w: float
    battery_w: float
    other_w: float
    imported_w: float
    exported_w: float


def node_flows(supplies: Iterable[Supply]) -> Flows:
    """Local sources give all that they are ready to give; what no contract uses leaves through the grid.

    A grid connection with a meter says itself what it imports and exports. Without one, contracts tell.
    """
    ready_w = surplus_w = 0.0
    by_source = dict.fromkeys(PowerSource, 0.0)
    metered: list[float] = []
    for each in supplies:
        ready_w += each.ready_w
        if each.source is not PowerSource.GRID:
            by_source[each.source] += each.ready_w
            surplus_w += max(0.0, each.ready_w - each.supplied_w)
        elif each.metered_w is None:
            by_source[PowerSource.GRID] += each.supplied_w
        else:
            by_source[PowerSource.GRID] += max(0.0, each.metered_w)
            metered.append(max(0.0, -each.metered_w))
    return Flows(
        ready_w,
        by_source[PowerSource.PV],
        by_source[PowerSource.BATTERY],
        by_source[PowerSource.OTHER],
        by_source[PowerSource.GRID],
        sum(metered) if metered else surplus_w,
    )
