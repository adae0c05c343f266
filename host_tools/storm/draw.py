"""Draws the storm of a seed: topology, devices and faults. All are small, so that failures are readable."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..sim.topology import parse
from .equip import equip
from .false_words import with_false_words
from .levels import with_holons
from .liar import draw_lie
from .plan import LIE, Argument, Fault, Storm, StormBuilding
from .trade import with_trade

_SHAPES = ("chain:{}", "ring:{}", "star:{}", "full:{}", "random:{}:2", "random:{}:3")
_KINDS, _KIND_WEIGHTS = ("load", "pv", "building", "both", "grid", "shiftable"), (8, 5, 2, 2, 1, 1)
_POWERS_W = (0.0, 5.0, 15.0, 30.0, 45.0, 60.0, 100.0)
_PRODUCER_POLICIES = ("prioritisation", "random", "hybrid", "fair_share")
_CONSUMER_POLICIES = ("green_first", "first_fit", "lowest_price", "least_distance")
_MOODS, _MOOD_WEIGHTS = ("calm", "trade", "rough", "honest"), (5, 4, 4, 2)  # honest: without a liar
_LIES = (1, 5)  # of one storm
_LIES_FROM_S = 0.5  # before the first contracts, too
_STORM_HOURS = (22.223, 22.245)  # time of day of a storm (UTC), when daily runs get ready
_QUIET_S = 8.0  # time for the first contracts before the first fault
_EVERY_S = (0.1, 4.0)  # time between two faults

Drawer = Callable[[random.Random, "_Scene"], tuple[Argument, ...]]


def draw(seed: int) -> Storm:
    """The storm of a seed; it stays the same as long as this file and the grammar of lies are not changed.

    Calm: nothing but lies. Trade: powers change too. Rough: lies among all faults. Honest: only faults.
    What a community has is drawn by itself (`equip`), and so are trade (`with_trade`), holons
    (`with_holons`) and lies about these (`with_false_words`), so that all else stays as it was without.
    """
    rng = random.Random(seed)
    links = parse(rng.choice(_SHAPES).format(rng.randint(2, 6)), rng.getrandbits(32), capped=True)
    mood = rng.choices(_MOODS, _MOOD_WEIGHTS)[0]
    liar = "" if mood == "honest" else rng.choice(list(links))
    names = sorted(links, key=lambda name: name == liar)  # last, so that without it all others draw the same
    buildings = tuple(_building(rng, name, tuple(links[name])) for name in names)
    trouble_s = round(rng.uniform(60.0, 100.0), 1)
    storm = Storm(seed, buildings, (), trouble_s, liar, rng.random() < 0.5, mood in ("calm", "trade"))
    if storm.steady:
        peaceful = tuple(_peaceful(each) for each in buildings)
        storm = replace(storm, buildings=tuple(_with_grids(rng, peaceful, storm.groups())))
    kinds = rng.sample(list(_DRAWERS), rng.randint(2, len(_DRAWERS)))  # few kinds, but many of each
    kinds = {"calm": [], "trade": ["power"]}.get(mood, kinds)
    faults = [*_faults(rng, storm, kinds), *(_lies(rng, storm) if liar else ())]
    storm = with_holons(with_trade(equip(replace(storm, faults=tuple(faults)))), _building)
    storm = with_false_words(storm)
    faults = sorted(storm.faults, key=lambda fault: fault.at_s)
    return replace(storm, faults=tuple(replace(each, number=i) for i, each in enumerate(faults)))


def _faults(rng: random.Random, storm: Storm, kinds: list[str]) -> Iterator[Fault]:
    scene = _Scene(storm)
    at_s = _QUIET_S
    while kinds and at_s < storm.trouble_s:
        kind = rng.choice(kinds)
        yield Fault(0, round(at_s, 2), kind, _DRAWERS[kind](rng, scene))
        at_s += rng.uniform(*_EVERY_S)


def _lies(rng: random.Random, storm: Storm) -> Iterator[Fault]:
    for _ in range(rng.randint(*_LIES)):
        at_s = rng.uniform(_LIES_FROM_S, storm.trouble_s - _QUIET_S)
        yield Fault(0, round(at_s, 2), LIE, draw_lie(rng).arguments)


# ---- the microgrid -------------------------------------------------------------------------------


def _building(rng: random.Random, name: str, neighbours: tuple[str, ...]) -> StormBuilding:
    twins, powers_w = [], {}
    for i in range(rng.randint(1, 6)):
        twin = _twin(rng, i)
        twins.append(twin)
        for key in ("input", "production_input"):
            if key in twin:
                powers_w[twin[key]] = _power(rng, str(twin["kind"]))
    return StormBuilding(name, neighbours, tuple(twins), powers_w)


def _twin(rng: random.Random, i: int) -> dict[str, Any]:
    kind = rng.choices(_KINDS, _KIND_WEIGHTS)[0]
    twin: dict[str, Any] = {"name": f"t{i}", "kind": kind}
    if kind == "grid":
        twin["capacity_w"] = rng.choice((60.0, 150.0))
    elif kind == "shiftable":
        twin["power_w"] = rng.choice(_POWERS_W[1:])
        twin["run_s"], twin["within_s"] = float(rng.choice((10, 30))), float(rng.choice((0, 20, 60)))
        twin["ready_hour"] = round(rng.uniform(*_STORM_HOURS), 4)
    elif kind in ("building", "both") or rng.random() < 0.7:
        twin["input"] = f"m{i}.total"
        twin["meter_grace_s"] = float(rng.choice((4, 10, 30)))
    else:
        twin["power_w"] = rng.choice(_POWERS_W[1:])
    if kind == "building":
        twin["connection"] = "own"  # its meter does not see the other twins of the node
    if kind == "both":
        twin["production_input"] = f"p{i}.total"
    twin["priority"] = rng.choices(("low", "medium", "high"), (5, 2, 2))[0]
    twin["producer_policy"] = rng.choice(_PRODUCER_POLICIES)
    twin["consumer_policy"] = rng.choice(_CONSUMER_POLICIES)
    twin["accepts"] = rng.choice(("whole", "whole", "partial"))
    twin["tolerance_s"] = float(rng.choice((0, 0, 0, 10)))
    twin["price"] = round(rng.uniform(0.0, 0.3), 2)
    twin["contract_s"] = float(rng.choice((20, 60, 3600)))
    return twin


def _peaceful(building: StormBuilding) -> StormBuilding:
    """The building without contracts that expire or are interrupted."""
    twins = [dict(twin, contract_s=3600.0, meter_grace_s=30.0) for twin in building.twins]
    for twin in twins:
        twin["priority"] = "medium" if twin["priority"] == "high" else twin["priority"]
        twin["kind"] = "load" if twin["kind"] == "shiftable" else twin["kind"]
    return replace(building, twins=tuple(twins))


def _with_grids(
    rng: random.Random, buildings: tuple[StormBuilding, ...], groups: Mapping[str, int]
) -> Iterator[StormBuilding]:
    """Mostly enough power wherever nodes reach each other without the liar: then nobody may go short."""
    first = {group: name for name, group in reversed(list(groups.items()))}
    for building in buildings:
        if first.get(groups.get(building.name, -1)) == building.name:
            grid = {"name": "grid", "kind": "grid", "capacity_w": rng.choice((100.0, 400.0, 1000.0))}
            building = replace(building, twins=(*building.twins, grid))
        yield building


def _power(rng: random.Random, kind: str) -> float:
    sign = rng.choice((1, -1)) if kind == "building" else 1
    return sign * round(rng.choice(_POWERS_W) * rng.uniform(0.9, 1.1), 1)


# ---- the faults: the arguments of each kind -------------------------------------------------------


class _Scene:
    """The nodes, links and meters that faults can affect."""

    def __init__(self, storm: Storm) -> None:
        buildings = [each for each in storm.buildings if each.name != storm.liar]
        self.names = [building.name for building in buildings]
        self.links = [(b.name, other) for b in storm.buildings for other in b.neighbours]
        self.meters = [
            (b.name, twin[key], twin["kind"])
            for b in buildings
            for twin in b.twins
            for key in ("input", "production_input")
            if key in twin
        ] or [(self.names[0], "none.total", "load")]


def _link(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    return rng.choice(scene.links)


def _quality(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    """Link; probabilities of loss, duplicate, corruption and delay; the largest delay in s."""
    loss = rng.choice((0.0, 0.1, 0.3, 1.0))
    rest = (
        rng.choice((0.0, 0.2)),
        rng.choice((0.0, 0.1)),
        rng.choice((0.0, 0.3)),
        rng.choice((0.2, 1.0, 5.0)),
    )
    return (*rng.choice(scene.links), loss, *rest)


def _partition(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    return tuple(sorted(rng.sample(scene.names, rng.randint(1, max(1, len(scene.names) - 1)))))


def _node(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    return (rng.choice(scene.names),)


def _restart(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    """Node; what happens to its disk; how long it is off, in s."""
    disk = rng.choices(("kept", "lost", "spoiled"), (6, 3, 1))[0]
    return (
        rng.choice(scene.names),
        disk,
        round(rng.choice((0.1, 2.0, 8.0, 20.0, 35.0)) * rng.uniform(0.5, 1.5), 2),
    )


def _drift(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    return rng.choice(scene.names), round(rng.uniform(0.98, 1.02), 4)


def _wall_step(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    return rng.choice(scene.names), rng.choice((-1e9, -86400.0, -1.0, 1.0, 86400.0, 1e9))


def _reading(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    node, device, kind = rng.choice(scene.meters)
    return node, device, _power(rng, kind)


def _broken_meter(rng: random.Random, scene: _Scene) -> tuple[Argument, ...]:
    """Meter; how it fails; for how long, in s."""
    node, device, _ = rng.choice(scene.meters)
    how = rng.choice(("silent", "undefined", "nan", "inf", "-inf", "1e12", "-1e12", "1e-9"))
    return node, device, how, round(rng.uniform(1.0, 45.0), 1)


_DRAWERS: dict[str, Drawer] = {
    "quality": _quality,
    "cut": _link,
    "heal": _link,
    "partition": _partition,
    "mend": lambda rng, scene: (),
    "kill": _restart,
    "stop": _restart,
    "drift": _drift,
    "wall": _wall_step,
    "power": _reading,
    "meter": _broken_meter,
}
