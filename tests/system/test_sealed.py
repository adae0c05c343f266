"""A microgrid with keys: it trades as without, and what two nodes agree on no third one can read."""

import pytest
from chain4 import build, checked

from edge.energy.rules import COMPLEMENT, CONFIRM, CONTRACT, OFFER, REQUEST
from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.source import Own
from edge.twins.envelope import Reader
from host_tools.fleet.identities import issue_identity
from host_tools.invariants import disagreements
from host_tools.world import World

SEALED = (OFFER, CONTRACT, COMPLEMENT, CONFIRM)
SUPPLIER = "solarplant"  # on n1; the load that it supplies is on n3
POWER = "137.9"


class Members:
    """Gives each node that boots a new keyring; `met` decides whether it knows the others at once."""

    def __init__(self, world):
        self.authority = AuthorityKey("site", bytes(32))
        self.begins_s = world.clock.wall_s()
        self.keyrings = {}
        self.met = True
        world.trust = self.keyring

    def keyring(self, name, clock):
        keys = NodeKeys(name.encode().ljust(64, b"."))
        own = Own(keys, Certificate(issue_identity(self.authority, name, keys, now_s=self.begins_s)))
        self.keyrings[name] = Keyring(name, self.authority.authority, own, clock)
        if self.met:
            self.meet()
        return self.keyrings[name]

    def meet(self):
        for name, keyring in self.keyrings.items():
            for other in self.keyrings.values():
                other.introduce(name, keyring.certificate())


@pytest.fixture
def world():
    world = World(seed=4)
    yield world
    world.close()


def trade(world):
    """n1 supplies n3; n2 is between them, and n4 beyond."""
    twins = {
        "n1": [{"name": SUPPLIER, "kind": "pv", "power_w": 500.0}],
        "n3": [{"name": "kettle", "kind": "load", "power_w": float(POWER)}],
    }
    build(world, lambda name: twins.get(name, []))


def space_of(world, name):
    """Label and value of each property in the space of a node, and the agent that shows it."""
    space = world.nodes[name].node.space
    for p in range(len(space.p_state)):
        if space.is_live(p):
            yield space.names.text(space.p_owner[p]), space.labels.text(space.p_label[p]), space.value(p)


def load(world):
    return next(iter(world.nodes["n3"].node.prosumers))


def supplier(world):
    return next(iter(world.nodes["n1"].node.prosumers))


def test_no_third_node_holds_a_power_a_supplier_or_an_answer_of_others_in_clear(world):
    Members(world)
    trade(world)
    seen = set()

    def look():
        for name in ("n2", "n4"):
            for agent, label, value in space_of(world, name):
                seen.add(label)
                if label in SEALED:
                    for word in (SUPPLIER, "kettle", POWER, "144.795", "impact", "parts", "n1", "n3", "[["):
                        assert word.encode() not in value, (name, agent, label, value)

    def each():
        checked(world)()
        look()

    world.run(10, each)
    assert seen >= {REQUEST, OFFER, CONTRACT, CONFIRM}
    assert load(world).consumer.satisfied
    assert [each.consumer for each in supplier(world).supplier.book] == ["n3.kettle"]
    assert disagreements(world) == []


@pytest.mark.parametrize("third", ["n2", "n4"])
def test_a_third_node_cannot_open_what_it_holds(world, third):
    members = Members(world)
    trade(world)
    world.run(10)
    node = world.nodes[third].node
    bond, reader = node.engine.bond, Reader(third, node.trust)
    opened = []
    for p in range(len(node.space.p_state)):
        if node.space.is_live(p) and node.space.labels.text(node.space.p_label[p]) in SEALED:
            bond.turn_to(p)
            if bond.label == OFFER:
                assert bond.read(reader.offer) is None
            elif bond.label == CONFIRM:
                assert bond.read(reader.answers) == {}
            else:
                contract = bond.read(reader.contract)
                assert contract.parts == ()
                assert contract.valid
            opened.append(bond.label)
    assert set(opened) >= {CONTRACT, CONFIRM}
    assert members.keyrings[third].knows("n1")


def test_keys_change_nothing_in_who_is_served_when(world):
    runs = []
    for sealed in (False, True):
        twin_world = World(seed=9)
        if sealed:
            Members(twin_world)
        trade(twin_world)
        twin_world.run(20)
        consumer = load(twin_world).consumer
        runs.append([(part.supplier, part.power_w, part.max_w) for part in consumer.main.parts])
        twin_world.close()
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", ["n1", "n3"])
def test_contracts_outlive_a_restart_before_the_others_are_known_again(world, name):
    members = Members(world)
    trade(world)
    world.run(30, checked(world))
    before = load(world).consumer.main.id
    members.met = False
    world.nodes[name].kill()
    wires = [wire for other in ("n2", "n4") for wire in ((other, name), (name, other))]
    for wire in wires:
        world.network.cut(*wire)
    world.nodes[name].boot()
    world.run(3, checked(world))
    members.meet()  # as identities arrive first
    for wire in wires:
        world.network.heal(*wire)
    world.run(30, checked(world))
    assert load(world).consumer.main.id == before
    assert load(world).consumer.satisfied
    assert disagreements(world) == []
