"""One member that floods harms only itself: others keep their room, their links and their turn."""

import random

import pytest
from fleet import Fleet, Watcher, assert_sound
from shapes import HEAL_S, lsa, receive

from edge.incarnation import next_incarnation
from edge.net.allowance import BURST_S, Allowances
from edge.net.frame import Frame, encode
from edge.net.settings import Rates
from edge.space.agent import Agent
from edge.space.courier import Beat
from edge.space.lsa import EVERYWHERE, Aggregation, Property
from edge.space.origins import LIFE_S, MAX_INCARNATION, MAX_SEQUENCE, checksum
from edge.space.tuplespace import Limits, TupleSpace

LINE = {"a": ["b"], "b": ["a", "c"], "c": ["b"]}  # c lies
RATES = Rates()


def line(**limits):
    """The microgrid of an honest a and b, with the limits of a real node; c is played by the test."""
    wanted = {"lsas": 64, "nodes": 16, "own_percent": 25, "labels_per_node": 4, "names": 160} | limits
    fleet = Fleet(LINE, Limits(**wanted))
    for node in fleet.nodes.values():
        node.space.know_labels(("L", "R"))
    fleet["b"].show("b.t", b"b")
    fleet["a"].show("a.t", b"a")
    del fleet.nodes["c"]
    fleet.run(7)
    assert fleet["b"].value("a.t") == b"a"
    return fleet


def flood_of(kind, turn):
    """LSAs of c, different ones each turn."""
    for i in range(turn * 16, turn * 16 + 16):
        shown, specs = [Property("L", "", 1, 0, b"1")], []
        if kind == "labels":
            shown = [Property(f"X{i}", "", 1, 0, b"1")]
        elif kind == "names":
            shown = [Property("L", f"c.n{i}-{k}", 1, 0, b"1") for k in range(10)]
        elif kind == "heap":
            shown = [Property("L", f"c.q{k}", 1, 0, b"x" * 2000) for k in range(1)]
        elif kind == "aggregations":
            specs = [Aggregation("L", "sum", EVERYWHERE) for _ in range(10)]
        path = ["c", *(f"p{i}-{k}" for k in range(20))] if kind == "paths" else ["c"]
        if kind == "paths":
            yield lsa(f"y.x{i}", properties=shown, path=[*path, "y"])
        else:
            yield lsa(f"c.x{i}", properties=shown, aggregations=specs)


def lie(fleet, kind, seconds, each=lambda: None):
    """c floods b for a while, with a heartbeat of its own each second."""
    for second in range(seconds):
        for frame in range(3):
            lsas = [] if kind == "nodes" else list(flood_of(kind, second * 3 + frame))
            ghosts = [Beat(f"g{second}-{k}", 1, 1, 1, 1, 13, 0, checksum([])) for k in range(30)]
            beat = Beat("c", 1, 1, 3 * second + frame + 1, 0, 13, 9, b"9" * 16)
            receive(fleet["b"], "c", *lsas, heard=[beat, *(ghosts if kind == "nodes" else [])])
        fleet.run(1)
        each()


KINDS = ["lsas", "labels", "names", "heap", "nodes", "aggregations", "paths"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_was_away_gets_in_again_while_the_table_is_flooded(kind):
    fleet = line(heap_bytes=64 * 1024)
    lie(fleet, kind, 5)
    fleet.lose = lambda sender, receiver, frame: "a" in (sender, receiver)
    lie(fleet, kind, LIFE_S + 7)
    assert not fleet["b"].space.find("a.t")
    fleet.lose = lambda sender, receiver, frame: False
    fleet.restart("a", 2).space.know_labels(("L", "R"))
    for i in range(4):
        fleet["a"].show(f"a.t{i}", b"again", "R")
    fleet.link_up("a")
    lie(fleet, kind, 4)
    assert [fleet["b"].value(f"a.t{i}", "R") for i in range(4)] == [b"again"] * 4
    assert_sound(fleet["b"].space)


def test_a_far_node_that_was_away_gets_in_again_while_invented_nodes_fill_the_table():
    shape = {"d": ["a"], "a": ["d", "b"], "b": ["a", "c"], "c": ["b"]}
    fleet = Fleet(shape, Limits(lsas=64, nodes=16, own_percent=25))
    fleet["d"].show("d.t", b"1")
    del fleet.nodes["c"]
    fleet.run(7)
    fleet.lose = lambda sender, receiver, frame: "d" in (sender, receiver)
    lie(fleet, "nodes", LIFE_S + 7)
    assert not fleet["b"].space.find("d.t")
    fleet.lose = lambda sender, receiver, frame: False
    lie(fleet, "nodes", 8)
    assert fleet["b"].value("d.t") == b"1"


@pytest.mark.parametrize("kind", KINDS)
def test_local_twins_find_room_while_the_table_is_flooded(kind):
    fleet = line(heap_bytes=64 * 1024)
    lie(fleet, kind, 10)
    for i in range(12):
        agent = fleet["b"].show(f"b.new{i}", b"x" * 500)
        agent.submit("L", b"1", f"b.other{i}")
        assert not agent.waiting
    lie(fleet, kind, 3)
    assert all(fleet["b"].value(f"b.new{i}") for i in range(12))


def test_who_crowds_others_out_loses_what_it_has_too_much():
    fleet = line()
    lie(fleet, "lsas", 10)
    held = fleet["b"].space.room.held[0]
    c = fleet["b"].space.nodes.find("c")
    assert held[c] >= 20  # nobody else needed the room
    fleet.run(1)
    for i in range(15):
        fleet["a"].show(f"a.many{i}", b"1")
    lie(fleet, "lsas", 12)
    assert all(fleet["b"].value(f"a.many{i}") for i in range(15))


def test_a_property_without_a_place_for_its_label_does_not_block_the_others():
    fleet = line(labels=4)
    space = fleet["b"].space
    agent = fleet["b"].add(Agent("b.u"))
    agent.submit("M", b"1")
    agent.submit("N", b"2")  # the table is full
    agent.submit("L", b"request", "b.t")
    assert space.read(agent.handle, "L", "b.t") == b"request"
    assert [each[0] for each in agent.waiting] == ["N"]
    agent.withdraw("M")
    fleet["b"].react()
    agent.renew()
    assert space.read(agent.handle, "N") == b"2"


# ---- work and traffic ------------------------------------------------------------------------------


def test_frames_of_a_flood_are_dropped_before_they_are_decoded(monkeypatch):
    fleet = line()
    decoded = []
    real = "edge.net.gateway.decode"
    from edge.net.gateway import decode

    monkeypatch.setattr(real, lambda data: decoded.append(len(data)) or decode(data))
    data = encode(Frame(lsas=[lsa("c.t")]))
    for _ in range(60):
        for _ in range(200):
            fleet["b"].gateway.receive("c", data)
        fleet["b"].tick()
    assert len(decoded) <= RATES.frames_per_s * (60 + BURST_S)
    assert fleet["b"].gateway.stats()["flooding"] == ["c"]
    assert fleet["b"].gateway.last_refusal == "c: sends more frames than frames_per_s"
    fleet["a"].add(Watcher("a.new")).submit("L", b"1")
    fleet.run(7)
    assert fleet["b"].value("a.new") == b"1"
    fleet.run(60)
    assert fleet["b"].gateway.stats()["flooding"] == []


def test_processor_time_is_paid_for():
    fleet = line()
    gateway, spent = fleet["b"].gateway, [0.0]

    def timer():
        spent[0] += 0.025  # each frame takes 25 ms
        return spent[0]

    gateway.timer = timer
    data = encode(Frame(lsas=[lsa("c.t")]))
    for _ in range(60):
        for _ in range(20):
            gateway.receive("c", data)
        fleet["b"].tick()
    assert spent[0] / 2 <= RATES.work_percent / 100 * (60 + BURST_S) + 0.5


def test_a_relay_does_not_suffer_for_a_flood_that_it_passes_on():
    fleet = line()
    a, b = fleet["a"], fleet["b"]
    version = 0
    for second in range(90):
        for _ in range(25):
            version += 1
            beat = Beat("c", 1, version, version, 0, 13, 1, checksum([("c.t", version)]))
            receive(b, "c", lsa("c.t", version, b"%d" % version), heard=[beat])
            fleet.settle()
        fleet.run(1)
        assert a.gateway.stats()["flooding"] == [], second
    assert b.gateway.stats()["restless"] == ["c"]
    passed_on = sum(sender == "b" and receiver == "a" for sender, receiver, _ in fleet.carried)
    assert passed_on <= 1.2 * RATES.changes_per_s * (90 + BURST_S)
    fleet["b"].add(Watcher("b.new")).submit("L", b"1")
    fleet.run(1)
    assert a.value("b.new") == b"1"
    fleet.run(3)
    receive(b, "c", lsa("c.t", version + 1, b"newest"))
    fleet.run(1)
    assert a.value("c.t") == b"newest"  # and the newest change arrives


def test_questions_do_not_come_back_amplified():
    fleet = line()
    for i in range(10):
        agent = fleet["b"].show(f"b.large{i}", b"")
        for k in range(8):
            agent.submit("L", random.Random(k).randbytes(400), f"q{k}")
    fleet.run(2)
    out = []
    fleet["b"].gateway._links.send = lambda peer, data: out.append(len(data)) if peer == "c" else None
    names = [f"b.large{i}" for i in range(10)]
    data = encode(Frame(ask_lsas=names, ask_roster=["a", "b"]))
    came = 0
    for _ in range(60):
        for _ in range(20):
            fleet["b"].gateway.receive("c", data)
            came += len(data)
            fleet["b"].react()
        fleet["b"].tick()
    assert sum(out) <= 3 * came + 1024 * 256
    later = len(out)
    for _ in range(60):
        for _ in range(20):
            fleet["b"].gateway.receive("c", data)
            fleet["b"].react()
        fleet["b"].tick()
    assert sum(out[later:]) <= 3 * came


def test_who_asks_slowly_gets_no_more_than_the_base_and_three_bytes_for_each_of_its_own():
    fleet = line()
    for i in range(10):
        agent = fleet["b"].show(f"b.large{i}", b"")
        for k in range(8):
            agent.submit("L", random.Random(k).randbytes(400), f"q{k}")
    fleet.run(2)
    gateway, out = fleet["b"].gateway, []
    gateway._links.send = lambda peer, data: out.append(len(data)) if peer == "c" else None
    while gateway.allowances.of("c").may_ask():  # what was saved up for its restart
        gateway.allowances.of("c").answered(10_000)
    data = encode(Frame(ask_lsas=["b.large0"], ask_roster=["b"]))
    came, minutes = 0, 10
    for second in range(60 * minutes):
        if second % 2 == 0:
            gateway.receive("c", data)
            came += len(data)
        fleet["b"].react()
        fleet["b"].tick()
    assert came < minutes * 4096
    idle = line()
    beats = []
    idle["b"].gateway._links.send = lambda peer, data: beats.append(len(data)) if peer == "c" else None
    for _ in range(60 * minutes):
        idle["b"].react()
        idle["b"].tick()
    answers = sum(out) - sum(beats)
    largest = 8 * 450 + 200  # an answer that is begun is sent
    assert answers <= 3 * came + 1024 * RATES.answers_kb_per_min * minutes + largest
    assert answers > 1024 * minutes  # and it is answered


@pytest.mark.parametrize("lsas", [64, 256, 1024])
def test_a_neighbour_that_restarts_gets_all_that_the_space_holds_at_once(lsas):
    space = TupleSpace("a", Limits(lsas=lsas))
    space.set_neighbours(["b"])
    allowance = Allowances(space).of("b")
    for _ in range(2):
        assert allowance.may_ask()
        allowance.answered(512 * lsas + 100 * lsas)
    assert not allowance.may_ask()
    assert allowance.admits(1000, space.tick + 60)
    base = 1024 * RATES.answers_kb_per_min
    assert allowance.may_ask(base + 3 * 1000 - 1)  # three bytes for each, and those of a minute
    assert not allowance.may_ask(base + 3 * 1000)


def test_counters_of_strangers_are_bounded():
    fleet = line()
    gateway = fleet["b"].gateway
    old = bytearray(encode(Frame(lsas=[lsa("c.t")])))
    for i in range(500):
        gateway.receive(f"x{i}", b"nonsense")
        gateway.receive(f"y{i}", encode(Frame(lsas=[lsa("y.t", path=[f"y{i}", "y"])])))
    assert len(gateway.refusals.by_peer) <= 64
    assert len(gateway.allowances._peers) <= 3
    assert len(gateway._versions) <= 64
    assert old


def test_a_flood_of_refused_frames_writes_few_lines_into_the_log(caplog):
    fleet = line()
    wrong = [b"nonsense", b"", encode(Frame(lsas=[lsa("a.t", path=["x", "a"])]))]
    with caplog.at_level("DEBUG"):
        for i in range(3_000):
            fleet["b"].gateway.receive("c", wrong[i % 3] + bytes(i % 2))
            fleet["b"].gateway.receive(f"stranger{i}", wrong[i % 3])
            if i % 30 == 0:
                fleet["b"].tick()
    assert fleet["b"].gateway.refused >= 5_000
    assert len(caplog.records) <= 14  # the first, second, fourth ...


def test_a_neighbour_of_another_version_is_named_for_a_minute_and_its_frames_are_counted():
    fleet = line()
    frame = bytearray(encode(Frame(lsas=[lsa("c.t")])))
    frame[1] = 1
    gateway = fleet["b"].gateway
    gateway.receive("c", bytes(frame))
    assert gateway.other_versions == {"c": "speaks wire version 1, this node versions 2 and 3"}
    assert gateway.refusals.by_peer["c"] == {"wire_version": 1}
    assert not fleet["b"].space.find("c.t")
    for _ in range(60):
        fleet["b"].tick()
    assert gateway.other_versions == {}


# ---- numbers near their ends -------------------------------------------------------------------------


def test_an_incarnation_near_the_end_does_not_lock_a_node_out_after_its_restart():
    for last in (MAX_INCARNATION, MAX_INCARNATION - 1, MAX_INCARNATION - 200, 2**31 - 1):
        assert 0 < next_incarnation({"incarnation": last}, random.Random(1)) <= MAX_INCARNATION
    fleet = line()
    claim = Beat("a", MAX_INCARNATION - 1, 1, 1, 1, 13, 0, checksum([]))
    receive(fleet["a"], "b", heard=[claim])
    fleet.run(2)
    last = fleet["a"].space.origins.incarnation[1]
    fleet.restart("a", next_incarnation({"incarnation": last}, random.Random(1))).show("a.t", b"back")
    fleet.link_up("a")
    assert fleet.seconds_until(lambda: fleet["b"].value("a.t") == b"back") <= 2 * LIFE_S


def test_a_version_that_its_origin_has_not_made_does_not_keep_the_real_one_out():
    fleet = line()
    receive(fleet["b"], "c", lsa("a.t", MAX_SEQUENCE, b"forged", path=["c", "a"]))
    assert fleet["b"].value("a.t") == b"forged"
    real = fleet.seconds_until(lambda: fleet["b"].value("a.t") == b"a", 60)
    assert real <= 4 * HEAL_S


# ---- silence -----------------------------------------------------------------------------------------


def test_a_link_that_flaps_leaves_nothing_behind():
    fleet = line()
    b = fleet["b"]
    fleet.run(10)
    sizes = size_of_queues(b)
    for _ in range(20):
        b.gateway.link_up("a")
        b.gateway.link_up("c")
        b.react()
        b.gateway.link_down("a")
        b.gateway.link_down("c")
        b.react()
    assert len(fleet.on_the_way) <= 2 * 20 * 2
    fleet.on_the_way.clear()
    fleet.link_up("a", "b")
    fleet.run(10)
    assert size_of_queues(b) == sizes
    assert_sound(b.space)


def test_a_neighbour_that_never_answers_costs_bounded_memory():
    fleet = line()
    b = fleet["b"]
    fleet.lose = lambda sender, receiver, frame: True
    for turn in range(300):
        fleet["b"].show(f"b.x{turn % 5}{turn}", b"1") if turn < 5 else None
        b.tick()
        b.react()
        fleet.on_the_way.clear()
    assert not b.gateway.waiting
    assert max(size_of_queues(b)) < 20


def size_of_queues(node):
    gateway = node.gateway
    sizes = [len(each) for waiting in gateway.outbox._waiting.values() for each in vars(waiting).values()]
    return [*sizes, len(gateway._questions._asked), len(gateway._statements._held), len(gateway._versions)]
