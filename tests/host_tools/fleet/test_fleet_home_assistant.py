"""The broker of a provisioned node lets out to Home Assistant, and in from it, what is meant for it only."""

import stat
from collections.abc import Iterator

import pytest
from fleet_site import Site, Stranger, wait_until

from edge.net.links import frame_topic, presence_topic

pytestmark = pytest.mark.system

CONFIG, TWIN_CONFIG = "homeassistant/device/gym/config", "homeassistant/device/gym/lamp/config"
STATE, TWIN_STATE, ALIVE = "mg/v1/ha/gym/state", "mg/v1/ha/gym/twin/lamp", "mg/v1/ha/gym/alive"
SWITCH, STATUS = "mg/v1/ha/gym/switch/lamp", "homeassistant/status"
OUT, IN = [CONFIG, TWIN_CONFIG, STATE, TWIN_STATE, ALIVE], [SWITCH, STATUS]
OTHERS = ["homeassistant/device/school/config", "homeassistant/sensor/gym/config", "mg/v1/ha/school/state"]
OTHERS += [f"{STATE}/more", "homeassistant/device/gym/lamp/x/config", frame_topic("gym", "afterschool")]
OTHERS += [presence_topic("gym", "afterschool"), frame_topic("gym", "gym"), "mg/v1/ha/gym/switch/a/b"]


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    site = Site(tmp_path / "lab", chain={"afterschool": ["gym"], "gym": ["afterschool"]})
    yield site
    site.stop()


def provisioned(site, scope, more=""):
    site.write_node("gym", ["afterschool"], f'[home_assistant]\nscope = "{scope}"\n{more}')
    assert [site.provision(name) for name in ("afterschool", "gym")] == [0, 0]
    site.install("gym")
    site.broker("gym")


def clients(site):
    """The node inside, Home Assistant and a peer outside."""
    files = [site.out / "home-assistant" / each for each in ("ca.crt", "client.crt", "client.key")]
    peer = [site.out / "afterschool/keys" / each for each in ("ca.crt", "node.crt", "node.key")]
    outside = site.outside["gym"]
    found = Stranger(site.inside["gym"]), Stranger(outside, files), Stranger(outside, peer)
    for each in found:
        assert each.let_in
        granted = []
        each.client.on_subscribe = lambda *_, granted=granted: granted.append(1)
        each.client.subscribe("#")
        wait_until(lambda granted=granted: granted)
    return found


def allowed(client, topics):
    taken = ("Success", "No matching subscribers")
    return [topic for topic in topics if client.publish(topic, b"x") in taken]


def test_home_assistant_gets_what_the_node_shows_and_the_node_what_it_says(site):
    provisioned(site, "operate")
    node, home, peer = clients(site)
    assert allowed(node, [*OUT, *IN, *OTHERS]) == OUT
    assert allowed(home, [*OUT, *IN, *OTHERS]) == IN
    assert allowed(peer, [*OUT, *IN]) == []
    assert allowed(peer, [frame_topic("gym", "afterschool")])  # as ever; nobody but the node may read it
    wait_until(lambda: len(node.received) == len(IN) + 1 and len(home.received) == len(OUT))
    assert (home.received, node.received) == (OUT, [*IN, frame_topic("gym", "afterschool")])
    assert peer.received == []


def test_who_may_only_read_cannot_switch(site):
    provisioned(site, "read")
    node, home, _ = clients(site)
    assert allowed(home, [*OUT, *IN]) == [STATUS]
    assert allowed(node, OUT) == OUT


def test_the_key_of_home_assistant_is_for_its_owner_and_can_be_revoked(site):
    provisioned(site, "read")
    key = site.out / "home-assistant/client.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert site.provision("gym") == 0
    assert key.read_bytes() == before
    assert site.provision("home-assistant", "--revoke") == 0
    assert site.provision("gym") == 0
    assert key.read_bytes() != before


def test_nothing_is_opened_for_one_that_is_not_wanted_or_has_another_broker(site):
    for scope, more in (("none", ""), ("operate", 'host = "192.0.2.1"\n')):
        site.write_node("gym", ["afterschool"], f'[home_assistant]\nscope = "{scope}"\n{more}')
        assert site.provision("all") == 0
        assert not (site.out / "home-assistant").exists()
        for name in ("acl", "acl.inside"):
            rules = (site.out / "gym/config" / name).read_text()
            assert "home-assistant" not in rules
            assert "homeassistant" not in rules


def test_no_node_may_have_its_name(site, capsys):
    site.inside["home-assistant"] = 1
    site.outside["home-assistant"] = 1
    site.write_node("home-assistant", [])
    site.write_fleet({name: ["127.0.0.1"] for name in site.inside})
    assert site.provision("all") == 2
    assert "is the name of Home Assistant" in capsys.readouterr().err
