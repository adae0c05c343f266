"""Keys in a running microgrid of real nodes and brokers: new ones, and revoked ones, without any restart."""

from datetime import UTC, datetime

import pytest
from test_real_nodes import plans, served, wait_for

from host_tools.fleet.trust_authority import REVOKED, TrustAuthority
from host_tools.microgrid.launch import Microgrid, Pace

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

A_MINUTE_S = 60.0


class Site:
    """Four nodes with keys, and the authority that made them."""

    def __init__(self, microgrid, folder):
        self.nodes = {building.name: building for building in microgrid.buildings}
        self.authority = TrustAuthority(folder / ".keys", "local", datetime.now(UTC))

    def trust(self, name):
        return self.nodes[name].ask("/health")["trust"]

    def all_served(self, *left_out):
        return all(served(each) for name, each in self.nodes.items() if name not in left_out)

    def same_processes(self):
        return all(each.process.poll() is None for each in self.nodes.values())


@pytest.fixture
def site(tmp_path):
    with Microgrid(plans(), tmp_path, Pace(power_period_s=0.5)) as microgrid:
        site = Site(microgrid, tmp_path)
        wait_for(site.all_served, 30, "every building served")
        yield site
        assert all(code == 0 for code in microgrid.stop().values())


def test_all_members_are_verified_and_new_keys_are_taken_over_within_a_minute(site):
    for name in site.nodes:
        assert site.trust(name)["authentic"]
        assert site.trust(name)["members"] == sorted(site.nodes)
        assert site.nodes[name].ask("/health")["warnings"] == []
    before = site.trust("gym")["serial"]
    site.authority.identity("gym", 3650, rotate=True)
    site.nodes["gym"].give_keys(site.authority)
    wait_for(lambda: site.trust("gym")["serial"] > before, A_MINUTE_S, "gym uses its new keys")
    wait_for(site.all_served, A_MINUTE_S, "every building served")
    for name in site.nodes:
        assert site.trust(name)["members"] == sorted(site.nodes)
        assert "forged" not in site.trust(name)["refused"]
    assert site.same_processes()


def test_a_node_whose_identity_is_revoked_is_believed_by_nobody_within_a_minute(site):
    site.authority.revoke("underground")
    (site.nodes["primary"].directory / "keys" / REVOKED).write_bytes(site.authority.revoked)

    def forgotten():
        others = [site.trust(name) for name in site.nodes if name != "underground"]
        return all(
            each["revoked"] == ["underground"] and "underground" not in each["members"] for each in others
        )

    wait_for(forgotten, A_MINUTE_S, "the other three know of it")
    primary = site.nodes["primary"]
    promised = "underground.pumps"
    wait_for(lambda: promised not in str(primary.ask("/contracts")["supplied"]), 30, "its contract has ended")
    wait_for(lambda: site.all_served("underground"), 10, "the others are served")
    assert "underground" not in primary.ask("/node")["distances"]
    codes = {each["code"] for each in site.nodes["underground"].ask("/health")["troubles"]}
    assert "identity_refused" in codes
    assert site.same_processes()
