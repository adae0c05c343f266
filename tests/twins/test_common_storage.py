"""The storage twin across nodes: what members give is what it holds, and it serves what nobody else does."""

import pytest

from edge.energy.donations import parse_donation
from host_tools.invariants import broken, disagreements
from host_tools.world import Members, World, chain
from host_tools.world.links import LinkQuality

NAMES = ["a", "b", "c"]
SUN = {"name": "sun", "kind": "pv", "input": "m.total", "donates": 1.0, "meter_grace_s": 3600.0}
LAMP = {"name": "lamp", "kind": "load", "input": "l.total", "meter_grace_s": 3600.0}
STORAGE = {"name": "cells", "kind": "storage", "battery_wh": 500.0, "storage_wait_s": 1.0}


class Community:
    """A producer at one end, a consumer at the other, and the storage between them."""

    def __init__(self, *, keys=True, extra=(), sun=(), **storage):
        self.world = World(seed=5)
        if keys:
            self.world.trust = Members(self.world.clock).trust
        twins = {"a": [SUN | dict(sun), *extra], "b": [STORAGE | storage], "c": [LAMP]}
        for name, neighbours in chain(NAMES).items():
            self.world.add(name, neighbours, twins[name])
        self.world.boot()
        self.world.run(15.0)

    def run(self, seconds, sun_w=None, lamp_w=None):
        if sun_w is not None:
            self.world.nodes["a"].meters.say("m.total", sun_w)
        if lamp_w is not None:
            self.world.nodes["c"].meters.say("l.total", lamp_w)
        for _ in range(round(seconds)):
            self.world.run(1.0)
            assert broken(self.world) == []

    def twin(self, node, name):
        return self.world.nodes[node].node.prosumer(name)

    @property
    def cells(self):
        return self.twin("b", "cells")

    @property
    def sun(self):
        return self.twin("a", "sun")

    @property
    def lamp(self):
        return self.twin("c", "lamp")


@pytest.fixture
def community():
    made = []

    def make(**settings):
        made.append(Community(**settings))
        return made[-1]

    yield make
    for each in made:
        each.world.close()


def test_what_members_give_is_what_the_storage_holds_and_gives(community):
    site = community()
    assert site.cells.battery.level_wh == 0.0
    site.run(60, sun_w=1200.0)
    site.run(20, sun_w=0.0)
    held_wh = site.cells.battery.level_wh
    assert held_wh == pytest.approx(20.0, abs=1.0)
    assert site.sun.donor.given_mwh == site.cells.donations.received_mwh == round(1000 * held_wh)
    site.run(1, lamp_w=300.0)
    assert site.lamp.consumer.supplied_w == 0.0
    site.run(30)
    assert site.lamp.consumer.supplied_w == pytest.approx(300.0)
    site.run(20, lamp_w=0.0)
    spent_wh = held_wh - site.cells.battery.level_wh
    assert spent_wh == pytest.approx(300 * 29.5 / 3600, abs=0.15)
    assert site.cells.supplier.capacity_w == 0.0
    assert disagreements(site.world) == []


def test_producers_serve_first_and_the_storage_fills_no_gap_that_is_none(community):
    site = community()
    site.run(30, sun_w=1200.0)
    site.run(30, lamp_w=500.0)
    assert site.lamp.consumer.supplied_w == pytest.approx(500.0)
    assert site.cells.battery.given_wh == 0.0


def test_a_producer_that_is_back_takes_over(community):
    site = community(storage_retry_s=60.0)
    site.run(60, sun_w=1200.0)
    site.run(30, sun_w=0.0, lamp_w=300.0)
    assert site.cells.supplier.supplied_w == pytest.approx(300.0)
    site.run(80, sun_w=1200.0)
    assert site.lamp.consumer.supplied_w == pytest.approx(300.0)
    assert site.cells.supplier.supplied_w == 0.0


def test_an_empty_storage_ends_its_supplies(community):
    site = community()
    site.run(60, sun_w=1200.0)
    site.run(15, sun_w=0.0)
    site.run(200, lamp_w=900.0)
    assert site.cells.battery.level_wh == pytest.approx(0.0, abs=0.3)
    assert site.lamp.consumer.supplied_w == 0.0
    assert len(site.cells.supplier.book) == 0


def test_lost_repeated_and_late_frames_leave_both_books_equal(community):
    site = community()
    for quality in (LinkQuality(0.3, loss=0.3, duplicate=0.3, delay=0.5), LinkQuality(0.02)):
        for sender, receiver in (("a", "b"), ("b", "a")):
            site.world.network.set_quality(sender, receiver, quality)
        site.run(150, sun_w=2000.0)
    site.run(30, sun_w=0.0)
    assert site.sun.donor.pending is None
    assert site.sun.donor.given_mwh == site.cells.donations.received_mwh > 0


@pytest.mark.parametrize("victim", ["a", "b"])
def test_a_power_cut_doubles_no_energy(community, victim):
    site = community()
    site.run(47, sun_w=1200.0)
    site.world.nodes[victim].kill()
    site.world.run(3.0)
    site.world.nodes[victim].boot()
    site.run(40)
    assert 0 < site.cells.battery.level_wh <= 1200 * 87 / 3600
    produced_wh = 1200 * 92 / 3600
    assert site.cells.battery.level_wh <= produced_wh


def test_a_full_storage_takes_nothing(community):
    site = community(battery_wh=5.0)
    site.run(120, sun_w=2000.0)
    assert site.cells.battery.level_wh == pytest.approx(5.0, abs=0.51)
    assert site.sun.donor.given_mwh == site.cells.donations.received_mwh


def test_external_supply_and_a_grid_do_not_donate(community):
    site = community(extra=[{"name": "line", "kind": "grid", "capacity_w": 5000.0}])
    site.run(60, sun_w=0.0)
    assert site.cells.battery.level_wh == 0.0


def test_there_is_one_storage_in_a_microgrid(community):
    site = community(extra=[{**STORAGE, "name": "aside"}])
    site.run(60, sun_w=1200.0)
    assert site.twin("a", "aside").battery.level_wh > 0.0
    assert site.cells.battery.level_wh == 0.0


def test_a_donor_may_name_the_storage_it_gives_to(community):
    """So a member cannot attract donations by a name."""
    site = community(extra=[{**STORAGE, "name": "aside"}], sun={"donates_to": "b.cells"})
    site.run(60, sun_w=1200.0)
    assert site.twin("a", "aside").battery.level_wh == 0.0
    assert site.cells.battery.level_wh > 0.0


def test_what_is_given_is_sealed(community):
    site = community()
    seen = set()

    def look():
        space = site.world.nodes["c"].node.space
        handle = space.find("a.sun")
        seen.add(handle and space.read(handle, "DONATION", "b.cells"))

    site.world.nodes["a"].meters.say("m.total", 1200.0)
    site.world.run(60.0, look)
    sealed = [value for value in seen if value]
    assert sealed
    for value in sealed:
        with pytest.raises(ValueError, match=r"not|invalid|out of range"):
            parse_donation(value)
