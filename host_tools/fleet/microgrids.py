"""Checks of a fleet with gates: its microgrids, the twins of gates, and the ports of each machine."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.microgrid.plan import DOWN, UP

from .gates import TABLE, Gates, written
from .network import Complain

if TYPE_CHECKING:
    from .read import NodePlan


def check_orders(gates: Gates, plans: Mapping[str, "NodePlan"], complain: Complain) -> None:
    """The gates of an order must belong to one microgrid, which has one parent and no other order."""
    microgrid = _microgrids(plans)
    parents: dict[str, str] = {}
    for i, order in enumerate(gates.orders):
        sides = [sorted({microgrid[node] for node in nodes}) for nodes in zip(*order, strict=True)]
        for names in sides:
            if len(names) > 1:
                reason = f"no links lead from {names[0]} to {names[1]}, so they are in two microgrids"
                complain(f"{TABLE}[{i}].order", written(order), reason)
        [inside, *_], [outside, *_] = sides
        if inside in parents:
            reason = f"the microgrid of {inside} has an order and a parent already"
            complain(f"{TABLE}[{i}].order", written(order), reason)
        elif inside in _line(parents, outside):
            reason = f"the microgrid of {inside} would be its own parent: links lead to nodes above it"
            complain(f"{TABLE}[{i}].order", written(order), reason)
        else:
            parents[inside] = outside


def warnings(gates: Gates) -> Iterator[str]:
    """What is allowed, and hardly meant."""
    for i, order in enumerate(gates.orders):
        if len(order) == 1:
            [(gate, _)] = order
            reason = f"nothing passes while {gate} is off: name a second gate"
            yield f"{TABLE}[{i}].order = {written(order)!r}: {reason}"


def check_twins(plan: "NodePlan", gates: Gates, mistakes: list[str]) -> None:
    """Each holon twin must be one of a gate."""
    for i, twin in enumerate(plan.config.twins):
        if twin.kind == TABLE and twin.name not in gates.twins(plan.name):
            reason = (
                f"no order in fleet.toml has it; {UP} is that of a gate in its holon, {DOWN} in the parent"
            )
            mistakes.append(f"{plan.file}: twin[{i}].name = {twin.name!r}: {reason}")


def check_ports(machine: Collection["NodePlan"], mistakes: list[str]) -> None:
    """The nodes of a machine, and their brokers, must not use the same port or serial line."""
    used = list(chain.from_iterable(map(_ports, machine)))
    count = Counter(port for _, _, port in used)
    for file, key, port in used:
        others = [
            f"{key} of {other.stem}"
            for other, key, same in used
            if same == port and (other, key) != (file, key)
        ]
        if count[port] > 1:
            mistakes.append(f"{file}: {key} = {port!r}: on the same machine this is {others[0]}")


def _ports(plan: "NodePlan") -> Iterator[tuple[Path, str, object]]:
    config = plan.config
    yield plan.file, "mqtt.port", config.inbox.port
    yield plan.file, "port of its broker for others", plan.port
    if config.api.port:
        yield plan.file, "api.port", config.api.port
    for i, bus in enumerate(config.buses):
        yield plan.file, f"bus[{i}].port", bus.port


def _microgrids(plans: Mapping[str, "NodePlan"]) -> dict[str, str]:
    """The first name in the microgrid of each node: links join nodes to microgrids."""
    first = {name: name for name in plans}
    for plan in plans.values():
        for neighbour in (each for each in plan.config.neighbours if each.name in plans):
            one, other = sorted((first[plan.name], first[neighbour.name]))
            first = {name: one if each == other else each for name, each in first.items()}
    return first


def _line(parents: Mapping[str, str], microgrid: str) -> Iterator[str]:
    """It, its parent, and so on."""
    while microgrid:
        yield microgrid
        microgrid = parents.get(microgrid, "")
