"""Gateways with keys: lies are not believed, and what a neighbour may cost."""

import random

import msgspec
from fleet import Fleet, state
from shapes import CHAIN, HEAL_S, PAIR, consistent
from village import LINE, HandClock, Village, record, refused, send, signed

from edge.net.frame import Frame, decode, encode
from edge.space.courier import Roster
from edge.space.digest import BEAT_S
from edge.space.lsa import Aggregation, Delta, Lsa, Property
from edge.space.nearby import export_near
from edge.space.origins import LIFE_S, MAX_SEQUENCE, checksum
from edge.space.tuplespace import SELF
from host_tools.world import Members

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
    assert node.gateway.last_refusal == "b: sends forged signatures"
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
