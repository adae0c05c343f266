"""Storms with holons: gates that end, links of the parent that are cut, and energy across levels."""

from dataclasses import replace

from edge.energy.passage import Passage
from host_tools.storm.draw import draw
from host_tools.storm.plan import Fault, Storm, StormBuilding
from host_tools.storm.play import play

LAMP = {"name": "lamp", "kind": "load", "power_w": 60.0}
SUN = {"name": "sun", "kind": "pv", "power_w": 200.0}


def door(name):
    return {"name": name, "kind": "holon", "holon_wait_s": 0.1}


def small(*faults):
    """Two holons with two gates each; what one lacks, the other has."""
    buildings, gates = [], []
    parents = ["q-a1", "q-a2", "q-b1", "q-b2"]
    for area, twin in (("a", LAMP), ("b", SUN)):
        one, other = f"{area}1", f"{area}2"
        buildings += [StormBuilding(one, (other,), (twin, door("up")), {})]
        buildings += [StormBuilding(other, (one,), (door("up"),), {})]
        gates.append(tuple((f"{each}.up", f"q-{each}.down") for each in (one, other)))
    for i, name in enumerate(parents):
        beside = (parents[i - 1], parents[(i + 1) % 4])
        buildings.append(StormBuilding(name, beside, (door("down"),), {}))
    happens = tuple(Fault(i, *fault) for i, fault in enumerate(faults))
    return Storm(7, tuple(buildings), happens, 30.0, gates=tuple(gates))


def test_some_storms_have_holons_whose_gates_are_struck_too():
    storms = [each for each in map(draw, range(80)) if each.gates]
    assert len(storms) > 5
    for storm in storms:
        names = {f"{building.name}.{twin['name']}" for building in storm.buildings for twin in building.twins}
        assert {twin for gates in storm.gates for pair in gates for twin in pair} <= names
        assert not storm.steady
        assert [fault.number for fault in storm.faults] == list(range(len(storm.faults)))


def test_a_smaller_storm_has_only_the_gates_that_are_left():
    storm = small().reduced(None, ["a1", "b2.up"])
    assert storm.gates == ((("a2.up", "q-a2.down"),), (("b1.up", "q-b1.down"),))


def test_no_invariant_is_broken_when_gates_end_and_start_again():
    storm = small(
        (9.0, "kill", ("a2", "kept", 4.0)),
        (10.0, "stop", ("b2", "kept", 1.0)),
        (11.0, "cut", ("q-a1", "q-b2")),
    )
    assert play(storm).violations == ()


def test_a_gate_that_sells_more_than_it_bought_is_found(monkeypatch):
    count = Passage.count

    def counted(self, now_s):
        count(self, now_s)
        self.sold_wh = {way: 2.0 * energy_wh for way, energy_wh in self.sold_wh.items()}

    monkeypatch.setattr(Passage, "count", counted)
    outcome = play(replace(small(), seed=8))
    assert outcome.violations
    assert outcome.violations[0].startswith("I6")
