"""The gates of a fleet: `[[holon]]` in fleet.toml names the nodes that one machine has in two microgrids.

Each table is one holon, and its `order` is that of its gates, written as in `[holon]` of a node: pairs such
as gym=q-gym, of a node and the node of the same machine in the parent. A machine of three levels is in two.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.config.options import SECTIONS
from edge.option import Option
from edge.twins.holon_settings import HolonSettings
from host_tools.microgrid.plan import DOWN, UP, gate_twin

from .network import Complain

TABLE = "holon"


def _option(section: str, key: str) -> Option:
    return next(option for option in SECTIONS[section].options if option.key == key)


_ORDER = _option(TABLE, "order")
_FIRST_PORTS = {section: _option(section, "port").default for section in ("mqtt", "api")}  # on loopback


@dataclass(frozen=True)
class Gates:
    """`orders`: the gates of each holon, by their two nodes, in the order of succession."""

    orders: tuple[tuple[tuple[str, str], ...], ...] = ()

    def above(self, node: str) -> str:
        """The node of the same machine in the parent; empty if there is none."""
        return next((outside for order in self.orders for inside, outside in order if inside == node), "")

    def below(self, node: str) -> Iterator[str]:
        """The nodes of the same machine in the microgrids below, the next one first."""
        while node := next((low for order in self.orders for low, high in order if high == node), ""):
            yield node

    def machine(self, node: str) -> str:
        """The node whose process runs this one: the lowest of the machine."""
        return [node, *self.below(node)][-1]

    def level(self, node: str) -> int:
        """How many nodes of the machine are below."""
        return len(list(self.below(node)))

    def twins(self, node: str) -> set[str]:
        """The names of its holon twins."""
        return {name for name, is_there in ((UP, self.above(node)), (DOWN, self.level(node))) if is_there}

    def complete(self, node: str, raw: dict[str, Any]) -> None:
        """Add to the tables of a node what its gates need, where it is not given: twins, ports, `[holon]`."""
        given = raw.get("twin", [])
        if isinstance(given, list) and all(isinstance(each, dict) for each in given):  # else told later
            names = sorted(self.twins(node) - {each.get("name") for each in given})
            raw["twin"] = [*given, *map(gate_twin, names)]
        for section, port in _FIRST_PORTS.items():
            if (level := self.level(node)) and isinstance(table := raw.get(section, {}), dict):
                raw[section] = {"port": port + level} | table
        if parent := self.above(node):
            order = next(each for each in self.orders if node in dict(each))
            raw[TABLE] = {"parent": f"{parent}.node.toml", "order": written(order)}


def written(order: tuple[tuple[str, str], ...]) -> str:
    """As in a configuration."""
    return ", ".join(f"{inside}={outside}" for inside, outside in order)


def read_gates(given: object, nodes: Collection[str], complain: Complain) -> Gates:
    """The gates of `[[holon]]`; `nodes`: those that have a file. After a mistake they are not complete."""
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        complain(TABLE, given, f"must be one or more tables [[{TABLE}]]")
        return Gates()
    orders: list[tuple[tuple[str, str], ...]] = []
    for i, table in enumerate(given):
        for key in table.keys() - {"order"}:
            complain(f"{TABLE}[{i}].{key}", table[key], "unknown key; the key is order")
        order = table.get("order", "")
        if reason := _ORDER.refusal(order) or ("" if order.strip() else "must name the gates of this holon"):
            complain(f"{TABLE}[{i}].order", order, reason)
            continue
        pairs, so_far = HolonSettings(parent=Path(), order=order).pairs, Gates(tuple(orders))
        for reason in _refusals(pairs, so_far, nodes):
            complain(f"{TABLE}[{i}].order", order, reason)
            pairs = ()
        orders.append(pairs)
    return Gates(tuple(orders))


def _refusals(pairs: tuple[tuple[str, str], ...], before: Gates, nodes: Collection[str]) -> Iterator[str]:
    """Why these gates cannot be added to those before."""
    named = [node for pair in pairs for node in pair]
    for node in sorted(set(named) - set(nodes)):
        yield f"unknown node {node}; the nodes are {sorted(nodes)}"
    for node in sorted({node for node in named if named.count(node) > 1}):
        yield f"node {node} is there twice"
    for inside, outside in pairs:
        if parent := before.above(inside):
            yield f"node {inside} has a parent already: {parent}"
        if before.level(outside):
            yield f"node {outside} is that of {before.machine(outside)} already"
        if outside in before.below(inside):
            yield f"node {inside} would be above itself: {outside} is below it"
