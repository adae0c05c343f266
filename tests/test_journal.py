"""The journal: energy of quarter-hours, offers, alerts, meter records, master data and runs of the node."""

import json

import pytest

from edge.history.energies import Quality
from edge.journal import KEYFRAME_S
from host_tools.world import World

START_MIN = 28_332_000  # the virtual clock's midnight
START_S = 60.0 * START_MIN
HELD = {"meter_grace_s": 3600.0}


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def build(world, **roof):
    lamp = {"name": "lamp", "kind": "load", "input": "m.total", **HELD}
    n1 = world.add("n1", ["n2"], [lamp])
    n2 = world.add("n2", ["n1"], [{"name": "roof", "kind": "pv", "power_w": 900.0, "price": 0.2, **roof}])
    world.boot()
    return n1, n2


def energies(node, **asked):
    node.node.history.write()
    return list(node.node.history.energies(START_MIN, START_MIN + DAY_MIN, **asked))


DAY_MIN = 1440


def test_energy_is_booked_by_twin_and_partner_on_both_sides(world):
    n1, n2 = build(world)
    n1.meters.say("m.total", 120.0)
    world.run(900)
    n1.meters.say("m.total", 360.0)
    world.run(1810)
    device, roof = (energies(n1, twin="n1.lamp", partner=each)[1] for each in ("", "n2.roof"))
    assert (device.minute, device.quality) == (START_MIN + 15, Quality.MEASURED)
    assert device.drawn_wh == pytest.approx(90.0, rel=0.01)
    assert roof.drawn_wh == pytest.approx(90.0, rel=0.01)
    assert roof.given_wh == 0.0
    given = energies(n2, twin="n2.roof", partner="n1.lamp")[1]
    assert (given.minute, given.drawn_wh) == (START_MIN + 15, 0.0)
    assert given.given_wh == pytest.approx(roof.drawn_wh, rel=0.01)
    made = energies(n2, twin="n2.roof", partner="")[1]
    assert made.given_wh == pytest.approx(225.0, rel=0.01)


def test_a_quarter_hour_that_is_only_partly_known_is_filled_or_missing(world):
    n1, _ = build(world)
    world.run(700)  # the meter is silent
    n1.meters.say("m.total", 400.0)
    world.run(210)
    world.run(900)
    missing, measured = energies(n1, twin="n1.lamp", partner="")
    assert missing.quality is Quality.MISSING
    assert missing.drawn_wh == pytest.approx(400 * 200 / 3600, rel=0.05)
    assert measured.quality is Quality.MEASURED
    n1.kill()
    world.run(400)
    n1.boot()
    n1.meters.say("m.total", 400.0)
    world.run(900)
    filled = energies(n1, twin="n1.lamp", partner="")[2]
    assert filled.quality is Quality.FILLED
    assert filled.drawn_wh == pytest.approx(100.0, rel=0.02)


def test_offers_are_kept_with_what_became_of_them(world):
    n1, n2 = build(world)
    n1.meters.say("m.total", 120.0)
    world.run(90)
    n1.node.history.write()
    n2.node.history.write()
    (received,) = n1.node.history.offers(START_S, START_S + 90)
    assert received[1:3] == ("n1.lamp", "n2.roof")
    assert (received.fate, received.price) == ("accepted", 0.2)
    assert received.at_ms <= received.ended_ms <= received.at_ms + 5000
    (offered,) = n2.node.history.offers(START_S, START_S + 90)
    assert offered[1:3] == ("n2.roof", "n1.lamp")
    assert (offered.fate, offered.request, offered.max_w) == ("accepted", received.request, received.max_w)


def test_who_waited_longest_is_kept_minute_by_minute(world):
    n1 = world.add("n1", [], [{"name": "lamp", "kind": "load", "power_w": 100.0}])
    world.boot()
    world.run(200)
    n1.node.history.write()
    waits = n1.node.history.waits(START_MIN, START_MIN + 10)
    assert [(minute, twin) for minute, twin, _ in waits] == [(START_MIN + i, "n1.lamp") for i in range(3)]
    assert [wait_s for *_, wait_s in waits] == pytest.approx([60, 120, 180], abs=3)


def test_records_of_meters_are_kept_every_few_minutes(world):
    n1, _ = build(world)
    for i in range(12):
        n1.meters.say("m.total", 100.0, {"voltage_v": 230.0 + i, "l2.current_a": 0.43})
        world.run(60)
    n1.node.history.write()
    found = n1.node.history.records("m", START_MIN, START_MIN + 60)
    assert [each.minute - START_MIN for each in found] == [0, 5, 10]
    assert [each.values["voltage_v"] for each in found] == pytest.approx([230.0, 234.0, 239.0], abs=1)
    assert found[0].values["l2.current_a"] == 0.43


def test_master_data_and_runs_of_the_node_are_kept(world):
    n1, _ = build(world)
    world.run(KEYFRAME_S + 60)
    n1.stop()
    world.run(60)
    n1.boot()
    world.run(70)
    n1.node.history.write()
    second, first = n1.node.history.sessions(2**40, 10)
    assert first.ended
    assert not second.ended
    assert first.began_s == pytest.approx(START_S, abs=2)
    assert second.began_s - first.seen_s == pytest.approx(60, abs=2)
    assert json.loads(first.context)["twins"] == {"lamp": "load"}
    assert first.release
    (agent,) = n1.node.history.agents(START_S + 60)
    assert agent.name == "n1.lamp"
    assert (agent.data["kind"], agent.data["input"]) == ("load", "m.total")
    assert n1.node.history.deals_at(first.seen_s + 30) is None
    assert n1.node.history.deals_at(START_S - 60) is None


def test_a_request_in_alert_is_kept_with_its_end(world):
    n1 = world.add("n1", [], [{"name": "lamp", "kind": "load", "input": "m.total", **HELD}])
    world.boot()
    n1.meters.say("m.total", 100.0)
    world.run(30)
    lamp = n1.node.prosumers[0]
    lamp.see_free(500.0)
    for _ in range(40):  # the node says that it could serve it, and nobody does
        lamp.see_free(500.0)
        lamp.stir()
        n1.node._tell_free_power = lambda: lamp.see_free(500.0)
        world.run(1)
    n1.meters.say("m.total", 0.0)
    world.run(60)
    n1.node.history.write()
    (alert,) = n1.node.history.alerts(START_S, START_S + 200)
    assert (alert.twin, alert.power_w) == ("n1.lamp", 100.0)
    assert alert.ended_ms > alert.at_ms + 5000


def test_a_contract_event_names_its_contract_whose_shares_are_its_deals(world):
    n1, _ = build(world)
    n1.meters.say("m.total", 120.0)
    world.run(30)
    n1.meters.say("m.total", 150.0)
    world.run(90)
    history = n1.node.history
    history.write()
    events = [each for each in history.events(START_S, START_S + 200) if each.role == "contract"]
    assert len({each.contract for each in events}) >= 1
    start = events[0]
    shares = [deal for deal, _ in history.deals(START_S, START_S + 200, start.contract)]
    assert (shares[0].twin, shares[0].partner, shares[0].power_w) == ("n1.lamp", "n2.roof", 120.0)
    assert shares[0].revision == start.revision
    requests = [each for each in history.events(START_S, START_S + 200) if each.role == "request"]
    assert {each.contract for each in requests} == {None}


def test_the_level_of_a_battery_is_noted_each_quarter_hour_also_without_a_community(world):
    world.add("n1", [], [{"name": "cells", "kind": "storage", "battery_wh": 500.0}])
    world.boot()
    world.run(60 * 31)
    history = world.nodes["n1"].node.history
    history.write()
    found = history.levels(0, 2**40)
    assert [each.twin for each in found] == ["n1.cells", "n1.cells"]
    assert all(each.minute % 15 == 0 for each in found)
