"""Draws what a community adds to a storm: credits and prices, batteries, regulators, and limits as faults.

All of it comes from a generator of its own, so the rest of a storm is the same without. In a steady storm
nothing is drawn that would cost anybody power or a contract, since what is lost there counts as the liar's
deed.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .plan import LIMIT, Fault, Storm, StormBuilding
from .premises import CONNECTION

_SHARE = 0.5  # of the storms that have each of these
_RESPONSES = ("none", "exclude", "price", "place")
_STEADY_RESPONSES = ("none", "price", "place")
_GIVING = ("all", "all", "altruist", "free_rider", "graded", "learning")
_THRESHOLDS_W = (0.0, 40.0, 120.0)  # 0: none that is reached
_LIMITS_W = (0.0, 20.0, 60.0, 200.0)
_LASTS_S = (5.0, 15.0, 40.0)
_LIMITS = (1, 6)  # of one storm
_BATTERIES_WH = (0.05, 0.5, 5.0)
_QUIET_S = 8.0
_SOURCES = ("pv", "building", "both")
_NO_DEVICE = ("grid", "storage")


def equip(storm: Storm) -> Storm:
    """The storm with what its community has; limits are more faults, not yet in their place."""
    rng = random.Random(f"{storm.seed}/community")
    if rng.random() < _SHARE:
        storm = _with_credits(rng, storm)
    if rng.random() < _SHARE and not storm.steady:
        storm = _with_batteries(rng, storm)
    if rng.random() < _SHARE:
        storm = _with_regulators(rng, storm)
    return storm


def _with_credits(rng: random.Random, storm: Storm) -> Storm:
    """The same rules for all; each supplier has its own generosity and price."""
    rules: dict[str, Any] = {
        "response": rng.choice(_STEADY_RESPONSES if storm.steady else _RESPONSES),
        "tolerance_wh": rng.choice((0.01, 0.1)),
    }
    buildings = []
    for building in storm.buildings:
        twins = [dict(twin, pricing=rng.choice(("fixed", "dynamic"))) for twin in building.twins]
        for twin in twins if not storm.steady else ():
            twin["giving"] = rng.choice(_GIVING)
        for twin in twins:
            if twin["kind"] == "load":
                twin["people"] = rng.randint(0, 3)
        buildings.append(_outfitted(building, twins, community=rules))
    return replace(storm, buildings=tuple(buildings))


def _with_batteries(rng: random.Random, storm: Storm) -> Storm:
    """One storage for all, donors, and batteries of single devices."""
    keeper = rng.choice([each.name for each in storm.buildings if each.name != storm.liar])
    buildings = []
    for building in storm.buildings:
        twins = [dict(twin) for twin in building.twins]
        for twin in twins:
            what = rng.choices(("nothing", "battery", "donates"), (3, 2, 5))[0]
            if what == "donates" and twin["kind"] in _SOURCES:
                twin["donates"] = rng.choice((0.5, 1.0))
            elif what == "battery" and twin["kind"] in (*_SOURCES, "load"):
                twin["battery_wh"] = rng.choice(_BATTERIES_WH)
                twin["battery_least_wh"] = 0.01
        if building.name == keeper:
            plan = rng.choice(("donations", "donations", "always"))
            storage = {"name": "store", "kind": "storage", "battery_wh": rng.choice(_BATTERIES_WH)}
            twins.append(storage | {"storage_plan": plan, "storage_wait_s": 2.0, "storage_retry_s": 20.0})
        buildings.append(_outfitted(building, twins))
    return replace(storm, buildings=tuple(buildings))


def _with_regulators(rng: random.Random, storm: Storm) -> Storm:
    """Regulators with low thresholds, devices that can be switched or dimmed, and orders of limits."""
    devices = random.Random(f"{storm.seed}/devices")
    buildings = []
    for building in storm.buildings:
        settings: dict[str, Any] = {"policy": rng.choice(("largest", "smallest_set", "lowest_priority"))}
        twins = [dict(twin) for twin in building.twins]
        if not storm.steady:
            for key in ("max_produced_w", "max_consumed_w"):
                settings[key] = rng.choice(_THRESHOLDS_W)
            settings["back_s"] = rng.choice((1.0, 10.0, 300.0))
            settings["guaranteed_w"] = 0.0
            for twin in twins:
                twin["flexible"] = rng.choice(("no", "dimmed"))
                _with_relay(devices, twin)
            if devices.random() < _SHARE:
                settings["connection_input"] = CONNECTION
        buildings.append(_outfitted(building, twins, regulator=settings))
    limits = () if storm.steady else tuple(_limits(rng, storm))
    return replace(storm, buildings=tuple(buildings), faults=(*storm.faults, *limits))


def _with_relay(rng: random.Random, twin: dict[str, Any]) -> None:
    """Whatever stands for a device has a relay; some loads are switched by it when a limit is ordered."""
    if twin["kind"] in _NO_DEVICE:
        return
    twin["relay"] = f"r_{twin['name']}"
    if twin["flexible"] == "no" and rng.random() < _SHARE:
        twin["flexible"] = "switched"


def _limits(rng: random.Random, storm: Storm) -> Iterator[Fault]:
    """Orders at fixed times: node, direction, power in W, how long it holds in s."""
    for _ in range(rng.randint(*_LIMITS)):
        at_s = round(rng.uniform(_QUIET_S, storm.trouble_s), 2)
        node, direction = rng.choice(storm.buildings).name, rng.choice(("consume", "feed_in"))
        yield Fault(0, at_s, LIMIT, (node, direction, rng.choice(_LIMITS_W), rng.choice(_LASTS_S)))


def _outfitted(building: StormBuilding, twins: list[dict[str, Any]], **sections: Any) -> StormBuilding:
    return replace(building, twins=tuple(twins), sections={**building.sections, **sections})
