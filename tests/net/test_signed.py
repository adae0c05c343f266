"""Gateways with keys: nobody but its origin alters, ends or invents what a node shows."""

import random

import msgspec
import pytest
from fleet import Fleet, storm
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import CHAIN, HEAL_S, PAIR, RING, SHAPES, consistent
from village import LINE, Village, refused, send, signed

from edge.net import manifest
from edge.space.digest import BEAT_S
from edge.space.lsa import EVERYWHERE, Lsa
from edge.space.origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE, checksum
from edge.space.tuplespace import SELF

# ---- it works as without keys -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_all_nodes_hold_the_same_and_refuse_nothing(shape):
    fleet = signed(shape)
    assert consistent(fleet)
    agent = fleet["a"].show("a.more", b"1")
    for turn in range(5):
        agent.submit("L", b"%d" % turn)
        agent.submit("M", b"stays")
        fleet.settle()
    assert consistent(fleet)
    fleet["a"].engine.remove(agent)
    fleet.settle()
    assert consistent(fleet)
    for node in fleet.nodes.values():
        assert node.gateway.stats()["refusals"] == {}
        assert node.gateway.stats()["without_base"] == 0
        assert sorted(node.trust.stats()["members"]) == sorted(shape)


def test_only_pulses_cross_a_quiet_link_and_prove_themselves():
    fleet = signed(CHAIN)
    fleet.carried.clear()
    fleet.run(60)
    frames = [frame for _, _, frame in fleet.carried]
    assert not any(frame.lsas or frame.deltas or frame.statements or frame.ask_roster for frame in frames)
    assert all(len(pulse.link) == 12 for frame in frames for pulse in frame.pulses)
    assert set(fleet["d"].hops()) == {"a", "b", "c"}


def test_a_new_chain_begins_without_anybody_asking():
    fleet = signed(PAIR)
    fleet.carried.clear()
    fleet.run(260 * BEAT_S)
    assert fleet["b"].hops() == {"a": 1}
    frames = [frame for _, _, frame in fleet.carried]
    assert not any(frame.ask_roster for frame in frames)
    assert 2 <= sum(len(frame.statements) for frame in frames) <= 6


def test_a_node_that_comes_late_learns_who_the_others_are_and_believes_them():
    fleet = signed(CHAIN)
    fleet.run(200)
    del fleet.nodes["d"]
    fleet.run(LIFE_S + 2)
    fleet.restart("d", 5).show("d.t", b"d")
    fleet.link_up("d", "c")
    assert fleet.seconds_until(lambda: consistent(fleet)) <= HEAL_S
    assert fleet["d"].hops() == {"c": 1, "b": 2, "a": 3}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_lost_change_is_repaired_within_a_heartbeat(shape):
    for sender, receiver in [(s, r) for s, peers in shape.items() for r in peers]:
        fleet = Fleet(shape, None, Village())
        agents = [fleet[name].show(f"{name}.t", b"1") for name in shape]
        fleet.run(7)
        fleet.cut(f"{sender}>{receiver}")
        for agent in agents:
            agent.submit("L", b"2")
        fleet.settle()
        fleet.cut()
        assert fleet.seconds_until(lambda fleet=fleet: consistent(fleet)) <= HEAL_S, (sender, receiver)


@pytest.mark.parametrize("seed", range(4))
def test_after_a_storm_all_nodes_hold_the_same(seed):
    rng = random.Random(seed)
    fleet = Fleet(rng.choice([CHAIN, RING]), None, Village())

    def submit(agent, turn):
        reach = rng.choice((1, EVERYWHERE, EVERYWHERE))
        agent.submit(rng.choice("LM"), b"%d" % turn, "", rng.choice((4, 60)), reach)

    storm(fleet, rng, submit)
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    for node in fleet.nodes.values():
        assert refused(node, "forged") == 0


def test_a_node_that_lost_its_memory_is_reminded_by_what_it_has_signed():
    fleet = signed(CHAIN)
    fleet.restart("a").show("a.new", b"2")
    assert fleet.seconds_until(lambda: consistent(fleet) and fleet["d"].value("a.new")) <= 3 * HEAL_S
    assert fleet["a"].space.origins.incarnation[SELF] == 2
    assert not fleet["d"].space.find("a.t")


def restarted(shape, name, off_s, memory=()):
    """A node that was on for long, off for so long, and is on again; so are those that lost their memory."""
    fleet = Fleet(shape, None, Village())
    for each in shape:
        fleet.restart(each, 9).show(f"{each}.t", b"1")
    fleet.run(40)
    off = [name, *memory]
    for each in off:
        del fleet.nodes[each]
    fleet.run(off_s)
    for each in off:
        fleet.restart(each, 3).show(f"{each}.t", b"2")
    fleet.link_up(*shape)
    return fleet


def stay_consistent(fleet):
    """Also after the life is over of what was believed without a heartbeat."""
    for _ in range(3 * LIFE_S):
        fleet.run()
        assert consistent(fleet)
    return all(len(node.hops()) == len(fleet.shape) - 1 for node in fleet.nodes.values())


@pytest.mark.parametrize("off_s", [0, 5, LIFE_S + 2, 60])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_node_that_was_off_and_lost_its_memory_is_believed_again(shape, off_s):
    """Whether the others still know it to live, or only what it has signed."""
    fleet = restarted(shape, "a", off_s)
    assert fleet.seconds_until(lambda: consistent(fleet)) <= HEAL_S
    assert stay_consistent(fleet)
    assert fleet["a"].space.origins.incarnation[SELF] == 10
    assert all(node.value("a.t") == b"2" for node in fleet.nodes.values())


@pytest.mark.parametrize("off_s", [5, LIFE_S + 2])
def test_a_later_life_that_only_a_distant_node_remembers_is_told_on_the_way_back(off_s):
    fleet = restarted(CHAIN, "a", off_s, memory=["b", "c"])
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert stay_consistent(fleet)
    assert fleet["d"].value("a.t") == b"2"


@pytest.mark.parametrize("off_s", [5, LIFE_S + 2])
def test_a_pulse_of_another_life_with_the_same_ordinal_asks_for_its_statement(off_s):
    fleet = Fleet(PAIR, None, Village())
    fleet.restart("a", 9)
    fleet.run(10 * BEAT_S)
    held = fleet["b"].gateway._statements.held("a")
    del fleet.nodes["a"]
    fleet.run(off_s)
    fleet.restart("a", 3)
    fleet.cut("a>b")
    fleet.run(2)  # its statement is lost
    fleet.cut()
    assert fleet["a"].gateway._statements._own.ordinal == held.ordinal
    assert fleet.seconds_until(lambda: fleet["a"].space.origins.incarnation[SELF] == 10) <= 2 * HEAL_S
    fleet.run(HEAL_S)
    assert stay_consistent(fleet)


def test_new_keys_sign_everything_again():
    fleet = signed(LINE)
    node = fleet["a"]
    before = {name: version for name, (_, version) in node.holds().items() if name.startswith("a.")}
    own = node.trust._own
    fleet.trust.members._clock.wall_s = lambda: 1_700_000_100.0
    node.trust._renew(fleet.trust.members.renew("a"))
    assert node.trust._own is not own
    agent = node.engine.agent_at(node.space.slot_of_name("a.identity"))
    agent.submit("IDENTITY", node.trust.certificate())
    fleet.run(2)
    assert consistent(fleet)
    assert all(node.holds()[name][1] > version for name, version in before.items())
    assert refused(fleet["c"], "forged") == 0


# ---- a lost disk: new keys, and no memory --------------------------------------------------------------


def with_new_keys(shape, start, off_s, lose="", memory=()):
    """A node that has lived from `start` on lost its disk; it begins as a real one with new keys does."""
    fleet = Fleet(shape, None, Village())
    for each in shape:
        fleet.restart(each, 9 if each != "a" else start).show(f"{each}.t", b"1")
    fleet.run(30)
    off = ["a", *memory]
    for each in off:
        del fleet.nodes[each]
    fleet.run(off_s)
    fleet.trust.members.renew("a")
    for each in off:
        fleet.restart(each, first_of(fleet, each)).show(f"{each}.t", b"2")
    fleet.cut(*([lose] if lose else []))
    fleet.link_up(*shape)
    fleet.run(2)
    fleet.cut()
    return fleet


def first_of(fleet, name):
    return fleet.trust(name).first_incarnation


def before_and_after():
    """Starts of the former life: before the new certificate was made, and, with many restarts, after."""
    first = Village()("a").first_incarnation
    return [9, first, first + 100_000, MAX_INCARNATION - 1]


@pytest.mark.parametrize("off_s", [0, LIFE_S + 2])
@pytest.mark.parametrize("start", before_and_after())
@pytest.mark.parametrize("shape", [PAIR, CHAIN, RING], ids=["pair", "chain", "ring"])
def test_a_node_that_lost_its_disk_and_has_new_keys_is_believed_again(shape, start, off_s):
    fleet = with_new_keys(shape, start, off_s)
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert stay_consistent(fleet)
    assert all(node.value("a.t") == b"2" for node in fleet.nodes.values())
    assert fleet["a"].space.origins.incarnation[SELF] == first_of(fleet, "a")


@pytest.mark.parametrize("start", before_and_after())
def test_new_keys_are_learned_though_the_first_frames_are_lost(start):
    fleet = with_new_keys(CHAIN, start, 5, lose="a>b")
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 3 * HEAL_S
    assert stay_consistent(fleet)
    assert fleet["d"].value("a.t") == b"2"
    assert all(node.gateway.stats()["flooding"] == [] for node in fleet.nodes.values())


@pytest.mark.parametrize("start", before_and_after())
def test_new_keys_reach_a_distant_node_that_alone_remembers_the_former_life(start):
    fleet = with_new_keys(CHAIN, start, LIFE_S + 2, memory=["b", "c"])
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 3 * HEAL_S
    assert stay_consistent(fleet)
    assert fleet["d"].value("a.t") == b"2"


@settings(max_examples=40, deadline=None)
@given(
    incarnation=st.integers(1, MAX_INCARNATION),
    sequence=st.integers(1, MAX_SEQUENCE),
    to=st.sampled_from("abc"),
)
def test_who_has_the_lost_keys_neither_moves_the_new_life_nor_ends_it(incarnation, sequence, to):
    """A relay, or a thief of the card, says anything with the keys of the former life."""
    fleet = with_new_keys(LINE, 9, LIFE_S + 2)
    fleet.run(2 * HEAL_S)
    said = fleet["b"].gateway._statements.held("a")
    lost = Village()("a")  # keys follow from names and numbers: these are the first of a
    lie = msgspec.structs.replace(
        said, incarnation=incarnation, sequence=sequence, lsas=0, checksum=checksum([])
    )
    lie = msgspec.structs.replace(lie, signature=lost.sign(manifest.of_statement(lie)))
    old = Lsa("a.t", "", b"", "a", incarnation, sequence, 13, [*("b" * (to == "c")), "a"], [], [])
    old.auth = lost.sign(manifest.of_lsa(old))
    for _ in range(3):
        send(fleet[to], "b" if to in "ac" else "a", statements=[lie], lsas=[old])
        fleet.run(2)
    fleet.run(HEAL_S)
    assert consistent(fleet)
    assert fleet["a"].space.origins.incarnation[SELF] == first_of(fleet, "a")
    assert all(node.value("a.t") == b"2" for node in fleet.nodes.values())


def test_what_a_thief_said_before_the_new_keys_were_known_is_forgotten():
    fleet = Fleet(LINE, None, Village())
    for each in LINE:
        fleet[each].show(f"{each}.t", b"1")
    fleet.run(10)
    lost = fleet["a"].trust
    del fleet.nodes["a"]
    lie = msgspec.structs.replace(
        fleet["b"].gateway._statements.held("a"), incarnation=MAX_INCARNATION, sequence=MAX_SEQUENCE
    )
    lie = msgspec.structs.replace(lie, signature=lost.sign(manifest.of_statement(lie)))
    for _ in range(10):
        for name, peer in (("b", "c"), ("c", "b")):
            send(fleet[name], peer, statements=[lie])
        fleet.run(1)
    assert fleet["b"].gateway._statements.held("a").incarnation == MAX_INCARNATION
    fleet.trust.members.renew("a")
    fleet.restart("a", first_of(fleet, "a")).show("a.t", b"2")
    fleet.link_up(*LINE)
    assert fleet.seconds_until(lambda: consistent(fleet)) <= 2 * HEAL_S
    assert stay_consistent(fleet)
    assert fleet["c"].value("a.t") == b"2"


@pytest.mark.parametrize("start", [9, before_and_after()[2]])
def test_a_former_certificate_may_be_revoked_before_or_after_the_new_one_is_known(start):
    for after_s in (0, 40):
        fleet = Fleet(LINE, None, Village())
        for each in LINE:
            fleet.restart(each, 9 if each != "a" else start).show(f"{each}.t", b"1")
        fleet.run(20)
        del fleet.nodes["a"]
        revoked = fleet.trust.members.revoke("a")
        if not after_s:
            fleet["c"].trust.revoke(revoked)
            fleet.run(2)
        fleet.trust.members.renew("a")
        fleet.restart("a", first_of(fleet, "a")).show("a.t", b"2")
        fleet.link_up(*LINE)
        fleet.run(max(after_s, 2 * HEAL_S))
        assert consistent(fleet)
        for node in fleet.nodes.values():
            node.trust.revoke(revoked)
        for _ in range(10):
            fleet.run(1)
            assert fleet["c"].value("a.t") == b"2"
            assert consistent(fleet)
