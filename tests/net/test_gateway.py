"""Gateways: what a node shows reaches every other in few frames, and losses are repaired."""

import random

import pytest
from fleet import Fleet, Watcher, storm
from shapes import CHAIN, HEAL_S, PAIR, RING, SHAPES, beats, consistent, lose_once

from edge.net.frame import Frame, decode, encode
from edge.net.outbox import Leaving
from edge.space.courier import Beat, Roster
from edge.space.digest import BEAT_S
from edge.space.exchange import export
from edge.space.lsa import Lsa, Property
from edge.space.tuplespace import SELF, Limits


def shows(frame):
    return bool(frame.lsas or frame.deltas)


# ---- how a change travels --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_change_reaches_all_nodes_in_one_reaction_a_hop(shape):
    fleet = Fleet(shape)
    last = sorted(shape)[-1]
    watcher = fleet[last].add(Watcher(f"{last}.w", "L"))
    agent = fleet["a"].show("a.t", b'{"power_w":1}')
    fleet.settle()
    assert watcher.take_told() == [("a.t", b'{"power_w":1}')]
    agent.submit("L", b"\x00binary")
    fleet.settle()
    assert watcher.take_told() == [("a.t", b"\x00binary")]
    agent.withdraw("L")
    fleet.settle()
    assert watcher.take_told() == [("a.t", None)]
    fleet["a"].engine.remove(agent)
    fleet.settle()
    assert not fleet[last].space.find("a.t")


def test_changes_of_one_reaction_leave_as_one_frame_a_neighbour():
    fleet = Fleet({"hub": ["a", "b", "c"], "a": [], "b": [], "c": []})
    for i in range(10):
        fleet["hub"].show(f"hub.t{i}", b"%d" % i)
    fleet.settle()
    assert sorted(receiver for _, receiver, _ in fleet.carried) == ["a", "b", "c"]
    assert all(len(frame.lsas) == 10 for _, _, frame in fleet.carried)


def test_nothing_but_beats_crosses_a_quiet_link():
    fleet = Fleet(CHAIN)
    fleet["a"].show("a.t", b"1")
    fleet.run(10)
    fleet.carried.clear()
    fleet.run(50)
    frames = [frame for _, _, frame in fleet.carried]
    assert not any(frame.lsas or frame.deltas or frame.rosters for frame in frames)
    assert not any(frame.statements or frame.ask_roster or frame.ask_lsas for frame in frames)
    pulses = [(s, r, b.origin) for s, r, frame in fleet.carried for b in frame.pulses]
    for link in [(s, r) for s, peers in CHAIN.items() for r in peers]:
        for origin in CHAIN:
            assert pulses.count((*link, origin)) <= 50 / (BEAT_S - 2) + 1
    assert len(pulses) <= (50 / (BEAT_S - 2) + 1) * 4 * 3


def test_changes_too_large_for_one_frame_leave_in_several():
    rng = random.Random(3)
    fleet = Fleet(PAIR, Limits(lsas=64, heap_bytes=600_000))
    for i in range(50):
        fleet["a"].show(f"a.t{i}", rng.randbytes(4000))
    fleet.settle()
    assert consistent(fleet)
    assert len(fleet.carried) > 3
    assert fleet["a"].gateway.stats()["too_large"] == 0
    fleet.restart("b", 2)  # and all of it again, asked for by the digest
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert fleet["a"].gateway.stats()["too_large"] == 0


def test_a_full_lsa_and_a_full_digest_do_not_make_a_frame_too_large():
    rng = random.Random(4)

    def name(length):
        return "".join(
            rng.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", k=length)
        )

    fleet = Fleet(PAIR)
    node = fleet["a"]
    outbox = node.gateway.outbox
    giant = Lsa("a.t", "", b"", "a", 1, 1, 13, ["a"], [], [])
    giant.properties = [Property(f"L{i}", "", 1, 0, rng.randbytes(4096)) for i in range(10)]
    outbox._for("b").lsas["a.t"] = Leaving(giant)
    node.space.nodes.capacity = 300  # of the table of statements
    for i in range(200):
        beat = Beat(f"n{i}{name(20).lower()}", 1, 1, 1, 1, 13, 1, rng.randbytes(16))
        beat.proof = beats(beat).pulses[0].link
        node.gateway._statements.take(beats(beat).statements[0], lambda *_: None)
        outbox.send_beat("b", beat)
    for origin in "ac":
        outbox.ask_lsas("b", [f"{origin}." + name(60) for _ in range(500)])
    for origin in "acd":
        outbox.send_roster("b", Roster(origin, 1, 1, [(f"{origin}.{name(20)}", 1) for _ in range(256)]))
    outbox.flush()
    frames = [decode(data) for _, _, data in fleet.on_the_way]
    assert outbox.too_large == 0
    assert [each.name for frame in frames for each in frame.lsas] == ["a.t"]
    assert sum(len(frame.pulses) for frame in frames) == 128
    assert sum(len(frame.statements) for frame in frames) == 128
    assert sum(len(frame.ask_lsas) for frame in frames) == 256
    assert not outbox.waiting


def test_an_lsa_too_large_for_any_frame_is_counted_and_delays_nothing():
    rng = random.Random(3)
    fleet = Fleet(PAIR, Limits(lsas=8, heap_bytes=200_000, value_bytes=8192))
    giant = fleet["a"].show("a.giant", b"1")
    for i in range(9):
        giant.submit(f"M{i}", rng.randbytes(8192))
    fleet["a"].show("a.t", b"1")
    fleet.run(3)
    assert fleet["b"].value("a.t") == b"1"
    assert fleet["a"].gateway.stats()["too_large"] >= 1
    assert fleet["b"].hops() == {"a": 1}


def test_directed_neighbours():
    fleet = Fleet({"a": ["b"], "b": ["c"], "c": []})
    fleet["a"].show("a.t", b"1")
    fleet["c"].show("c.t", b"1")
    fleet.run(30)
    assert fleet["c"].value("a.t") == b"1"
    assert fleet["c"].hops() == {"a": 2, "b": 1}
    assert fleet["a"].hops() == {}
    assert {(sender, receiver) for sender, receiver, _ in fleet.carried} == {("a", "b"), ("b", "c")}
    assert fleet["b"].gateway.stats()["refused"] == 0


def test_another_neighbour_is_asked_where_the_first_cannot_be():
    fleet = Fleet({"a": ["b", "c"], "b": ["c"], "c": ["b"]})  # c hears a and cannot answer it
    fleet.lose = lambda sender, receiver, frame: receiver == "c" and shows(frame)
    fleet["a"].show("a.t", b"1")
    fleet.settle()
    assert fleet["b"].value("a.t") == b"1"
    assert fleet["c"].value("a.t") is None
    fleet.cut()
    assert fleet.seconds_until(lambda: fleet["c"].value("a.t") == b"1") <= HEAL_S


# ---- losses are repaired -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_lost_change_is_repaired_within_a_heartbeat(shape):
    for sender, receiver in [(s, r) for s, peers in shape.items() for r in peers]:
        fleet = Fleet(shape)
        agents = [fleet[name].show(f"{name}.t", b"1") for name in shape]
        fleet.run(7)
        fleet.lose = lambda s, r, frame, link=(sender, receiver): (s, r) == link and shows(frame)
        for agent in agents:
            agent.submit("L", b"2")
        fleet.settle()
        fleet.cut()
        done = lambda fleet=fleet, shape=shape: all(  # noqa: E731
            node.value(f"{name}.t") == b"2" for node in fleet.nodes.values() for name in shape
        )
        assert fleet.seconds_until(done) <= HEAL_S, (sender, receiver)
        assert consistent(fleet)


def test_a_lost_first_appearance_is_repaired_within_a_heartbeat():
    fleet = Fleet(CHAIN)
    fleet.run(7)
    lost = lose_once(fleet, lambda sender, receiver, frame: shows(frame) and receiver == "c")
    fleet["a"].show("a.t", b"1")
    fleet.settle()
    assert lost
    assert fleet["c"].value("a.t") is None
    assert fleet.seconds_until(lambda: fleet["d"].value("a.t") == b"1") <= HEAL_S


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_removed_lsa_whose_tombstone_was_lost_disappears(shape):
    fleet = Fleet(shape)
    agent = fleet["a"].show("a.t", b"1")
    fleet["a"].show("a.stays", b"1")
    watchers = [fleet[name].add(Watcher(f"{name}.w", "L")) for name in shape if name != "a"]
    fleet.run(7)
    fleet.lose = lambda sender, receiver, frame: any(not each.life_s for each in frame.lsas)
    fleet["a"].engine.remove(agent)
    fleet.settle()
    assert fleet["b"].value("a.t") == b"1"
    fleet.cut()
    assert fleet.seconds_until(lambda: consistent(fleet)) <= HEAL_S
    for watcher in watchers:
        assert watcher.departed == ["a.t"]
    for name in shape:
        assert fleet[name].value("a.stays") == b"1"


@pytest.mark.parametrize("every", [1, 2, 3])
def test_repair_does_not_wait_until_the_origin_stops_changing(every):
    """One twin changes all the time; what was lost of the others is repaired nevertheless."""
    fleet = Fleet(CHAIN)
    busy, gone, quiet = (fleet["a"].show(f"a.{name}", b"1") for name in ("busy", "gone", "quiet"))
    fleet.run(7)
    fleet.lose = lambda sender, receiver, frame: True
    quiet.submit("L", b"2")
    fleet["a"].engine.remove(gone)
    fleet.settle()
    fleet.cut()
    for second in range(2 * HEAL_S):
        if second % every == 0:
            busy.submit("L", b"%d" % second)
        fleet.run()
    for name in "bcd":
        assert fleet[name].value("a.quiet") == b"2"
        assert not fleet[name].space.find("a.gone")


def test_repair_works_while_the_origin_always_changes():
    """Whenever a is asked for its roster, it has changed since the beat that made b ask."""
    fleet = Fleet(PAIR)
    busy, gone = fleet["a"].show("a.busy", b"0"), fleet["a"].show("a.gone", b"1")
    fleet.run(7)
    fleet.lose = lambda sender, receiver, frame: True
    fleet["a"].engine.remove(gone)
    fleet.settle()
    asked = []

    def change(sender, receiver, frame):
        if frame.ask_roster:
            asked.append(frame)
            busy.submit("L", b"%d" % len(asked))
            fleet["a"].react()
        return False

    fleet.lose = change
    assert fleet.seconds_until(lambda: not fleet["b"].space.find("a.gone")) <= HEAL_S
    assert asked


def test_lost_questions_and_answers_are_repeated():
    fleet = Fleet(PAIR)
    agent = fleet["a"].show("a.t", b"1")
    fleet.run(7)
    fleet.cut("a>b")
    agent.submit("L", b"2")
    fleet.settle()
    for matches in (lambda f: f.ask_roster, lambda f: f.rosters, lambda f: f.ask_lsas, lambda f: f.lsas):
        lost = lose_once(fleet, lambda sender, receiver, frame, matches=matches: bool(matches(frame)))
        assert fleet.seconds_until(lambda lost=lost: bool(lost)) <= HEAL_S
        assert fleet["b"].value("a.t") == b"1"
    assert fleet.seconds_until(lambda: fleet["b"].value("a.t") == b"2") <= HEAL_S


def test_a_change_that_arrives_after_its_tombstone_does_not_stay():
    fleet = Fleet(PAIR)
    agent = fleet["a"].show("a.t", b"1")
    fleet["a"].show("a.other", b"1")
    fleet.run(7)
    old = export(fleet["a"].space, agent.handle & 0xFFFF)
    fleet["a"].engine.remove(agent)
    fleet.settle()
    fleet["b"].gateway.receive("a", encode(Frame(lsas=[old])))  # late, by another way
    assert fleet["b"].value("a.t") == b"1"
    assert fleet.seconds_until(lambda: not fleet["b"].space.find("a.t")) <= HEAL_S


def test_a_node_asks_even_for_lsas_it_once_had():
    """b forgot; c, which had it from b, returns what b lacks of a."""
    fleet = Fleet({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    fleet["a"].show("a.t", b"1")
    fleet.run(7)
    fleet.restart("b", 2)
    fleet.cut("a>b")
    fleet.link_up("c")
    assert fleet["b"].value("a.t") == b"1"
    slot = fleet["b"].space.slot_of_name("a.t")
    assert not fleet["b"].space.lsa_path[slot] >> SELF & 1


@pytest.mark.parametrize("seed", range(6))
def test_after_a_storm_all_nodes_hold_the_same(seed):
    rng = random.Random(seed)
    shape = rng.choice([CHAIN, RING, {n: [m for m in "abcde" if m != n] for n in "abcde"}])
    fleet = Fleet(shape)
    storm(fleet, rng, lambda agent, turn: agent.submit(rng.choice("LM"), b"%d" % turn))
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert fleet["a"].holds()
