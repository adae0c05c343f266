"""What is not known or not well with a device is said, and nothing is derived from it."""

import json
import logging
import math

import pytest

from edge.api.context import Context
from edge.api.node import overview, twins
from edge.api.troubles import troubles
from edge.space.agent import Agent
from host_tools.world import World, chain

THREE_PHASES = {"name": "m", "bus": "bus", "address": 1, "profile": "sdm630"}
BAD = [math.nan, math.inf, -math.inf, 1.1e7, -1e30, None]


@pytest.fixture
def world():
    world = World(seed=5)
    yield world
    world.close()


class Asked:
    def __init__(self, node):
        self.node = node


def found(world, name="n1"):
    return {(each.code, each.subject): each.text for each in troubles(world.nodes[name].node)}


def seen(world, name="n1"):
    return overview(Context(Asked(world.nodes[name].node)))


def say(world, power_w, seconds, input_="m.total", every_s=5):
    for _ in range(0, seconds, every_s):
        world.nodes["n1"].meters.say(input_, power_w)
        world.run(every_s)


def minutes(world, name="n1"):
    rows = world.nodes[name].node.history.minutes("node", 0, 2**40)
    return [row[1:] for batch in rows for row in batch]


def order_to_stop(world, twin, of="n1"):
    regulator = Agent(f"{of}.regulator")
    world.nodes[of].touch(lambda node: node.engine.add(regulator))
    world.nodes[of].touch(lambda node: regulator.submit("STOP", b"1", query=twin, life_s=3))


# ---- undefined is not zero ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD)
def test_a_load_whose_meter_is_undefined_is_unknown_and_not_0_w(world, bad, caplog):
    load = {"name": "heater", "kind": "load", "input": "m.total"}
    world.add("n1", [], [load, {"name": "roof", "kind": "pv", "power_w": 900.0}])
    world.boot()
    say(world, 200.0, 130)
    before = len(minutes(world))
    assert found(world) == {}
    with caplog.at_level(logging.INFO, "edge.twins"):
        say(world, bad, 300)
    node = world.nodes["n1"].node
    assert node.readings_undefined >= 60
    assert found(world) == {
        ("device_unknown", "n1.heater"): "the power of heater is unknown: "
        "no valid reading of m.total for more than 30 s"
    }
    assert node.prosumers[0].consumer.contracts == []
    answer = seen(world)
    assert answer["unknown"] == ["heater"]
    assert (answer["total"]["requested_w"], answer["total"]["missing_w"]) == (None, None)
    assert answer["total"]["produced_w"] == answer["total"]["available_w"] == 900.0
    heater, roof = twins(Context(Asked(node)))
    assert (heater["known"], heater["requested_w"]) == (False, None)
    assert (roof["known"], roof["produced_w"]) == (True, 900.0)
    assert len(minutes(world)) <= before + 1, "no mean is made of minutes that are not known"
    assert all(row[0] == pytest.approx(200.0, rel=0.2) for row in minutes(world))
    with caplog.at_level(logging.INFO, "edge.twins"):
        say(world, 150.0, 200)
    assert found(world) == {}
    assert seen(world)["total"]["requested_w"] == 150.0
    assert len(minutes(world)) > before + 1
    assert [record.getMessage() for record in caplog.records if record.name == "edge.twins"] == [
        "n1.heater: its power is unknown: no valid reading of m.total for more than 30 s",
        "n1.heater: its power is known again",
    ]


def test_a_source_whose_meter_is_undefined_offers_nothing_and_teaches_no_forecast(world):
    world.add("n1", [], [{"name": "roof", "kind": "pv", "input": "m.total"}])
    world.boot()
    say(world, 900.0, 60)
    supplier = world.nodes["n1"].node.prosumers[0].supplier
    noted = []
    supplier.note_free = noted.append
    say(world, math.nan, 40)
    noted.clear()
    say(world, math.nan, 200)
    assert supplier.capacity_w == 0.0
    assert noted == []
    total = seen(world)["total"]
    assert (total["produced_w"], total["available_w"], total["requested_w"]) == (None, None, 0.0)


def test_a_device_with_two_inputs_is_unknown_when_one_is(world):
    house = {"name": "house", "kind": "both", "input": "a.total", "production_input": "b.total"}
    world.add("n1", [], [house])
    world.boot()
    for _ in range(20):
        world.nodes["n1"].meters.say("a.total", 100.0)
        world.nodes["n1"].meters.say("b.total", math.nan)
        world.run(5)
    assert "b.total" in found(world)["device_unknown", "n1.house"]
    assert "a.total" not in found(world)["device_unknown", "n1.house"]


@pytest.mark.parametrize("bad", BAD)
def test_a_sum_over_phases_is_undefined_when_one_of_them_is(world, bad):
    phases = [
        {"name": f"flat{n}", "kind": "load", "input": f"m.l{n}", "accepts": "partial"} for n in (1, 2, 3)
    ]
    world.add("n1", [], [*phases, {"name": "roof", "kind": "pv", "power_w": 900.0}], meters=[THREE_PHASES])
    world.boot()
    for second_w in (200.0, bad, 200.0):
        for _ in range(20):
            for phase, power_w in (("l1", 100.0), ("l2", second_w), ("l3", 300.0)):
                world.nodes["n1"].meters.say(f"m.{phase}", power_w)
            world.run(5)
        total = seen(world)["total"]
        if second_w == 200.0:
            assert (total["requested_w"], found(world)) == (600.0, {})
            continue
        assert (total["requested_w"], total["missing_w"]) == (None, None)
        assert seen(world)["unknown"] == ["flat2"]
        assert list(found(world)) == [("device_unknown", "n1.flat2")]
        one, two, three, _ = twins(Context(Asked(world.nodes["n1"].node)))
        assert [each["requested_w"] for each in (one, two, three)] == [100.0, None, 300.0]


def test_a_load_derived_from_a_phase_that_is_undefined_is_unknown(world):
    house = {"name": "home", "kind": "house", "input": "m.l1", "production_input": "m.l2"}
    world.add("n1", [], [house], meters=[THREE_PHASES])
    world.boot()
    for _ in range(20):
        world.nodes["n1"].meters.say("m.l1", 100.0)
        world.nodes["n1"].meters.say("m.l2", math.nan)
        world.run(5)
    assert "m.l2" in found(world)["device_unknown", "n1.home"]
    assert seen(world)["total"]["requested_w"] is None


def test_a_meter_that_never_answers_is_reported_after_its_grace_only(world):
    world.add("n1", [], [{"name": "heater", "kind": "load", "input": "m.total"}])
    world.boot()
    world.run(20)
    assert found(world) == {}
    assert seen(world)["total"]["requested_w"] is None
    world.run(20)
    assert [code for code, _ in found(world)] == ["device_unknown"]


def test_the_microgrid_leaves_out_what_a_node_does_not_know(world):
    for name, neighbours in chain(["n1", "n2"]).items():
        device = {"name": "lamp", "kind": "load", "input": "m.total"}
        world.add(name, neighbours, [device], {"node_model": "persistence", "cluster_model": "persistence"})
    world.boot()
    for power_w in (100.0, math.nan, 100.0):
        for _ in range(16):
            world.nodes["n1"].meters.say("m.total", power_w)
            world.nodes["n2"].meters.say("m.total", 40.0)
            world.run(5)
        learning = world.nodes["n2"].node.learning
        if math.isnan(power_w):
            assert learning.nodes_summed == 1
            assert learning.cluster_w()[0] == pytest.approx(40.0)
            space = world.nodes["n2"].node.space
            assert json.loads(space.read(space.find("n1.learning"), "TOTAL")) is None
        else:
            assert learning.nodes_summed == 2
            assert learning.cluster_w()[0] == pytest.approx(140.0)


# ---- signs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "right_w"), [("pv", 800.0), ("load", 800.0)])
def test_a_meter_that_persistently_shows_the_wrong_sign_is_a_trouble_with_a_hint(world, kind, right_w):
    world.add("n1", [], [{"name": "device", "kind": kind, "input": "m.total"}])
    world.boot()
    say(world, right_w, 60)
    say(world, -right_w, 30)
    assert found(world) == {}, "a motor that brakes"
    say(world, right_w, 30)
    say(world, -right_w, 90)
    text = found(world)["wrong_sign", "n1.device"]
    assert "m.total" in text
    assert "sign = -1" in text
    say(world, -2.0, 600)
    assert ("wrong_sign", "n1.device") in found(world), "the night proves nothing"
    say(world, right_w, 10)
    assert found(world) == {}


HOUSE = {"name": "home", "kind": "house", "input": "grid.total", "production_input": "pv.total"}


def show(world, seconds, **readings_w):
    for _ in range(0, seconds, 5):
        for meter, power_w in readings_w.items():
            world.nodes["n1"].meters.say(f"{meter}.total", power_w)
        world.run(5)


def test_a_grid_meter_of_the_wrong_sign_is_found_at_night(world):
    """By day 3 000 W of export look like a large load; at night the load would be negative."""
    world.add("n1", [], [HOUSE])
    world.boot()
    show(world, 120, grid=3000.0, pv=5000.0)
    assert found(world) == {}
    show(world, 120, grid=-1200.0, pv=0.0)
    text = found(world)["wrong_sign", "n1.home"]
    assert "the load derived from grid.total, pv.total of home is negative" in text
    assert "sign = -1" in text
    show(world, 120, grid=3000.0, pv=5000.0)
    assert ("wrong_sign", "n1.home") in found(world), "the day proves nothing"
    show(world, 30, grid=1200.0, pv=0.0)
    assert found(world) == {}


def test_photovoltaics_of_a_house_with_the_wrong_sign_are_found(world):
    world.add("n1", [], [HOUSE])
    world.boot()
    show(world, 120, grid=-3000.0, pv=-5000.0)
    texts = [each.text for each in troubles(world.nodes["n1"].node) if each.code == "wrong_sign"]
    assert any(text.startswith("pv.total of home is negative") for text in texts)


@pytest.mark.parametrize(("grid_w", "pv_w"), [(-3000.0, 2900.0), (-5100.0, 5000.0), (-20.0, 0.0)])
def test_meters_that_do_not_agree_exactly_are_well(world, grid_w, pv_w):
    world.add("n1", [], [HOUSE])
    world.boot()
    show(world, 200, grid=grid_w, pv=pv_w)
    assert found(world) == {}


def test_one_negative_reading_before_a_pause_is_no_wrong_sign(world):
    world.add("n1", [], [{"name": "lift", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}])
    world.boot()
    say(world, 500.0, 30)
    say(world, -500.0, 5)
    say(world, None, 300)
    assert found(world) == {}


def test_an_inverter_at_night_and_a_building_that_exports_are_well(world):
    world.add(
        "n1",
        [],
        [
            {"name": "roof", "kind": "pv", "input": "m.total", "connection": "own"},
            {"name": "house", "kind": "building", "input": "h.total"},
        ],
    )
    world.boot()
    for _ in range(60):
        world.nodes["n1"].meters.say("m.total", -8.0)
        world.nodes["n1"].meters.say("h.total", -900.0)
        world.run(5)
    assert found(world) == {}


# ---- an unserved need ------------------------------------------------------------------------------


def test_a_need_that_stays_unserved_beside_free_power_is_a_trouble(world):
    roof = {"name": "roof", "kind": "pv", "power_w": 500.0}
    world.add("n1", [], [roof, {"name": "heater", "kind": "load", "power_w": 100.0}])
    world.boot()
    world.nodes["n1"].node.prosumers[0].supplier.see_request = lambda *_: None  # hears nobody
    world.run(120)
    assert found(world) == {}
    world.run(120)
    text = "heater lacks 100 W though 500 W are free on this node"
    assert found(world) == {("need_unserved", "n1.heater"): text}


def test_a_need_without_free_power_is_not(world):
    world.add("n1", [], [{"name": "heater", "kind": "load", "power_w": 100.0}])
    world.boot()
    world.run(600)
    assert found(world) == {}


# ---- a lapsed LSA, and relays -----------------------------------------------------------------------


def test_a_twin_whose_lsa_lapsed_is_added_again_and_its_dead_contract_does_not_count(world):
    world.add("n1", ["n2"], [{"name": "heater", "kind": "load", "power_w": 150.0}])
    world.add("n2", ["n1"], [{"name": "roof", "kind": "pv", "power_w": 500.0}])
    world.boot()
    world.run(10)
    n1, n2 = (world.nodes[name].node for name in ("n1", "n2"))
    heater, roof = n1.prosumers[0], n2.prosumers[0]
    assert heater.consumer.satisfied
    renew, heater.renew = heater.renew, lambda: None
    for _ in range(20):
        world.run(1)
        if not heater.handle:
            break
    assert not heater.handle
    assert (n1.total().consumed_w, heater.consumer.contracts, heater.violations()) == (0.0, [], [])
    assert ("twin_absent", "n1.heater") in found(world)
    heater.renew = renew
    world.run(5)
    assert heater.handle
    assert heater.consumer.satisfied
    assert (n1.total().consumed_w, n2.total().supplied_w) == (150.0, 150.0)
    assert roof.supplier.committed_w == pytest.approx(157.5)
    assert found(world) == {}
    assert (n1.invariants_broken, n2.invariants_broken) == (0, 0)


def test_a_supplier_whose_lsa_lapsed_begins_anew_too(world):
    world.add("n1", ["n2"], [{"name": "heater", "kind": "load", "power_w": 150.0}])
    world.add("n2", ["n1"], [{"name": "roof", "kind": "pv", "power_w": 500.0}])
    world.boot()
    world.run(10)
    n1, n2 = (world.nodes[name].node for name in ("n1", "n2"))
    roof = n2.prosumers[0]
    renew, roof.renew = roof.renew, lambda: None
    world.run(12)
    roof.renew = renew
    world.run(8)
    assert n1.prosumers[0].consumer.satisfied
    assert n2.total().supplied_w == 150.0
    assert (n1.invariants_broken, n2.invariants_broken) == (0, 0)


def test_the_invariants_see_contracts_without_an_lsa(world):
    world.add(
        "n1",
        [],
        [{"name": "a", "kind": "load", "power_w": 9.0}, {"name": "b", "kind": "pv", "power_w": 90.0}],
    )
    world.boot()
    world.run(5)
    load = world.nodes["n1"].node.prosumers[0]
    load.handle = 0
    assert load.violations() == ["I9 n1.a holds contracts without an LSA"]


WASHER = {
    "name": "washer",
    "kind": "shiftable",
    "power_w": 100.0,
    "run_s": 600.0,
    "within_s": 60.0,
    "ready_hour": 1.0,
    "relay": "r1",
    "disabled_s": 60.0,
}


def with_washer(world):
    n1 = world.add("n1", [], [WASHER, {"name": "roof", "kind": "pv", "power_w": 500.0}])
    world.boot()
    return n1


def test_after_a_stop_order_the_relay_of_an_idle_shiftable_load_stays_open(world):
    n1 = with_washer(world)
    world.run(5)
    assert n1.meters.relays == {"r1": False}
    order_to_stop(world, "n1.washer")
    world.run(100)
    washer = n1.node.prosumers[0]
    assert not washer.disabled
    assert n1.meters.relays == {"r1": False}
    assert n1.node.invariants_broken == 0
    washer.relay_on = True
    assert washer.violations() == ["I8 n1.washer has its relay closed while it must be off"]


def test_a_stop_order_amid_a_run_opens_the_relay_until_it_lapses(world):
    n1 = with_washer(world)
    world.run(3600 + 200)
    assert n1.meters.relays == {"r1": True}
    order_to_stop(world, "n1.washer")
    world.run(30)
    assert n1.meters.relays == {"r1": False}
    world.run(60)
    assert n1.meters.relays == {"r1": True}
    assert n1.node.invariants_broken == 0


def test_a_stop_order_outlives_a_restart_and_its_relay_is_closed_when_it_lapses(world):
    heater = {"name": "heater", "kind": "load", "power_w": 50.0, "relay": "r1", "disabled_s": 120.0}
    n1 = world.add("n1", [], [heater, {"name": "roof", "kind": "pv", "power_w": 500.0}])
    world.boot()
    world.run(5)
    order_to_stop(world, "n1.heater")
    world.run(30)
    assert n1.meters.relays == {"r1": False}
    n1.kill()
    n1.boot()
    world.run(20)
    assert n1.node.prosumers[0].disabled
    assert n1.node.total().consumed_w == 0.0
    world.run(120)
    assert n1.meters.relays == {"r1": True}
    assert n1.node.prosumers[0].consumer.satisfied


def test_a_twin_that_loses_its_lsa_again_and_again_is_named_in_between(world):
    world.add("n1", [], [{"name": "heater", "kind": "load", "power_w": 150.0}])
    world.boot()
    heater = world.nodes["n1"].node.prosumers[0]
    renew, heater.renew = heater.renew, lambda: None
    world.run(40)
    for _ in range(12):
        world.run(1)
        assert ("twin_absent", "n1.heater") in found(world)
    heater.renew = renew
    world.run(320)
    assert found(world) == {}
