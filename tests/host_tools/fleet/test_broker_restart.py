"""The units of the broker, played without systemd: their commands, a real Mosquitto, a revoked member."""

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_site import Site, Stranger, wait_until

from edge.net.broker_lists import OUTSIDE, write_lists
from edge.net.links import frame_topic

pytestmark = pytest.mark.system

ROOTFS = Path(__file__).parents[3] / "deploy/rootfs"
UNITS = ROOTFS / "usr/lib/systemd/system"


def commands(unit, key):
    """The values of a key of a unit, without those that an empty one has cleared."""
    lines = (UNITS / unit).read_text().splitlines()
    values = [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]
    return values[values.index("") + 1 :] if "" in values else values


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Board:
    """A node of a site, whose broker is started as its units say."""

    def __init__(self, site, name):
        self.root, self.port = site.root(name), site.outside[name]
        assert site.provision(name) == 0
        site.install(name)
        conf = self.root / "data/edge/config/mosquitto.conf"
        text = conf.read_text().replace("listener 8883\n", f"listener {self.port} 127.0.0.1\n")
        conf.write_text(text.replace("user mosquitto\n", "user root\n") if os.geteuid() == 0 else text)
        self.process = None

    def run(self, command):
        """A command of a unit, with the files of this node; returns its exit code."""
        return subprocess.run(self._words(command), env={"EDGE_ROOT": str(self.root)}, check=False).returncode

    def _words(self, command):
        program, *words = shlex.split(command.lstrip("+"))
        if program.startswith("/usr/lib/edge/"):
            return [sys.executable, str(ROOTFS) + program, *words]
        return [program, *(re.sub("^/run/", f"{self.root}/run/", word) for word in words)]

    @property
    def inner_port(self):
        """Where the node itself connects."""
        conf = (self.root / "data/edge/config/mosquitto.conf").read_text()
        return int(re.search(r"^listener (\d+)", conf, re.MULTILINE)[1])

    def start(self, port=None):
        """As `systemctl restart mosquitto`; `port`: that which it opens, if not to peers."""
        self.stop()
        for command in commands("mosquitto.service.d/edge.conf", "ExecStartPre"):
            assert self.run(command) == 0
        (command,) = commands("mosquitto.service.d/edge.conf", "ExecStart")
        self.process = subprocess.Popen(self._words(command), stderr=subprocess.DEVNULL)
        wait_until(lambda: is_open(port or self.port))

    def notice(self):
        """As `broker-keys.path` does when a file has changed; returns whether the broker was restarted."""
        (condition,) = commands("broker-keys.service", "ExecCondition")
        (command,) = commands("broker-keys.service", "ExecStart")
        assert command == "/usr/bin/systemctl try-restart mosquitto.service"
        changed = self.run(condition) == 0
        if changed:
            self.start()
        return changed

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "lab")
    yield site
    site.stop()


@pytest.fixture
def board(site):
    board = Board(site, "gym")
    yield board
    board.stop()


def card(site, name):
    """A provisioned node, and a copy of its files that a thief may have."""
    assert site.provision(name) == 0
    copy = site.directory / "copies" / name
    shutil.copytree(site.out / name / "keys", copy)
    return tuple(copy / file for file in ("ca.crt", "node.crt", "node.key"))


def test_a_member_that_is_revoked_is_put_out_by_the_units_and_others_are_let_in(site, board):
    lost, own = card(site, "primary"), card(site, "afterschool")
    board.start()
    assert not board.notice()
    thief = Stranger(board.port, lost)
    assert thief.let_in
    assert site.provision("primary", "--revoke") == 0
    new = (site.out / "gym/config/crl.pem").read_bytes()
    (board.root / "data/edge/config/crl.pem").write_bytes(new)
    assert board.notice()
    wait_until(lambda: thief.publish("x") == "closed")
    assert not Stranger(board.port, lost).let_in
    honest = Stranger(board.port, own)
    assert honest.publish(frame_topic("gym", "afterschool"), b"1") == "No matching subscribers"  # let through
    assert not board.notice()
    for each in (thief, honest):
        each.stop()


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_list_that_breaks_keeps_neither_the_broker_down_nor_a_revoked_member_in(site, board, content):
    lost, own = card(site, "primary"), card(site, "afterschool")
    assert site.provision("primary", "--revoke") == 0
    (board.root / "data/edge/config/crl.pem").write_bytes((site.out / "gym/config/crl.pem").read_bytes())
    board.start()
    (board.root / "data/edge/config/crl.pem").write_bytes(content)
    assert board.notice()
    assert not Stranger(board.port, lost).let_in
    honest = Stranger(board.port, own)
    assert honest.let_in
    honest.stop()


def test_without_any_valid_list_no_peer_is_let_in_until_one_arrives(site, board):
    own = card(site, "afterschool")
    file = board.root / "data/edge/config/crl.pem"
    good = file.read_bytes()
    file.write_bytes(b"")
    board.start(board.inner_port)
    assert not is_open(board.port)
    file.write_bytes(good)
    assert board.notice()
    honest = Stranger(board.port, own)
    assert honest.let_in
    honest.stop()


def test_every_file_that_the_unit_watches_makes_it_restart_the_broker(board):
    watched = commands("broker-keys.path", "PathChanged")
    assert len(watched) >= 2
    (condition,) = commands("broker-keys.service", "ExecCondition")
    (prepare,) = commands("mosquitto.service.d/edge.conf", "ExecStartPre")
    for file in watched:
        assert board.run(prepare) == 0
        assert board.run(condition) == 1
        path = Path(f"{board.root}{file}")
        if path.name == OUTSIDE:  # written by the node, when its links change
            write_lists(path.parent, "gym", ["afterschool"])
        assert path.is_file()  # as `provision` or the node names it
        path.write_bytes(path.read_bytes() + b"\n")
        assert board.run(condition) == 0
