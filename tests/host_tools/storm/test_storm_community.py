"""Storms with what a community has: drawn by itself, and its books are compared."""

from dataclasses import replace

import pytest

from edge.energy.donations import Donor
from host_tools.storm.draw import draw
from host_tools.storm.plan import Storm, StormBuilding
from host_tools.storm.play import play
from host_tools.storm.stage import Stage

SUN = {"name": "sun", "kind": "pv", "power_w": 400.0, "donates": 1.0}
STORE = {"name": "store", "kind": "storage", "battery_wh": 50.0}


def donating():
    buildings = (StormBuilding("n1", ("n2",), (SUN,), {}), StormBuilding("n2", ("n1",), (STORE,), {}))
    return Storm(7, buildings, (), 30.0)


def test_all_of_a_community_is_drawn_and_costs_nobody_where_only_lies_happen():
    storms = [draw(seed) for seed in range(200)]
    twins = [twin for each in storms for building in each.buildings for twin in building.twins]
    assert {"store"} <= {twin["name"] for twin in twins}
    assert any(twin.get("donates") for twin in twins)
    assert any(twin.get("battery_wh") for twin in twins if twin["kind"] == "load")
    sections = [building.sections for each in storms for building in each.buildings]
    traded = {"market", "trader", "learning"}
    assert {key for each in sections for key in each} == {"regulator", "community", *traded}
    assert any(twin.get("bargain_rounds") for twin in twins)
    for storm in storms:
        limits = [fault for fault in storm.faults if fault.kind == "limit"]
        assert not (storm.steady and limits)
        assert not (storm.steady and traded & {key for each in storm.buildings for key in each.sections})
        assert [fault.number for fault in storm.faults] == list(range(len(storm.faults)))


def test_books_of_donors_and_storage_agree():
    assert play(donating()).violations == ()


@pytest.mark.parametrize(
    ("factor", "line"), [(2, "I6 donors gave"), (0.5, "I6 n2.store received")], ids=["given", "offered"]
)
def test_a_donor_that_books_another_energy_is_found(monkeypatch, factor, line):
    see, step = Donor.see, Donor.step

    def seen(self, receipt):
        known = self.given_mwh
        done = see(self, receipt)
        self.given_mwh = known + max(1, round(factor)) * (self.given_mwh - known)
        return done

    def stepped(self, unused_w, wanted, now_s):
        known = self.offered_mwh
        step(self, unused_w, wanted, now_s)
        self.offered_mwh = known + round(min(1, factor) * (self.offered_mwh - known))

    monkeypatch.setattr(Donor, "see", seen)
    monkeypatch.setattr(Donor, "step", stepped)
    outcome = play(replace(donating(), seed=8))
    assert outcome.violations
    assert outcome.violations[0].startswith(line)


def test_the_gate_of_a_market_closes_in_a_storm_and_its_members_have_traded():
    role = {"trader": {"market": "n2"}, "learning": {"node_model": "persistence"}}
    place = {"market": {"import_price": 0.30, "feed_in_price": 0.08, "gate_hour": 22.2334}}
    buildings = (
        StormBuilding("n1", ("n2",), (SUN,), {}, role),
        StormBuilding("n2", ("n1", "n3"), (), {}, place),
        StormBuilding("n3", ("n2",), (), {}, role),
    )
    stage = Stage(Storm(7, buildings, (), 60.0))
    stage.world.run(60.0)
    twins = [twin for node in stage.world.nodes.values() for twin in node.node.twins]
    traders = [twin for twin in twins if twin.kind == "trader"]
    stage.world.close()
    assert len(traders) == 2
    for trader in traders:
        (day,) = trader.days.values()
        assert day.awarded
        assert any(day.position_wh)
