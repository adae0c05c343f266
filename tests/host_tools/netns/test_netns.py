"""Network namespaces, the segment between them, and the trial of real nodes beside the virtual clock."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from host_tools import run
from host_tools.__main__ import main
from host_tools.broker import die_with_parent
from host_tools.netns import command, fabric
from host_tools.netns.namespace import Namespace
from host_tools.netns.trial import Phases, Start, far_half, hops_from_first, plans, play
from host_tools.netns.virtual import VirtualSite
from host_tools.sim.topology import parse

root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
SHORT = Phases(links=30, settle=1, switching=4, served=6, rest=3, cut=20, healing=40)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--nodes", "random:8:3"], "--nodes needs --netns 1"),
        (["--delay-ms", "5"], "--delay-ms needs --netns 1"),
        (["--netns", "1", "--nodes", "tree:3"], "'tree:3'"),
        (["--netns", "1", "--nodes", "random:400:3"], "2 to 64 nodes"),
        (["--netns", "1", "--learn", "markov"], "--learn is not for it"),
        (["--netns", "1", "--duration", "5"], "--duration is not for it"),
        (["--netns", "1", "--grid-w", "5"], "--grid-w is not for it"),
    ],
)
def test_what_does_not_fit_is_named(options, named, tmp_path, capsys):
    assert main(["run", *options, "--out", str(tmp_path)]) == 2
    assert named in capsys.readouterr().err


def test_without_root_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("host_tools.netns.command.os.geteuid", lambda: 1000)
    assert main(["run", "--netns", "1", "--out", str(tmp_path)]) == 2
    assert "needs root" in capsys.readouterr().err


def test_the_far_half_is_cut_off_from_the_supply():
    links = parse("random:12:3", 1)
    hops, far = hops_from_first(links), far_half(links)
    assert len(hops) == 12
    assert len(far) == 6
    assert min(hops[name] for name in far) >= max(hops[name] for name in links if name not in far)
    planned = plans(links, Start(), 1, 10.0)
    assert [plan.name for plan in planned if plan.extra] == ["n1"]
    assert [plan.neighbours for plan in planned] == list(links.values())


def test_the_virtual_trial_serves_cuts_and_heals_and_is_the_same_again():
    links = parse("chain:4", 1)

    def once():
        start = Start()
        site = VirtualSite(plans(links, start, 1, SHORT.switching), start, 20.0, 1, trust=False)
        try:
            return play(site, links, SHORT)
        finally:
            site.close()

    found = once()
    assert found == once()
    assert (found.consumers, found.served, found.lost, found.broken) == (6, 6, 4, [])
    assert sorted(found.by_hops) == [1, 2, 3]
    assert all(0.02 < each < 2.0 for times in found.by_hops.values() for each in times)
    assert found.served_again_s is not None
    assert found.seen_again_s is not None
    assert found.rest["messages_per_s"] < found.switching["messages_per_s"]


class Echo:
    """A server in a namespace."""

    def __init__(self, space):
        with space.entered():
            self.socket = socket.socket()
        self.socket.bind(("0.0.0.0", 7000))
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.sendall(b"x")
            connection.close()


def connect(space, timeout_s):
    """The time until a byte of the server at the first node is there, in s."""
    began_s = time.monotonic()
    with space.entered():
        connection = socket.create_connection((fabric.address(0), 7000), timeout_s)
    assert connection.recv(1) == b"x"
    return time.monotonic() - began_s


def interfaces():
    return {name for _, name in socket.if_nameindex()}


def held():
    """The files by which this process holds name spaces and their devices."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # another thread has closed it
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(name for name in found if name.startswith(("net:", "/dev/net")))


@root
@pytest.mark.parametrize("delay_ms", [0, 15])
def test_a_segment_delays_and_separates_and_leaves_nothing(delay_ms):
    before = interfaces()
    opened = held()
    spaces = {f"n{number}": Namespace() for number in range(3)}
    network = fabric.make(spaces, delay_ms, 0.0)
    echo = Echo(spaces["n0"])
    connect(spaces["n1"], 5.0)  # addresses are asked for the first time
    assert connect(spaces["n1"], 5.0) > 3 * delay_ms / 1000
    network.separate([{"n0", "n2"}, {"n1"}])
    with pytest.raises(OSError, match="timed out"):
        connect(spaces["n1"], 0.3)
    assert connect(spaces["n2"], 5.0) > 3 * delay_ms / 1000
    network.separate([])
    assert connect(spaces["n1"], 5.0) > 3 * delay_ms / 1000
    echo.socket.close()
    network.close()
    for space in spaces.values():
        space.close()
    assert interfaces() == before
    assert held() == opened


@root
def test_the_options_of_netem_are_valid():
    """The kernel may lack it; then `tc` has understood the options, and the kernel knows no such thing."""
    assert fabric.has_netem() in (True, False)


def as_on_a_terminal():
    """In a child: Ctrl-C is not ignored, as it is in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def children(pid):
    return {
        int(each)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for each in file.read_text().split()
    }


@root
@pytest.mark.proof
def test_real_nodes_do_as_the_virtual_clock_says(tmp_path):
    parser = argparse.ArgumentParser()
    run.add_parser(parser.add_subparsers())
    options = parser.parse_args(["run", "--netns", "1", "--nodes", "chain:4", "--out", str(tmp_path)])
    assert command.run(options, SHORT) == 0
    told = json.loads((tmp_path / "netns.json").read_text())
    real, virtual = told["real"], told["virtual"]
    for each in (real, virtual):
        assert (each["consumers"], each["served"], each["lost"]) == (6, 6, 4)
        assert each["served_again_s"] is not None
        assert list(each["response_s_by_hops"]) == ["1", "2", "3"]
    assert 20 < real["pss_mb"] < 64
    assert real["wire_bytes_per_s"] > real["rest"]["bytes_per_s"]


@root
@pytest.mark.proof
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(tmp_path, how):
    before = interfaces()
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools", "run", "--netns", "1", "--nodes", "chain:3", "--out", tmp_path],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_on_a_terminal,  # noqa: PLW1509 - system calls, no lock
    )
    for line in process.stdout:
        if "all nodes answer" in line:
            break
    started = children(process.pid)
    assert len(started) >= 7  # nodes, brokers, the switch
    process.send_signal(how)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert "Traceback" not in complaint
    deadline_s = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline_s, "processes are left"
        time.sleep(0.1)
    assert interfaces() == before
