"""Who hears whom, and what becomes of a message: loss, cuts, absent nodes."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

MODEL, PREDICTION = "model", "prediction"
_FRAME_BYTES = 90  # of a frame of the wire around a value: names, version, path, signature
TOPOLOGIES = ("chain", "ring", "full", "random")
_DEGREE = 3


def neighbours(topology: str, nodes: int, rng: random.Random) -> list[set[int]]:
    """The neighbours of each node. `random` is a ring with chords, three neighbours on average."""
    found: list[set[int]] = [set() for _ in range(nodes)]

    def tie(one: int, other: int) -> None:
        if one != other:
            found[one].add(other)
            found[other].add(one)

    if topology not in TOPOLOGIES:
        raise ValueError(f"topology {topology!r} is not one of {', '.join(TOPOLOGIES)}")
    if topology == "full":
        for one in range(nodes):
            for other in range(one):
                tie(one, other)
        return found
    for one in range(nodes - 1):
        tie(one, one + 1)
    if topology != "chain":
        tie(nodes - 1, 0)
    if topology == "random":
        while sum(map(len, found)) < min(_DEGREE, nodes - 1) * nodes:
            tie(rng.randrange(nodes), rng.randrange(nodes))
    return found


@dataclass
class Links:
    """The links of a microgrid. A cut separates the first half of the nodes from the rest."""

    neighbours: list[set[int]]
    rng: random.Random
    loss: float = 0.0
    cut: range = range(0)  # minutes
    sent_bytes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _waiting: dict[str, list[tuple[int, int, bytes]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for kind in (MODEL, PREDICTION):
            self.sent_bytes[kind] = [0] * len(self.neighbours)

    def send(self, node: int, kind: str, data: bytes, minute: int) -> None:
        """To all direct neighbours. Each link is counted, with the frame around the value."""
        for other in sorted(self.neighbours[node]):
            self.sent_bytes[kind][node] += len(data) + _FRAME_BYTES
            if self.rng.random() >= self.loss and not self._separate(node, other, minute):
                self._waiting[kind].append((node, other, data))

    def _separate(self, one: int, other: int, minute: int) -> bool:
        half = len(self.neighbours) // 2
        return minute in self.cut and (one < half) != (other < half)

    def arrived(self, kind: str) -> Iterator[tuple[int, int, bytes]]:
        """What was sent of that kind and was not asked for yet: source, target, bytes."""
        return iter(self._waiting.pop(kind, []))
