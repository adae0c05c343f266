"""Simulated links: reliable by default, faulty as configured, the same for the same seed."""

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from edge.net.links import LinkLimits, frame_topic, packet_bytes
from host_tools.world.links import LinkQuality, MemoryNetwork


class World:
    """A virtual event queue, and nodes that record what they receive."""

    def __init__(self, seed: int = 1, **settings) -> None:
        self.now_s = 0.0
        self._queue: list[tuple[float, int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.network = MemoryNetwork(self.schedule, random.Random(seed), **settings)
        self.frames: list[tuple[float, str, str, bytes]] = []
        self.news: list[tuple[str, str, bool]] = []

    def schedule(self, delay_s: float, action: Callable[[], None], rank: int) -> None:
        heapq.heappush(self._queue, (self.now_s + delay_s, rank, next(self._order), action))

    def run(self) -> None:
        while self._queue:
            self.now_s, _, _, action = heapq.heappop(self._queue)
            action()

    def node(self, name: str, *neighbours: str):
        links = self.network.links(name, neighbours)
        links.start(
            lambda peer, frame: self.frames.append((self.now_s, peer, name, frame)),
            lambda peer, up: self.news.append((name, peer, up)),
        )
        return links

    def pair(self):
        a, b = self.node("a", "b"), self.node("b", "a")
        self.run()
        self.news.clear()
        return a, b

    def payloads(self) -> list[bytes]:
        return [frame for _, _, _, frame in self.frames]


def test_frames_cross_in_order_after_the_latency():
    world = World(quality=LinkQuality(latency_s=0.25))
    a, _ = world.pair()
    start_s = world.now_s
    assert a.send("b", b"1")
    assert a.send("b", b"2")
    assert world.frames == []
    world.run()
    assert world.frames == [(start_s + 0.25, "a", "b", b"1"), (start_s + 0.25, "a", "b", b"2")]


def test_bytes_are_counted_as_over_mqtt():
    world = World()
    a, b = world.pair()
    a.send("b", bytes(500))
    world.run()
    size = packet_bytes(frame_topic("b", "a"), 500)
    assert a.stats()["neighbours"]["b"]["sent_bytes"] == size
    assert b.stats()["inbox"]["received_bytes"] == size


def test_links_are_directed():
    world = World()
    a, b = world.node("a", "b"), world.node("b")
    assert a.send("b", b"x")
    assert not b.send("a", b"x")
    world.run()
    assert world.payloads() == [b"x"]


def test_both_ends_are_notified_of_a_start_and_the_neighbour_of_a_stop():
    world = World()
    a = world.node("a", "b")
    world.node("b")
    world.run()
    assert world.news == [("a", "b", True), ("b", "a", True)]
    a.stop()
    world.run()
    assert world.news[2:] == [("b", "a", False)]
    assert not a.send("b", b"after the end")


def test_a_stopped_node_receives_nothing_until_it_is_started_again():
    world = World()
    a, b = world.pair()
    a.send("b", b"in flight")
    b.stop()
    world.run()
    assert a.send("b", b"to a broker that nobody listens to")
    world.run()
    assert world.frames == []
    world.node("b", "a")
    assert a.send("b", b"again")
    world.run()
    assert world.payloads() == [b"again"]
    assert world.news[-2:] == [("b", "a", True), ("a", "b", True)]


def test_a_cut_breaks_one_direction_loses_frames_in_flight_and_is_notified():
    world = World()
    a, b = world.pair()
    a.send("b", b"under way")
    world.network.cut("a", "b")
    assert not a.send("b", b"refused")
    assert b.send("a", b"other way")
    world.run()
    assert world.payloads() == [b"other way"]
    assert world.news == [("a", "b", False), ("b", "a", False)]
    assert a.stats()["neighbours"]["b"]["dropped"] == 1
    assert not a.stats()["neighbours"]["b"]["connected"]

    world.network.heal("a", "b")
    assert a.send("b", b"healed")
    world.run()
    assert world.payloads() == [b"other way", b"healed"]
    assert world.news[2:] == [("a", "b", True), ("b", "a", True)]
    assert a.stats()["neighbours"]["b"]["reconnects"] == 1


def test_a_short_cut_loses_frames_in_flight_too():
    world = World()
    a, _ = world.pair()
    a.send("b", b"x")
    world.network.cut("a", "b")
    world.network.heal("a", "b")
    world.run()
    assert world.frames == []


def test_a_node_that_starts_during_a_cut_is_notified_when_it_heals():
    world = World()
    world.network.cut("a", "b")
    a = world.node("a", "b")
    world.node("b")
    world.run()
    assert world.news == []
    assert not a.stats()["neighbours"]["b"]["connected"]
    world.network.heal("a", "b")
    world.run()
    assert world.news == [("a", "b", True), ("b", "a", True)]
    assert a.stats()["neighbours"]["b"]["reconnects"] == 0


@pytest.mark.parametrize(
    ("quality", "low", "high"),
    [
        (LinkQuality(loss=0.3), 620, 780),
        (LinkQuality(loss=1.0), 0, 0),
        (LinkQuality(duplicate=0.3), 1220, 1380),
        (LinkQuality(), 1000, 1000),
    ],
)
def test_loss_and_duplication_are_as_frequent_as_configured(quality, low, high):
    world = World(quality=quality)
    a, _ = world.pair()
    for _ in range(1000):
        assert a.send("b", b"x")
        world.run()
    assert low <= len(world.frames) <= high


def test_delay_reorders():
    world = World(quality=LinkQuality(delay=0.5, max_delay_s=2.0))
    a, _ = world.pair()
    sent = [bytes([n]) for n in range(50)]
    start_s = world.now_s
    for frame in sent:
        a.send("b", frame)
    world.run()
    assert sorted(world.payloads()) == sent
    assert world.payloads() != sent
    assert 1.0 < world.now_s - start_s <= 2.002


def test_corruption_flips_one_bit():
    world = World(quality=LinkQuality(corrupt=1.0))
    a, _ = world.pair()
    frame = bytes(range(100))
    a.send("b", frame)
    a.send("b", b"")
    world.run()
    damaged, empty = world.payloads()
    assert sum((x ^ y).bit_count() for x, y in zip(damaged, frame, strict=True)) == 1
    assert empty == b""


def test_quality_of_one_direction():
    world = World()
    a, b = world.pair()
    world.network.set_quality("a", "b", LinkQuality(loss=1.0))
    a.send("b", b"lost")
    b.send("a", b"whole")
    world.run()
    assert world.payloads() == [b"whole"]


def test_frames_in_flight_are_bounded():
    world = World(limits=LinkLimits(max_frame_bytes=1000, max_pending_frames=3, max_pending_bytes=1500))
    a, _ = world.pair()
    assert [a.send("b", bytes(size)) for size in (1001, 1000, 501, 500, 0, 0)] == [0, 1, 0, 1, 1, 0]
    world.run()
    assert a.send("b", bytes(1000))
    assert a.stats()["neighbours"]["b"]["dropped"] == 3


def test_the_same_seed_gives_the_same_run():
    def run(seed: int) -> list[tuple[float, str, str, bytes]]:
        quality = LinkQuality(loss=0.2, duplicate=0.2, corrupt=0.2, delay=0.2)
        world = World(seed, quality=quality)
        a, b = world.pair()
        for n in range(100):
            a.send("b", bytes([n]))
            b.send("a", bytes([n]))
            world.run()
        return world.frames

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_names_that_are_not_valid_in_mqtt_are_refused():
    network = World().network
    for name, neighbours in [("A", []), ("a", ["b/c"]), ("a", ["a"]), ("a", ["b", "b"])]:
        with pytest.raises(ValueError, match="name"):
            network.links(name, neighbours)
