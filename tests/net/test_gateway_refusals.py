"""Gateways: no frame does harm, whatever it contains."""

import random

import pytest
from bad_frames import bad_frames, pack, sealed
from fleet import Fleet, Watcher, assert_sound, state
from shapes import HEAL_S, PAIR, RING, consistent, lsa, receive

from edge.net.frame import MAX_FRAME_BYTES, decode
from edge.net.schema import FrameError
from edge.space.courier import Beat, Roster
from edge.space.exchange import export
from edge.space.origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE, checksum
from edge.space.tuplespace import SELF, Limits

EMPTY = checksum([])


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


def completed(now, possible, changes):
    """Whether it is what deltas describe: what one of them changed, and nothing that nobody has shown."""
    known = {each for contents in (*possible, *changes) for each in contents or ()}
    return set(now) <= known and any(set(change) <= set(now) for change in changes)


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
        for name in held.keys() | {each.name for each in (*frame.lsas, *frame.deltas)}:
            now = shown(node.space, name)
            possible = [held.get(name), *(content(each) for each in frame.lsas if each.name == name)]
            changes = [content(each) for each in frame.deltas if each.name == name]
            assert now in possible or now is None or completed(now, possible, changes), "an LSA came in part"
        assert shown(node.space, "b.t") == held["b.t"]
        assert_sound(node.space)
        assert len(node.gateway._digest._announced) < node.space.nodes.capacity
        if turn % 3 == 0:
            node.react()
            assert node.engine.faults == 0
            absorbed += node.gateway.intake.absorbed
            node.gateway.intake.absorbed = 0
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
    row = ["a.c", ".t", "", 1, 99, 13, [], b"", [], []]  # the wire has no way to say it
    node.gateway.receive("a", sealed(pack({"l": [row]})))
    assert state(node.space) == before
    assert node.gateway.refused == 1


def test_a_local_agent_keeps_its_name():
    _, node = node_b()
    node.show("z.t", b"mine")
    receive(node, "a", lsa("z.t", 5, path=["a", "z"]))
    assert node.value("z.t") == b"mine"
    assert node.gateway.refused == 1


def test_an_invalid_lsa_in_a_frame_does_not_affect_the_others():
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
    receive(fleet["b"], "a", heard=[Beat(f"n{i}", 1, 1, 1, 1, 13, 0, EMPTY) for i in range(100)])
    assert len(fleet["b"].hops()) == 1
    assert fleet["b"].gateway.stats()["no_room"] == 99
    assert_sound(fleet["b"].space)
    fleet.run(LIFE_S + 1)
    assert fleet["b"].hops() == {"a": 1}


def test_a_claim_that_this_node_has_the_last_incarnation_does_not_stop_it():
    fleet, node = node_b()
    for incarnation, sequence in (
        (MAX_INCARNATION, 1),
        (MAX_INCARNATION, MAX_SEQUENCE),
        (MAX_INCARNATION - 1, MAX_SEQUENCE),
    ):
        receive(node, "a", heard=[Beat("b", incarnation, sequence, sequence, 1, 13, 0, EMPTY)])
        assert node.space.origins.incarnation[SELF] <= MAX_INCARNATION
        fleet.run(2)
    assert fleet["a"].value("b.t") == fleet["c"].value("b.t") == b'{"of":"b"}'


def test_an_older_incarnation_known_only_by_its_lsas_is_answered():
    fleet = Fleet(PAIR)
    node = fleet["b"]
    receive(node, "a", lsa("a.t", 5, incarnation=4))
    receive(node, "a", heard=[Beat("a", 1, 9, 9, 0, 13, 0, EMPTY)])
    receive(node, "a", heard=[Beat("a", 4, 1, 1, 0, 13, 0, EMPTY)])
    node.react()
    said = [each for _, _, data in fleet.on_the_way for each in decode(data).statements if each.origin == "a"]
    assert [(each.incarnation, each.sequence) for each in said] == [(4, 5)]


def test_a_beat_with_little_life_left_does_not_shorten_what_is_known():
    fleet, node = node_b()
    receive(node, "c", heard=[Beat("a", 1, 10_000, 10_000, 1, 1, 2, EMPTY)])
    fleet.run(2)
    assert node.value("a.t")
    receive(node, "c", heard=[Beat("z", 1, 1, 1, 1, 15, 0, EMPTY)])
    fleet.lose = lambda sender, receiver, frame: True
    fleet.run(LIFE_S - 1)
    assert "z" in node.hops()
    fleet.run(1)
    assert "z" not in node.hops()


def test_a_neighbour_that_asks_a_hundred_times_is_answered_once():
    fleet, node = node_b()
    for _ in range(10):
        receive(
            node, "a", ask_roster=["b"] * 100 + ["a", "c", "nobody"], ask_lsas=["b.t", "b.u", "no.such"] * 80
        )
    node.react()
    ((_, receiver, data),) = fleet.on_the_way
    frame = decode(data)
    assert receiver == "a"
    assert sorted(each.origin for each in frame.rosters) == ["a", "b", "c"]
    assert sorted(each.name for each in frame.lsas) == ["b.t", "b.u"]


def test_a_roster_of_invented_lsas_causes_bounded_requests():
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
        node,
        "x",
        lsa("x.t", 3),
        ask_roster=["b"],
        ask_lsas=["b.t"],
        heard=[Beat("x", 1, 4, 4, 0, 13, 9, b"9" * 16)],
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


def test_duplicated_and_reordered_frames_change_nothing():
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


def test_a_version_from_two_neighbours_is_notified_once():
    fleet = Fleet(RING)
    watcher = fleet["d"].add(Watcher("d.w", "L"))
    agent = fleet["a"].add(Watcher("a.t"))
    for turn in range(5):
        agent.submit("L", b"%d" % turn)
        fleet.settle()
    assert watcher.told == [("a.t", b"%d" % turn) for turn in range(5)]
