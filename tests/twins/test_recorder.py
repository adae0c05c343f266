"""The recorder: every node has a history of its minutes and events, with and without learning."""

import pytest

from edge.energy.rules import EVENT
from edge.space.agent import Agent
from host_tools.world import World

START_MIN = 28_332_000  # the virtual clock's midnight
START_S = 60.0 * START_MIN


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def build(world):
    lamp = {"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}
    world.add("n1", [], [lamp, {"name": "roof", "kind": "pv", "power_w": 900.0}])
    world.boot()
    return world.nodes["n1"]


def minutes(node):
    return [row for rows in node.history.minutes("node", 0, 2**40) for row in rows]


def events(node, twin):
    return [(e.kind, e.role, e.power_w) for e in node.history.events(0, 2**40) if e.twin == f"n1.{twin}"]


def test_a_node_without_learning_keeps_the_means_of_its_minutes(world):
    n1 = build(world)
    assert n1.node.learning is None
    n1.meters.say("m.total", 100.0)
    world.run(90)
    n1.meters.say("m.total", 300.0)
    world.run(95)
    kept = minutes(n1.node)
    assert [row[0] for row in kept] == [START_MIN, START_MIN + 1, START_MIN + 2]
    requested_w, produced_w = [row[1] for row in kept], [row[2] for row in kept]
    assert requested_w == pytest.approx([100.0, 200.0, 300.0], rel=0.03)
    assert produced_w == pytest.approx([900.0] * 3, rel=0.03)


def test_events_of_both_sides_are_kept_in_order(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(30)
    n1.meters.say("m.total", 0.0)
    world.run(90)
    assert events(n1.node, "lamp") == [
        ("start", "request", 100.0),
        ("start", "contract", 100.0),
        ("stop", "contract", 0.0),
        ("stop", "request", 0.0),
    ]
    assert events(n1.node, "roof") == [("start", "production", 900.0)]
    found = list(n1.node.history.events(0, 2**40))
    assert [each.at_ms for each in found] == sorted(each.at_ms for each in found)
    assert all(START_S <= each.at_ms / 1000 <= START_S + 120 for each in found)


def test_a_contract_is_told_with_cause_dates_partner_and_origin(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(30)
    n1.meters.say("m.total", 102.0)  # within the margin: no event of the request
    world.run(10)
    n1.meters.say("m.total", 0.0)
    world.run(90)
    told = [each for each in n1.node.history.events(0, 2**40) if each.twin == "n1.lamp"]
    assert [(each.role, each.kind, each.cause) for each in told] == [
        ("request", "start", "device"),
        ("contract", "start", "confirmed"),
        ("contract", "update", "device"),
        ("contract", "stop", "device"),
        ("request", "stop", "device"),
    ]
    started, updated, stopped = told[1:4]
    assert {each.partner for each in (started, updated, stopped)} == {"n1.roof"}
    assert [each.partners for each in (started, updated, stopped)] == [1] * 3
    assert [each.origin for each in told] == [None, None, started.number, started.number, told[0].number]
    assert started.begins_ms == pytest.approx(started.at_ms, abs=2)
    assert started.ends_ms - started.begins_ms == pytest.approx(3_600_000, abs=2)  # contract_s
    assert updated.begins_ms == pytest.approx(started.begins_ms, abs=50)
    assert stopped.ends_ms == pytest.approx(stopped.at_ms, abs=2)
    assert not any(each.complementary for each in told)


def test_a_second_contract_is_told_as_complementary_until_it_has_merged(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(10)
    n1.meters.say("m.total", 200.0)
    world.run(70)
    told = [each for each in n1.node.history.events(0, 2**40) if each.twin == "n1.lamp"]
    shown = [(each.role, each.kind, bool(each.complementary)) for each in told]
    assert ("contract", "start", True) in shown
    assert ("request", "update", False) in shown
    merged = next(each for each in told if each.kind == "merge")
    assert (merged.cause, merged.power_w, merged.origin) == ("merged", 200.0, told[1].number)


def test_a_stop_order_is_the_cause_of_all_that_it_ends(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(10)
    n1.touch(lambda node: [twin.disable() for twin in node.prosumers])
    world.run(60)
    causes = {
        (each.twin, each.role): each.cause for each in n1.node.history.events(0, 2**40) if each.kind == "stop"
    }
    assert causes == {
        ("n1.lamp", "contract"): "stop_order",
        ("n1.lamp", "request"): "stop_order",
        ("n1.roof", "production"): "stop_order",
    }


def test_a_request_that_nobody_serves_in_time_expires(world):
    lamp = {"name": "lamp", "kind": "load", "power_w": 50.0, "tolerance_s": 10.0}
    world.add("n1", [], [lamp])
    world.boot()
    world.run(70)
    n1 = world.nodes["n1"]
    told = [(each.kind, each.role, each.cause) for each in n1.node.history.events(0, 2**40)]
    assert told == [("start", "request", "device"), ("expiry", "request", "tolerance")]


def test_nothing_is_dated_before_the_clock_of_the_board_is_set(world):
    n1 = build(world)
    n1.clock.wall_error_s = -1.6e9
    n1.meters.say("m.total", 100.0)
    world.run(130)
    assert minutes(n1.node) == []
    n1.clock.wall_error_s = 0.0
    n1.meters.say("m.total", 0.0)
    world.run(130)
    assert [row[0] for row in minutes(n1.node)] == [START_MIN + 2, START_MIN + 3]
    assert events(n1.node, "lamp") == [("stop", "contract", 0.0), ("stop", "request", 0.0)]


def test_a_clock_that_is_set_by_an_hour_ends_no_minute(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(150)
    n1.clock.wall_error_s = 3600.0
    world.run(150)
    kept = [row[0] - START_MIN for row in minutes(n1.node)]
    assert kept == [0, 1, 62, 63]


def test_a_restart_goes_on_with_the_same_history(world):
    n1 = build(world)
    n1.meters.say("m.total", 100.0)
    world.run(70)
    n1.kill()
    n1.boot()
    n1.meters.say("m.total", 100.0)
    world.run(130)
    kept = [row[0] - START_MIN for row in minutes(n1.node)]
    assert kept[0] == 0
    assert kept == sorted(set(kept))
    assert len(kept) >= 2


@pytest.mark.parametrize("lie", [b"garbage", b'[[0,"start","request",1e9,"invented",0,9]]', b"[1]", b"[[]]"])
def test_no_other_node_writes_events_into_the_history_or_stops_the_recorder(world, lie):
    world.add("n1", ["n2"], [{"name": "roof", "kind": "pv", "power_w": 900.0}])
    world.add("n2", ["n1"], [])
    world.boot()
    world.run(3)
    n1, liar = world.nodes["n1"].node, world.nodes["n2"].node
    for i in range(5):
        agent = Agent(f"n2.t{i}")
        liar.engine.add(agent)
        agent.submit(EVENT, lie)
    world.run(95)
    assert {e.twin for e in n1.history.events(0, 2**40)} == {"n1.roof"}
    assert n1.engine.faults == 0
    (recorder,) = [each for each in n1.twins if each.kind == "recorder"]
    assert recorder.events == 1
