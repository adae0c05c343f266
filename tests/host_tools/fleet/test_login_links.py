"""The login link that `provision` prints for a node that is open to the LAN."""

import re
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from fleet_site import Site

from edge.api.access import Access, Caller
from edge.api.dispatch import Api, Asked
from edge.api.logins import Logins
from edge.clock import SystemClock
from edge.config.check import load

OPEN = '[api]\nhost = "0.0.0.0"\nport = 8443\n'
LINK = re.compile(r"^https://(\S+)/#token=([\w-]{32,})$", re.MULTILINE)


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, chain={"gym": [], "pool": []})
    site.write_fleet({"gym": ["gym.example.org", "gym.local", "127.0.0.1"], "pool": ["127.0.0.1"]})
    site.write_node("gym", [], OPEN)
    return site


def provisioned(site, capsys, *options, name="gym"):
    capsys.readouterr()
    assert site.provision(name, *options) == 0
    return capsys.readouterr().out


def posted(site, code):
    """The answer of the node, as after a start, to the page that was opened by the link."""
    config = load(site.root("gym") / "data/edge/config/node.toml")
    config.state_dir.mkdir(parents=True, exist_ok=True)
    logins = Logins(Path(config.api.logins), config.state_dir, SystemClock().wall_s)
    node = SimpleNamespace(config=config)
    service = SimpleNamespace(node=node, ask=lambda question: question(node))
    api = Api(service, access=Access({}, config.name, use_link=logins.use))
    read = lambda: orjson.dumps({"token": code})  # noqa: E731
    asked = Asked(Caller("10.0.0.9", ""), media="application/json", read=read)
    return api.answer("POST", "/api/v1/session", asked)


def test_a_link_logs_one_browser_in(site, capsys):
    (host, code), *_ = LINK.findall(provisioned(site, capsys))
    assert host == "gym.local:8443"  # the first of its names that the node answers to
    site.install("gym")
    answer = posted(site, code)
    assert (answer.status, answer.content["scopes"]) == (200, ["read", "operate", "configure"])
    again = posted(site, code)
    assert again.status == 401
    assert "has been used" in again.content["detail"]


def test_a_node_that_is_closed_to_the_lan_has_no_link(site, capsys):
    assert len(LINK.findall(provisioned(site, capsys, name="all"))) == 1
    assert not (site.out / "pool/config/logins").exists()


def test_a_link_is_printed_once_and_is_nowhere_else(site, capsys):
    (_, code), *_ = LINK.findall(provisioned(site, capsys))
    assert not LINK.search(provisioned(site, capsys))
    for path in site.directory.rglob("*"):
        assert not path.is_file() or code.encode() not in path.read_bytes(), path


def test_another_link_is_made_on_demand_and_the_old_one_is_not_valid_any_more(site, capsys):
    (_, old), *_ = LINK.findall(provisioned(site, capsys))
    (_, new), *_ = LINK.findall(provisioned(site, capsys, "--login"))
    site.install("gym")
    assert posted(site, old).status == 401
    assert posted(site, new).status == 200


def test_check_makes_no_link(site, capsys):
    assert not LINK.search(provisioned(site, capsys, "--check"))
    assert LINK.search(provisioned(site, capsys))


def test_a_node_that_is_closed_again_has_no_link(site, capsys):
    provisioned(site, capsys)
    site.write_node("gym", [])
    assert not LINK.search(provisioned(site, capsys))
    assert not (site.out / "gym/config/logins").exists()
    assert load(site.install("gym")).api.logins == ""


def test_the_link_is_drawn_as_a_qr_code(site, capsys):
    shown = provisioned(site, capsys)
    rows = [line for line in shown.splitlines() if set(line) & set("█▀▄")]
    assert len({len(line) for line in rows}) == 1
    assert 2 * len(rows) - len(rows[0]) in (0, 1)  # a square: each line is two rows of it


def test_the_file_of_links_is_not_named_by_hand(site, capsys):
    site.write_node("gym", [], OPEN + 'logins = "/tmp/x"\n')
    assert site.provision("gym") == 2
    assert "api.logins = '/tmp/x': this key is written by `provision`" in capsys.readouterr().err
