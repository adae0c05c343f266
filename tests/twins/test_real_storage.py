"""The common storage with a real battery: its meter says what it holds, and it is told what to do."""

import pytest

from edge.config.check import ConfigError, build

METER = {"name": "cells", "bus": "bus", "address": 3, "profile": "marstek-venus"}
SUN = {"name": "sun", "kind": "pv", "input": "m.total", "donates": 1.0, "meter_grace_s": 3600.0}
LAMP = {"name": "lamp", "kind": "load", "input": "l.total", "meter_grace_s": 3600.0}
STORAGE = {
    "name": "storage",
    "kind": "storage",
    "battery_wh": 5000.0,
    "battery_meter": "cells",
    "storage_wait_s": 1.0,
}
OTHERS = [{"name": name, "bus": "bus", "address": i, "profile": "sdm120"} for i, name in enumerate("ml", 10)]


@pytest.fixture
def house(world):
    node = world.add("a", [], [SUN, LAMP, STORAGE], meters=[METER, *OTHERS])
    world.boot()
    node.meters.say("m.total", 0.0)
    node.meters.say("l.total", 0.0)
    world.run(5.0)
    return node


def holds(house, percent, seconds=2.0):
    record = {} if percent is None else {"state_of_charge_percent": percent}
    house.meters.say("cells.total", 0.0, record)
    house.world.run(seconds)
    assert house.node.invariants_broken == 0
    return house.node.prosumer("storage").battery


def test_its_level_is_what_the_meter_says(house):
    assert house.node.prosumer("storage").battery.level_wh is None
    assert holds(house, 40.0).level_wh == pytest.approx(2000.0)
    assert holds(house, 39.0).level_wh == pytest.approx(1950.0)
    assert holds(house, None).level_wh is None
    assert holds(house, 50.0).level_wh == pytest.approx(2500.0)
    house.world.run(200.0)
    assert house.node.prosumer("storage").battery.level_wh is None


def test_it_is_told_to_give_what_members_draw(house):
    holds(house, 40.0)
    assert house.meters.orders["cells"] == 0.0
    house.meters.say("l.total", 700.0)
    house.world.run(8.0)
    assert house.node.prosumer("lamp").consumer.supplied_w == pytest.approx(700.0)
    assert house.meters.orders["cells"] == -700.0
    house.meters.say("l.total", 0.0)
    house.world.run(4.0)
    assert house.meters.orders["cells"] == 0.0


def test_it_is_told_to_take_what_is_donated(house):
    holds(house, 40.0)
    house.meters.say("m.total", 900.0)
    house.world.run(40.0)
    assert house.meters.orders["cells"] == pytest.approx(900.0, rel=0.3)
    house.meters.say("m.total", 0.0)
    house.world.run(40.0)
    assert house.meters.orders["cells"] == 0.0


def test_while_its_level_is_unknown_it_promises_nothing(house):
    house.meters.say("l.total", 700.0)
    house.world.run(20.0)
    assert house.node.prosumer("lamp").consumer.supplied_w == 0.0


@pytest.mark.parametrize("wrong", [{"battery_meter": "m"}, {"battery_meter": "gone"}])
def test_check_wants_a_meter_that_takes_orders(wrong):
    raw = {
        "node": {"name": "a"},
        "bus": [{"name": "bus", "port": "/dev/x"}],
        "meter": [METER, *OTHERS],
        "twin": [STORAGE | wrong],
    }
    with pytest.raises(ConfigError, match="battery_meter"):
        build(raw, "a")
