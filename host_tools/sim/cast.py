"""The nodes and twins of a run, and the limits a node needs to hold the LSAs of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.config.settings import LimitSettings, NodeConfig
from edge.twins.envelope import longest_value

from .scenario import Gates
from .topology import parts

_MOST_PROMISES = 128
_VALUE_BYTES = 16384  # the longest value that a configuration may allow


@dataclass(frozen=True)
class Cast:
    """Nodes and twins; the twins of a node are adjacent, in the order of the nodes."""

    nodes: list[str]
    names: list[str]  # of the twins: "node.twin"
    kinds: list[str]
    node_of: npt.NDArray[np.int64]  # by twin
    part_of: npt.NDArray[np.int64]  # by twin: the connected part of the microgrid

    def slice_of(self, node: int) -> slice:
        """The range of the twins of a node."""
        low, high = np.searchsorted(self.node_of, [node, node + 1])
        return slice(int(low), int(high))


def cast_of(configs: Sequence[NodeConfig], gates: Gates = ()) -> Cast:
    """All twins of these nodes, in the order of nodes and twins; gates connect parts."""
    links = {config.name: [each.name for each in config.neighbours] for config in configs}
    for pair in (pair for holon in gates for pair in holon):
        one, other = (twin.partition(".")[0] for twin in pair)
        links[one].append(other)
        links[other].append(one)
    part_of = parts(links)
    rows = [(i, config.name, twin) for i, config in enumerate(configs) for twin in config.twins]
    return Cast(
        nodes=[config.name for config in configs],
        names=[f"{name}.{twin.name}" for _, name, twin in rows],
        kinds=[twin.kind for *_, twin in rows],
        node_of=np.array([i for i, *_ in rows], dtype=np.int64),
        part_of=np.array([part_of[name] for _, name, *_ in rows], dtype=np.int64),
    )


def limits_for(twins: list[int]) -> dict[str, int]:
    """The `[limits]` of every node, given the number of twins of each: room for the LSAs of all."""
    total, nodes = sum(twins), len(twins)
    least = LimitSettings()
    places = min(1024, max(least.nodes, nodes + 8))
    most = _MOST_PROMISES if total > least.promises else least.promises
    promises = next(each for each in range(most, 0, -1) if longest_value(each, places) <= _VALUE_BYTES)
    return {
        "lsas": min(16384, max(64, total + 32)),
        "properties": min(65_000, 8 * total + 256),
        "heap_kb": min(4000, max(least.heap_kb, total + 64)),
        "names": min(65_000, 3 * total + 256),
        "nodes": places,
        "promises": promises,
        "value_bytes": max(least.value_bytes, longest_value(promises, places)),
    }
