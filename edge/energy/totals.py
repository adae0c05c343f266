"""The six variables of a node: requested, produced, consumed, supplied, missing, available (thesis 4.3)."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeTotal:
    """Electrical state of a node, all in W: requested = consumed + missing, produced >= supplied."""

    requested_w: float
    produced_w: float
    consumed_w: float
    supplied_w: float
    missing_w: float
    available_w: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one twin adds to the total of its node, all in W."""

    requested_w: float = 0.0
    produced_w: float = 0.0
    consumed_w: float = 0.0
    supplied_w: float = 0.0
    reserved_w: float = 0.0


def node_total(shares: Iterable[Share]) -> NodeTotal:
    """Sum over the twins of a node; what is consumed never counts beyond what is requested."""
    requested_w = produced_w = consumed_w = supplied_w = reserved_w = 0.0
    for share in shares:
        requested_w += share.requested_w
        produced_w += share.produced_w
        consumed_w += min(share.consumed_w, share.requested_w)
        supplied_w += share.supplied_w
        reserved_w += share.reserved_w
    missing_w = max(0.0, requested_w - consumed_w)
    return NodeTotal(
        requested_w, produced_w, consumed_w, supplied_w, missing_w, max(0.0, produced_w - reserved_w)
    )
