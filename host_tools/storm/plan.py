"""The data of a storm: buildings, and faults at fixed times. Plain data that can be printed and reduced."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..sim.topology import parts

Argument = str | float
Gates = tuple[tuple[str, str], ...]  # of one holon, in the order of succession: twins, as node.twin
LIE = "lie"  # the kind of fault that is one
LIMIT = "limit"  # an order of the operator of the grid


@dataclass(frozen=True, slots=True)
class StormBuilding:
    """One node: its neighbours, its `[[twin]]` tables, and the initial readings of its meters in W.

    `sections`: its other sections, such as `[regulator]` and `[community]`, as far as it has them.
    """

    name: str
    neighbours: tuple[str, ...]
    twins: tuple[Mapping[str, Any], ...]
    powers_w: Mapping[str, float]
    sections: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault at a fixed time. `number` identifies it even when other faults are left out."""

    number: int
    at_s: float
    kind: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        shown = " ".join(f"{each:g}" if isinstance(each, float) else each for each in self.arguments)
        return f"{self.number:3} {self.at_s:7.2f} s  {self.kind} {shown}"


@dataclass(frozen=True, slots=True)
class Storm:
    """A microgrid and its faults, which end after `trouble_s`."""

    seed: int
    buildings: tuple[StormBuilding, ...]
    faults: tuple[Fault, ...]
    trouble_s: float
    liar: str = ""  # the node that lies, if any
    leaves: bool = False  # it leaves when the faults are repaired; otherwise it is honest again
    steady: bool = False  # but for lies, only powers change: what the others lose, they lose to the liar
    reach: str = ""  # how far messages go, as REQUESTS:BEATS; empty: everywhere
    gates: tuple[Gates, ...] = ()  # of each holon

    def reduced(self, keep: Collection[int] | None = None, without: Collection[str] = ()) -> "Storm":
        """The storm with only the faults in `keep`, and without some nodes ("n3") or twins ("n1.t2").

        Raises ValueError for an unknown fault, node or twin.
        """
        known = {fault.number for fault in self.faults}
        names = {building.name for building in self.buildings}
        twins = {f"{building.name}.{twin['name']}" for building in self.buildings for twin in building.twins}
        for number in set(keep or ()) - known:
            raise ValueError(f"--keep {number}: no such fault; the numbers are 0 to {len(known) - 1}")
        for name in set(without) - names - twins:
            raise ValueError(f"--without {name}: no such node or twin in seed {self.seed}")
        return replace(
            self,
            buildings=tuple(_reduced(each, without) for each in self.buildings if each.name not in without),
            liar="" if self.liar in without else self.liar,
            gates=tuple(_left(gates, without) for gates in self.gates),
            faults=tuple(fault for fault in self.faults if keep is None or fault.number in keep),
        )

    def truthful(self) -> "Storm":
        """The same storm in which the liar is an honest member."""
        return replace(self, faults=tuple(fault for fault in self.faults if fault.kind != LIE))

    def without_liar(self) -> "Storm":
        """The same storm in which the liar does not exist."""
        return self.truthful().reduced(None, [self.liar])

    def groups(self) -> dict[str, int]:
        """A number for each honest node, equal for nodes that reach each other without the liar."""
        names = [building.name for building in self.buildings if building.name != self.liar]
        return parts(
            {
                building.name: [each for each in building.neighbours if each in names]
                for building in self.buildings
                if building.name in names
            }
        )

    def truthful_groups(self) -> dict[str, int]:
        """The same for all nodes once the liar is honest; empty if all reach each other."""
        return replace(self, liar="").groups() if self.gates else {}

    @property
    def calm(self) -> bool:
        """Nothing happens but lies: contracts between the others must last."""
        return self.steady and all(fault.kind == LIE for fault in self.faults)

    def connected(self) -> bool:
        """Whether every node can reach every other in both directions."""
        links = {building.name: list(building.neighbours) for building in self.buildings}
        return len(set(parts(links).values())) == 1

    def lines(self) -> list[str]:
        """The storm as text."""
        text = []
        for building in self.buildings:
            text.append(f"{building.name} -> {' '.join(building.neighbours) or 'nobody'}")
            for twin in building.twins:
                text.append("    " + " ".join(f"{key}={value}" for key, value in twin.items()))
            for section, keys in building.sections.items():
                text.append(f"    [{section}] " + " ".join(f"{key}={value}" for key, value in keys.items()))
            if building.powers_w:
                text.append("    reads " + " ".join(f"{k}={v:g} W" for k, v in building.powers_w.items()))
        for gates in self.gates:
            text.append(f"gates {', '.join('='.join(pair) for pair in gates) or 'none'}")
        if self.liar:
            after = "leaves" if self.leaves else "is honest again"
            text.append(f"{self.liar} lies, and {after} after {self.trouble_s:g} s")
        return [*text, *map(str, self.faults), f"all faults are repaired after {self.trouble_s:g} s"]


def _left(gates: Gates, without: Collection[str]) -> Gates:
    """The gates of which both twins are there."""
    return tuple(
        pair
        for pair in gates
        if not any(each in without or each.partition(".")[0] in without for each in pair)
    )


def _reduced(building: StormBuilding, without: Collection[str]) -> StormBuilding:
    twins = tuple(each for each in building.twins if f"{building.name}.{each['name']}" not in without)
    inputs = {twin.get(key) for twin in twins for key in ("input", "production_input")}
    return replace(
        building,
        neighbours=tuple(each for each in building.neighbours if each not in without),
        twins=twins,
        powers_w={key: power_w for key, power_w in building.powers_w.items() if key in inputs},
    )
