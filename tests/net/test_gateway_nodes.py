"""Gateways: nodes that start, stop and restart, and their distances."""

import pytest
from fleet import Fleet, Watcher, assert_sound
from shapes import CHAIN, HEAL_S, PAIR, RING, SHAPES, beats, consistent, receive

from edge.net.frame import decode, encode
from edge.space.courier import Beat
from edge.space.digest import BEAT_S
from edge.space.origins import checksum
from edge.space.tuplespace import SELF

# ---- nodes that start, stop and restart -----------------------------------------------------------------


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


EMPTY = checksum([])


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


def test_a_forwarded_heartbeat_is_valid_no_longer_than_the_original():
    fleet = Fleet({"b": ["c"], "c": ["b"]})
    node = fleet["b"]
    receive(node, "a", heard=[Beat("z", 1, 1, 1, 1, 4, 0, EMPTY)])
    for left in (3, 2, 1):
        node.gateway.link_up("c")
        node.react()
        found = [p for _, _, data in fleet.on_the_way for p in decode(data).pulses if p.origin == "z"]
        assert [pulse.life_s for pulse in found] == [left]
        assert "z" in node.hops()
        fleet.on_the_way.clear()
        node.tick()
    node.gateway.link_up("c")
    node.react()
    assert not any(beat.origin == "z" for _, _, data in fleet.on_the_way for beat in decode(data).pulses)
    node.tick()
    assert "z" not in node.hops()


def test_a_new_node_learns_everything_at_once():
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
def test_a_node_restarted_without_memory_finds_a_new_incarnation(shape, told):
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


def test_a_node_that_returns_with_no_twins_loses_its_old_ones():
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


def test_distances_follow_the_available_paths():
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


def test_the_shorter_of_two_paths_counts_even_if_it_is_slower():
    fleet = Fleet({"a": ["b", "c"], "b": ["a"], "c": ["a"]})
    beat = Beat("z", 1, 5, 5, 3, 13, 0, EMPTY)
    fleet["a"].gateway.receive("b", encode(beats(beat)))
    assert fleet["a"].hops()["z"] == 4
    fleet["a"].gateway.receive("c", encode(beats(Beat("z", 1, 5, 5, 1, 13, 0, EMPTY))))
    assert fleet["a"].hops()["z"] == 2
    fleet["a"].gateway.receive("b", encode(beats(beat)))
    assert fleet["a"].hops()["z"] == 2
    fleet["a"].gateway.receive("b", encode(beats(Beat("z", 1, 6, 6, 3, 13, 0, EMPTY))))  # a newer word
    assert fleet["a"].hops()["z"] == 4


def test_a_heartbeat_does_not_circulate_forever():
    fleet = Fleet(PAIR)
    fleet["a"].gateway.receive("x", encode(beats(Beat("z", 1, 5, 5, 63, 13, 0, EMPTY))))
    fleet["a"].react()
    assert not any(b.origin == "z" for _, _, data in fleet.on_the_way for b in decode(data).pulses)
    assert fleet["a"].hops()["z"] == 64
