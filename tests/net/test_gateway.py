"""Gateways: LSAs reach every node, what is lost is healed, and no frame does harm."""

import random

import orjson
import pytest
from bad_frames import bad_frames, sealed
from fleet import Fleet, Watcher, assert_sound, state

from edge.net.digest import BEAT_S
from edge.net.frame import (
    MAX_FRAME_BYTES,
    MAX_INCARNATION,
    Beat,
    Frame,
    FrameError,
    Roster,
    decode,
    encode,
    encode_lsa,
)
from edge.net.outbox import Outbox
from edge.space.exchange import export
from edge.space.lsa import Lsa, Property
from edge.space.origins import LIFE_S
from edge.space.tuplespace import SELF, Limits

HEAL_S = BEAT_S + 1  # a beat, and the tick that sends it
PAIR = {"a": ["b"], "b": ["a"]}
CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}
RING = {"a": ["b", "e"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "a"]}
SHAPES = {"pair": PAIR, "chain": CHAIN, "ring": RING}


def lsa(name="a.t", version=1, value=b"1", **fields):
    """An LSA of node a as a sends it."""
    record = Lsa(name, "", "", name[0], 1, version, 13, [name[0]], [], [Property("L", "", version, 0, value)])
    for field, each in fields.items():
        setattr(record, field, each)
    return record


def consistent(fleet):
    """Whether every node holds the same."""
    views = [node.holds() for node in fleet.nodes.values()]
    return all(view == views[0] for view in views)


def lose_once(fleet, matches):
    """Lose the first frame that matches, and say whether it came."""
    lost = []

    def lose(sender, receiver, frame):
        if not lost and matches(sender, receiver, frame):
            lost.append(frame)
            return True
        return False

    fleet.lose = lose
    return lost


# ---- the way of a change --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_one_shows_all_see_in_one_reaction_a_hop(shape):
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
    assert not any(frame.lsas or frame.rosters or frame.ask_roster or frame.ask_lsas for frame in frames)
    beats = [(s, r, b.origin) for s, r, frame in fleet.carried for b in frame.beats]
    for link in [(s, r) for s, peers in CHAIN.items() for r in peers]:
        for origin in CHAIN:
            assert beats.count((*link, origin)) <= 50 / (BEAT_S - 2) + 1
    assert len(beats) <= (50 / (BEAT_S - 2) + 1) * 4 * 3


def test_more_than_a_frame_holds_leaves_in_several():
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
    outbox = Outbox(fleet["a"].gateway._outbox._links)
    giant = Lsa("a.t", "", "", "a", 1, 1, 13, ["a"], [], [])
    giant.properties = [Property(f"L{i}", "", 1, 0, rng.randbytes(4096)) for i in range(10)]
    outbox.lsa("b", "a.t", encode_lsa(giant))
    for i in range(200):
        outbox.beat("b", Beat(f"n{i}{name(20).lower()}", 1, 1, 1, 13, 1, rng.getrandbits(32)))
    outbox.ask_lsas("b", ["a." + name(60) for _ in range(1000)])
    for origin in "acd":
        outbox.roster("b", Roster(origin, 1, 1, [(f"{origin}.{name(20)}", 1) for _ in range(256)]))
    outbox.flush()
    frames = [decode(data) for _, _, data in fleet.on_the_way]
    assert outbox.too_large == 0
    assert [each.name for frame in frames for each in frame.lsas] == ["a.t"]
    assert sum(len(frame.beats) for frame in frames) == 128
    assert sum(len(frame.ask_lsas) for frame in frames) == 256
    assert not outbox


def test_an_lsa_too_large_for_any_frame_is_counted_and_holds_up_nothing():
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


def test_who_cannot_be_asked_is_passed_over_for_somebody_who_can():
    fleet = Fleet({"a": ["b", "c"], "b": ["c"], "c": ["b"]})  # c hears a and cannot answer it
    fleet.lose = lambda sender, receiver, frame: receiver == "c" and bool(frame.lsas)
    fleet["a"].show("a.t", b"1")
    fleet.settle()
    assert fleet["b"].value("a.t") == b"1"
    assert fleet["c"].value("a.t") is None
    fleet.cut()
    assert fleet.seconds_until(lambda: fleet["c"].value("a.t") == b"1") <= HEAL_S


# ---- what is lost is healed -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_lost_change_is_healed_within_a_beat(shape):
    for sender, receiver in [(s, r) for s, peers in shape.items() for r in peers]:
        fleet = Fleet(shape)
        agents = [fleet[name].show(f"{name}.t", b"1") for name in shape]
        fleet.run(7)
        fleet.lose = lambda s, r, frame, link=(sender, receiver): (s, r) == link and bool(frame.lsas)
        for agent in agents:
            agent.submit("L", b"2")
        fleet.settle()
        fleet.cut()
        done = lambda fleet=fleet, shape=shape: all(  # noqa: E731
            node.value(f"{name}.t") == b"2" for node in fleet.nodes.values() for name in shape
        )
        assert fleet.seconds_until(done) <= HEAL_S, (sender, receiver)
        assert consistent(fleet)


def test_a_lost_first_appearance_is_healed_within_a_beat():
    fleet = Fleet(CHAIN)
    fleet.run(7)
    lost = lose_once(fleet, lambda sender, receiver, frame: bool(frame.lsas) and receiver == "c")
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
def test_healing_does_not_wait_for_its_origin_to_come_to_rest(every):
    """One twin changes all the time; what the others of its node lost is healed nevertheless."""
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


def test_healing_needs_no_moment_at_which_its_origin_rests():
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


def test_lost_questions_and_answers_are_asked_and_given_again():
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


def test_a_change_that_comes_round_after_its_tombstone_does_not_stay():
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


def test_a_node_asks_even_for_what_had_been_there_before():
    """b forgot; what it lacks of a comes back from c, which had it from b."""
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
def test_after_a_storm_all_hold_the_same(seed):
    rng = random.Random(seed)
    shape = rng.choice([CHAIN, RING, {n: [m for m in "abcde" if m != n] for n in "abcde"}])
    fleet = Fleet(shape)
    agents = [fleet[name].show(f"{name}.t{i}", b"0") for name in shape for i in range(3)]
    fleet.lose = lambda sender, receiver, frame: rng.random() < 0.4
    for turn in range(40):
        for agent in rng.sample(agents, 3):
            node = fleet[agent.name[0]]
            if not agent.handle:
                node.add(agent)
            if rng.random() < 0.2:
                node.engine.remove(agent)
            else:
                agent.submit(rng.choice("LM"), b"%d" % turn)
        fleet.run()
        for node in fleet.nodes.values():
            assert_sound(node.space)
    fleet.cut()
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert fleet["a"].holds()


# ---- nodes that come, go and forget -----------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_twins_of_a_dead_node_vanish_everywhere_in_time(shape):
    fleet = Fleet(shape)
    fleet["a"].show("a.t", b"1")
    for name in shape:
        fleet[name].show(f"{name}.own", b"1")
    fleet.run(20)
    del fleet.nodes["a"]
    gone = lambda: all("a" not in node.hops() and not node.space.find("a.t") for node in fleet.nodes.values())  # noqa: E731
    assert BEAT_S < fleet.seconds_until(gone) <= 15
    assert all(node.space.find("b.own") for node in fleet.nodes.values())


def test_links_that_flap_do_not_keep_a_dead_node_alive():
    fleet = Fleet({"a": ["b", "c", "x"], "b": ["a", "c"], "c": ["a", "b"], "x": ["a"]})
    fleet["x"].show("x.t", b"1")
    fleet.run(10)
    del fleet.nodes["x"]
    for _ in range(20):
        fleet.run()
        fleet.link_up("a", "b", "c")
    for name in "abc":
        assert "x" not in fleet[name].hops()
        assert not fleet[name].space.find("x.t")


def test_second_hand_word_is_good_for_no_longer_than_it_was_at_first():
    fleet = Fleet({"b": ["c"], "c": ["b"]})
    node = fleet["b"]
    receive(node, "a", beats=[Beat("z", 1, 1, 1, 4, 0, 0)])
    for left in (3, 2, 1):
        node.gateway.link_up("c")
        node.react()
        beats = [beat for _, _, data in fleet.on_the_way for beat in decode(data).beats if beat.origin == "z"]
        assert [beat.life_s for beat in beats] == [left]
        assert "z" in node.hops()
        fleet.on_the_way.clear()
        node.tick()
    node.gateway.link_up("c")
    node.react()
    assert not any(beat.origin == "z" for _, _, data in fleet.on_the_way for beat in decode(data).beats)
    node.tick()
    assert "z" not in node.hops()


def test_a_newcomer_is_told_everything_at_once():
    fleet = Fleet(CHAIN)
    for name in "abc":
        fleet[name].show(f"{name}.t", name.encode())
    del fleet.nodes["d"]
    fleet.run(10)
    fleet.restart("d").show("d.t", b"d")
    fleet.link_up("d", "c")
    assert consistent(fleet)
    assert fleet["d"].hops() == {"a": 3, "b": 2, "c": 1}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_node_restarted_without_memory_gets_its_incarnation_right(shape, told):
    """With and without the hint that its links have come up."""
    fleet = Fleet(shape)
    for i in range(3):
        agent = fleet["a"].show(f"a.t{i}", b"old")
        for _ in range(5):
            agent.submit("L", b"older")
            fleet.settle()
    watcher = fleet["b"].add(Watcher("b.w", "L"))
    fleet.run(10)
    node = fleet.restart("a")
    node.show("a.t0", b"new")
    node.show("a.t9", b"new")
    if told:
        fleet.link_up(*shape)
    done = lambda: consistent(fleet) and fleet["b"].value("a.t9") == b"new"  # noqa: E731
    assert fleet.seconds_until(done) <= (1 if told else HEAL_S)
    assert node.space.origins.incarnation[SELF] == 2
    for each in fleet.nodes.values():
        assert each.holds() == node.holds()
        assert each.value("a.t0") == b"new"
        assert_sound(each.space)
    assert sorted(watcher.departed) == ["a.t1", "a.t2"]


def test_a_node_restarted_with_its_memory_is_believed_at_once():
    fleet = Fleet(CHAIN)
    fleet["a"].show("a.t", b"old")
    fleet["a"].show("a.gone", b"old")
    fleet.run(30)
    fleet.restart("a", 2).show("a.t", b"new")
    fleet.settle()
    assert fleet["d"].value("a.t") == b"new"
    assert fleet.seconds_until(lambda: not fleet["d"].space.find("a.gone")) <= HEAL_S
    assert fleet["a"].space.origins.incarnation[SELF] == 2


def test_a_node_that_comes_back_with_nothing_to_show_loses_its_old_twins():
    fleet = Fleet(CHAIN)
    fleet["a"].show("a.t", b"old")
    fleet.run(10)
    fleet.restart("a", 2)
    assert fleet.seconds_until(lambda: not any(n.space.find("a.t") for n in fleet.nodes.values())) <= HEAL_S


def test_a_restart_every_few_seconds_is_survived():
    fleet = Fleet(RING)
    fleet["c"].show("c.t", b"1")
    for turn in range(8):
        fleet.restart("a").show(f"a.t{turn}", b"1")
        fleet.run(3)
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert set(fleet["d"].holds()) == {"a.t7", "c.t"}


# ---- distances --------------------------------------------------------------------------------------


def test_distances_shrink_and_grow_with_the_ways_there_are():
    fleet = Fleet(RING)
    fleet.run(7)
    assert fleet["a"].hops() == {"b": 1, "c": 2, "d": 2, "e": 1}
    fleet.cut("a>b", "b>a")
    fleet.run(7)
    assert fleet["a"].hops() == {"e": 1, "d": 2, "c": 3, "b": 4}
    assert fleet["b"].hops() == {"c": 1, "d": 2, "e": 3, "a": 4}
    fleet.cut()
    fleet.run(7)
    assert fleet["a"].hops() == {"b": 1, "c": 2, "d": 2, "e": 1}


def test_of_two_ways_the_shorter_counts_even_if_it_is_slower():
    fleet = Fleet({"a": ["b", "c"], "b": ["a"], "c": ["a"]})
    beat = Beat("z", 1, 5, 3, 13, 0, 0)
    fleet["a"].gateway.receive("b", encode(Frame([beat])))
    assert fleet["a"].hops()["z"] == 4
    fleet["a"].gateway.receive("c", encode(Frame([Beat("z", 1, 5, 1, 13, 0, 0)])))
    assert fleet["a"].hops()["z"] == 2
    fleet["a"].gateway.receive("b", encode(Frame([beat])))
    assert fleet["a"].hops()["z"] == 2
    fleet["a"].gateway.receive("b", encode(Frame([Beat("z", 1, 6, 3, 13, 0, 0)])))  # a newer word
    assert fleet["a"].hops()["z"] == 4


def test_a_beat_does_not_go_round_for_ever():
    fleet = Fleet(PAIR)
    fleet["a"].gateway.receive("x", encode(Frame([Beat("z", 1, 5, 63, 13, 0, 0)])))
    fleet["a"].react()
    assert not any(b.origin == "z" for _, _, data in fleet.on_the_way for b in decode(data).beats)
    assert fleet["a"].hops()["z"] == 64


# ---- no frame does harm -----------------------------------------------------------------------------


def node_b():
    """Node b between a and c, with something in its space."""
    fleet = Fleet({"a": ["b"], "b": ["a", "c"], "c": ["b"]}, Limits(lsas=12, nodes=5, names=40, labels=8))
    for name in "abc":
        fleet[name].show(f"{name}.t", b'{"of":"%s"}' % name.encode())
        fleet[name].show(f"{name}.u", b"\x00\x01")
    fleet.run(7)
    return fleet, fleet["b"]


def shown(space, name):
    """What a space holds of an LSA, as something to compare."""
    slot = space.slot_of_name(name)
    if slot == 0xFFFF:
        return None
    return content(export(space, slot))


def content(record):
    return sorted((p.label, p.query, p.value) for p in record.properties)


@pytest.mark.parametrize("seed", range(4))
def test_10000_bad_frames_each_change_nothing_or_bring_whole_lsas(seed):
    rng = random.Random(seed)
    refused = understood = absorbed = 0
    for turn, data in enumerate(bad_frames(2_500, seed)):
        if turn % 100 == 0:
            _, node = node_b()
        before, was_refused = state(node.space), node.gateway.refused
        held = {name: shown(node.space, name) for name in node.space.names._numbers}
        node.gateway.receive(rng.choice(("a", "a", "c", "x")), data)
        try:
            frame = decode(data)
        except FrameError:
            refused += 1
            assert state(node.space) == before
            assert node.gateway.refused == was_refused + 1
            continue
        understood += 1
        for name in held.keys() | {each.name for each in frame.lsas}:
            now = shown(node.space, name)
            possible = [held.get(name), *(content(each) for each in frame.lsas if each.name == name)]
            assert now in possible or now is None, "an LSA came in part"
        assert shown(node.space, "b.t") == held["b.t"]
        assert_sound(node.space)
        assert len(node.gateway._digest._announced) < node.space.nodes.capacity
        if turn % 3 == 0:
            node.react()
            assert node.engine.faults == 0
            absorbed += node.gateway.absorbed
            node.gateway.absorbed = 0
        if turn % 9 == 0:
            node.tick()
    assert refused > 1500
    assert understood > 100
    assert absorbed > 20


def test_after_any_number_of_bad_frames_the_fleet_recovers():
    fleet, node = node_b()
    for data in bad_frames(2_000, 7):
        node.gateway.receive("a", data)
    fleet.settle()
    fleet.run(LIFE_S + 2)  # whoever was made up falls silent
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert set(node.holds()) == {f"{name}.{twin}" for name in "abc" for twin in "tu"}
    assert node.hops() == {"a": 1, "c": 1}


def receive(node, peer, *lsas, **parts):
    node.gateway.receive(peer, encode(Frame(lsas=list(lsas), **parts)))


def test_an_lsa_of_this_node_from_outside_is_refused():
    _, node = node_b()
    before = state(node.space)
    receive(node, "a", lsa("b.t", 99, path=["a", "b"]))
    receive(node, "a", lsa("b.new", 99, path=["a", "b"]))
    receive(node, "a", lsa("b.t", 99, path=["a", "b"], life_s=0))
    assert state(node.space) == before
    assert node.gateway.refused == 3


def test_an_lsa_whose_path_lacks_the_peer_is_refused():
    _, node = node_b()
    before = state(node.space)
    receive(node, "c", lsa("a.new", 99))
    receive(node, "x", lsa("a.new", 99, path=["c", "a"]))
    assert state(node.space) == before
    assert node.gateway.refused == 2
    assert "a.new" in node.gateway.stats()["last_refusal"]


def test_a_name_that_is_not_its_origins_is_refused():
    _, node = node_b()
    before = state(node.space)
    row = ["c.t", "", "", "a", 1, 99, 13, ["a"], [], []]
    node.gateway.receive("a", sealed(orjson.dumps({"l": [row]})))
    assert state(node.space) == before
    assert node.gateway.refused == 1


def test_a_local_agent_keeps_its_name():
    _, node = node_b()
    node.show("z.t", b"mine")
    receive(node, "a", lsa("z.t", 5, path=["a", "z"]))
    assert node.value("z.t") == b"mine"
    assert node.gateway.refused == 1


def test_one_wrong_lsa_in_a_frame_spoils_none_of_the_others():
    _, node = node_b()
    receive(node, "a", lsa("a.x", 50), lsa("c.x", 50), lsa("b.x", 50, path=["a", "b"]), lsa("a.y", 51))
    assert node.value("a.x") == node.value("a.y") == b"1"
    assert not node.space.find("c.x")
    assert not node.space.find("b.x")


def test_a_space_without_room_refuses_whole_lsas_and_takes_them_when_there_is_room():
    fleet = Fleet(PAIR)
    fleet.limits = Limits(lsas=4, nodes=4)
    node = fleet.restart("b")
    own = [node.show(f"b.t{i}", b"1") for i in range(2)]
    for i in range(4):
        fleet["a"].show(f"a.t{i}", b"1")
    fleet.run(7)
    assert len(node.holds()) == 4
    assert node.gateway.stats()["no_room"] >= 2
    assert_sound(node.space)
    for agent in own:
        node.engine.remove(agent)
    assert fleet.seconds_until(lambda: set(node.holds()) == {f"a.t{i}" for i in range(4)}) <= HEAL_S


def test_more_nodes_than_fit_are_refused_and_counted():
    fleet = Fleet(PAIR, Limits(lsas=8, nodes=3))
    beats = [Beat(f"n{i}", 1, 1, 1, 13, 0, 0) for i in range(100)]
    receive(fleet["b"], "a", beats=beats)
    assert len(fleet["b"].hops()) == 1
    assert fleet["b"].gateway.stats()["no_room"] == 99
    assert_sound(fleet["b"].space)
    fleet.run(LIFE_S + 1)
    assert fleet["b"].hops() == {"a": 1}


def test_a_word_about_oneself_from_the_end_of_time_is_no_reason_to_stop():
    fleet, node = node_b()
    for incarnation, sequence in (
        (MAX_INCARNATION, 1),
        (MAX_INCARNATION, 2**32 - 1),
        (MAX_INCARNATION - 1, 2**32 - 1),
    ):
        receive(node, "a", beats=[Beat("b", incarnation, sequence, 1, 13, 0, 0)])
        assert node.space.origins.incarnation[SELF] <= MAX_INCARNATION
        fleet.run(2)
    assert fleet["a"].value("b.t") == fleet["c"].value("b.t") == b'{"of":"b"}'


def test_an_older_incarnation_known_only_by_its_lsas_is_answered():
    fleet = Fleet(PAIR)
    node = fleet["b"]
    receive(node, "a", lsa("a.t", 5, incarnation=4))
    receive(node, "a", beats=[Beat("a", 1, 9, 0, 13, 0, 0)])
    receive(node, "a", beats=[Beat("a", 4, 1, 0, 13, 0, 0)])
    node.react()
    beats = [beat for _, _, data in fleet.on_the_way for beat in decode(data).beats if beat.origin == "a"]
    assert [(beat.incarnation, beat.sequence) for beat in beats] == [(4, 5)]


def test_a_beat_with_little_life_left_does_not_shorten_what_is_known():
    fleet, node = node_b()
    receive(node, "c", beats=[Beat("a", 1, 10_000, 1, 1, 2, 0)])
    fleet.run(2)
    assert node.value("a.t")
    receive(node, "c", beats=[Beat("z", 1, 1, 1, 200, 0, 0)])
    fleet.lose = lambda sender, receiver, frame: True
    fleet.run(LIFE_S - 1)
    assert "z" in node.hops()
    fleet.run(1)
    assert "z" not in node.hops()


def test_what_a_neighbour_asks_for_a_hundred_times_it_gets_once():
    fleet, node = node_b()
    for _ in range(10):
        receive(
            node, "a", ask_roster=["b"] * 100 + ["a", "c", "nobody"], ask_lsas=["b.t", "b.u", "no.such"] * 300
        )
    node.react()
    ((_, receiver, data),) = fleet.on_the_way
    frame = decode(data)
    assert receiver == "a"
    assert sorted(each.origin for each in frame.rosters) == ["a", "b", "c"]
    assert sorted(each.name for each in frame.lsas) == ["b.t", "b.u"]


def test_a_roster_of_things_that_are_not_makes_no_endless_question():
    fleet, node = node_b()
    entries = [(f"a.n{i}", 1) for i in range(1000)]
    for _ in range(20):
        receive(node, "c", rosters=[Roster("a", 1, 1, entries)])
    node.react()
    frames = [decode(data) for _, _, data in fleet.on_the_way]
    assert sum(len(frame.ask_lsas) for frame in frames) <= 256
    assert all(len(data) < MAX_FRAME_BYTES for _, _, data in fleet.on_the_way)
    assert node.value("a.t")


def test_a_stranger_is_heard_but_not_answered():
    fleet, node = node_b()
    receive(
        node, "x", lsa("x.t", 3), ask_roster=["b"], ask_lsas=["b.t"], beats=[Beat("x", 1, 4, 0, 13, 9, 9)]
    )
    node.react()
    assert node.value("x.t") == b"1"
    assert {receiver for _, receiver, _ in fleet.on_the_way} == {"a", "c"}


def test_a_roster_of_an_incomplete_neighbour_removes_nothing():
    _, node = node_b()
    receive(node, "c", rosters=[Roster("a", 1, 10_000, [])])
    assert node.value("a.t")
    receive(node, "c", rosters=[Roster("b", 1, 10_000, [])])
    assert node.value("b.t")


def test_doubled_and_reordered_frames_change_nothing():
    fleet = Fleet(PAIR)
    agent = fleet["a"].show("a.t", b"1")
    fleet["a"].react()
    agent.submit("L", b"2")
    fleet["a"].react()
    frames = [data for _, _, data in fleet.on_the_way]
    watcher = fleet["b"].add(Watcher("b.w", "L"))
    for data in (frames[1], frames[0], frames[1], frames[0]):
        fleet["b"].gateway.receive("a", data)
        fleet["b"].react()
    assert watcher.told == [("a.t", b"2")]


def test_a_version_two_neighbours_bring_is_told_once():
    fleet = Fleet(RING)
    watcher = fleet["d"].add(Watcher("d.w", "L"))
    agent = fleet["a"].add(Watcher("a.t"))
    for turn in range(5):
        agent.submit("L", b"%d" % turn)
        fleet.settle()
    assert watcher.told == [("a.t", b"%d" % turn) for turn in range(5)]
