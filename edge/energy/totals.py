"""The six variables of a node: requested, produced, consumed, supplied, missing, available (thesis 4.3).

Nodes publish them under TOTAL; the aggregation law adds those of all nodes to the total of the microgrid.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import orjson

from ..terms import VARIABLES
from .rules import MAX_POWER_W

TOTAL = "TOTAL"
SUM_OF_TOTALS = "sum_of_totals"  # the name of the aggregation operator
_MOST_W = 1000 * MAX_POWER_W  # a node has many devices
Powers = tuple[float, ...]  # six, in W, in the order of NodeTotal


class NodeTotal(NamedTuple):
    """Electrical state of a node, all in W: requested = consumed + missing, produced >= supplied.

    Available is what is produced and under no contract, margins included; `offered_w` of it is on offer now.
    """

    requested_w: float
    produced_w: float
    consumed_w: float
    supplied_w: float
    missing_w: float
    available_w: float
    offered_w: float = 0.0

    @property
    def powers_w(self) -> Powers:
        """The six variables, in the order of the fields; without what is offered."""
        return self[: len(VARIABLES)]


class Share(NamedTuple):
    """The contribution of one twin to the total of its node, all in W."""

    requested_w: float = 0.0
    produced_w: float = 0.0
    consumed_w: float = 0.0
    supplied_w: float = 0.0
    committed_w: float = 0.0  # under contract, margins included
    offered_w: float = 0.0

    @property
    def reserved_w(self) -> float:
        """What it has promised: under contract or on offer."""
        return self.committed_w + self.offered_w


def node_total(shares: Iterable[Share]) -> NodeTotal:
    """The sum over the twins of a node; consumption counts only up to the requested power."""
    requested_w = produced_w = consumed_w = supplied_w = committed_w = offered_w = 0.0
    for share in shares:
        requested_w += share.requested_w
        produced_w += share.produced_w
        consumed_w += min(share.consumed_w, share.requested_w)
        supplied_w += share.supplied_w
        committed_w += share.committed_w
        offered_w += share.offered_w
    missing_w = max(0.0, requested_w - consumed_w)
    available_w = max(0.0, produced_w - committed_w)
    return NodeTotal(requested_w, produced_w, consumed_w, supplied_w, missing_w, available_w, offered_w)


class NodeValue(Protocol):
    """A value and the node that published it, as the aggregation law hands them over."""

    node: str
    value: bytes


def encode_total(powers_w: Powers | None) -> bytes:
    """The total of a node as it is published: JSON, to a tenth of a watt; null while it is unknown."""
    return orjson.dumps(None if powers_w is None else [round(each, 1) for each in powers_w])


def sum_of_totals(sources: Iterable[NodeValue], spec: object = None) -> tuple[bytes, list[float]]:
    """Sum the totals of all nodes, each node once. Unknown, invalid and impossible values have no weight."""
    totals: dict[str, Powers] = {}
    weights = []
    for source in sources:
        powers_w = parse_total(source.value)
        counts = powers_w is not None and source.node not in totals
        weights.append(float(counts))
        if powers_w is not None and counts:
            totals[source.node] = powers_w
    summed = [math.fsum(column) for column in zip(*totals.values(), strict=True)]
    return orjson.dumps({"nodes": len(totals), "w": [round(each, 1) for each in summed]}), weights


def read_sum(value: bytes) -> tuple[int, Powers] | None:
    """The number of nodes in a sum and the six powers; None if there is no sum yet."""
    if not value:
        return None
    told = orjson.loads(value)
    return (told["nodes"], tuple(told["w"])) if told["nodes"] else None


def parse_total(value: bytes) -> Powers | None:
    """The six powers of a node, in W; None if they are unknown or invalid."""
    try:
        powers_w = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return possible_powers(powers_w)


def possible_powers(powers_w: object) -> Powers | None:
    """The six powers that somebody states of a node; None if no node can have them."""
    right = (
        isinstance(powers_w, list)
        and len(powers_w) == len(VARIABLES)
        and all(type(each) in (int, float) and 0 <= each <= _MOST_W for each in powers_w)
    )
    return tuple(powers_w) if isinstance(powers_w, list) and right else None
