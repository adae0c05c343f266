"""The end of a node: it saves first, then parts, and no name server, broker or disk can hold it up."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.service.crashes import Crashes
from edge.state import SLOTS, read_slot
from host_tools.broker import free_port
from host_tools.world import World

REPOSITORY = Path(__file__).parents[2]
# The node itself, on a machine whose name servers never answer.
SILENT_NAMES = """
import socket, sys, time
real = socket.getaddrinfo
def ask(host, *more, **named):
    return time.sleep(60) if "." not in str(host) else real(host, *more, **named)
socket.getaddrinfo = ask
from edge.__main__ import main
sys.exit(main(["run", "--config", sys.argv[1]]))
"""


@pytest.fixture
def world():
    world = World(seed=5)
    yield world
    world.close()


def saved_in(folder):
    """The newest memory in a state folder."""
    slots = [read_slot((folder / slot).read_bytes()) for slot in SLOTS if (folder / slot).exists()]
    return max((each for each in slots if each), key=lambda each: each["number"])["memory"]


def two(world):
    world.add("a", ["b"], [{"name": "heater", "kind": "load", "power_w": 100.0}])
    world.add("b", ["a", "c"], [{"name": "roof", "kind": "pv", "power_w": 500.0, "price": 0.1}])
    world.add("c", ["b"], [{"name": "wind", "kind": "pv", "power_w": 500.0, "price": 0.9}])
    world.boot()
    world.run(20)
    heater = world.nodes["a"].node.prosumers[0]
    assert heater.consumer.main.parts[0].supplier == "b.roof"
    return heater


def test_a_node_that_stops_says_so_and_others_do_not_wait(world):
    heater = two(world)
    world.nodes["b"].stop()
    world.run(1)
    assert heater.consumer.main is None
    assert world.nodes["c"].node.space.find("b.roof") == 0


def test_a_node_that_crashes_is_waited_for_and_may_return(world):
    heater = two(world)
    world.nodes["b"].kill()
    world.run(3)
    assert heater.consumer.satisfied, "a quick restart interrupts nothing"
    world.run(13)
    assert heater.consumer.main is None


def test_the_partner_of_a_node_that_stops_is_served_by_another_within_seconds(world):
    world.add("a", ["b", "c"], [{"name": "heater", "kind": "load", "power_w": 100.0}])
    for name in ("b", "c"):
        world.add(name, ["a"], [{"name": "roof", "kind": "pv", "power_w": 500.0}])
    world.boot()
    world.run(20)
    heater = world.nodes["a"].node.prosumers[0]
    serving = heater.consumer.main.parts[0].supplier.partition(".")[0]
    world.nodes[serving].stop()
    world.run(3)
    assert heater.consumer.satisfied
    assert heater.consumer.main.parts[0].supplier.partition(".")[0] != serving


def test_a_node_that_was_stopped_comes_back_and_trades(world):
    heater = two(world)
    world.nodes["b"].stop()
    world.run(5)
    world.nodes["b"].boot()
    world.run(20)
    assert heater.consumer.satisfied
    assert all(each.node.invariants_broken == 0 for each in world.nodes.values())
    assert world.nodes["b"].node.prosumers[0].supplier.committed_w == pytest.approx(105.0)


def test_what_is_saved_is_what_was_agreed_before_the_farewell(world):
    two(world)
    a = world.nodes["a"]
    a.stop()
    saved = saved_in(a.config.state_dir)
    assert saved["twins"]["heater"]["contracts"]


@pytest.fixture
def silent_broker():
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


@pytest.mark.system
@pytest.mark.parametrize("hosts", [["silent"] * 8, ["127.0.0.1"] * 8], ids=["name servers", "brokers"])
def test_a_real_node_saves_and_ends_soon_though_nothing_around_it_answers(tmp_path, silent_broker, hosts):
    state = tmp_path / "state"
    config = tmp_path / "node.toml"
    port = free_port()
    lines = [
        f'[node]\nname = "n1"\nstate_dir = "{state}"\n[api]\nport = {port}\n[mqtt]\nport = {silent_broker}\n'
    ]
    lines += [
        f'[[neighbour]]\nname = "p{i}"\nhost = "{host}"\nport = {silent_broker}\n'
        for i, host in enumerate(hosts)
    ]
    lines += ['[learning]\nnode_model = "markov"\n']
    lines += ['[[twin]]\nname = "roof"\nkind = "pv"\npower_w = 500.0\n']
    lines += ['[[twin]]\nname = "heater"\nkind = "load"\npower_w = 100.0\n']
    config.write_text("".join(lines))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    node = subprocess.Popen(
        [sys.executable, "-c", SILENT_NAMES, str(config)], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_port(port)
        time.sleep(3)
        began_s = time.monotonic()
        node.send_signal(signal.SIGTERM)
        _, log = node.communicate(timeout=20)
        took_s = time.monotonic() - began_s
    finally:
        node.kill()
    assert node.returncode == 0, log
    assert took_s < 6.0
    assert saved_in(state)["twins"]["heater"]["contracts"]
    with sqlite3.connect(state / "history.sqlite") as history:
        assert history.execute("SELECT count(*) FROM kept").fetchone()[0] >= 1, "what was learnt"


# The node itself, which hangs while it is put together, as in the migration of a large history.
SLOW_START = """
import sys, time
from edge.service import assembly
def build(*_):
    print("building", flush=True)
    time.sleep(60)
assembly._node = build
from edge.__main__ import main
sys.exit(main(["run", "--config", sys.argv[1]]))
"""
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.mark.system
@pytest.mark.parametrize("number", SIGNALS)
def test_a_node_that_is_told_to_stop_while_it_starts_ends_at_once_and_has_not_crashed(tmp_path, number):
    config = tmp_path / "node.toml"
    config.write_text(f'[node]\nname = "n1"\nstate_dir = "{tmp_path / "state"}"\n[api]\nport = 0\n')
    node = subprocess.Popen(
        [sys.executable, "-c", SLOW_START, str(config)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert node.stdout.readline() == "building\n"
        node.send_signal(number)
        _, log = node.communicate(timeout=10)
    finally:
        node.kill()
    assert (node.returncode, "Traceback" in log) == (0, False), log
    assert Crashes(tmp_path / "state").count == 0


@pytest.mark.system
@pytest.mark.parametrize("number", SIGNALS)
def test_every_signal_to_end_lets_a_node_save_and_says_so_once(tmp_path, silent_broker, number):
    config, port = tmp_path / "node.toml", free_port()
    config.write_text(
        f'[node]\nname = "n1"\nstate_dir = "{tmp_path / "state"}"\n[api]\nport = {port}\n'
        f'[mqtt]\nport = {silent_broker}\n[[twin]]\nname = "roof"\nkind = "pv"\npower_w = 500.0\n'
    )
    node = subprocess.Popen(
        [sys.executable, "-m", "edge", "run", "--config", str(config)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_port(port)
        for _ in range(3):  # whoever is in a hurry changes nothing
            node.send_signal(number)
        _, log = node.communicate(timeout=10)
    finally:
        node.kill()
    assert (node.returncode, log.count("has stopped"), "Traceback" in log) == (0, 1, False), log
    assert saved_in(tmp_path / "state")


def wait_for_port(port, timeout_s=20.0):
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        else:
            return


def test_a_step_of_the_end_that_hangs_is_left_behind(world, monkeypatch, caplog):
    from edge.clock import SystemClock
    from edge.service import runtime as module

    monkeypatch.setattr(module, "SAVE_S", 0.2)
    monkeypatch.setattr(module, "PART_S", 0.2)
    world.add("n1", [], [])
    world.boot()
    node = world.nodes["n1"].node
    runtime = module.Runtime(node, SystemClock())
    order = []
    monkeypatch.setattr(node, "save", lambda: (order.append("save"), time.sleep(5)))
    monkeypatch.setattr(node, "leave", lambda: order.append("leave"))
    monkeypatch.setattr(node.links, "start", lambda *_: None)
    monkeypatch.setattr(node.links, "stop", lambda: (order.append("links"), time.sleep(5)))
    monkeypatch.setattr(node.meters, "stop", lambda: order.append("meters"))
    runtime.stop()
    began_s = time.monotonic()
    runtime.run()
    assert time.monotonic() - began_s < 2.0
    assert order == ["save", "leave", "links", "meters"]
    assert "saving takes more than 0.2 s" in caplog.text
