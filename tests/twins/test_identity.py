"""The identity twin: who a node is, and whom it no longer believes, reaches all nodes."""

import pytest

from edge.trust.trust import IDENTITY
from host_tools.world import Members, World, chain

NAMES = ["a", "b", "c", "d"]


class Site:
    """A chain of nodes with keys, and a contract between its ends."""

    def __init__(self):
        self.world = World(seed=5)
        self.members = Members(self.world.clock)
        self.world.trust = self.members.trust
        twins = {name: [] for name in NAMES}
        twins["a"] = [{"name": "grid", "kind": "grid", "capacity_w": 3000.0}]
        twins["d"] = [{"name": "lamp", "kind": "load", "power_w": 500.0}]
        for name, neighbours in chain(NAMES).items():
            self.world.add(name, neighbours, twins[name])
        self.world.boot()

    def trust(self, name):
        return self.world.nodes[name].node.trust

    def published(self, at, owner, label):
        space = self.world.nodes[at].node.space
        p = space.property_of(space.find(f"{owner}.identity") & 0xFFFF, label)
        return space.value(p)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.world.close()


def test_the_certificate_of_each_node_reaches_all_nodes(site):
    site.world.run(20)
    for at in NAMES:
        for owner in NAMES:
            assert site.published(at, owner, IDENTITY) == site.trust(owner).certificate()


def test_a_list_given_to_one_node_reaches_all_within_seconds(site):
    site.world.run(20)
    data = site.members.revoke("c")
    assert site.trust("a").revoke(data)
    site.world.nodes["a"].touch(lambda node: node.engine.stir(node.twins[-1]))
    site.world.run(10)
    assert [site.trust(name).revocations() for name in ("a", "b")] == [data] * 2


def test_a_node_without_keys_has_no_identity_twin():
    world = World(seed=5)
    world.add("a", [], [])
    world.boot()
    assert "identity" not in [twin.kind for twin in world.nodes["a"].node.twins]
    world.close()
