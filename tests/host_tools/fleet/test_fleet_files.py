"""`provision` without a network: reading, errors, and files that are made, kept, rotated and revoked."""

import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from fleet_site import SSH_KEY, Site
from repository import REPOSITORY

from edge.clock import SystemClock
from edge.config.check import load
from edge.trust.files import read_revocations
from edge.trust.keyring import Keyring
from edge.trust.source import Source
from edge.trust.trust import Untrusted
from host_tools.__main__ import main
from host_tools.fleet import Layout, read_fleet
from host_tools.fleet.authority import Authority
from host_tools.fleet.files import write
from host_tools.fleet.trust_authority import TrustAuthority

SHIPPED = REPOSITORY / "deploy"
FLEET = '[cluster]\nname = "lab"\n[operator]\npublic_keys = ["operator.pub"]\n'
HOSTS = '[hosts]\nlone = ["lone.local"]\n'
NODE = '[node]\nname = "gym"\nstate_dir = "/data/edge/state"\n'


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


def every_file(*folders: Path) -> dict[str, tuple[bytes, int, int]]:
    files = [
        path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    ]
    return {str(f): (f.read_bytes(), f.stat().st_mtime_ns, f.stat().st_mode & 0o777) for f in files}


def certificate(site: Site, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((site.out / name / "keys" / "node.crt").read_bytes())


def revoked(file: Path) -> set[int]:
    return {entry.serial_number for entry in x509.load_pem_x509_crl(file.read_bytes())}


def test_the_shipped_fleet_is_the_chain_of_the_living_lab():
    fleet = read_fleet(SHIPPED)
    senders = {name: node.senders for name, node in fleet.nodes.items()}
    assert senders == {
        "primary": ("afterschool",),
        "afterschool": ("gym", "primary"),
        "gym": ("afterschool", "underground"),
        "underground": ("gym",),
    }
    for node in fleet.nodes.values():
        assert node.hosts == (f"{node.name}.local",)
        assert node.config.twins
        assert all(each.broker.port == 8883 and each.broker.tls for each in node.config.neighbours)
        load(node.file)  # by itself it is a configuration too, without TLS


def test_check_makes_nothing(site, capsys):
    assert site.provision("all", "--check") == 0
    assert "4 nodes" in capsys.readouterr().out
    assert not site.keys.exists()
    assert not site.out.exists()


@pytest.mark.parametrize("spoil", ["no operator key", "open authority key", "lost list", "folder is a file"])
def test_check_demands_what_provision_would_demand(site, capsys, spoil):
    assert site.provision("all") == 0
    if spoil == "no operator key":
        (site.deploy / "operator.pub").unlink()
    elif spoil == "open authority key":
        (site.keys / "ca.key").chmod(0o644)
    elif spoil == "lost list":
        (site.keys / "crl.pem").unlink()
    else:
        shutil.rmtree(site.out)
        site.out.write_text("")
    capsys.readouterr()
    before = every_file(site.keys)
    said = []
    for words in (["--check"], []):
        assert site.provision("all", *words) == 2, words
        said.append(capsys.readouterr().err)
    assert spoil == "folder is a file" or said[0] == said[1]
    assert every_file(site.keys) == before
    assert not list(site.directory.glob(".check-*"))


def test_a_one_sided_link_is_named(site, capsys):
    site.write_node("lone", ["gym"])
    assert site.provision("all", "--check") == 2
    assert (
        "neighbour[0].name = 'gym': the link is one-sided: gym does not list lone" in capsys.readouterr().err
    )


def test_what_a_node_gets(site):
    assert site.provision("all") == 0
    gym = site.out / "gym"
    made = {str(path.relative_to(gym)) for path in gym.rglob("*") if path.is_file()}
    assert made == {
        *(
            f"config/{name}"
            for name in ("node.toml", "mosquitto.conf", "acl", "acl.inside", "crl.pem", "authorized_keys")
        ),
        *(f"keys/{name}" for name in ("ca.crt", "node.crt", "node.key")),
        *(f"keys/{name}" for name in ("trust.authority", "trust.identity", "trust.key")),
        "config/trust.revoked",
        "signers",
    }
    assert (gym / "signers").read_text() == " ".join(SSH_KEY.split()[:2]) + "\n"
    for path in site.directory.rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (site.keys, site.out, gym, gym / "keys", site.keys / "nodes" / "gym"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    config = load(gym / "config" / "node.toml")
    root = site.root("all")
    assert config.state_dir == root / "data/edge/state"
    tls = config.neighbours[0].broker.tls
    assert tls is not None
    assert tls.key == str(root / "data/edge/keys/node.key")
    assert (gym / "config" / "authorized_keys").read_text() == (
        'restrict,pty,port-forwarding,permitopen="127.0.0.1:8080",permitopen="localhost:8080" ' + SSH_KEY
    )


def test_a_certificate_is_for_one_node_and_begins_in_the_past(site):
    site.write_fleet(
        {"gym": ["127.0.0.1", "gym.local", "fe80::1"]}
        | {n: ["127.0.0.1"] for n in ("afterschool", "primary")}
    )
    assert site.provision("gym") == 0
    made = certificate(site, "gym")
    assert made.subject.rfc4514_string() == "CN=gym"
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(name.value) for name in names) == ["127.0.0.1", "fe80::1", "gym.local"]
    usages = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.not_valid_before_utc == datetime(2020, 1, 1, tzinfo=UTC)
    assert timedelta(days=3649) < made.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=3650)
    crl = x509.load_pem_x509_crl((site.keys / "crl.pem").read_bytes())
    assert crl.last_update_utc == made.not_valid_before_utc
    assert crl.next_update_utc is not None
    assert crl.next_update_utc > made.not_valid_after_utc


def test_a_second_run_changes_nothing(site, capsys):
    assert site.provision("all") == 0
    before = every_file(site.keys, site.out)
    capsys.readouterr()
    assert site.provision("all") == 0
    assert every_file(site.keys, site.out) == before
    assert capsys.readouterr().out.count(" kept ") == 4


def test_rotate_keeps_the_authority_and_changes_keys(site):
    assert site.provision("all") == 0
    before = every_file(site.keys, site.out)
    assert site.provision("gym", "--rotate", "--root", str(site.root("all"))) == 0
    after = every_file(site.keys, site.out)
    changed = {file for file in before if after[file] != before[file]}
    places = [site.keys / "nodes" / "gym", site.out / "gym" / "keys"]
    names = ("node.key", "node.crt", "trust.key", "trust.identity")
    assert changed == {str(place / name) for place in places for name in names}
    assert revoked(site.keys / "crl.pem") == set()


def test_a_revoked_node_is_refused_everywhere_until_it_is_rotated(site, capsys):
    assert site.provision("all") == 0
    old = certificate(site, "gym").serial_number
    assert site.provision("gym", "--revoke") == 0
    assert not (site.out / "gym").exists()
    assert revoked(site.out / "primary" / "config" / "crl.pem") == {old}
    assert site.provision("gym") == 1
    assert site.provision("all") == 0
    assert not (site.out / "gym").exists()
    before = (site.keys / "crl.pem").read_bytes()
    assert site.provision("gym", "--revoke") == 0
    assert (site.keys / "crl.pem").read_bytes() == before
    assert site.provision("gym", "--rotate", "--root", str(site.root("all"))) == 0
    assert certificate(site, "gym").serial_number not in revoked(site.out / "gym" / "config" / "crl.pem")
    assert site.provision("gym", "--rotate", "--revoke") == 0
    assert len(revoked(site.keys / "crl.pem")) == 2
    assert certificate(site, "gym").serial_number not in revoked(site.keys / "crl.pem")


def keyring_of(site, name):
    """What a node with the files of `provision` believes."""
    config = load(site.install(name))
    config.state_dir.mkdir()
    return Keyring.load(Source(name, config.trust, config.state_dir), SystemClock(), 32)


def test_nodes_believe_one_another_until_one_is_revoked(site):
    for name in ("gym", "primary"):
        assert site.provision(name) == 0
    gym, primary = keyring_of(site, "gym"), keyring_of(site, "primary")
    primary.introduce("gym", gym.certificate())
    primary.verify("gym", b"m", gym.sign(b"m"))
    assert site.provision("gym", "--revoke") == 0
    told = read_revocations(site.out / "primary/config/trust.revoked")
    assert list(told.serials) == ["gym"]
    assert primary.revoke(told.data)
    assert primary.second_passed() == ["gym"]
    before = (site.keys / "trust.revoked").read_bytes()
    assert site.provision("gym", "--revoke") == 0
    assert (site.keys / "trust.revoked").read_bytes() == before
    assert site.provision("gym", "--rotate") == 0
    primary.introduce("gym", keyring_of(site, "gym").certificate())


def test_lost_keys_sign_for_no_life_that_began_with_the_new_ones(site):
    for name in ("gym", "primary"):
        assert site.provision(name) == 0
    lost, primary = keyring_of(site, "gym"), keyring_of(site, "primary")
    primary.introduce("gym", lost.certificate())
    assert site.provision("gym", "--rotate") == 0
    new = keyring_of(site, "gym")
    first = new.first_incarnation
    assert first > lost.first_incarnation
    for incarnation in (1, first - 1, first, first + 1, 2**31 - 1):  # nothing of the new keys is known yet
        primary.verify("gym", b"%d" % incarnation, lost.sign(b"%d" % incarnation), incarnation)
    assert primary.introduce("gym", new.certificate())
    for incarnation in (1, first - 1):  # what is still around
        primary.verify("gym", b"%d" % incarnation, lost.sign(b"%d" % incarnation), incarnation)
    for incarnation in (first, first + 1, 2**31 - 1):
        with pytest.raises(Untrusted):
            primary.verify("gym", b"%d" % incarnation, lost.sign(b"%d" % incarnation), incarnation)
    primary.verify("gym", b"m", new.sign(b"m"), first)


def test_an_identity_near_its_end_is_renewed_with_the_same_keys(tmp_path):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    first = TrustAuthority(tmp_path, "lab", now).identity("gym", 365)
    assert first.made == "made"
    assert TrustAuthority(tmp_path, "lab", now + timedelta(days=274)).identity("gym", 365).made == ""
    renewed = TrustAuthority(tmp_path, "lab", now + timedelta(days=276)).identity("gym", 365)
    assert (renewed.made, renewed.key) == ("renewed", first.key)
    assert renewed.certificate != first.certificate


def test_a_list_of_revoked_ones_forgets_those_that_have_expired(tmp_path):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    authority = TrustAuthority(tmp_path, "lab", now)
    for name, days in (("gym", 365), ("primary", 900), ("lone", 900)):
        authority.identity(name, days)
    authority.revoke("gym")
    authority.revoke("primary")
    TrustAuthority(tmp_path, "lab", now + timedelta(days=366)).revoke("lone")
    assert sorted(read_revocations(tmp_path / "trust.revoked").serials) == ["lone", "primary"]


def test_a_node_that_left_the_fleet_can_be_revoked(site, capsys):
    assert site.provision("all") == 0
    serial = certificate(site, "lone").serial_number
    (site.deploy / "nodes" / "lone.toml").unlink()
    site.write_fleet({name: ["127.0.0.1"] for name in ("gym", "afterschool", "primary")})
    assert site.provision("lone", "--revoke") == 0
    assert revoked(site.out / "gym" / "config" / "crl.pem") == {serial}
    assert not (site.out / "lone").exists()
    assert site.provision("nobody", "--revoke") == 2
    assert "no certificate was ever issued for nobody" in capsys.readouterr().err


def test_new_hosts_make_a_new_certificate_of_the_same_key(site):
    assert site.provision("gym") == 0
    key, old = (site.out / "gym/keys/node.key").read_bytes(), certificate(site, "gym")
    site.write_fleet(
        {"gym": ["10.0.0.7", "127.0.0.1"]} | {name: ["127.0.0.1"] for name in ("afterschool", "primary")}
    )
    assert site.provision("gym") == 0
    assert (site.out / "gym/keys/node.key").read_bytes() == key
    assert certificate(site, "gym").serial_number != old.serial_number


def test_a_certificate_near_its_end_is_renewed(tmp_path):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    hosts = ("gym.local",)
    assert Authority(tmp_path, "lab", now).identity("gym", hosts, 365).made == "made"
    assert Authority(tmp_path, "lab", now + timedelta(days=274)).identity("gym", hosts, 365).made == ""
    renewed = Authority(tmp_path, "lab", now + timedelta(days=276)).identity("gym", hosts, 365)
    assert renewed.made == "renewed"
    assert renewed.ends == now + timedelta(days=276 + 365)


@pytest.mark.parametrize(
    "lost", ["ca.crt", "nodes/gym/node.crt", "trust.authority", "nodes/gym/trust.identity"]
)
def test_a_run_cut_short_is_completed(site, lost):
    """A key is written before its certificate: the next run finds it and goes on from there."""
    assert site.provision("gym") == 0
    names = ("ca.key", "nodes/gym/node.key", "trust.key", "nodes/gym/trust.key")
    keys = [(site.keys / name).read_bytes() for name in names]
    (site.keys / lost).unlink()
    assert site.provision("gym") == 0
    assert [(site.keys / name).read_bytes() for name in names] == keys


def test_a_file_is_whole_or_as_before(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, b"old")

    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("fleet.toml", None, "cannot be read"),
        ("fleet.toml", "[cluster", "is not valid TOML"),
        ("fleet.toml", FLEET.replace("lab", "Lab!"), "cluster.name = 'Lab!': must match"),
        ("fleet.toml", '[operator]\npublic_keys = ["a"]', "cluster.name = None: is required"),
        ("fleet.toml", '[cluster]\nname = "lab"', "operator.public_keys = None: is required"),
        (
            "fleet.toml",
            FLEET.replace('["operator.pub"]', "7"),
            "operator.public_keys = 7: must be a list of strings",
        ),
        ("fleet.toml", FLEET.replace("operator.pub", "none.pub"), "none.pub': file not found"),
        ("fleet.toml", FLEET + 'user = "root me"', "operator.user = 'root me': must match"),
        ("fleet.toml", FLEET + "[cluster.port]\n", "cluster.port = {}: must be between"),
        (
            "fleet.toml",
            FLEET.replace("[op", "port = 0\n[op"),
            "cluster.port = 0: must be between 1 and 65,535",
        ),
        ("fleet.toml", FLEET.replace("[op", "port = true\n[op"), "cluster.port = True: must be between"),
        ("fleet.toml", FLEET.replace("[op", "validity_days = 9\n[op"), "cluster.validity_days = 9: must"),
        ("fleet.toml", FLEET.replace("[op", "ports = 9\n[op"), "cluster.ports = 9: unknown key"),
        (
            "fleet.toml",
            FLEET.replace("[op", 'hosts = ["x.local"]\n[op'),
            "cluster.hosts = 'x.local': must be a host",
        ),
        ("fleet.toml", FLEET + '[hosts]\ngym = ["a b"]', "hosts.gym = 'a b': must be a host name"),
        ("fleet.toml", FLEET + '[hosts]\npool = ["a"]', "hosts.pool = ('a',): unknown node"),
        ("fleet.toml", FLEET + "[limits]\nlsas = 1", "limits.lsas = 1: must be between"),
        ("fleet.toml", FLEET + "[limit]\nlsas = 1", "[limit]: unknown section"),
        ("fleet.toml", FLEET + '[node]\nname = "gym"', "node.name = 'gym': must be set for each node"),
        ("fleet.toml", FLEET + '[tls]\nca = "x"', "tls = '...': this table is written"),
        ("fleet.toml", FLEET + '[trust]\nkey = "x"', "trust = '...': this table is written"),
        ("fleet.toml", "cluster = 3\n" + FLEET[FLEET.index("[op") :], "cluster = 3: must be a table"),
        ("nodes/gym.toml", "[node", "is not valid TOML"),
        ("nodes/gym.toml", NODE.replace("gym", "pool"), "node.name = 'pool': must be gym"),
        ("nodes/gym.toml", NODE + '[mqtt]\nhost = "0.0.0.0"', "mqtt.host = '0.0.0.0': must be a loopback"),
        ("nodes/gym.toml", NODE + '[api]\nhost = "gym.local"', "api.host = 'gym.local': must be a loopback"),
        (
            "nodes/gym.toml",
            NODE + '[api]\nhost = "0.0.0.0"\nreads = "everybody"',
            "api.reads = 'everybody': whoever reaches the LAN",
        ),
        ("nodes/gym.toml", NODE + "[limits]\nlsas = 1", "limits.lsas = 1: must be between"),
        ("nodes/gym.toml", "node = 3", "node = 3: must be a table [node]"),
        ("nodes/gym.toml", NODE + '[tls]\nca = "x"', "tls = '...': this table is written"),
        (
            "nodes/gym.toml",
            NODE + '[[neighbour]]\nname = "pool"\nhost = "h"',
            "neighbour[0].name = 'pool': unknown",
        ),
        (
            "nodes/gym.toml",
            NODE + '[[neighbour]]\nname = "lone"\nhost = "h"',
            "neighbour[0].host = 'h': the certificate of lone is for lone.local",
        ),
    ],
)
def test_a_mistake_is_named_with_file_key_and_value(site, capsys, file, text, named):
    for other in ("primary", "afterschool"):
        (site.deploy / "nodes" / f"{other}.toml").unlink()
    (site.deploy / "nodes" / "gym.toml").write_text(NODE)
    (site.deploy / "fleet.toml").write_text(FLEET)
    path = site.deploy / file
    path.unlink() if text is None else path.write_text(text)
    assert site.provision("all") == 2
    error = capsys.readouterr().err
    assert named in error
    assert str(path) in error
    assert not site.out.exists()


def test_mistakes_of_all_nodes_are_reported_at_once(site, capsys):
    for name in ("gym", "lone"):
        (site.deploy / "nodes" / f"{name}.toml").write_text(
            NODE.replace("gym", name) + "[limits]\nlsas = 1\nnames = 1"
        )
    assert site.provision("primary") == 2
    assert len(capsys.readouterr().err.splitlines()) == 4


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (SSH_KEY + "root::0:0", "not a public ssh key: 'root::0:0'"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key; use the public one"),
        ("# none\n", "contains no key"),
        ('command="sh" ' + SSH_KEY, "not a public ssh key"),
    ],
)
def test_a_login_is_only_given_to_a_public_key(site, capsys, content, named):
    (site.deploy / "operator.pub").write_text(content)
    assert site.provision("gym") == 2
    error = capsys.readouterr().err
    assert "fleet.toml: operator.public_keys = " in error
    assert named in error
    (site.deploy / "another.pub").write_text(SSH_KEY)
    assert site.provision("gym", "--ssh-key", str(site.deploy / "another.pub")) == 0


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda keys: (keys / "ca.key").chmod(0o644), "ca.key: readable by other users"),
        (lambda keys: (keys / "ca.key").unlink(), "ca.key: missing"),
        (lambda keys: (keys / "ca.key").write_text("x"), "ca.key: not a valid private key"),
        (lambda keys: (keys / "ca.crt").write_text("x"), "ca.crt: not a valid certificate"),
        (lambda keys: (keys / "crl.pem").unlink(), "crl.pem: missing; restore it"),
        (lambda keys: (keys / "crl.pem").write_text("x"), "crl.pem: not a valid list"),
        (lambda keys: (keys / "trust.key").chmod(0o644), "trust.key: others may read or write it"),
        (lambda keys: (keys / "trust.key").unlink(), "trust.key: missing"),
        (lambda keys: (keys / "trust.key").write_text("x"), "trust.key: is not a file with the title"),
        (lambda keys: (keys / "trust.authority").write_text("x"), "trust.authority: is not a file with"),
        (lambda keys: (keys / "trust.revoked").unlink(), "trust.revoked: missing; restore it"),
        (lambda keys: (keys / "trust.revoked").write_text(""), "trust.revoked: is not a file with the title"),
        (lambda keys: (keys / "nodes/gym/node.key").replace(keys / "ca.key"), "ca.crt: does not match"),
    ],
)
def test_keys_that_cannot_be_right_are_not_used(site, capsys, spoil, named):
    assert site.provision("gym") == 0
    spoil(site.keys)
    assert site.provision("gym", "--rotate") == 2
    assert named in capsys.readouterr().err


def test_the_keys_of_one_cluster_are_not_taken_for_another(site, capsys):
    assert site.provision("gym") == 0
    (site.deploy / "fleet.toml").write_text((site.deploy / "fleet.toml").read_text().replace("lab", "pool"))
    assert site.provision("gym") == 2
    assert "ca.crt: belongs to CN=microgrid lab, not to cluster pool" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["pool"], "unknown node pool; the nodes are afterschool, gym"),
        (["all", "--revoke"], "needs a single node"),
    ],
)
def test_wrong_usage(site, capsys, arguments, named):
    assert site.provision(*arguments) == 2
    assert named in capsys.readouterr().err


def test_the_location_of_the_keys(site, monkeypatch, capsys):
    places = ["--deploy", str(site.deploy), "--out", str(site.out)]
    monkeypatch.setenv("HOME", str(site.directory))
    monkeypatch.delenv("EDGE_KEYS", raising=False)
    assert main(["provision", "gym", *places]) == 0
    assert (site.directory / ".config/microgrid-edge/lab/ca.key").exists()
    monkeypatch.setenv("EDGE_KEYS", str(site.directory / "elsewhere"))
    assert main(["provision", "gym", *places]) == 0
    assert (site.directory / "elsewhere/ca.key").exists()


def test_shared_settings_apply_unless_a_node_overrides_them(site):
    shared = (
        site.deploy / "fleet.toml"
    ).read_text() + '\n[limits]\nlsas = 64\npromises = 9\n[[bus]]\nname = "b"\nport = "/dev/x"\n'
    (site.deploy / "fleet.toml").write_text(shared)
    site.write_node("gym", ["afterschool"], '[limits]\nlsas = 99\n[[bus]]\nname = "own"\nport = "/dev/y"')
    nodes = read_fleet(site.deploy, Layout()).nodes
    assert (nodes["gym"].config.limits.lsas, nodes["gym"].config.limits.promises) == (99, 9)
    assert [bus.name for bus in nodes["gym"].config.buses] == ["own"]
    assert nodes["lone"].config.limits.lsas == 64
    assert [bus.name for bus in nodes["lone"].config.buses] == ["b"]


def test_a_static_address_is_for_one_node_and_can_be_removed_again(site):
    fleet = site.deploy / "fleet.toml"
    before = fleet.read_text()
    fleet.write_text(
        before
        + '\n[network.gym]\naddress = "192.168.1.20/24"\ngateway = "192.168.1.1"\ndns = ["192.168.1.1"]\n'
    )
    assert site.provision("all") == 0
    lines = (site.out / "gym/config/node.network").read_text().splitlines()
    assert {"Address=192.168.1.20/24", "Gateway=192.168.1.1", "DNS=192.168.1.1", "MulticastDNS=yes"} <= set(
        lines
    )
    assert not (site.out / "primary/config/node.network").exists()
    fleet.write_text(before)
    assert site.provision("all") == 0
    assert not (site.out / "gym/config/node.network").exists()


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("[network.gym]", "network.gym.address = None"),
        ('[network.gym]\naddress = "192.168.1.20"', "must be an address with its prefix"),
        ('[network.gym]\naddress = "192.168.1.20/24"\ngateway = "10.0.0.1"', "is not in the network of"),
        ('[network.gym]\naddress = "192.168.1.20/24"\ndns = ["router"]', "network.gym.dns"),
        ('[network.gym]\naddress = "192.168.1.20/24"\nssid = "x"', "network.gym.ssid"),
        ('[network.nobody]\naddress = "192.168.1.20/24"', "unknown node"),
        ("network = 7", "must contain tables"),
    ],
)
def test_a_mistake_in_a_static_address_is_named(site, capsys, table, named):
    fleet = site.deploy / "fleet.toml"
    text = fleet.read_text()
    fleet.write_text(f"{table}\n{text}" if table.startswith("network") else f"{text}\n{table}")
    assert site.provision("all", "--check") == 2
    assert named in capsys.readouterr().err
