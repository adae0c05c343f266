"""One signature for all that an origin changes in one reaction, and a proof of each record alone."""

import pytest
from fleet import state
from hypothesis import given
from hypothesis import strategies as st
from shapes import CHAIN, HEAL_S, consistent
from test_signed import LINE, refused, send, signed

from edge.net import manifest, tree
from edge.net.bundle import bundles
from edge.net.frame import Frame, decode, encode
from edge.net.schema import Bundled, FrameError
from edge.space.exchange import export
from edge.space.lsa import HERE


@st.composite
def leaves_of_a_tree(draw):
    count = draw(st.integers(2, tree.MAX_LEAVES))
    leaves = {place: tree.leaf(b"%d" % place) for place in range(count)}
    chosen = draw(st.sets(st.sampled_from(range(count)), min_size=1))
    return count, leaves, {place: leaves[place] for place in chosen}


@given(leaves_of_a_tree())
def test_any_leaves_and_what_is_beside_them_lead_to_what_was_signed(drawn):
    count, leaves, chosen = drawn
    whole = tree.grown(count, leaves)
    beside = [whole[key] for key in tree.lacking(count, chosen)]
    assert tree.message(count, tree.grown(count, chosen, beside)) == tree.message(count, whole)
    place = next(iter(chosen))
    false = chosen | {place: tree.leaf(b"false")}
    assert tree.message(count, tree.grown(count, false, beside)) != tree.message(count, whole)
    for wrong in ([*beside, bytes(tree.HASH_BYTES)], [*beside, b"x"]):
        with pytest.raises(tree.BadTree):
            tree.grown(count, chosen, wrong)


@given(leaves_of_a_tree())
def test_each_leaf_can_be_proved_alone(drawn):
    count, leaves, chosen = drawn
    whole = tree.grown(count, leaves)
    for place, each in chosen.items():
        auth = tree.proof(b"s" * 64, count, place, whole)
        assert len(auth) <= 255
        signature, count_again, place_again, nodes = tree.parts_of(auth)
        assert (signature, count_again, place_again) == (b"s" * 64, count, place)
        alone = tree.grown(count, {place: each}, nodes.values())
        assert tree.message(count, alone) == tree.message(count, whole)


def crowd(shape=LINE, agents=5, limits=None):
    """Nodes of which the first shows several agents."""
    fleet = signed(shape, limits)
    shown = [fleet["a"].show(f"a.u{i}", b"0") for i in range(agents)]
    fleet.settle()
    return fleet, shown


def change(agents, value):
    for agent in agents:
        agent.submit("L", value)


def test_a_reaction_is_signed_once_and_verified_once(monkeypatch):
    fleet, agents = crowd()
    signs, verifies, manifests = [], [], []
    sign, verify, of = fleet["a"].trust.sign, fleet["c"].trust.verify, manifest.of
    monkeypatch.setattr(fleet["a"].trust, "sign", lambda text: signs.append(text) or sign(text))
    monkeypatch.setattr(fleet["c"].trust, "verify", lambda *args: verifies.append(args) or verify(*args))
    monkeypatch.setattr(manifest, "of", lambda record: manifests.append(record.name) or of(record))
    fleet.carried.clear()
    change(agents, b"1")
    fleet.settle()
    assert len(signs) == len(verifies) == 1
    assert sorted(manifests) == sorted(3 * [agent.name for agent in agents])  # a makes them, b and c check
    (frame,) = [frame for _, receiver, frame in fleet.carried if receiver == "c"]
    assert (len(frame.deltas), len(frame.bundled), frame.bundled[0].beside) == (5, 1, b"")
    assert consistent(fleet)


def test_an_lsa_of_a_tree_is_passed_on_alone_with_its_proof():
    fleet, agents = crowd(CHAIN)
    fleet.lose = lambda sender, receiver, frame: receiver == "d"
    change(agents, b"1")
    fleet.settle()
    fleet.cut()
    send(fleet["c"], "d", ask_lsas=["a.u3"])
    fleet.settle()
    assert fleet["d"].value("a.u3") == b"1"
    assert fleet["d"].value("a.u2") == b"0"
    assert fleet.seconds_until(lambda: consistent(fleet)) <= HEAL_S
    assert refused(fleet["d"], "forged") == 0


def captured(fleet, agents, value=b"1"):
    """The frame to c that changes the agents; it does not arrive."""
    caught = []
    fleet.lose = lambda sender, receiver, frame: receiver == "c" and not caught.append(frame)
    change(agents, value)
    fleet.settle()
    fleet.cut()
    return next(frame for frame in caught if frame.records)


def test_a_relay_that_alters_one_record_of_a_tree_changes_nothing():
    fleet, agents = crowd()
    frame = captured(fleet, agents)
    node = fleet["c"]
    before = state(node.space)
    frame.deltas[2].properties[0].value = b"forged"
    node.gateway.receive("b", encode(frame))
    assert state(node.space) == before
    assert node.gateway.stats()["without_base"] == 1
    fleet.settle()  # it has asked for the whole LSAs
    assert consistent(fleet)


def test_a_record_of_a_tree_whose_base_is_missing_is_asked_for_with_the_others():
    fleet, agents = crowd()
    captured(fleet, agents[2:3])
    change(agents, b"2")
    fleet.settle()
    assert consistent(fleet)
    assert fleet["c"].value("a.u2") == b"2"


def test_what_is_held_costs_neither_hash_nor_signature(monkeypatch):
    fleet, agents = crowd()
    data = encode(captured(fleet, agents))
    node = fleet["c"]
    node.gateway.receive("b", data)
    assert node.value("a.u0") == b"1"
    monkeypatch.setattr(manifest, "of", None)
    monkeypatch.setattr(node.trust, "verify", None)
    node.gateway.receive("b", data)
    assert node.gateway.stats()["refusals"] == {}


def test_what_finds_no_room_costs_no_signature(monkeypatch):
    fleet, agents = crowd()
    big = fleet["c"].show("c.big", b"")
    for i in range(3):
        big.submit("LMN"[i], bytes(4_000), "", 60, HERE)
    fleet.settle()
    frame = captured(fleet, agents[:2], b"x" * 3_000)
    assert frame.bundled
    monkeypatch.setattr(fleet["c"].trust, "verify", None)
    fleet["c"].gateway.receive("b", encode(frame))
    assert fleet["c"].gateway.stats()["no_room"] == 2
    assert fleet["c"].value("a.u0") == b"0"


def test_new_and_held_records_of_a_tree_are_proved_together():
    fleet, agents = crowd()
    frame = captured(fleet, agents)
    node = fleet["c"]
    space = fleet["b"].space
    wholes = [export(space, space.slot_of_name(each.name)) for each in frame.deltas[:3]]
    node.gateway.receive("b", encode(Frame(lsas=wholes)))
    assert [node.value(agent.name) for agent in agents] == [b"1", b"1", b"1", b"0", b"0"]
    node.gateway.receive("b", encode(frame))
    assert [node.value(agent.name) for agent in agents] == [b"1"] * 5
    assert node.gateway.stats()["without_base"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        (2, b"\0\0", b"\0\1"),
        (2, b"\0\1", b"\0\0"),
        (2, b"\2", b"\0"),
        (2, b"\0", b"\7"),
        (2, b"\0\1", b"\0"),
        (1, b"\0", b"\0"),
        (33, b"\0", b"\0"),
    ],
)
def test_a_tree_that_contradicts_itself_is_refused(fields):
    fleet, agents = crowd()
    frame = captured(fleet, agents)
    assert list(bundles(frame.records, frame.bundled))
    frame.bundled = [Bundled(b"s" * 64, *fields, b"")]
    with pytest.raises(FrameError):
        decode(encode(frame))
