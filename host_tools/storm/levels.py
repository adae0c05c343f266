"""Draws holons: the microgrid of a storm and another one become prosumers of a parent, each with gates.

All of it comes from a generator of its own, so the rest of a storm is the same without.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from .plan import Fault, Gates, Storm, StormBuilding

Drawer = Callable[[random.Random, str, tuple[str, ...]], StormBuilding]

_SHARE = 0.4  # of the storms in which more happens than lies
_OTHER = ("m1", "m2", "m3")
_FAULTS = (2, 8)
_QUIET_S = 8.0
_OFF_S = (0.1, 2.0, 8.0, 20.0, 35.0)
_UP, _DOWN = "up", "down"


def with_holons(storm: Storm, building: Drawer) -> Storm:
    """The storm, in some seeds with three microgrids on two levels. `building` draws a node and its twins."""
    rng = random.Random(f"{storm.seed}/holons")
    if storm.steady or rng.random() >= _SHARE:
        return storm
    first = tuple(each.name for each in storm.buildings if each.name != storm.liar) or ("",)
    if not first[0]:
        return storm
    others = _OTHER[: rng.randint(1, len(_OTHER))]
    buildings = [*storm.buildings, *(building(rng, name, _beside(others, name)) for name in others)]
    gates = [_gates(rng, names) for names in (first, others)]
    parents = [outside.partition(".")[0] for order in gates for _, outside in order]
    for order in gates:
        for inside, _ in order:
            node = inside.partition(".")[0]
            buildings = [_with_door(rng, each, _UP) if each.name == node else each for each in buildings]
    ring = len(parents) > 2 and rng.random() < 0.7
    for name in parents:
        plain = StormBuilding(name, _beside(parents, name, ring), (), {})
        if rng.random() < 0.3:
            plain = building(rng, name, plain.neighbours)
        buildings.append(_with_door(rng, plain, _DOWN))
    links = list(pairwise(parents))
    faults = _faults(rng, storm, [inside.partition(".")[0] for order in gates for inside, _ in order], links)
    return replace(storm, buildings=tuple(buildings), gates=tuple(gates), faults=(*storm.faults, *faults))


def _gates(rng: random.Random, names: tuple[str, ...]) -> Gates:
    """One or two of these nodes, in the order of succession."""
    chosen = rng.sample(names, min(len(names), rng.choice((1, 2, 2))))
    return tuple((f"{name}.{_UP}", f"q-{name}.{_DOWN}") for name in chosen)


def _with_door(rng: random.Random, building: StormBuilding, name: str) -> StormBuilding:
    twin = {"name": name, "kind": "holon", "holon_wait_s": rng.choice((0.0, 0.1, 0.6))}
    twin["capacity_w"] = rng.choice((0.0, 0.0, 40.0))
    return replace(building, twins=(*building.twins, twin))


def _beside(names: tuple[str, ...] | list[str], name: str, ring: bool = False) -> tuple[str, ...]:
    at = names.index(name)
    found = [*names[max(0, at - 1) : at], *names[at + 1 : at + 2]]
    if ring and at in (0, len(names) - 1):
        found.append(names[-1 - at] if at == 0 else names[0])
    return tuple(found)


def _faults(
    rng: random.Random, storm: Storm, gates: list[str], links: list[tuple[str, str]]
) -> Iterator[Fault]:
    """Gates that end and start again, and links of the parent that are cut."""
    for _ in range(rng.randint(*_FAULTS)):
        at_s = round(rng.uniform(_QUIET_S, storm.trouble_s), 2)
        kind = rng.choice(("kill", "kill", "stop", "cut", "heal") if links else ("kill", "stop"))
        if kind in ("cut", "heal"):
            yield Fault(0, at_s, kind, rng.choice(links))
        else:
            off_s = round(rng.choice(_OFF_S) * rng.uniform(0.5, 1.5), 2)
            yield Fault(0, at_s, kind, (rng.choice(gates), "kept", off_s))
