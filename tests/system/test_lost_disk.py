"""A node whose disk is lost gets new keys: it trades again, whatever the others remember of it."""

import shutil
from datetime import UTC, datetime

import pytest

from edge.space.origins import MAX_INCARNATION
from edge.space.tuplespace import SELF
from edge.state import StateFile
from edge.trust.certificate import Certificate
from edge.trust.files import read_certificate, read_node_keys, read_revocations
from edge.trust.keyring import Keyring
from edge.trust.source import Own
from host_tools.fleet.trust_authority import IDENTITY, KEY, TrustAuthority
from host_tools.invariants import disagreements
from host_tools.world import World, chain

NAMES = ["n1", "n2", "n3"]
TWINS = {
    "n1": [{"name": "pv", "kind": "pv", "power_w": 500.0}],
    "n3": [{"name": "kettle", "kind": "load", "power_w": 300.0}],
}
HOUR_S = 3600.0


class Site:
    """A chain of three nodes with keys that `provision` has made; n1 supplies n3."""

    def __init__(self, world, folder):
        self.world, self._folder = world, folder
        world.trust = self._trust
        for name, neighbours in chain(NAMES).items():
            self.provision(name)
            world.add(name, neighbours, TWINS.get(name, []))

    @property
    def authority(self):
        now = datetime.fromtimestamp(self.world.clock.wall_s(), UTC)
        return TrustAuthority(self._folder, "site", now)

    def provision(self, name, rotate=False):
        self.authority.identity(name, 3650, rotate=rotate)

    def revoked(self, name):
        authority = self.authority
        authority.revoke(name)
        (self._folder / "list").write_bytes(authority.revoked)
        return read_revocations(self._folder / "list").data

    def _trust(self, name, clock):
        place = self._folder / "nodes" / name
        own = Own(read_node_keys(place / KEY), read_certificate(place / IDENTITY))
        return Keyring(name, self.authority._key.authority, own, clock)

    def lose_disk(self, name):
        self.world.nodes[name].kill()
        shutil.rmtree(self.world.nodes[name].config.state_dir)

    def served(self):
        kettle = next(iter(self.world.nodes["n3"].node.prosumers))
        return kettle.consumer.satisfied and not disagreements(self.world)

    def seconds_until_served(self):
        for second in range(120):
            if self.served():
                return second
            self.world.run(1.0)
        return 120


@pytest.fixture
def site(tmp_path):
    world = World(seed=5)
    yield Site(world, tmp_path)
    world.close()


@pytest.mark.parametrize("off_s", [2.0, HOUR_S])
@pytest.mark.parametrize("last", [0, 2**30, MAX_INCARNATION - 300])
def test_a_node_with_new_keys_and_without_memory_trades_again(site, last, off_s):
    """`last`: the incarnation that its former life had reached."""
    world, n1 = site.world, site.world.nodes["n1"]
    if last:
        StateFile(n1.config.state_dir, n1.clock).save({"incarnation": last})
    world.boot()
    world.run(30.0)
    assert site.served()
    site.lose_disk("n1")
    world.run(off_s)
    site.provision("n1", rotate=True)
    n1.boot()
    world.run(20.0)
    assert site.seconds_until_served() <= 20
    first = n1.node.trust.first_incarnation
    assert first <= n1.node.space.origins.incarnation[SELF] <= first + 2**20
    for name in ("n2", "n3"):
        stats = world.nodes[name].node.gateway.stats()
        assert stats["flooding"] == []
        assert world.nodes[name].node.space.find("n1.pv")


def test_the_keys_of_a_lost_card_are_revoked_and_the_node_with_new_ones_stays(site):
    world, n1 = site.world, site.world.nodes["n1"]
    world.boot()
    world.run(30.0)
    site.lose_disk("n1")
    world.run(5.0)
    listed = site.revoked("n1")
    site.provision("n1", rotate=True)
    n1.boot()
    world.run(30.0)
    assert site.served()
    serial = Certificate(n1.node.trust.certificate()).serial
    identity = next(twin for twin in world.nodes["n3"].node.twins if twin.short_name == "identity")
    assert world.nodes["n3"].node.trust.revoke(listed)
    world.nodes["n3"].touch(lambda node: node.engine.stir(identity))
    for _ in range(30):
        world.run(1.0)
        assert site.served()
    assert world.nodes["n2"].node.trust.stats()["revoked"] == ["n1"]
    assert Certificate(n1.node.trust.certificate()).serial == serial
