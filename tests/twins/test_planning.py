"""The storage that buys: before a predicted shortage, and never while a member waits or while it supplies."""

import struct

import pytest

from edge.energy.charging import FORECAST, LEADS_MIN
from host_tools.invariants import broken
from host_tools.world import World

STORAGE = {
    "name": "cells",
    "kind": "storage",
    "battery_wh": 500.0,
    "battery_charge_w": 2000.0,
    "storage_wait_s": 1.0,
    "storage_plan": "always",
}
GRID = {"name": "line", "kind": "grid", "capacity_w": 3000.0}
LAMP = {"name": "lamp", "kind": "load", "input": "l.total", "accepts": "partial", "meter_grace_s": 3600.0}


class Site:
    def __init__(self, **storage):
        self.world = World(seed=5)
        self.world.add("a", [], [GRID, STORAGE | storage, LAMP])
        self.world.boot()
        self.node = self.world.nodes["a"].node

    def run(self, seconds, lamp_w=None):
        if lamp_w is not None:
            self.world.nodes["a"].meters.say("l.total", lamp_w)
        for _ in range(round(seconds)):
            self.world.run(1.0)
            assert broken(self.world) == []
        return self.cells

    @property
    def cells(self):
        return self.node.prosumer("cells")

    @property
    def lamp(self):
        return self.node.prosumer("lamp")

    def forecast(self, requested_w, produced_w):
        """What a learning twin of this node would publish."""
        minute = int(self.node.wall_s() // 60)
        rows = [[requested_w], [produced_w], *[[0.0]] * 4]
        powers = [each / 1000 for row in rows for each in row * len(LEADS_MIN) for _ in range(7)]
        value = struct.pack(f"<q{len(powers)}e", minute, *powers)
        self.world.nodes["a"].touch(
            lambda node: node.prosumer("line").submit(FORECAST, value, life_s=60, reach=0)
        )


@pytest.fixture
def site():
    made = []

    def make(**storage):
        made.append(Site(**storage))
        return made[-1]

    yield make
    for each in made:
        each.world.close()


def test_it_buys_what_is_free_until_it_is_full(site):
    here = site()
    cells = here.run(60)
    assert cells.consumer.supplied_w == pytest.approx(2000.0)
    cells = here.run(900)
    assert cells.battery.level_wh == pytest.approx(500.0, rel=0.01)
    assert cells.consumer.supplied_w == 0.0
    assert cells.bought_wh == pytest.approx(cells.battery.taken_wh)


def test_it_leaves_the_rest_of_its_room_to_donations(site):
    here = site(storage_fill=0.4)
    cells = here.run(600)
    assert cells.battery.level_wh == pytest.approx(200.0, rel=0.02)
    assert cells.consumer.supplied_w == 0.0


def test_a_member_that_needs_the_power_gets_it_at_once(site):
    here = site()
    here.run(60)
    here.run(4, lamp_w=2900.0)
    assert here.lamp.consumer.supplied_w == pytest.approx(2900.0, rel=0.06)
    assert here.cells.supplier.supplied_w <= 100.0


def test_it_supplies_what_is_missing_and_does_not_buy_meanwhile(site):
    here = site()
    here.run(300)
    here.run(10, lamp_w=4000.0)
    assert here.lamp.consumer.missing_w == pytest.approx(0.0, abs=1.0)
    assert here.cells.supplier.supplied_w > 900.0
    assert here.cells.consumer.supplied_w == 0.0


def test_it_buys_only_before_a_predicted_shortage(site):
    here = site(storage_plan="forecast")
    here.run(30)
    assert here.cells.bought_wh == 0.0
    here.forecast(1000.0, 3000.0)
    assert here.run(30).bought_wh == 0.0
    here.forecast(3000.0, 3140.0)
    cells = here.run(60)
    assert cells.target_wh == pytest.approx(1.3 * 24 * (3000 - 3140 / 1.05), rel=0.3)
    assert cells.consumer.supplied_w > 0.0
    here.run(900)
    assert cells.target_wh <= cells.battery.level_wh < 500.0


def test_what_it_buys_is_no_need_of_its_node(site):
    here = site()
    here.run(60)
    total = here.node.total()
    assert total.missing_w == 0.0
    here.run(5, lamp_w=2900.0)
    assert here.cells.share().requested_w == here.cells.share().consumed_w
