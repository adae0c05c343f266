"""The log says why a connection is not made or was lost: the real reason, once, also when it comes late."""

import logging
import os
import random
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.net.mqtt import BackOff, BrokerSettings, MqttLinks, NeighbourSettings, TlsSettings
from host_tools.broker import Broker, free_port
from host_tools.fleet.authority import Authority
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
    first = log("link to b")[0]  # a second one may follow, for the port is closed now
    assert first == "link to b: no connection, will retry: the port is open, but no broker answers"


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


def test_a_broker_that_takes_no_acknowledged_messages_is_not_asked_for_any(grid, log, monkeypatch):
    monkeypatch.setattr("edge.net.neighbour.PROBE_EVERY_S", 0.1)
    grid.start_brokers("a")
    broker(grid, "b", "allow_anonymous true", "max_qos 0")
    a = grid.node("a", "b").start().wait_connected()
    for i in range(20):
        assert a.links.send("b", b"%d" % i)
        threading.Event().wait(0.03)
    assert log("link to b") == ["link to b: connected"]


def answering(grid, *packets):
    """The port of a server that answers every connection with these bytes, and closes it."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                client = server.accept()[0]
                client.recv(1000)
                client.sendall(b"".join(packets))
                client.close()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


ACCEPTED = bytes([0x20, 3, 0, 0, 0])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (bytes([0x20, 3, 0, 138, 0]), "the broker refuses this node: Banned"),
        (bytes([0x20, 3, 0, 133, 0]), "the broker refuses this node: Client identifier not valid"),
        (bytes([0x20, 3, 0, 128, 0]), "the broker refuses this node: Unspecified error"),
        (bytes([0x20, 3, 0, 132, 0]), "the broker does not speak MQTT 5"),
        (bytes([0x20, 2, 0, 1]), "the broker does not speak MQTT 5"),
        (bytes([0x20, 2, 0, 5]), "what answers at this port is not MQTT 5"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does this port expect TLS?"),
        (bytes([0x15, 3, 1, 0, 2, 2, 70]), "what answers at this port is not MQTT 5"),
        (ACCEPTED + bytes([0xE0, 2, 0x8B, 0]), "the broker has ended the connection: Server shutting down"),
        (ACCEPTED + bytes([0xE0, 2, 77, 0]), "what the broker sends is not MQTT 5"),
        (ACCEPTED + bytes([0xE0, 2, 0x8E, 0]), "another client connects under the name of this node"),
    ],
)
def test_what_a_broker_answers_is_said(grid, log, answer, said):
    grid.start_brokers("a")
    a = grid.node("a", b=answering(grid, answer)).start()
    grid.wait_until(lambda: said in a.neighbour("b")["trouble"])
    grid.wait_until(lambda: any(said in line for line in log("link to b")))
    assert len([line for line in log("link to b") if said in line]) == 1


@pytest.fixture
def shows(grid, tmp_path):
    """Files of certificates: `shows(name, days, hosts, of)` is the identity of a node, of an authority."""

    def make(name, days=100, hosts=("localhost",), of="cluster"):
        folder = tmp_path / of
        folder.mkdir(exist_ok=True)
        authority = Authority(folder, of, datetime.now(UTC))
        identity = authority.identity(name, hosts, days)
        (folder / f"{name}.crt").write_bytes(identity.certificate)
        (folder / f"{name}.key").write_bytes(identity.key)
        return TlsSettings(
            ca=str(tmp_path / "cluster/ca.crt"),
            certificate=str(folder / f"{name}.crt"),
            key=str(folder / f"{name}.key"),
        )

    make("nobody")
    return make


@pytest.mark.parametrize(
    ("own", "of_the_broker", "said"),
    [
        ({}, {"days": -1}, "not accepted: certificate has expired, or the clock of this node is wrong"),
        ({}, {"of": "foreign"}, "the broker's certificate is not accepted: unable to get local issuer"),
        ({}, {"hosts": ("gym.local",)}, "not accepted: Hostname mismatch, certificate is not valid for"),
        ({"days": -1}, {}, "does not accept the certificate of this node: it or the broker's list"),
        ({"of": "foreign"}, {}, "does not accept the certificate of this node: it is from another authority"),
        ({}, None, "is this the TLS port of a broker?"),
        (None, {}, "before it accepted this node: does this port expect TLS?"),
    ],
)
def test_what_is_wrong_with_a_certificate_or_a_port_is_said(grid, log, shows, own, of_the_broker, said):
    grid.start_brokers("a")
    if of_the_broker is None:
        grid.start_brokers("b")
    else:
        files = shows("b", **of_the_broker)
        lines = [f"cafile {files.ca}", f"certfile {files.certificate}", f"keyfile {files.key}"]
        broker(grid, "b", *lines, "require_certificate true", "use_identity_as_username true")
    neighbour = NeighbourSettings(
        name="b",
        host="localhost",
        port=grid.brokers["b"].port,
        tls=None if own is None else shows("a", **own),
    )
    inbox = BrokerSettings(port=grid.brokers["a"].port)
    links = MqttLinks("a", inbox, [neighbour], random.Random(1), back_off=BackOff(0.05, 0.2))
    links.start(lambda *_: None, lambda *_: None)
    try:
        grid.wait_until(lambda: log("link to b"))
        assert said in links.stats()["neighbours"]["b"]["trouble"]
    finally:
        links.stop()
    assert len(log("link to b")) == 1
