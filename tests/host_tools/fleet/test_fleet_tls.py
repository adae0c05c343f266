"""Provisioned nodes over real Mosquitto brokers and real TLS: which clients are accepted and refused."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fleet_site import Site, Stranger, wait_until

from edge.net import tls
from edge.net.links import frame_topic, presence_topic
from host_tools.broker import Broker, free_port
from host_tools.fleet.authority import Authority
from host_tools.fleet.files import write

pytestmark = pytest.mark.system

NOTHING = (0, 0, [], [])


@pytest.fixture
def site(tmp_path) -> Iterator[Site]:
    site = Site(tmp_path / "lab")
    yield site
    site.stop()


@pytest.fixture
def stranger() -> Iterator[Callable[..., Stranger]]:
    made = []

    def connect(*arguments, **options) -> Stranger:
        made.append(Stranger(*arguments, **options))
        return made[-1]

    yield connect
    for each in made:
        each.stop()


def files_of(site: Site, name: str) -> tuple[Path, ...]:
    return tuple(site.out / name / "keys" / file for file in ("ca.crt", "node.crt", "node.key"))


def self_made(site: Site, folder: Path, ends: datetime) -> tuple[Path, ...]:
    """Files of `afterschool` by the authority in `folder`, if it issued a certificate that ends then."""
    authority = Authority(folder, site.cluster, datetime.now(UTC))
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue("afterschool", ("127.0.0.1",), key.public_key(), ends)
    places = tuple(folder / name for name in ("made.crt", "made.key"))
    write(places[0], certificate.public_bytes(serialization.Encoding.PEM))
    write(
        places[1],
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return (site.keys / "ca.crt", *places)


def test_neighbours_exchange_frames_and_presence_in_both_directions(site):
    gym, afterschool = site.up("gym"), site.up("afterschool")
    wait_until(lambda: gym.linked("afterschool") and afterschool.linked("gym"))
    assert gym.links.send("afterschool", b"from gym")
    assert afterschool.links.send("gym", bytes(60_000))
    wait_until(lambda: afterschool.frames and gym.frames)
    assert (afterschool.frames, gym.frames) == ([("gym", b"from gym")], [("afterschool", bytes(60_000))])
    wait_until(lambda: ("gym", True) in afterschool.news)
    gym.links.stop()
    wait_until(lambda: afterschool.news[-1] == ("gym", False))


def strangers(site: Site) -> dict[str, tuple[Path, ...]]:
    ca = site.keys / "ca.crt"
    later = datetime.now(UTC) + timedelta(days=1000)
    other = Site(site.directory / "other", site.cluster)
    other.provision("afterschool")
    assert site.provision("afterschool") == 0
    revoked = site.directory / "revoked"
    revoked.mkdir()
    for file in files_of(site, "afterschool"):
        (revoked / file.name).write_bytes(file.read_bytes())
    assert site.provision("afterschool", "--revoke", "--rotate") == 0
    return {
        "plain": (),
        "no certificate": (ca,),
        "expired": self_made(site, site.keys, datetime.now(UTC) - timedelta(days=1)),
        "another cluster of that name": (ca, *files_of(other, "afterschool")[1:]),
        "an authority of one's own": self_made(site, site.directory / "forged", later),
        "revoked": tuple(revoked / file.name for file in files_of(site, "afterschool")),
    }


def test_a_client_without_a_valid_certificate_is_refused(site, stranger):
    named = strangers(site)
    gym = site.up("gym")
    for kind, files in named.items():
        intruder = stranger(site.outside["gym"], files, will=presence_topic("gym", "afterschool"))
        assert not intruder.let_in, kind
        intruder.client.publish(frame_topic("gym", "afterschool"), b"x")
    assert gym.heard() == NOTHING
    valid = self_made(site, site.keys, datetime.now(UTC) + timedelta(days=1000))
    allowed = stranger(site.outside["gym"], valid)  # it is the certificate that is refused, nothing else
    assert allowed.publish(frame_topic("gym", "afterschool")) == "Success"
    wait_until(lambda: gym.frames == [("afterschool", b"intruder")])


@pytest.mark.parametrize(
    "who", ["afterschool", "primary", "gym"], ids=["neighbour", "no neighbour", "itself"]
)
def test_a_member_writes_only_what_is_its_own_to_write(site, stranger, who):
    gym = site.up("gym")
    site.provision(who)
    own = {frame_topic("gym", who), presence_topic("gym", who)} if who == "afterschool" else set()
    topics = {
        topic("gym", name)
        for topic in (frame_topic, presence_topic)
        for name in ("afterschool", "primary", "underground", "gym", "a/b")
    }
    topics |= {frame_topic("afterschool", who), "mg/v1/inbox/gym", "x", "$SYS/broker/uptime"}
    member = stranger(site.outside["gym"], files_of(site, who))
    assert member.let_in  # TLS knows members only; what they may do is the list's part
    member.client.subscribe("#")
    assert {topic: member.publish(topic, b"1") for topic in topics - own} == dict.fromkeys(
        topics - own, "Not authorized"
    )
    assert gym.heard() == NOTHING
    assert {member.publish(topic, b"1") for topic in own} <= {"Success"}
    assert member.publish("x") == "Not authorized"  # whatever it could read has come before this answer
    assert member.received == []


def test_a_member_reads_nothing(site, stranger):
    gym, afterschool = site.up("gym"), site.up("afterschool")
    site.provision("primary")
    spies = [stranger(site.outside["gym"], files_of(site, name)) for name in ("primary", "gym")]
    for spy in spies:
        for topic in ("#", "$SYS/#", frame_topic("gym", "afterschool"), "$share/g/mg/#"):
            spy.client.subscribe(topic)
    wait_until(lambda: afterschool.linked("gym"))
    for n in range(5):
        assert afterschool.links.send("gym", bytes([n]))
    wait_until(lambda: len(gym.frames) == 5)
    assert [spy.publish("x") for spy in spies] == ["Not authorized"] * 2  # all before it has been answered
    assert [spy.received for spy in spies] == [[], []]


def test_a_last_will_under_another_name_is_not_delivered(site, stranger):
    gym = site.up("gym")
    site.provision("primary")
    for topic in (presence_topic("gym", "afterschool"), presence_topic("gym", "primary")):
        liar = stranger(site.outside["gym"], files_of(site, "primary"), will=topic)
        if liar.let_in:
            liar.crash()
    site.provision("afterschool")
    honest = stranger(
        site.outside["gym"], files_of(site, "afterschool"), will=presence_topic("gym", "afterschool")
    )
    assert gym.news == []
    honest.crash()
    wait_until(lambda: gym.news == [("afterschool", False)])


def test_a_member_cannot_disconnect_another_by_its_client_id(site, stranger):
    site.up("gym")
    afterschool = site.up("afterschool")
    wait_until(lambda: afterschool.linked("gym"))
    site.provision("primary")
    rude = stranger(site.outside["gym"], files_of(site, "primary"), client_id="afterschool")
    assert rude.publish("x") == "Not authorized"
    assert afterschool.linked("gym")
    assert afterschool.links.stats()["neighbours"]["gym"]["reconnects"] == 0


@pytest.mark.parametrize("username", ["", "afterschool"])
def test_the_inner_listener_accepts_no_writes(site, stranger, username):
    gym = site.up("gym")
    local = stranger(site.inside["gym"], username=username)
    for topic in (frame_topic("gym", "afterschool"), presence_topic("gym", "afterschool"), "x"):
        assert local.publish(topic, b"1") == "Not authorized"
    assert gym.heard() == NOTHING


def test_a_node_without_senders_accepts_no_peer(site, stranger):
    lone = site.up("lone")
    site.provision("primary")
    member = stranger(site.outside["lone"], files_of(site, "primary"))
    assert member.publish(frame_topic("lone", "primary")) == "Not authorized"
    assert stranger(site.inside["lone"]).publish(frame_topic("lone", "primary")) == "Not authorized"
    assert lone.heard() == NOTHING


def test_a_packet_larger_than_a_frame_ends_the_connection(site, stranger):
    gym = site.up("gym")
    site.provision("afterschool")
    peer = stranger(site.outside["gym"], files_of(site, "afterschool"))
    assert peer.publish(frame_topic("gym", "afterschool"), bytes(70_000)) == "closed"
    assert gym.heard() == NOTHING


@pytest.mark.parametrize("lie", ["another's certificate", "another cluster", "revoked", "plain"])
def test_a_node_sends_nothing_to_a_broker_that_is_not_its_neighbour(site, tmp_path, lie):
    site.write_fleet({name: ["127.0.0.1"] for name in ("gym", "afterschool", "primary")})
    assert site.provision("afterschool") == 0
    site.install("afterschool")
    if lie == "another's certificate":
        site.provision("lone")  # its certificate is for lone.local
        for file in ("node.crt", "node.key"):
            source = site.out / "lone" / "keys" / file
            (site.root("afterschool") / "data/mosquitto/keys" / file).write_bytes(source.read_bytes())
    elif lie == "another cluster":
        other = Site(tmp_path / "other", "lab")
        other.provision("afterschool")
        for file in files_of(other, "afterschool"):
            (site.root("afterschool") / "data/mosquitto/keys" / file.name).write_bytes(file.read_bytes())
    elif lie == "revoked":
        assert site.provision("afterschool", "--revoke") == 0
    if lie == "plain":
        site.brokers.append(Broker("plain", site.outside["afterschool"], tmp_path))
        site.brokers[-1].start()
    else:
        site.broker("afterschool")
    gym = site.up("gym")
    wait_until(lambda: gym.links._neighbours["afterschool"].connection.trouble)  # an attempt has failed
    assert not gym.linked("afterschool")
    assert not gym.links.send("afterschool", b"secret")


def test_a_node_whose_list_is_of_another_authority_sends_to_nobody_and_says_so(site, tmp_path):
    site.up("afterschool")
    other = Site(tmp_path / "other", "village")
    assert other.provision("gym") == 0
    assert site.provision("gym") == 0
    site.install("gym")
    foreign = (other.out / "gym/config/crl.pem").read_bytes()
    (site.root("gym") / "data/edge/config/crl.pem").write_bytes(foreign)
    site.brokers.append(Broker("gym", site.inside["gym"], tmp_path))
    site.brokers[-1].start()
    gym = site.listener("gym")
    wait_until(
        lambda: "unable to get certificate CRL" in gym.links.stats()["neighbours"]["afterschool"]["trouble"]
    )
    assert not gym.links.send("afterschool", b"secret")


def test_a_rotated_node_talks_to_those_that_were_not(site):
    gym, afterschool = site.up("gym"), site.up("afterschool")
    wait_until(lambda: gym.linked("afterschool"))
    afterschool.links.stop()
    site.brokers[-1].stop()
    assert site.provision("afterschool", "--rotate") == 0
    site.install("afterschool")
    site.broker("afterschool")
    again = site.listener("afterschool")
    wait_until(lambda: gym.linked("afterschool") and again.linked("gym"))
    assert again.links.send("gym", b"with a new key")
    wait_until(lambda: gym.frames == [("afterschool", b"with a new key")])


def test_new_tls_files_are_used_while_the_node_runs(site, monkeypatch):
    monkeypatch.setattr(tls, "REFRESH_S", 0.2)
    gym, afterschool = site.up("gym"), site.up("afterschool")
    wait_until(lambda: gym.linked("afterschool") and afterschool.linked("gym"))
    assert site.provision("afterschool", "--rotate") == 0
    keys = site.root("afterschool") / "data/edge/keys"
    for file in ("node.key", "node.crt"):
        (keys / file).write_bytes((site.out / "afterschool/keys" / file).read_bytes())

    def connects() -> int:
        afterschool.links.send("gym", b"beat")
        return afterschool.links.stats()["neighbours"]["gym"]["reconnects"]

    wait_until(connects)
    wait_until(lambda: afterschool.linked("gym"))
    gym.frames.clear()
    wait_until(lambda: afterschool.links.send("gym", b"with a new key"))
    wait_until(lambda: ("afterschool", b"with a new key") in gym.frames)
    assert gym.links.stats()["neighbours"]["afterschool"]["reconnects"] == 0


def test_two_hundred_idle_strangers_keep_no_member_out(site):
    site.up("gym")
    idle = [socket.create_connection(("127.0.0.1", site.outside["gym"])) for _ in range(200)]
    try:
        afterschool = site.up("afterschool")
        wait_until(lambda: afterschool.linked("gym"))
    finally:
        for each in idle:
            each.close()


def test_no_local_process_can_disconnect_the_inbox_by_a_client_id(site, stranger):
    gym = site.up("gym")
    for client_id in ("gym", "gym/inbox", "gym/inbox-"):
        assert stranger(site.inside["gym"], client_id=client_id).let_in
    assert gym.links.stats()["inbox"]["connected"]
    assert gym.links._inbox.connection.connects == 1


TRADE = """
[api]
port = {api}
[[twin]]
name = "{name}"
kind = "{kind}"
{rest}
"""


def test_two_real_nodes_close_a_contract_over_tls(site):
    ports = {name: free_port() for name in ("gym", "afterschool")}
    twins = {"gym": ("load", "power_w = 500.0"), "afterschool": ("grid", "capacity_w = 2000.0")}
    processes = []
    for name, (kind, rest) in twins.items():
        more = TRADE.format(api=ports[name], name=f"{kind}_twin", kind=kind, rest=rest)
        site.write_node(name, ["afterschool"] if name == "gym" else ["gym", "primary"], more)
    try:
        for name in twins:
            assert site.provision(name) == 0
            command = [sys.executable, "-m", "edge", "run", "--config", str(site.install(name))]
            site.broker(name)
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))

        def validated() -> bool:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{ports['gym']}/api/v1/twins", timeout=2
                ) as answer:
                    return any(twin["validated"] for twin in json.load(answer))
            except OSError:
                return False

        wait_until(validated, timeout_s=30)
    finally:
        for process in processes:
            process.terminate()
        assert [process.wait(10) for process in processes] == [0] * len(processes)


@pytest.mark.parametrize("file", ["node.key", "ca.crt"])
def test_a_node_without_its_files_does_not_start(site, file):
    assert site.provision("gym") == 0
    config = site.install("gym")
    missing = config.parents[1] / "keys" / file
    missing.unlink()
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 3
    assert f"{config}: tls: " in ended.stderr
    assert str(missing) in ended.stderr


# ---- certificates near or after their end -----------------------------------------------------------


def give_certificate(site, name, days):
    """Install a node with a certificate that ends in that many days."""
    assert site.provision(name) == 0
    site.install(name)
    authority = Authority(site.keys, site.cluster, datetime.now(UTC).replace(microsecond=0))
    data = site.root(name) / "data"
    key = serialization.load_pem_private_key((data / "edge/keys/node.key").read_bytes(), None)
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    pem = authority.issue(name, ["127.0.0.1"], key.public_key(), ends).public_bytes(
        serialization.Encoding.PEM
    )
    for folder in ("edge", "mosquitto"):
        (data / folder / "keys/node.crt").write_bytes(pem)


def said(caplog, about):
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith(about)]


def test_the_expired_certificate_of_a_broker_is_named(site, caplog):
    give_certificate(site, "afterschool", -1)
    site.broker("afterschool")
    gym = site.up("gym")
    wait_until(lambda: said(caplog, "link to afterschool"))
    time.sleep(1)
    lines = said(caplog, "link to afterschool")
    assert lines == [
        "link to afterschool: unreachable, will retry: the broker's certificate is not accepted: "
        "certificate has expired, or the clock of this node is wrong"
    ]
    assert "certificate has expired" in gym.links.stats()["neighbours"]["afterschool"]["trouble"]


def test_the_own_expired_certificate_is_named_though_the_broker_says_it_late(site, caplog):
    site.up("afterschool")
    give_certificate(site, "gym", -2)
    site.broker("gym")
    gym = site.listener("gym")
    wait_until(lambda: said(caplog, "link to afterschool"))
    time.sleep(1)
    lines = [line for line in said(caplog, "link to afterschool") if "connected" not in line]
    assert any(
        "does not accept the certificate of this node: it or the broker's list" in line for line in lines
    )
    assert len(set(lines)) == len(lines)  # the connection may also close before it has said so
    own = {each["name"]: each for each in gym.links.stats()["certificates"]}
    assert own["certificate"]["days_left"] == pytest.approx(-2, abs=0.1)


def test_days_left_of_every_certificate_and_list(site):
    give_certificate(site, "gym", 12)
    site.broker("gym")
    give_certificate(site, "afterschool", 20)
    site.broker("afterschool")
    gym = site.listener("gym")
    wait_until(lambda: gym.linked("afterschool"))
    found = {each["name"]: each["days_left"] for each in gym.links.stats()["certificates"]}
    assert found["certificate"] == pytest.approx(12, abs=0.1)
    assert found["broker of afterschool"] == pytest.approx(20, abs=0.1)
    assert min(found["ca"], found["crl"]) > 3000
    assert all(each["begun"] for each in gym.links.stats()["certificates"])
