"""A microgrid as one prosumer of its parent: gates, their succession, and energy across levels."""

import pytest

from edge.energy.passage import Way
from edge.energy.rules import with_margin
from edge.energy.waiting import FIRST_S
from host_tools.invariants import broken
from host_tools.world import World, chain
from host_tools.world.gates import holon_twin

LAMP = {"name": "lamp", "kind": "load", "power_w": 100.0}
ROOF = {"name": "roof", "kind": "pv", "power_w": 300.0, "price": 0.10}


class Holons:
    """Microgrids of three nodes each, whose first two are gates, below one parent: a ring of gates."""

    def __init__(self, seed=1, fee=0.02, inside=None, **areas):
        self.world = World(seed)
        self.alarms = []
        parent = [f"q{name}{i}" for name in areas for i in (1, 2)]
        for name, twins in areas.items():
            self._add(chain([f"{name}{i}" for i in (1, 2, 3)]), {f"{name}3": twins}, "up", inside or {})
        ring = {name: [parent[i - 1], parent[(i + 1) % len(parent)]] for i, name in enumerate(parent)}
        self._add(ring, {}, "down", {"holon_wait_s": 0.1, "price": fee})
        for name in areas:
            self.world.join([(f"{name}{i}.up", f"q{name}{i}.down") for i in (1, 2)])

    def _add(self, links, twins, door, settings):
        for name, neighbours in links.items():
            ours = [{"name": door, "kind": "holon", **settings}] if name[-1] in "12" else []
            self.world.add(name, neighbours, [*twins.get(name, []), *ours])

    def __enter__(self):
        self.world.boot()
        return self

    def __exit__(self, *_):
        self.world.close()

    def run(self, seconds):
        """All invariants of all levels are checked after each event."""
        self.world.run(seconds, lambda: self.alarms.extend(broken(self.world)))
        assert self.alarms == []
        assert not any(each.node.engine.faults for each in self.world.nodes.values() if each.alive)

    def run_until(self, reached, most_s):
        """Returns how long it took."""
        began_s = self.world.clock.now_s()
        while not reached():
            self.run(0.1)
            assert self.world.clock.now_s() < began_s + most_s, "not reached in time"
        return self.world.clock.now_s() - began_s

    def consumer(self, name):
        node, _, twin = name.partition(".")
        return self.world.nodes[node].node.prosumer(twin).consumer

    def door(self, name):
        return holon_twin(self.world.nodes, name)

    def suppliers(self, name):
        return {part.supplier for each in self.consumer(name).active for part in each.parts}


def test_a_member_is_served_by_another_holon_and_energy_is_conserved():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        assert holons.suppliers("a3.lamp") == {"a1.up"}
        holons.run(60.0)
        assert holons.suppliers("qa1.down") == {"qb1.down"}
        assert holons.suppliers("b1.up") == {"b3.roof"}
        for name, way in (("a1.up", Way.IN), ("b1.up", Way.OUT)):
            passage = holons.door(name).passage
            assert passage.way is way
            sold_wh, bought_wh = passage.sold_wh[way], passage.bought_wh[way]
            assert 0.9 * bought_wh < sold_wh <= bought_wh
            assert passage.sold_wh[Way.IN if way is Way.OUT else Way.OUT] == 0.0
        gate = holons.world.nodes["qb1"].node  # its twin sells what its partner, at the other node, buys
        gate.save()
        gate.history.write()
        minute = int(gate.wall_s() // 60)
        booked = list(gate.history.energies(0, minute + 60, twin="qb1.down", partner=""))
        given_wh = holons.door("b1.up").passage.sold_wh[Way.OUT]
        assert sum(each.given_wh for each in booked) == pytest.approx(given_wh, rel=0.05)


def test_what_nobody_needs_any_more_is_returned_on_all_levels():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        holons.world.nodes["a3"].touch(lambda node: node.prosumer("lamp").hold())
        holons.run(15.0)
        roof = holons.world.nodes["b3"].node.prosumer("roof")
        assert roof.supplier.reserved_w == 0.0
        assert all(holons.door(name).passage.way is Way.NONE for name in ("a1.up", "b1.up"))


def test_members_come_before_the_parent_when_they_have_waited():
    pump = {"name": "pump", "kind": "load", "power_w": 0.0, "input": "m.total", "meter_grace_s": 3600.0}
    with Holons(a=[LAMP], b=[{**ROOF, "power_w": 110.0}, pump]) as holons:
        holons.world.nodes["b3"].meters.say("m.total", 0.0)
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        holons.world.nodes["b3"].meters.say("m.total", 60.0)
        holons.run(FIRST_S - 10.0)
        assert holons.consumer("a3.lamp").satisfied  # what was sold is not ended in haste
        holons.run_until(lambda: holons.consumer("b3.pump").satisfied, 18.0)
        holons.run(10.0)
        assert holons.consumer("b3.pump").satisfied
        assert not holons.consumer("a3.lamp").satisfied


def test_the_price_is_what_was_paid_and_a_fee():
    with Holons(a=[LAMP], b=[ROOF], fee=0.02, inside={"price": 0.01}) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        assert holons.door("qb1.down").supplier.settings.price == pytest.approx(0.12)
        assert holons.door("a1.up").supplier.settings.price == pytest.approx(0.13)


def test_a_limit_of_the_connection_is_obeyed():
    with Holons(a=[{**LAMP, "accepts": "partial"}], b=[ROOF], inside={"capacity_w": 50.0}) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").supplied_w > 0.0, 8.0)
        holons.run(20.0)
        assert 40.0 < holons.consumer("a3.lamp").supplied_w <= with_margin(50.0)


def test_an_order_at_the_parent_reduces_what_members_get():
    with Holons(a=[{**LAMP, "accepts": "partial"}], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        for node in ("qa1", "a1"):
            twin = holons.world.nodes[node].node.prosumers[0]
            twin.obedience.most_w = 30.0
            twin.measured(*twin.measured_w)
        holons.run(10.0)
        assert 0.0 < holons.consumer("a3.lamp").supplied_w <= with_margin(30.0)


def test_the_next_gate_serves_within_15_s_and_gives_way_to_the_first():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        lamp = holons.consumer("a3.lamp")
        holons.run_until(lambda: lamp.satisfied, 5.0)
        holons.world.nodes["a1"].kill()
        assert not holons.world.nodes["qa1"].alive  # one machine
        holons.run_until(lambda: holons.suppliers("a3.lamp") == {"a2.up"}, 15.0)
        holons.world.nodes["qa1"].boot()
        assert holons.world.nodes["a1"].alive
        holons.run_until(lambda: holons.suppliers("a3.lamp") == {"a1.up"}, 15.0)
        holons.run(5.0)
        assert holons.door("a2.up").passage.way is Way.NONE
        flowed = [holons.door(name).passage.sold_wh[Way.IN] for name in ("a1.up", "a2.up")]
        assert all(wh > 0.0 for wh in flowed)


def test_a_supplying_gate_is_replaced_too():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        holons.world.nodes["b1"].kill()
        holons.run_until(lambda: holons.suppliers("qa1.down") == {"qb2.down"}, 15.0)


def test_gates_of_one_holon_do_not_serve_each_other():
    with Holons(a=[LAMP], b=[]) as holons:
        holons.run(40.0)
        assert not holons.consumer("a3.lamp").contracts
        assert holons.door("a2.up").passage.way is Way.NONE
        assert holons.door("qa2.down").passage.way is Way.NONE


def test_a_gate_that_is_cut_off_from_the_parent_is_replaced():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        for peer in holons.world.nodes["qa1"].config.neighbours:
            holons.world.network.cut("qa1", peer.name)
            holons.world.network.cut(peer.name, "qa1")
        holons.run_until(lambda: holons.suppliers("a3.lamp") == {"a2.up"}, 20.0)


def test_three_levels_are_the_same_code():
    """The lamp is in a; a and b are holons of q, c is one of r; q and r are holons of g."""
    world = World(3)
    for area, twins in (("a", [LAMP]), ("c", [ROOF])):
        door = {"name": "up", "kind": "holon"}
        world.add(f"{area}1", [f"{area}2"], [door])
        world.add(f"{area}2", [f"{area}1"], twins)
    for area, child in (("q", "a"), ("r", "c")):
        world.add(f"{area}1", [f"{area}2"], [{"name": "down", "kind": "holon", "holon_wait_s": 0.1}])
        world.add(f"{area}2", [f"{area}1"], [{"name": "up", "kind": "holon", "holon_wait_s": 0.1}])
        world.join([(f"{child}1.up", f"{area}1.down")])
    for i, area in ((1, "q"), (2, "r")):
        world.add(f"g{i}", [f"g{3 - i}"], [{"name": "down", "kind": "holon", "holon_wait_s": 0.1}])
        world.join([(f"{area}2.up", f"g{i}.down")])
    world.boot()
    alarms = []
    world.run(8.0, lambda: alarms.extend(broken(world)))
    lamp = world.nodes["a2"].node.prosumer("lamp").consumer
    assert lamp.satisfied
    assert alarms == []
    ways = [holon_twin(world.nodes, name).passage.way for name in ("a1.up", "q2.up", "r2.up", "c1.up")]
    assert ways == [Way.IN, Way.IN, Way.OUT, Way.OUT]
    world.close()


def test_a_holon_twin_without_a_partner_does_nothing(world):
    world.add("a", ["b"], [{"name": "up", "kind": "holon"}])
    world.add("b", ["a"], [LAMP])
    world.boot().run(20.0)
    twin = holon_twin(world.nodes, "a.up")
    assert (twin.partner, twin.supplier.capacity_w, twin.consumer.need_w) == (None, 0.0, 0.0)
    assert twin.violations() == []
    assert [code for code, _ in twin.troubles()] == ["gate_closed"]


def test_a_gate_whose_other_side_is_off_says_so():
    with Holons(a=[LAMP], b=[]) as holons:
        holons.run(3.0)
        door = holons.door("a1.up")
        assert list(door.troubles()) == []
        holons.world.nodes["qa1"].touch(lambda node: node.prosumer("down").hold())
        assert [code for code, _ in door.troubles()] == ["gate_closed"]


def test_a_gate_tells_what_its_microgrid_has_left_and_lacks():
    """In the parent it is one prosumer: surplus, need, price, and what is expected of it."""
    with Holons(a=[{**LAMP, "power_w": 500.0}], b=[ROOF], fee=0.02) as holons:
        holons.run(8.0)
        told = holons.door("qb1.down").told
        assert told.left_w == pytest.approx(300.0, abs=20.0)
        assert told.ahead_w == () or told.ahead_w[0] == pytest.approx(300.0, abs=20.0)
        assert holons.door("qa1.down").told.lacks_w == 500.0
        assert holons.door("qa2.down").told is None  # it does not act
        assert holons.door("a1.up").told.left_w == pytest.approx(300.0, abs=20.0)
        assert not holons.consumer("qa1.down").contracts  # it buys nothing that would not be enough
        bought_wh = holons.door("a1.up").passage.bought_wh
        assert sum(bought_wh.values()) == 0.0


def test_what_members_cannot_use_leaves_though_a_member_lacks_more():
    with Holons(a=[LAMP], b=[ROOF, {**LAMP, "name": "oven", "power_w": 900.0}]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        holons.run(20.0)
        assert holons.consumer("a3.lamp").satisfied


def test_a_gate_with_a_little_too_much_promised_does_not_act_for_ever():
    with Holons(a=[LAMP], b=[ROOF]) as holons:
        holons.run_until(lambda: holons.consumer("a3.lamp").satisfied, 5.0)
        node, supplier = holons.world.nodes["a1"].node, holons.door("a1.up").supplier
        supplier.capacity_w = supplier.reserved_w - 1e-4
        before = node.engine.reactions
        holons.run(2.0)
        assert node.engine.reactions - before < 40
