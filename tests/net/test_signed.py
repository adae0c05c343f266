"""Gateways with keys: nobody but its origin alters, ends or invents what a node shows."""

import random

import msgspec
import pytest
from fleet import Fleet, state, storm
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import CHAIN, HEAL_S, PAIR, RING, SHAPES, consistent

from edge.net import manifest
from edge.net.frame import Frame, decode, encode
from edge.space.courier import Roster
from edge.space.digest import BEAT_S
from edge.space.exchange import export
from edge.space.lsa import EVERYWHERE, Aggregation, Delta, Lsa, Property
from edge.space.nearby import export_near
from edge.space.origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE, checksum
from edge.space.tuplespace import SELF
from edge.trust.keyring import Keyring
from host_tools.world import Members

LINE = {"a": ["b"], "b": ["a", "c"], "c": ["b"]}


class HandClock:
    def wall_s(self):
        return 1_700_000_000.0

    now_s = wall_s


class Village:
    """An authority, and the keyrings that it has made."""

    def __init__(self):
        self.members = Members(HandClock(), nodes=16)

    def __call__(self, name) -> Keyring:
        return self.members.trust(name, HandClock())


def signed(shape=LINE, limits=None):
    fleet = Fleet(shape, limits, Village())
    for name in shape:
        fleet[name].show(f"{name}.t", name.encode())
    fleet.run(7)
    return fleet


def refused(node, reason):
    return sum(reasons.get(reason, 0) for reasons in node.gateway.stats()["refusals"].values())


def send(node, peer, **parts):
    node.gateway.receive(peer, encode(Frame(**parts)))


def record(fleet, name, sender="b"):
    """The LSA of a node as another passes it on."""
    space = fleet[sender].space
    return export(space, space.slot_of_name(name))


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


# ---- lies -----------------------------------------------------------------------------------------


def altered(fleet):
    """Versions of a.t that a has not signed, as b would send them to c."""

    def change(**fields):
        lsa = record(fleet, "a.t")
        lsa.version += 1
        for name, value in fields.items():
            setattr(lsa, name, value)
        return lsa

    version = record(fleet, "a.t").version + 1
    yield "a later version", change()
    yield "its end", change(life_s=0, properties=[])
    yield "another value", change(properties=[Property("L", "", version, 0, b"forged")])
    yield "another life", change(properties=[Property("L", "", 1, 60, b"a")])
    yield "another addressee", change(properties=[Property("L", "c.t", version, 0, b"a")])
    yield "nothing", change(properties=[])
    yield "another type", change(kind="prosumer")
    yield "an aggregation", change(aggregations=[Aggregation("L", "sum")])
    yield "a later incarnation", change(incarnation=9)
    yield "the last version", change(version=MAX_SEQUENCE)
    yield "another name", change(name="a.other")
    yield "no signature", change(auth=b"")
    yield "a signature of its own", change(auth=fleet["b"].trust.sign(b"x"))
    yield "an invented LSA", Lsa("a.x", "", b"s" * 64, "a", 1, 50, 13, ["b", "a"], [], [])


def test_a_relay_cannot_alter_end_or_invent():
    fleet = signed()
    for what, lsa in altered(fleet):
        node = fleet["c"]
        before, count = state(node.space), refused(node, "forged")
        send(node, "b", lsas=[lsa])
        assert state(node.space) == before, what
        assert refused(node, "forged") == count + 1 or "contradiction" in str(node.gateway.stats()), what
    assert fleet["c"].value("a.t") == b"a"
    fleet.run(2 * HEAL_S)
    assert consistent(fleet)


def test_an_old_version_is_no_news_and_costs_no_signature(monkeypatch):
    fleet = signed()
    old = record(fleet, "a.t")
    fleet["a"].engine.agent_at(fleet["a"].space.slot_of_name("a.t")).submit("L", b"new")
    fleet.settle()
    monkeypatch.setattr(fleet["c"].trust, "verify", None)
    send(fleet["c"], "b", lsas=[old])
    assert fleet["c"].value("a.t") == b"new"


def test_a_false_delta_makes_a_node_ask_for_the_whole():
    fleet = signed()
    lsa = record(fleet, "a.t")
    node = fleet["c"]
    before = state(node.space)
    shown = [Property("L", "", lsa.version + 1, 0, b"forged")]
    wrong = Delta("a.t", lsa.auth, 1, lsa.version + 1, 13, ["b", "a"], [], shown)
    send(node, "b", deltas=[wrong])
    assert state(node.space) == before
    assert node.gateway.stats()["without_base"] == 1
    node.react()
    asked = [name for _, to, data in fleet.on_the_way if to == "b" for name in decode(data).ask_lsas]
    assert asked == ["a.t"]


def test_near_properties_are_signed_with_their_reach():
    fleet = signed()
    agent = fleet["a"].engine.agent_at(fleet["a"].space.slot_of_name("a.t"))
    agent.submit("N", b"near", "", 60, 1)
    fleet.settle()
    assert (fleet["b"].value("a.t", "N"), fleet["c"].value("a.t", "N")) == (b"near", None)
    space = fleet["b"].space
    near = export_near(space, space.property_of(space.slot_of_name("a.t"), "N"))
    for field, value in (("reach", 2), ("value", b"x"), ("life_s", 3600), ("label", "M"), ("version", 99)):
        lie = export_near(space, space.property_of(space.slot_of_name("a.t"), "N"))
        lie.hops, lie.reach = 0, 1
        setattr(lie, field, value)
        count = refused(fleet["c"], "forged")
        send(fleet["c"], "b", near=[lie])
        assert refused(fleet["c"], "forged") == count + 1
    near.hops, near.reach = 0, 1  # as a would send it: a relay may lower the hops, and nothing else
    send(fleet["c"], "b", near=[near])
    assert fleet["c"].value("a.t", "N") == b"near"
    assert fleet["c"].value("a.t", "M") is None


def test_nobody_else_states_what_a_node_shows():
    fleet = signed()
    node = fleet["c"]
    said = fleet["b"].gateway._statements.held("a")
    held = node.gateway._statements.held("a")
    for fields in (
        {"sequence": said.sequence + 1},
        {"number": said.number + 1},
        {"incarnation": 9},
        {"incarnation": 2**31 - 1, "sequence": MAX_SEQUENCE},
        {"sequence": said.sequence + 1, "lsas": 0, "checksum": checksum([])},
    ):
        count = refused(node, "forged")
        send(node, "b", statements=[msgspec.structs.replace(said, **fields)])
        assert refused(node, "forged") == count + 1
        assert node.gateway._statements.held("a") == held
    send(node, "b", rosters=[Roster("a", 1, MAX_SEQUENCE, [])])
    assert node.value("a.t") == b"a"


def test_nobody_else_keeps_a_node_alive():
    """Pulses are known only when their origin has sent them, and each counts once."""
    fleet = signed()
    pulses = []
    for _ in range(3 * BEAT_S):
        fleet.carried.clear()
        fleet.run()
        passed_on = [frame for sender, receiver, frame in fleet.carried if (sender, receiver) == ("b", "c")]
        pulses += [pulse for frame in passed_on for pulse in frame.pulses if pulse.origin == "a"]
    assert len(pulses) >= 2
    fleet.nodes.pop("a")
    fleet.cut("b>c")
    for _ in range(LIFE_S + 1):
        for pulse in pulses:
            for ahead in (0, 1, 2):
                send(fleet["c"], "b", pulses=[pulse._replace(ahead=min(255, pulse.ahead + ahead))])
        fleet.run()
    assert "a" not in fleet["c"].hops()


def test_a_claim_about_the_node_itself_needs_its_own_signature():
    fleet = signed()
    said = fleet["b"].gateway._statements.held("a")
    for fields in ({"incarnation": 9}, {"sequence": 999}, {"incarnation": 2**31 - 1}):
        send(fleet["a"], "b", statements=[msgspec.structs.replace(said, **fields)])
    assert fleet["a"].space.origins.incarnation[SELF] == 1
    assert refused(fleet["a"], "forged") == 3


def test_who_is_unknown_is_not_believed_but_asked_for():
    fleet = Fleet(LINE, None, Village())
    for name in LINE:
        fleet[name].show(f"{name}.t", b"1")
    fleet.lose = lambda sender, receiver, frame: any(each.name == "a.identity" for each in frame.lsas)
    fleet["a"].react()
    fleet.on_the_way.clear()
    agent = fleet["a"].engine.agent_at(fleet["a"].space.slot_of_name("a.t"))
    agent.submit("L", b"2")
    fleet.settle()
    assert fleet["b"].value("a.t") is None
    assert refused(fleet["b"], "unknown") >= 1
    assert fleet["b"].gateway.refused == 0  # that is no trouble
    fleet.cut()
    assert fleet.seconds_until(lambda: consistent(fleet)) <= HEAL_S
    assert fleet["c"].value("a.t") == b"2"


def test_who_has_no_certificate_of_the_authority_stays_unknown():
    village, others = Village(), Members(HandClock(), "elsewhere")
    fleet = Fleet(LINE, None, lambda name: village(name) if name != "a" else others.trust(name, HandClock()))
    fleet["a"].show("a.t", b"1")
    fleet.run(20)
    assert fleet["b"].hops() == {"c": 1}
    assert fleet["b"].value("a.t") is None
    assert refused(fleet["b"], "foreign") >= 1


def test_a_revoked_node_leaves_with_all_it_shows():
    fleet = signed(CHAIN)
    data = fleet.trust.members.revoke("b")
    assert fleet["d"].trust.revoke(data)
    fleet.run(1)
    assert "b" not in fleet["d"].hops()
    assert not fleet["d"].space.find("b.t")
    assert fleet["d"].value("a.t") == b"a"
    fleet.run(10)
    assert "b" not in fleet["d"].hops()
    assert refused(fleet["d"], "revoked") >= 1


def test_a_member_that_was_forgotten_is_found_again_in_the_space():
    fleet = signed()
    del fleet["c"].trust._members._members["a"]
    fleet["a"].engine.agent_at(fleet["a"].space.slot_of_name("a.t")).submit("L", b"2")
    fleet.settle()
    assert fleet["c"].value("a.t") == b"2"


# ---- what a neighbour may cost ---------------------------------------------------------------------


def test_forged_signatures_slow_their_sender_before_they_cost_time(monkeypatch):
    fleet = signed()
    node = fleet["c"]
    verified = []
    verify = node.trust.verify
    monkeypatch.setattr(node.trust, "verify", lambda *args: verified.append(args) or verify(*args))
    for turn in range(500):
        lie = record(fleet, "a.t")
        lie.version += 1 + turn
        send(node, "b", lsas=[lie])
    assert len(verified) <= 25
    assert node.gateway.stats()["flooding"] == ["b"]
    assert refused(node, "flood") >= 470
    fleet.run(70)
    assert node.gateway.stats()["flooding"] == []
    assert consistent(fleet)


def test_one_frame_of_forged_signatures_silences_its_sender_for_seconds_only(monkeypatch):
    fleet = signed()
    node = fleet["c"]
    verified = []
    verify = node.trust.verify
    monkeypatch.setattr(node.trust, "verify", lambda *args: verified.append(args) or verify(*args))
    lies = [record(fleet, "a.t") for _ in range(60)]
    for i, lie in enumerate(lies):
        lie.name = f"a.x{i}"
    send(node, "b", lsas=lies)
    assert 0 < len(verified) <= 25
    fleet["a"].engine.agent_at(fleet["a"].space.slot_of_name("a.t")).submit("L", b"2")
    fleet.run(8)
    assert node.value("a.t") == b"2"
    assert consistent(fleet)


def test_a_flood_of_frames_is_dropped_and_the_others_are_heard():
    fleet = Fleet({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    for name in "ac":
        fleet[name].show(f"{name}.t", b"1")
    fleet.run(7)
    node = fleet["b"]
    for _ in range(2_200):
        send(node, "a", ask_lsas=["a.x"])
    assert refused(node, "flood") > 1_500
    fleet["c"].engine.agent_at(fleet["c"].space.slot_of_name("c.t")).submit("L", b"2")
    fleet.settle()
    assert node.value("c.t") == b"2"


def test_answers_stay_in_proportion_to_questions():
    fleet = Fleet(PAIR)
    rng = random.Random(1)
    for i in range(20):
        fleet["a"].show(f"a.t{i}", rng.randbytes(2_000))
    fleet.run(7)
    node, asked = fleet["a"], 0
    sent = len(fleet.carried)
    fleet.carried.clear()
    for _ in range(60):
        for _ in range(20):
            data = encode(Frame(ask_lsas=[f"a.t{i}" for i in range(20)]))
            asked += len(data)
            node.gateway.receive("b", data)
            fleet.settle()
        node.tick()
    lsas = [lsa for sender, _, frame in fleet.carried if sender == "a" for lsa in frame.lsas]
    answered = sum(len(each.value) for lsa in lsas for each in lsa.properties)
    assert sent
    assert answered <= 3 * asked + 256 * 1024 + 60 * 1024 + 45_000
