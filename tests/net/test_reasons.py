"""The log says why a connection is not made or was lost: the real reason, once, also when it comes late."""

import logging
import os
import random
import socket
import threading
from dataclasses import replace

import pytest

from edge.net.mqtt import BackOff, BrokerSettings, MqttLinks, NeighbourSettings
from host_tools.broker import Broker, free_port
from host_tools.setup.find_broker import find_broker

pytestmark = pytest.mark.system


@pytest.fixture
def log(caplog):
    with caplog.at_level(logging.INFO, "edge.net"):
        yield lambda about="": [r.getMessage() for r in caplog.records if about in r.getMessage()]


def broker(grid, name, *lines):
    """A broker with more lines in its configuration."""
    port = free_port()
    user = ["user root"] if os.geteuid() == 0 else []  # it reads files of this test
    text = "\n".join([*user, f"listener {port} 127.0.0.1", *lines, ""])
    program = replace(find_broker(), configuration=lambda *_: text)
    grid.brokers[name] = Broker(name, port, grid._directory, program=program)
    grid.brokers[name].start()


def test_a_refused_connection(grid, log):
    grid.start_brokers("a")
    a = grid.node("a", b=free_port()).start()
    grid.wait_until(lambda: log("link to b"))
    assert log("link to b") == [
        "link to b: unreachable, will retry: connection refused: no broker listens at this host and port"
    ]
    assert "connection refused" in a.neighbour("b")["trouble"]


def test_a_host_name_that_is_unknown(grid, log):
    grid.start_brokers("a")
    neighbour = NeighbourSettings(name="b", host="no-such-host.invalid")
    inbox = BrokerSettings(port=grid.brokers["a"].port)
    links = MqttLinks("a", inbox, [neighbour], random.Random(1))
    links.start(lambda *_: None, lambda *_: None)
    grid.wait_until(lambda: log("link to b"))
    links.stop()
    assert "the host name cannot be resolved" in log("link to b")[0]


def test_a_port_that_is_open_and_silent(grid, log):
    grid.start_brokers("a")
    with socket.create_server(("127.0.0.1", 0)) as server:
        grid.node("a", b=server.getsockname()[1], keepalive_s=5).start()
        grid.wait_until(lambda: log("link to b"), 20)
    assert log("link to b") == [
        "link to b: no connection, will retry: the port is open, but no broker answers"
    ]


def test_a_port_that_closes_at_once(grid, log):
    grid.start_brokers("a")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close_all():
            try:
                while True:
                    server.accept()[0].close()
            except OSError:
                pass

        threading.Thread(target=close_all, daemon=True).start()
        grid.node("a", b=server.getsockname()[1]).start()
        grid.wait_until(lambda: log("link to b"))
        server.shutdown(socket.SHUT_RDWR)
    assert "the broker has closed the connection" in log("link to b")[0]


def test_a_client_that_is_not_authorised(grid, log):
    grid.start_brokers("a")
    broker(grid, "b", "allow_anonymous false")
    grid.node("a", "b").start()
    grid.wait_until(lambda: log("link to b"))
    assert log("link to b") == [
        "link to b: no connection, will retry: the broker refuses this node: Not authorized"
    ]


def test_the_reason_that_comes_later_is_said_too_and_each_once(grid, log):
    grid.start_brokers("a", "b")
    a = grid.node("a", "b").start().wait_connected()
    port = grid.brokers["b"].port
    grid.brokers["b"].kill()
    grid.wait_until(lambda: len(log("link to b")) >= 3)
    grid.brokers["b"] = Broker(
        "b",
        port,
        grid._directory,
        program=replace(
            find_broker(),
            configuration=lambda *_: f"listener {port} 127.0.0.1\nallow_anonymous false\n",
        ),
    )
    grid.brokers["b"].start()
    grid.wait_until(lambda: len(log("link to b")) >= 4)
    threading.Event().wait(1.5)  # several more attempts
    lines = log("link to b")
    assert lines[0] == "link to b: connected"
    assert "connection lost: the broker has closed the connection" in lines[1]
    assert "connection refused" in lines[2]
    assert "Not authorized" in lines[3]
    assert len(lines) == 4
    assert "Not authorized" in a.neighbour("b")["trouble"]


def test_two_nodes_with_one_name_are_told_so_without_a_flood_of_lines(grid, log):
    grid.start_brokers("a", "b", "copy")
    a = grid.node("a", "b").start().wait_connected()
    inbox = BrokerSettings(port=grid.brokers["copy"].port)
    neighbour = NeighbourSettings(name="b", host="127.0.0.1", port=grid.brokers["b"].port)
    copy = MqttLinks("a", inbox, [neighbour], random.Random(2), back_off=BackOff(0.05, 0.2))
    copy.start(lambda *_: None, lambda *_: None)
    try:
        grid.wait_until(lambda: a.neighbour("b")["taken_over"], 20)
        lines = [line for line in log("link to b") if "another client connects under the name" in line]
        assert 1 <= len(lines) <= 2, "one line a node"
        before = len(log())
        threading.Event().wait(5)
        assert len(log()) <= before + 2
        assert before < 16
    finally:
        copy.stop()


def test_an_access_list_that_drops_what_is_published_is_found_by_an_unanswered_word(grid, monkeypatch):
    monkeypatch.setattr("edge.net.neighbour.PROBE_EVERY_S", 0.3)
    grid.start_brokers("a")
    rules = grid._directory / "acl"
    rules.write_text("topic read #\n")
    broker(grid, "b", "allow_anonymous true", f"acl_file {rules}")
    a = grid.node("a", "b").start().wait_connected()
    for _ in range(40):
        a.links.send("b", b"frame")
        threading.Event().wait(0.05)
        if a.neighbour("b")["delivery"]:
            break
    assert a.neighbour("b")["delivery"] == "Not authorized"


def test_a_broker_that_delivers_is_not_suspected(grid, monkeypatch):
    monkeypatch.setattr("edge.net.neighbour.PROBE_EVERY_S", 0.1)
    a, b = grid.pair()
    for i in range(30):
        assert a.links.send("b", b"%d" % i)
        threading.Event().wait(0.02)
    grid.wait_until(lambda: len(b.frames) == 30)
    assert b.frames == [("a", b"%d" % i) for i in range(30)]
    assert a.neighbour("b")["delivery"] == ""
    assert a.neighbour("b")["sent_frames"] == 30
