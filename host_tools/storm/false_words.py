"""Draws lies about the market of the next day, negotiated prices and gates, where the microgrid has them.

All of it comes from a generator of its own, so the rest of a storm is the same without. In some storms with a
market the liar holds it.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from .liar.grammar import OF_MARKET, WORDS, Lie, draw_words
from .plan import LIE, Fault, Storm

_LIES = (1, 5)
_LIES_FROM_S, _QUIET_S = 0.5, 8.0
_HOLDS = 0.4  # of the storms with a market: the liar holds it
_ROLES = ("market", "trader")


def with_false_words(storm: Storm) -> Storm:
    """The storm with these lies, not yet in their place among the faults."""
    rng = random.Random(f"{storm.seed}/words")
    messages = {family: list(WORDS[family]) for family in _families(storm)} if storm.liar else {}
    if not messages:
        return storm
    lies = []
    if "market" in messages:
        holds = rng.random() < _HOLDS and _has_traders(storm)
        storm = _without_honest_role(storm, holds)
        if holds:
            lies.append(Fault(0, _LIES_FROM_S, LIE, _there(storm.trouble_s).arguments))
        messages["market"] = [each for each in messages["market"] if (each in OF_MARKET) == holds]
    for _ in range(rng.randint(*_LIES)):
        at_s, family = rng.uniform(_LIES_FROM_S, storm.trouble_s - _QUIET_S), rng.choice(list(messages))
        lie = draw_words(rng, family, messages[family])
        lies.append(Fault(0, round(at_s, 2), LIE, lie.arguments))
    return replace(storm, faults=(*storm.faults, *lies))


def _has_traders(storm: Storm) -> bool:
    return any("trader" in each.sections for each in storm.buildings if each.name != storm.liar)


def _there(seconds: float) -> Lie:
    """A call without anything false: there is a market."""
    return Lie("market", "call", "", "zero", "own", 1.0, seconds)


def _families(storm: Storm) -> Iterator[str]:
    """What there is to lie about."""
    if any("market" in each.sections for each in storm.buildings):
        yield "market"
    if any(twin.get("bargain_rounds") for each in storm.buildings for twin in each.twins):
        yield "price"
    if storm.gates:
        yield "gate"


def _without_honest_role(storm: Storm, holds: bool) -> Storm:
    """The liar plays the trader of its node, and the market if it holds that, so no honest twin does."""
    place = next(each.name for each in storm.buildings if "market" in each.sections)
    buildings = []
    for building in storm.buildings:
        sections = dict(building.sections)
        if building.name == storm.liar or (holds and building.name == place):
            sections = {key: each for key, each in sections.items() if key not in _ROLES}
        elif holds and "trader" in sections:
            sections["trader"] = {**sections["trader"], "market": storm.liar}
        buildings.append(replace(building, sections=sections))
    return replace(storm, buildings=tuple(buildings))
