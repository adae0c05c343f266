"""Gates of a virtual world: two nodes of one machine, whose holon twins are partners while both run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from edge.twins.holon import Gate, HolonTwin, join

if TYPE_CHECKING:
    from .node import WorldNode


def join_nodes(nodes: "Mapping[str, WorldNode]", gate: Gate, order: Sequence[Gate]) -> None:
    """Make the nodes of a gate one machine, and join its twins whenever it boots."""
    pair = nodes[_node(gate.inside)], nodes[_node(gate.outside)]
    for one, other in (pair, pair[::-1]):
        one.machine = (*one.machine, other)

    def booted() -> None:
        if all(each.alive and hasattr(each, "node") for each in pair):
            inside, outside = holon_twin(nodes, gate.inside), holon_twin(nodes, gate.outside)
            if inside.partner is not outside:
                join(inside, outside, order)

    for each in pair:
        each.booted.append(booted)
    pair[1].use_clock(pair[0].clock)


def holon_twin(nodes: "Mapping[str, WorldNode]", name: str) -> HolonTwin:
    """The holon twin of that name, as node.twin."""
    node, _, twin = name.partition(".")
    return cast("HolonTwin", nodes[node].node.prosumer(twin))


def _node(twin: str) -> str:
    return twin.partition(".")[0]
