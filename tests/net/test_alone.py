"""Near properties that bring their LSA along, over frames and with keys: requests, contracts, answers."""

import random

import pytest
from fleet import Fleet, Watcher
from shapes import CHAIN, HEAL_S
from test_signed import Village, refused, send

from edge.net import wire
from edge.net.frame import VERSION, VERSION_ALONE, Frame, FrameError, WrongVersion, decode, encode
from edge.net.schema import WireError
from edge.space.limits import Limits
from edge.space.lsa import KEPT, TOWARDS, Near
from edge.space.names import NIL
from edge.space.nearby import export_near
from edge.space.origins import LIFE_S
from edge.space.tuplespace import SELF
from edge.trust.trust import FORGED, Trust

CROSS = {"a": ["b", "c"], "b": ["a", "d"], "c": ["a", "d"], "d": ["b", "c"]}
LINE = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d"]}


def near(to=("d",), **changes):
    given = {
        "name": "a.t",
        "incarnation": 1,
        "label": "L",
        "query": "",
        "version": 3,
        "reach": TOWARDS if to else 2,
        "hops": 0,
        "life_s": 13,
        "left_s": 13,
        "value": b"1",
        "auth": b"",
        "kept": True,
        "to": to,
    }
    return Near(**(given | changes))


def fleet_of(shape=LINE, horizon=2, trust=None):
    fleet = Fleet(shape, None, trust or Village())
    for node in fleet.nodes.values():
        node.space.horizon = horizon
    fleet.run(7)
    return fleet


def held(fleet, node, name="a.t", label="L"):
    space = fleet[node].space
    return space.property_of(space.slot_of_name(name), label)


def test_frames_with_them_have_a_version_of_their_own_and_all_others_that_of_before():
    for record in (near(), near(to=())):
        frame = encode(Frame(alone=[record]))
        assert frame[1] == VERSION_ALONE
        back = decode(frame).alone[0]
        assert (back.name, back.value, back.to, back.kept) == ("a.t", b"1", record.to, True)
        with pytest.raises((FrameError, WrongVersion)):
            decode(frame[:1] + bytes([VERSION]) + frame[2:])
    assert encode(Frame(ask_lsas=["a.t"]))[1] == VERSION


@pytest.mark.parametrize(
    "changes",
    [
        {"reach": 2},
        {"to": (), "reach": TOWARDS},
        {"to": (), "kept": False},
        {"to": ("d", "d")},
        {"to": ("not a node",)},
        {"to": tuple(f"x{i}" for i in range(129))},
        {"left_s": 14},
        {"life_s": 0, "left_s": 0},
    ],
)
def test_what_contradicts_itself_is_refused(changes):
    record = near(**changes)
    with pytest.raises(WireError):
        wire.decode_alone(wire.encode_alone(record, record.to))


@pytest.mark.parametrize("horizon", [1, 2, 255])
def test_a_call_and_its_answer_find_their_way_among_strangers(horizon):
    fleet = fleet_of(horizon=horizon)
    caller, reader = fleet["a"].add(Watcher("a.t")), fleet["e"].add(Watcher("e.t"))
    caller.submit("CALL", b"?", "", KEPT, 8)
    fleet.settle()
    assert fleet["e"].value("a.t", "CALL") == b"?"
    reader.submit("L", b"!", "a.t", 9, to=("a",))
    before = len(fleet.carried)
    fleet.settle()
    space = fleet["a"].space
    assert space.value(space.property_of(space.slot_of_name("e.t"), "L", "a.t")) == b"!"
    assert sum(bool(frame.alone) for _, _, frame in fleet.carried[before:]) == len(LINE) - 1
    assert not any(node.gateway.refused for node in fleet.nodes.values())


def test_it_lives_on_beyond_the_heartbeats_and_ends_with_its_origin():
    fleet = fleet_of(horizon=1)
    agent = fleet["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, to=("e",))
    fleet.run(3 * LIFE_S)
    assert fleet["e"].value("a.t") == b"1"
    assert fleet["e"].hops() == {"d": 1, "a": 4}
    fleet.lose = lambda sender, receiver, frame: sender == "a"
    fleet.run(LIFE_S + 2)
    assert fleet["e"].value("a.t") is None
    assert fleet["e"].hops() == {"d": 1}


def test_a_relay_cannot_alter_it_nor_invent_one():
    fleet = fleet_of()
    agent = fleet["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, to=("c",))
    fleet.settle()
    record = export_near(fleet["b"].space, held(fleet, "b"))
    for change in ({"value": b"2"}, {"value": b""}, {"life_s": 300, "left_s": 300}, {"label": "M"}):
        forged = near(
            to=("c",), version=record.version + 1, incarnation=record.incarnation, auth=record.auth, **change
        )
        send(fleet["c"], "b", alone=[forged])
    assert refused(fleet["c"], FORGED) == 4
    assert fleet["c"].value("a.t") == b"1"


@pytest.mark.parametrize("reader", ["a", "d", "ad"])
@pytest.mark.parametrize("relay", "bc")
def test_what_a_relay_that_forges_passes_on_is_not_missed_where_there_is_another_way(relay, reader):
    """Its frames are dropped, true or not; whoever still believes it must not send by it either."""
    fleet = fleet_of(CROSS, horizon=1)
    for name, other in ("ad", "da"):
        fleet[name].add(Watcher(f"{name}.t")).submit("L", b"1", "", KEPT, to=(other,))
    fleet.settle()
    for version in range(10_000, 10_000 + 3 * LIFE_S):
        for name in reader:
            other = {"a": "d", "d": "a"}[name]
            forged = near((name,), name=f"{other}.t", version=version, hops=1, auth=bytes(64))
            for _ in range(30):
                send(fleet[name], relay, alone=[forged])
        fleet.run()
        assert fleet["a"].value("d.t") == b"1"
        assert fleet["d"].value("a.t") == b"1"
    assert all(fleet[name].gateway.allowances.forging == [relay] for name in reader)
    fleet.run(LIFE_S)
    assert not any(node.gateway.allowances.forging for node in fleet.nodes.values())
    assert fleet["a"].value("d.t") == fleet["d"].value("a.t") == b"1"


def test_renewals_of_many_contracts_are_no_flood():
    fleet = Fleet({"a": ["b"], "b": ["a"]}, Limits(lsas=128, nodes=8), Village())
    agents = [fleet["a"].add(Watcher(f"a.t{i}")) for i in range(50)]
    for agent in agents:
        for label in "LMN":
            agent.submit(label, b"1", "", KEPT, to=("b",))
    fleet.run(60)
    assert not fleet["b"].gateway.stats()["restless"]
    assert all(fleet["b"].value(agent.name, label) == b"1" for agent in agents for label in "LMN")


def test_what_a_silent_node_said_cannot_be_said_again_by_others():
    fleet = fleet_of(horizon=1)
    agent = fleet["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", KEPT, to=("d",))
    fleet.settle()
    replayed = [frame for sender, receiver, frame in fleet.carried if (sender, receiver) == ("c", "d")]
    fleet.lose = lambda sender, receiver, frame: sender == "a"
    fleet.run(LIFE_S + 2)
    assert fleet["d"].value("a.t") is None
    fleet.settle()
    for frame in replayed:
        fleet["d"].gateway.receive("c", encode(frame))
        fleet["d"].react()
    assert fleet["d"].value("a.t") is None


def unsigned(name):
    return Trust()


@pytest.mark.parametrize("reader", "be")
@pytest.mark.parametrize("trust", [unsigned, Village()], ids=["unsigned", "signed"])
@pytest.mark.parametrize("off_s", [5, LIFE_S + 4])
def test_a_node_that_lost_its_memory_is_heard_by_those_who_knew_a_later_life(trust, reader, off_s):
    fleet = fleet_of(horizon=1, trust=trust)
    for incarnation, value in ((9, b"1"), (3, b"2")):
        del fleet.nodes["a"]
        fleet.run(off_s)
        fleet.restart("a", incarnation).space.horizon = 1
        fleet.link_up("a", "b")
        fleet["a"].add(Watcher("a.t")).submit("L", value, "", KEPT, to=(reader,))
        seconds = fleet.seconds_until(lambda said=value: fleet[reader].value("a.t") == said)
        assert seconds <= LIFE_S + HEAL_S


def remembered(memory, off_s):
    """A fleet in which a call is left of a node that lost its memory, as did some others."""
    fleet = fleet_of(horizon=1)
    fleet.restart("a", 9).space.horizon = 1
    fleet.link_up("a", "b")
    fleet["a"].add(Watcher("a.t")).submit("L", b"1", "", KEPT, 64)
    assert fleet.seconds_until(lambda: fleet["e"].value("a.t") == b"1") <= HEAL_S
    for name in ("a", *memory):
        del fleet.nodes[name]
    fleet.run(off_s)
    for name in ("a", *memory):
        fleet.restart(name, 3).space.horizon = 1
    return fleet


@pytest.mark.parametrize("off_s", [5, LIFE_S + 4])
@pytest.mark.parametrize("memory", ["b", "bcd", "d"])
def test_a_later_life_of_which_only_a_call_is_left_is_told_on_the_way_back(memory, off_s):
    """A call lives on for minutes, where no heartbeat arrives, and is told to those who come back."""
    fleet = remembered(memory, off_s)
    fleet["a"].add(Watcher("a.t")).submit("L", b"2", "", KEPT, 64)
    fleet.link_up(*LINE)
    everywhere = fleet.seconds_until(lambda: all(fleet[name].value("a.t") == b"2" for name in "bcde"))
    assert everywhere <= HEAL_S
    assert fleet["b"].hops()["a"] == 1
    assert fleet["a"].space.origins.incarnation[SELF] == 10
    fleet.run(3 * LIFE_S)
    assert fleet["e"].value("a.t") == b"2"
    assert fleet["a"].space.origins.incarnation[SELF] == 10


@pytest.mark.parametrize("order", ["abcde", "cbaed"])
def test_a_node_of_which_there_are_only_heartbeats_is_told_of_its_later_life(order):
    fleet = remembered("b", LIFE_S + 4)
    fleet.link_up(*order)
    assert fleet.seconds_until(lambda: fleet["a"].space.origins.incarnation[SELF] == 10) <= HEAL_S
    assert fleet.seconds_until(lambda: fleet["b"].hops()["a"] == 1) <= HEAL_S


@pytest.mark.parametrize("reader", "be")
def test_it_is_heard_again_also_where_it_was_not_believed_for_a_while(reader):
    """Who forgot what it had signed cannot remind it of its later life."""
    fleet = fleet_of(horizon=1)
    fleet.restart("a", 9).space.horizon = 1
    fleet.link_up("a", "b")
    fleet["a"].add(Watcher("a.t")).submit("L", b"1", "", KEPT, to=(reader,))
    assert fleet.seconds_until(lambda: fleet[reader].value("a.t") == b"1") <= HEAL_S
    del fleet.nodes["a"]
    clocks = [fleet[name].trust._clock for name in "bcde"]
    for wall_s in (2_700_000_000.0, 1_700_000_000.0):
        for each in clocks:
            each.wall_s = lambda date_s=wall_s: date_s
        fleet.run(3)
    assert fleet[reader].value("a.t") is None
    fleet.restart("a", 3).space.horizon = 1
    fleet.link_up(*LINE)
    fleet["a"].add(Watcher("a.t")).submit("L", b"2", "", KEPT, to=(reader,))
    assert fleet.seconds_until(lambda: fleet[reader].value("a.t") == b"2") <= HEAL_S


def set_dates(fleet, names, wall_s=1_700_000_000.0):
    for name in names:
        fleet[name].trust._clock.wall_s = lambda: wall_s


@pytest.mark.parametrize("forgetful", ["b", "bcd"])
def test_a_later_life_is_told_by_those_who_remember_no_more_than_that_it_was(forgetful):
    """What it showed then left with its silence, and those on the way have forgotten all of it."""
    fleet = fleet_of(horizon=1)
    fleet.restart("a", 9).space.horizon = 1
    fleet.link_up("a", "b")
    fleet["a"].add(Watcher("a.t")).submit("L", b"1", "", KEPT, to=("e",))
    assert fleet.seconds_until(lambda: fleet["e"].value("a.t") == b"1") <= HEAL_S
    del fleet.nodes["a"]
    set_dates(fleet, forgetful, 2_700_000_000.0)
    fleet.run(LIFE_S + 4)
    set_dates(fleet, forgetful)
    assert "a" not in fleet["e"].hops()
    fleet.restart("a", 3).space.horizon = 1
    fleet.link_up(*LINE)
    fleet["a"].add(Watcher("a.t")).submit("L", b"2", "", KEPT, to=("e",))
    assert fleet.seconds_until(lambda: fleet["e"].value("a.t") == b"2") <= LIFE_S + HEAL_S
    assert fleet["a"].space.origins.incarnation[SELF] == 10


@pytest.mark.parametrize("doubter", "bce")
def test_a_call_is_heard_soon_where_nobody_was_believed_for_a_while(doubter):
    """It is renewed once a minute, so that nothing else would say it again."""
    fleet = fleet_of(horizon=1)
    set_dates(fleet, doubter, 2_700_000_000.0)
    fleet.run(3)
    fleet["a"].add(Watcher("a.t")).submit("CALL", b"?", "", KEPT, 64)
    fleet.run(35)
    assert fleet["e"].value("a.t", "CALL") is None
    set_dates(fleet, doubter)
    assert fleet.seconds_until(lambda: fleet["e"].value("a.t", "CALL") == b"?") <= HEAL_S


@pytest.mark.parametrize("author", "da")
def test_what_is_said_but_once_is_heard_by_one_that_did_not_know_yet_who_says_it(author):
    fleet = fleet_of(horizon=1)
    fleet["e"].add(Watcher("e.t")).submit("CALL", b"?", "", KEPT, 64)
    agent = fleet[author].add(Watcher(f"{author}.t"))
    agent.submit("L", b"1", "e.t", 9, to=("e",))
    fleet.settle()
    fleet.restart("e", 9).space.horizon = 1
    agent.submit("L", b"2", "e.t", 9, to=("e",))
    fleet.settle()
    space = fleet["e"].space
    slot = space.slot_of_name(agent.name)
    assert slot != NIL
    assert space.value(space.property_of(slot, "L", "e.t")) == b"2"


def test_whatever_is_lost_readers_hold_what_is_shown_soon_after():
    rng = random.Random(3)
    fleet = fleet_of(CHAIN)
    names = list(CHAIN)
    agents = [fleet[name].add(Watcher(f"{name}.t")) for name in names]
    fleet.lose = lambda sender, receiver, frame: rng.random() < 0.3
    for turn in range(60):
        agent = rng.choice(agents)
        if rng.random() < 0.3:
            agent.withdraw("L")
        else:
            to = tuple(sorted(rng.sample(names, 2)))
            agent.submit("L", b"%d" % turn, "", KEPT, to=to)
        fleet.run(1)
    fleet.lose = lambda sender, receiver, frame: False
    fleet.run(LIFE_S + HEAL_S)
    for agent in agents:
        own = fleet[agent.name[0]].space
        p = own.property_of(agent.handle & 0xFFFF, "L")
        shown = None if p == 0xFFFF or own.p_gone[p] else own.value(p)
        for name in names:
            if shown is None or name in own.p_to[p]:
                assert fleet[name].value(agent.name) == shown, (agent.name, name)
