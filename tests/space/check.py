"""Helpers of the tests that run under CPython and under MicroPython alike."""

from array import array

from edge.space.agent import Agent
from edge.space.courier import Courier
from edge.space.engine import Engine
from edge.space.errors import UnknownBase
from edge.space.exchange import absorb, complete, export, export_delta
from edge.space.lsa import Delta, Near
from edge.space.names import NIL
from edge.space.nearby import absorb_near, export_near
from edge.space.origins import LIFE_S, checksum
from edge.space.tuplespace import LIVE, SELF, Limits, TupleSpace


def raises(error, function, *args):
    """The error that a call raises."""
    try:
        function(*args)
    except error as caught:
        return caught
    raise AssertionError(f"{error.__name__} was not raised")


def small(**limits):
    """Limits of a small space; arguments replace some of them."""
    wanted = {
        "lsas": 8,
        "properties": 40,
        "heap_bytes": 64 * 32,
        "names": 24,
        "labels": 8,
        "nodes": 6,
        "value_bytes": 512,
    }
    wanted.update(limits)
    return Limits(**wanted)


def state(thing):
    """Everything an object holds, for comparison: numbers, texts, the content of arrays, and its parts.

    That room has been found short may be noted even if something is refused.
    """
    if isinstance(thing, (int, str, bytes)) or thing is None:
        return thing
    if isinstance(thing, (array, bytearray)):
        return bytes(thing)
    if isinstance(thing, (list, tuple)):
        return [each if isinstance(each, Agent) else state(each) for each in thing]
    if isinstance(thing, dict):
        return {key: state(value) for key, value in thing.items()}
    if hasattr(thing, "__dict__"):
        return {key: state(value) for key, value in thing.__dict__.items() if key != "pressed"}
    return {}  # specifications of limits and aggregations do not change


def assert_as_new(space, neighbours=0):
    """Nothing is left in a space: no slot, block, name, label, node, entry or observer."""
    limits = space.limits
    assert space.lsas_free == limits.lsas
    assert space.properties_free == limits.properties
    assert space.heap.free == space.heap.blocks
    assert len(space.names) == 1, [each for each in space.names._texts if each]
    assert len(space.labels) == 1, [each for each in space.labels._texts if each]
    assert len(space.nodes) == 2 + neighbours, [each for each in space.nodes._texts if each]
    for ring in (space.changed, space.dirty, space.departed, space.tombstones, space.near, space.later):
        assert len(ring) == 0
    for wheel in (space.lsa_wheel, space.p_wheel):
        assert set(wheel._due) == {0}
        assert set(wheel._heads) == {NIL}
    assert set(space.label_first) == {NIL}
    assert set(space._slot_of_name) == {NIL}
    assert set(space.origins.first) == {NIL}
    assert set(space.origins.count) == {0}
    assert all(space.digest(n) == (0, checksum([])) for n in range(space.nodes.capacity))
    assert not any(space.observers)
    assert not space.aggregating
    assert set(space.lsa_state) == {0}
    assert set(space.p_state) == {0}
    assert set(space.lsa_path) == {0}
    assert set(space.lsa_way) == {()}


def assert_digests_right(space):
    """The digest of every origin is that of the LSAs it shows."""
    for node in range(SELF, space.nodes.capacity):
        entries = []
        slot = space.origins.first[node]
        while slot != NIL:
            assert space.lsa_state[slot] == LIVE
            assert space.lsa_origin[slot] == node
            if space.lsa_version[slot] or (node != SELF and not space.lsa_loose[slot]):
                entries.append((space.names.text(space.lsa_name[slot]), space.lsa_version[slot]))
            slot = space.lsa_next[slot]
        assert space.digest(node) == (len(entries), checksum(entries))


class Watcher(Agent):
    """Records its notifications."""

    def __init__(self, name, *wants):
        super().__init__(name)
        self.wants = wants
        self.told = []  # (agent, value), value None when withdrawn
        self.versions = []
        self.departed = []
        self.ages = []
        self.sent = []
        self.results = []
        self.lost = []  # (label, agent)
        self.acts = 0

    def bonded(self, bond):
        self.told.append((bond.name, None if bond.withdrawn else bond.value()))
        self.versions.append(bond.version)

    def decayed(self, name, life_s):
        if life_s:
            self.ages.append(life_s)
        else:
            self.departed.append(name)

    def spread(self, version):
        self.sent.append(version)

    def aggregated(self, label):
        p = self.space.property_of(self.handle & 0xFFFF, label)
        self.results.append((self.space.aggregate(p), bool(self.space.p_completed[p])))

    def missed(self, label, source):
        self.lost.append((label, source))

    def act(self):
        self.acts += 1

    def take_told(self):
        """Its notifications since the last call."""
        told, self.told = self.told, []
        return told


class Wire(Courier):
    """Keeps what spreads, until the grid carries it. It sends whole LSAs unless `deltas` is set."""

    def __init__(self, space):
        self.space = space
        self.waiting = []
        self.handed_over = 0
        self.deltas = False

    def send_near(self, p, nodes, to=()):
        near = export_near(self.space, p)
        near.to = to or near.to
        for peer in self.space.neighbours:
            if nodes & self.space.node_bit(peer):
                self.waiting.append((peer, near))

    def send_lsa(self, slot, nodes, base=0):
        self.handed_over += 1
        lsa = (self.deltas and export_delta(self.space, slot, base)) or export(self.space, slot)
        for peer in self.space.neighbours:
            if nodes & self.space.node_bit(peer):
                self.waiting.append((peer, lsa))


class Node:
    """A space with its engine."""

    def __init__(self, name, neighbours=(), limits=None, incarnation=1):
        self.name = name
        self.space = TupleSpace(name, limits or small(), incarnation)
        self.space.set_neighbours(list(neighbours))
        self.wire = Wire(self.space)
        self.engine = Engine(self.space, self.wire)

    def add(self, agent):
        self.engine.add(agent)
        return agent

    def value(self, name, label, query=""):
        """What this space holds of an LSA; None when it does not know it."""
        handle = self.space.find(name)
        return self.space.read(handle, label, query) if handle else None

    def path(self, name):
        """The nodes an LSA has travelled, as a set."""
        path = self.space.lsa_path[self.space.slot_of_name(name)]
        return {self.space.nodes.text(n) for n in range(self.space.nodes.capacity) if path >> n & 1}


class Grid:
    """Some nodes in one process. LSAs are delivered one by one; `lose` may drop some."""

    def __init__(self, links, limits=None):
        self.nodes = {name: Node(name, neighbours, limits) for name, neighbours in links.items()}
        self.crossed = []  # (from, to, LSA, version)
        self.near = []  # (from, to, LSA, version)
        self.deltas = 0
        self.asked = 0  # for whole LSAs
        self.lose = None

    def __getitem__(self, name):
        return self.nodes[name]

    def near_of(self, name):
        """The near properties of an LSA that have crossed links."""
        return [each for each in self.near if each[2] == name]

    def settle(self):
        """React and carry until nothing moves."""
        for _ in range(100):
            for node in self.nodes.values():
                node.engine.react()
            if not self.carry():
                return
        raise AssertionError("messages never stop")

    def carry(self):
        """Deliver what waits on the wires; True when there was something."""
        moved = False
        for node in list(self.nodes.values()):
            waiting, node.wire.waiting = node.wire.waiting, []
            for to, lsa in waiting:
                moved = True
                if self.lose is None or not self.lose(node.name, to, lsa):
                    self.deliver(node, to, lsa)
        return moved

    def deliver(self, node, to, lsa):
        """One record arrives; a delta without its base is replaced by the whole LSA."""
        space = self.nodes[to].space
        if isinstance(lsa, Near):
            self.near.append((node.name, to, lsa.name, lsa.version))
            absorb_near(space, lsa, node.name)
            return
        if isinstance(lsa, Delta):
            self.deltas += 1
            try:
                lsa = complete(space, lsa, node.name)
            except UnknownBase:
                self.asked += 1
                lsa = export(node.space, node.space.slot_of_name(lsa.name))
            if lsa is None:
                return
        self.crossed.append((node.name, to, lsa.name, lsa.version))
        absorb(space, lsa, node.name)

    def tick(self, silent=()):
        """A second passes; all nodes but the silent ones are heard everywhere."""
        for node in self.nodes.values():
            node.engine.tick()
            origins = node.space.origins
            for number in range(SELF + 1, node.space.nodes.capacity):
                if origins.expires[number] and node.space.nodes.text(number) not in silent:
                    origins.expires[number] = node.space.tick + LIFE_S
        self.settle()
