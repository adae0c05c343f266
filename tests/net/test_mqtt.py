"""`MqttLinks` with real Mosquitto brokers: what is delivered, refused and counted."""

import contextlib
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.net.links import LinkLimits, frame_topic, packet_bytes, presence_topic
from edge.net.mqtt import BackOff, BrokerSettings, MqttLinks, NeighbourSettings, TlsSettings

pytestmark = pytest.mark.system

CONNACK = bytes([0x20, 3, 0, 0, 0])


@pytest.fixture
def stranger(grid) -> Iterator[Callable[[str], paho.Client]]:
    """A client of a broker that is not one of the nodes."""
    clients = []

    def connect(broker: str) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", grid.brokers[broker].port)
        client.loop_start()
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.disconnect()
        client.loop_stop()


def test_frames_cross_in_order_and_both_ends_count_the_same_bytes(grid):
    a, b = grid.pair()
    frames = [bytes([n]) * n * 50 for n in range(1, 40)]
    assert all(a.links.send("b", frame) for frame in frames)
    grid.wait_until(lambda: len(b.frames) == len(frames))
    assert b.frames == [("a", frame) for frame in frames]
    sent, received = a.neighbour("b"), b.inbox()
    assert (sent["sent_frames"], sent["dropped"], received["refused"]) == (39, 0, 0)
    assert (
        sent["sent_bytes"]
        == received["received_bytes"]
        == sum(packet_bytes(frame_topic("b", "a"), len(frame)) for frame in frames)
    )


def test_bytes_counted_are_bytes_on_the_wire(grid):
    grid.start_brokers("a")
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = grid.node("a", b=server.getsockname()[1]).start()
        connection, _address = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(CONNACK)
            grid.wait_until(lambda: a.neighbour("b")["connected"])
            grid.wait_until(lambda: a.inbox()["connected"])
            greeting_bytes = packet_bytes(presence_topic("b", "a"), 1)
            for size in (0, 1, 80, 110, 127, 128, 16_300, 16_400, 60_000):
                assert a.links.send("b", bytes(size))
            grid.wait_until(lambda: a.neighbour("b")["sent_frames"] == 9)
            connection.settimeout(0.2)
            read_bytes = 0
            with contextlib.suppress(TimeoutError):
                while chunk := connection.recv(1 << 20):
                    read_bytes += len(chunk)
    # It greets when the link is up, and again should its own inbox come up only then.
    sent_bytes = a.neighbour("b")["sent_bytes"]
    assert read_bytes in (sent_bytes + greeting_bytes, sent_bytes + 2 * greeting_bytes)


def test_neighbours_are_directed(grid):
    a, b = grid.pair()
    assert a.links.send("b", b"one way")
    grid.wait_until(lambda: b.frames == [("a", b"one way")])
    assert b.links.neighbours == ()
    assert not b.links.send("a", b"no way back")
    assert not a.links.send("c", b"nobody")


def test_oversize_frame_is_not_sent_and_the_link_stays(grid):
    a, b = grid.pair(limits=LinkLimits(max_frame_bytes=1000))
    assert not a.links.send("b", bytes(1001))
    assert a.links.send("b", bytes(1000))
    grid.wait_until(lambda: len(b.frames) == 1)
    assert a.neighbour("b")["dropped"] == 1
    assert a.neighbour("b")["reconnects"] == 0


def test_oversize_frame_of_another_is_refused(grid, stranger):
    _, b = grid.pair(limits=LinkLimits(max_frame_bytes=1000))
    client = stranger("b")
    client.publish(frame_topic("b", "x"), bytes(1001))
    client.publish(frame_topic("b", "x"), bytes(200_000))  # the broker keeps this one back
    client.publish(frame_topic("b", "x"), b"fits")
    grid.wait_until(lambda: b.frames == [("x", b"fits")])
    assert b.inbox()["refused"] == 1
    assert b.inbox()["connected"]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (frame_topic("b", ""), b"x"),
        (frame_topic("b", "Not A Name"), b"x"),
        (frame_topic("b", "b"), b"from myself"),
        (frame_topic("b", "x" * 33), b"x"),
        (presence_topic("b", "x"), b"2"),
        (presence_topic("b", "x"), b""),
    ],
)
def test_wrong_topics_and_payloads_are_refused(grid, stranger, topic, payload):
    grid.start_brokers("b")
    b = grid.node("b").start().wait_connected()
    client = stranger("b")
    client.publish(topic, payload)
    client.publish("mg/v1/inbox/other/x", b"not for b")
    client.publish(frame_topic("b", "x"), b"right")
    grid.wait_until(lambda: b.frames == [("x", b"right")])
    assert b.inbox()["refused"] == 1
    assert b.inbox()["received_frames"] == 1
    assert b.news == []


def test_a_retained_frame_is_not_delivered(grid, stranger):
    grid.start_brokers("b")
    stranger("b").publish(frame_topic("b", "x"), b"old", qos=1, retain=True).wait_for_publish(5)
    b = grid.node("b").start().wait_connected()
    stranger("b").publish(frame_topic("b", "x"), b"new")
    grid.wait_until(lambda: bool(b.frames))
    assert b.frames == [("x", b"new")]


def test_delays_between_attempts_grow_to_the_cap_and_are_spread():
    back_off = BackOff(first_s=0.5, cap_s=5.0)
    rng = random.Random(1)
    for attempt, window_s in [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (10_000, 5.0)]:
        delays_s = [back_off.delay_s(attempt, rng) for _ in range(500)]
        assert 0 <= min(delays_s) < 0.05 * window_s
        assert 0.95 * window_s < max(delays_s) <= window_s
        assert statistics.mean(delays_s) == pytest.approx(window_s / 2, rel=0.1)


def test_settings_that_cannot_work_are_refused_at_once(tmp_path):
    own = BrokerSettings()
    for name, peers in [("A", []), ("a/b", []), ("", []), ("a", ["a"]), ("a", ["b", "b"]), ("a", ["+"])]:
        neighbours = [NeighbourSettings(name=peer, host="localhost") for peer in peers]
        with pytest.raises(ValueError, match="name"):
            MqttLinks(name, own, neighbours, random.Random(1))
    tls = TlsSettings(**{part: str(tmp_path / part) for part in ("ca", "certificate", "key")})
    with pytest.raises(FileNotFoundError):
        MqttLinks("a", BrokerSettings(tls=tls), [], random.Random(1))


def test_round_trip_time_is_printed(grid, capsys):
    grid.start_brokers("a", "b")
    back = threading.Event()
    b = grid.node("b", "a")
    b.links.start(b.links.send, lambda *_: None)
    a = grid.node("a", "b")
    a.links.start(lambda *_: back.set(), lambda *_: None)
    a.wait_connected()
    b.wait_connected()
    times_ms = []
    for _ in range(200):
        back.clear()
        started_s = time.perf_counter()
        assert a.links.send("b", bytes(200))
        assert back.wait(5)
        times_ms.append(1000 * (time.perf_counter() - started_s))
    with capsys.disabled():
        sys.stdout.write(f"\n  round trip of 200 B over two brokers: {statistics.median(times_ms):.2f} ms\n")


def test_a_link_is_added_and_ended_while_the_node_runs(grid):
    """The neighbour is told by the last will when it ends; what is sent then is dropped."""
    grid.start_brokers("a", "b")
    a, b = grid.node("a").start(), grid.node("b", a=grid.brokers["a"].port).start()
    assert not a.links.send("b", b"too early")
    a.links.include(NeighbourSettings(name="b", host="127.0.0.1", port=grid.brokers["b"].port))
    assert a.links.neighbours == ("b",)
    grid.wait_until(lambda: a.links.stats()["neighbours"]["b"]["connected"])
    b.wait_connected()  # a frame reaches nobody before its receiver listens
    assert a.links.send("b", b"hello")
    grid.wait_until(lambda: b.frames == [("a", b"hello")])
    b.news.clear()
    a.links.exclude("b")
    assert a.links.neighbours == ()
    assert not a.links.send("b", b"too late")
    grid.wait_until(lambda: ("a", False) in b.news)
    a.links.include(NeighbourSettings(name="b", host="127.0.0.1", port=grid.brokers["b"].port))
    grid.wait_until(lambda: a.links.send("b", b"again"))
    grid.wait_until(lambda: ("a", b"again") in b.frames)


def test_a_link_with_an_invalid_name_is_not_added(grid):
    grid.start_brokers("a")
    a = grid.node("a").start()
    with pytest.raises(ValueError, match="not a node name"):
        a.links.include(NeighbourSettings(name="a/b", host="127.0.0.1"))
    assert a.links.neighbours == ()
