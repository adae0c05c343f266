"""What the broker of a node is given before it starts: its own keys, and a revocation list that is valid."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from node_stand_in import ROOTFS

from edge.homeassistant.topics import from_node, to_node
from edge.net.broker_lists import INSIDE, OUTSIDE, Guests, write_lists
from edge.net.limit_door import limit_topic, limits_topic
from host_tools.fleet.authority import Authority

PROGRAM = ROOTFS / "usr/lib/edge/broker-keys"
CONF = (
    "listener 1883\nacl_file /data/edge/config/acl.inside\nlistener 8883\nacl_file /data/edge/config/acl\n"
    "crlfile /data/edge/config/crl.pem\nrequire_certificate true\n"
)


class Board:
    """The files of a node under another root."""

    def __init__(self, root):
        self.root = root
        self.config, self.keys = root / "data/edge/config", root / "data/edge/keys"
        self.place, self.run = root / "data/mosquitto/keys", root / "run/mosquitto"
        authority = Authority(root / "authority", "lab", datetime.now(UTC))
        identity = authority.identity("gym", ("gym.local",), 365)
        for folder in (self.config, self.keys):
            folder.mkdir(parents=True)
        (self.config / "mosquitto.conf").write_text(CONF)
        (self.config / "crl.pem").write_bytes(authority.crl)
        files = {"ca.crt": authority.certificate, "node.crt": identity.certificate, "node.key": identity.key}
        for name, data in {**files, "trust.key": b"secret"}.items():
            (self.keys / name).write_bytes(data)

    def prepare(self, *words):
        environment = {"EDGE_ROOT": str(self.root)}
        command = [sys.executable, str(PROGRAM), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def conf(self):
        return (self.run / "mosquitto.conf").read_text()


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_the_broker_gets_its_files_and_no_others(board):
    assert board.prepare().returncode == 0
    names = {path.name for path in board.place.iterdir()}
    assert names == {"ca.crt", "node.crt", "node.key", "crl.pem"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in board.place.iterdir())
    assert f"crlfile {board.place / 'crl.pem'}\n" in board.conf
    assert "require_certificate true" in board.conf


@pytest.mark.parametrize(
    "content", [None, b"", b"x", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"]
)
def test_a_list_that_is_not_valid_is_replaced_by_the_one_before(board, content):
    board.prepare()
    good = (board.place / "crl.pem").read_bytes()
    file = board.config / "crl.pem"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    done = board.prepare()
    assert done.returncode == 0
    assert "crl.pem: not a valid list" in done.stderr
    assert "the list before is used" in done.stderr
    assert (board.place / "crl.pem").read_bytes() == good
    assert "crlfile" in board.conf


def test_without_any_valid_list_no_peer_is_let_in_until_there_is_one(board):
    good = (board.config / "crl.pem").read_bytes()
    (board.config / "crl.pem").write_bytes(b"")
    done = board.prepare()
    assert done.returncode == 0
    assert "no list is valid, so peers are not let in" in done.stderr
    assert "crlfile" not in board.conf
    assert "listener 8883" not in board.conf
    assert board.conf.startswith("listener 1883\n")  # for the node itself
    (board.config / "crl.pem").write_bytes(good)
    assert board.prepare("--changed").returncode == 0
    assert board.prepare().returncode == 0
    assert f"crlfile {board.place / 'crl.pem'}\n" in board.conf
    assert "listener 8883\n" in board.conf


def test_a_certificate_is_no_list(board):
    (board.config / "crl.pem").write_bytes((board.keys / "ca.crt").read_bytes())
    assert "contains no list" in board.prepare().stderr


def test_a_change_is_noticed_once(board):
    board.prepare()
    assert board.prepare("--changed").returncode == 1
    later = Authority(board.root / "authority", "lab", datetime.now(UTC) + timedelta(days=1))
    later.revoke("gym")
    (board.config / "crl.pem").write_bytes(later.crl)
    assert board.prepare("--changed").returncode == 0
    board.prepare()
    assert board.prepare("--changed").returncode == 1


GUESTS = Guests(
    from_node("homeassistant", "gym"),
    to_node("homeassistant", "gym", operates=True),
    [limit_topic("gym", "+"), limits_topic("gym")],
)


@pytest.mark.parametrize("guests", [Guests(), GUESTS])
def test_access_lists_that_the_node_has_written_take_the_place_of_those_of_its_configuration(board, guests):
    """When links were changed while it runs; and until then, and afterwards, those of the configuration."""
    lists = board.root / "data/edge/state/broker"
    assert board.prepare().returncode == 0
    assert "acl_file /data/edge/config/acl\n" in board.conf
    write_lists(lists, "gym", ["school", "pool"], guests)
    assert board.prepare("--changed").returncode == 0
    assert board.prepare().returncode == 0
    for name in (OUTSIDE, INSIDE):
        assert f"acl_file {board.run / name}\n" in board.conf
        assert (board.run / name).read_bytes() == (lists / name).read_bytes()
        assert stat.S_IMODE((board.run / name).stat().st_mode) == 0o400
    assert board.prepare("--changed").returncode == 1
    (lists / OUTSIDE).unlink()
    assert board.prepare().returncode == 0
    assert "acl_file /data/edge/config/acl\n" in board.conf


@pytest.mark.parametrize(
    "line",
    [
        "topic readwrite #",
        "topic write #",
        "user school\ntopic write mg/v1/inbox/gym/pool",
        "user school\ntopic read mg/v1/inbox/gym/school",
        "user school\ntopic write mg/v1/inbox/+/school",
        "pattern write mg/v1/inbox/gym/%u",
        "user home-assistant\ntopic read mg/v1/inbox/gym/school",
        "user home-assistant\ntopic write mg/v1/ha/gym/alive",
        "user school\ntopic write mg/v1/ha/gym/switch/+",
        "topic readwrite mg/v1/limit/gym/+",
        "user school\ntopic write mg/v1/inbox/gym/school\n\ntopic write mg/v1/inbox/gym/school",
        "\x00",
    ],
)
def test_a_list_that_would_admit_more_is_not_used(board, line):
    lists = board.root / "data/edge/state/broker"
    write_lists(lists, "gym", ["school"])
    with (lists / OUTSIDE).open("a") as file:
        file.write(f"{line}\n")
    done = board.prepare()
    assert done.returncode == 0
    assert "is not an access list" in done.stderr
    assert "acl_file /data/edge/config/acl\n" in board.conf
