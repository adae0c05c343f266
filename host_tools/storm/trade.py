"""Draws what is traded in a storm beside power: twins that negotiate prices, and a market of the next day.

All of it comes from a generator of its own, so the rest of a storm is the same without. A steady storm has
none of it: what is lost there counts as the liar's deed, and who negotiates waits a moment longer. Members
know two past days (`past`), so they order; the gate closes soon after the begin, and the day is cleared.
"""

import random
from dataclasses import replace
from typing import Any

from edge.twins.registry import GRIDS

from .plan import Storm, StormBuilding

_SHARE = 0.33  # of the storms that have each of these
_GATE_HOUR = 22.2334  # UTC: 40 s after the begin
_MARKET = {"import_price": 0.30, "feed_in_price": 0.08, "gate_hour": _GATE_HOUR}
_ROUNDS, _PRICES = (0, 1, 3, 8), (0.05, 0.10, 0.20, 0.30)


def with_trade(storm: Storm) -> Storm:
    """The storm with what is traded."""
    rng = random.Random(f"{storm.seed}/trade")
    if storm.steady:
        return storm
    if rng.random() < _SHARE:
        buildings = tuple(_negotiating(rng, each) for each in storm.buildings)
        storm = replace(storm, buildings=buildings)
    if rng.random() < _SHARE:
        storm = _with_market(rng, storm)
    return storm


def _negotiating(rng: random.Random, building: StormBuilding) -> StormBuilding:
    """Each twin with its own patience and limits."""
    twins = []
    for twin in building.twins:
        low, high = sorted(rng.sample(_PRICES, 2))
        more: dict[str, Any] = {"bargain_rounds": rng.choice(_ROUNDS), "price": high}
        more |= {"bargain_first": low, "bargain_price": rng.choice((low, high))}
        twins.append({**twin, **more})
    return replace(building, twins=tuple(twins))


def _with_market(rng: random.Random, storm: Storm) -> Storm:
    """A market at one node, and members at all others without a connection to the grid."""
    place = rng.choice([each.name for each in storm.buildings if each.name != storm.liar])
    buildings = []
    for building in storm.buildings:
        sections = dict(building.sections)
        if building.name == place:
            sections["market"] = _MARKET
        elif not any(twin["kind"] in GRIDS for twin in building.twins):
            sections |= {"trader": {"market": place}, "learning": {"node_model": "persistence"}}
        buildings.append(replace(building, sections=sections))
    return replace(storm, buildings=tuple(buildings))
