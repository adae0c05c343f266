"""A device with a battery of its own: charged by its surplus, used when nobody else supplies it."""

import pytest

from edge.config.check import ConfigError, build

HOME = {
    "name": "home",
    "kind": "building",
    "input": "m.total",
    "accepts": "partial",
    "battery_wh": 100.0,
    "meter_grace_s": 3600.0,
}


class House:
    def __init__(self, world, **home):
        self.world = world
        self.node = world.add("a", [], [HOME | home, {"name": "line", "kind": "grid", "capacity_w": 400.0}])
        world.boot()

    def draw(self, power_w, seconds=1.0):
        self.node.meters.say("m.total", power_w)
        self.world.run(seconds)
        assert self.node.node.invariants_broken == 0
        return self.home

    @property
    def home(self):
        return self.node.node.prosumer("home")


def test_the_surplus_charges_the_battery_and_only_then_is_offered(world):
    house = House(world)
    home = house.draw(-360.0, 100.0)
    assert home.battery.level_wh == pytest.approx(10.0, abs=0.11)
    assert home.share().produced_w == 0.0
    home = house.draw(-36_000.0, 60.0)
    assert home.battery.level_wh == 100.0
    assert home.share().produced_w == pytest.approx(36_000.0)


def test_contracts_come_first_and_the_battery_covers_the_rest(world):
    house = House(world)
    house.draw(-36_000.0, 20.0)
    home = house.draw(200.0, 10.0)
    assert home.own_w == 0.0
    assert home.consumer.supplied_w == pytest.approx(200.0)
    home = house.draw(1000.0, 2.0)
    assert home.own_w == 0.0
    home = house.draw(1000.0, 10.0)
    assert home.own_w == pytest.approx(1000.0 - home.consumer.supplied_w)
    assert home.own_w >= 600.0
    share = home.share()
    assert share.requested_w == pytest.approx(share.consumed_w)
    home = house.draw(0.0, 3.0)
    assert home.own_w == 0.0


def test_a_contract_takes_over_from_the_battery(world):
    house = House(world)
    house.draw(-36_000.0, 20.0)
    house.node.node.prosumer("line").hold()
    home = house.draw(300.0, 10.0)
    assert home.own_w == pytest.approx(300.0)
    assert not home.unserved
    house.node.node.prosumer("line").restart()
    world.run(5.0)
    assert home.own_w == 0.0
    assert home.consumer.supplied_w == pytest.approx(300.0)


def test_what_it_holds_survives_a_restart_and_none_is_invented(world):
    house = House(world)
    before_wh = house.draw(-3600.0, 30.5).battery.level_wh
    house.node.stop()
    house.node.boot()
    assert before_wh - 1.0 <= house.home.battery.level_wh <= before_wh
    house.node.node.prosumer("home").begin({"battery": 10**6})
    house.node.node.prosumer("home").begin({"battery": "x"})
    assert house.home.battery.level_wh <= before_wh


def test_a_stopped_device_neither_charges_nor_draws(world):
    house = House(world)
    house.draw(-3600.0, 10.0)
    home = house.home
    home.hold()
    level_wh = house.draw(-3600.0, 20.0).battery.level_wh
    assert house.draw(500.0, 20.0).battery.level_wh == pytest.approx(level_wh)
    home.restart()
    assert house.draw(-3600.0, 10.0).battery.level_wh > level_wh


@pytest.mark.parametrize(
    ("twin", "key"),
    [
        ({"name": "s", "kind": "storage"}, "battery_wh"),
        ({"name": "g", "kind": "grid", "capacity_w": 10.0, "battery_wh": 5.0}, "battery_wh"),
        ({"name": "g", "kind": "grid", "capacity_w": 10.0, "donates": 1.0}, "donates"),
        ({"name": "p", "kind": "pv", "donates": 1.0, "battery_wh": 5.0}, "donates"),
        ({"name": "p", "kind": "pv", "battery_wh": 5.0, "battery_reserve_wh": 6.0}, "battery_reserve_wh"),
    ],
)
def test_check_says_what_no_device_can_be(twin, key):
    with pytest.raises(ConfigError, match=key):
        build({"node": {"name": "a"}, "twin": [twin]}, "a")
