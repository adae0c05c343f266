"""How far what a twin shows has to go: everywhere, all around, or towards those whom it concerns.

With `[reach] requests = 0` everything goes everywhere, with the LSA. Otherwise a request goes some hops, and
offers, contracts and answers go towards the nodes of those to whom they are addressed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ..energy.book import node_of
from ..energy.widening import MOST_HOPS
from ..space.lsa import EVERYWHERE, HERE, KEPT, TOWARDS
from ..space.tuplespace import MAX_TO


class Shown(NamedTuple):
    """A property of an LSA as it is wanted; `life_s` 0: as long as its LSA."""

    value: bytes
    life_s: int = 0
    reach: int = EVERYWHERE
    to: tuple[str, ...] = ()


def around(value: bytes, first_hops: int, hops: int = MOST_HOPS) -> Shown:
    """To all within so many hops; everywhere with the LSA if `first_hops` is 0."""
    return Shown(value, KEPT, min(hops, MOST_HOPS)) if first_hops else Shown(value)


def towards(value: bytes, first_hops: int, twins: Iterable[str], life_s: int = 0) -> Shown:
    """To the nodes of these twins; everywhere with the LSA if `first_hops` is 0."""
    if not first_hops:
        return Shown(value, life_s)
    nodes = tuple(sorted({node_of(each) for each in twins}))[:MAX_TO]
    return Shown(value, life_s or KEPT, TOWARDS, nodes)


def directed(value: bytes, here: str, node: str) -> Shown:
    """To one node alone, however large the microgrid is; `here` is the own one."""
    return Shown(value, 0, HERE) if node == here else Shown(value, KEPT, TOWARDS, (node,))
