"""Agents that average a number with their neighbours again and again, on any graph of spaces."""

import json

from check import Grid, Watcher, small

from edge.space.exchange import export
from edge.space.lsa import Aggregation
from edge.space.tuplespace import LIVE

LIFE_S = 30
STALE_S = 4
RENEW_S = 3


class Averager(Watcher):
    """Publishes what the aggregation law makes of its number and those of the neighbours."""

    def __init__(self, name, number, operator):
        super().__init__(name)
        self.number = number
        self.operator = operator
        self.published = 0

    def joined(self, engine):
        super().joined(engine)
        self.aggregate([Aggregation("X", self.operator, 1, keeps=True, stale_s=STALE_S)])
        self.publish()

    def act(self):
        super().act()
        if self.space.tick - self.published >= RENEW_S:  # what was lost is sent once more
            self.publish()

    def publish(self):
        self.published = self.space.tick
        plain = self.operator != "metropolis"
        shown = self.number if plain else [self.number, len(self.space.neighbours)]
        self.submit("X", json.dumps(shown).encode(), life_s=LIFE_S, reach=1)

    def aggregated(self, label):
        merged = json.loads(self.aggregate_of(label))
        self.number = merged[0] if isinstance(merged, list) else merged
        self.publish()


class Averaging(Grid):
    """A graph, given as the neighbours of each node, whose nodes average their numbers."""

    def __init__(self, links, numbers, operator="mean"):
        super().__init__(links, small(lsas=24, properties=96, nodes=16, names=96))
        self.operator = operator
        self.agents = {}
        for name in links:
            self.agents[name] = self[name].add(Averager(name + ".t", numbers[name], operator))
        self.settle()

    def run(self, seconds):
        for _ in range(seconds):
            self.tick()

    def numbers(self):
        return {name: agent.number for name, agent in self.agents.items()}

    def repair(self):
        """Every node gets the LSAs that its neighbours hold, as the digest would see to."""
        for node in self.nodes.values():
            for slot in range(node.space.limits.lsas):
                if node.space.lsa_state[slot] == LIVE and node.space.lsa_version[slot]:
                    for to in node.space.neighbours:
                        if to in self.nodes and to not in export(node.space, slot).path:
                            self.deliver(node, to, export(node.space, slot))
        self.settle()

    def expected(self, names=None):
        """The mean that these nodes must come to: with equal weights that weighted by neighbourhoods."""
        total = weights = 0.0
        for name in names or self.agents:
            size = 1 + len(self[name].space.neighbours) if self.operator == "mean" else 1
            total += size * self.agents[name].number
            weights += size
        return total / weights


def chain(names):
    """Each node with the one before and the one after it."""
    return {
        name: ([names[i - 1]] if i else []) + ([names[i + 1]] if i + 1 < len(names) else [])
        for i, name in enumerate(names)
    }


def ring(names):
    """A chain whose ends are joined."""
    count = len(names)
    return {name: [names[(i - 1) % count], names[(i + 1) % count]] for i, name in enumerate(names)}


def full(names):
    """Each node with each other."""
    return {name: [other for other in names if other != name] for name in names}


def spread(numbers):
    """How far apart the nodes are."""
    return max(numbers.values()) - min(numbers.values())
