"""The regulator keeps its node below thresholds with the fewest twins, and moves what a forecast asks for."""

import json

import pytest
from regulated import THESIS_W, House, loads, sources

from edge.energy.orders import Deed, Order, OrderKind, encode_orders
from edge.energy.rules import DISABLED, RESCHEDULE, WARNING
from edge.space.agent import Agent
from host_tools.world import chain

# ---- thresholds --------------------------------------------------------------------------------------


def test_a_fourth_source_stops_the_largest_as_in_the_thesis(world):
    house = House(world, sources(**(THESIS_W | {"source_4": 0.0})) + loads(consumer=100.0))
    assert house.off() == []
    house.wants_w["source_4"] = 1000.0
    house.run(1)
    assert house.off() == ["source_1"]
    assert house.twin("source_1").reason == "overproduction"
    assert house.on.meters.relays["r_source_1"] is False
    assert house.node.total().produced_w == 1450.0
    house.run(5)
    assert house.twin("consumer").consumer.satisfied
    assert house.node.invariants_broken == 0


@pytest.mark.parametrize(
    ("policy", "stopped"),
    [("largest", "source_1"), ("smallest_set", "source_4"), ("lowest_priority", "source_4")],
)
def test_the_policy_says_whom(world, policy, stopped):
    house = House(world, sources(**THESIS_W), policy=policy)
    assert house.off() == [stopped]


def test_consumption_has_a_threshold_of_its_own_and_the_grid_is_no_production(world):
    grid = {"name": "grid", "kind": "grid", "capacity_w": 9000.0, "input": ""}
    house = House(world, [grid, *loads(oven=900.0, boiler=800.0)], max_consumed_w=1000.0)
    assert house.off() == ["oven"]
    assert house.twin("oven").reason == "overconsumption"


def test_a_stopped_twin_shows_why_and_no_order_is_repeated(world):
    house = House(world, sources(**THESIS_W))
    node = house.node
    assert node.space.read(node.space.find("n1.source_1"), DISABLED) == b"overproduction"
    orders = json.loads(node.space.read(node.space.find("n1.regulator"), WARNING))
    assert [row[:4] for row in orders] == [[1, "overproduction", "stop", "source_1"]]
    house.run(35)
    assert house.regulator.orders.count == 1
    assert not node.space.read(node.space.find("n1.regulator"), WARNING)
    assert house.off() == ["source_1"]


def test_it_comes_back_after_five_minutes_only_if_it_fits(world):
    house = House(world, sources(**THESIS_W))
    house.run(310, every_s=10)
    assert house.off() == ["source_1"]
    house.wants_w["source_4"] = 200.0
    house.run(270, every_s=10)
    assert house.off() == ["source_1"], "it was looked at too early"
    house.run(50, every_s=10)
    assert house.off() == []
    assert house.node.total().produced_w == 2650.0


def test_of_two_that_could_return_only_one_fits(world):
    house = House(world, sources(a=2000.0, b=2000.0, c=1500.0), policy="largest")
    assert house.off() == ["a", "b"]
    house.wants_w["c"] = 0.0
    for _ in range(2):
        house.run(320, every_s=10)
        assert len(house.off()) == 1
    assert house.node.total().produced_w == 2000.0


def test_without_a_regulator_twins_return_by_themselves(world):
    house = House(world, sources(**THESIS_W))
    house.regulator.second_passed = house.regulator.act = lambda: None
    house.run(370, every_s=10)
    assert house.off() == []


def test_somebody_may_start_a_twin_again(world):
    house = House(world, sources(**THESIS_W))
    house.wants_w["source_4"] = 0.0
    house.run(3)
    house.on.touch(lambda node: node.prosumer("source_1").restart())
    house.run(5)
    assert house.off() == []
    assert house.regulator.stopped == {}


def test_a_twin_whose_lsa_lapsed_is_forgotten_by_the_others(world):
    house = House(world, sources(roof=500.0) + loads(lamp=100.0))
    roof = house.twin("roof")
    renew, roof.renew = roof.renew, lambda: None
    node, seen = house.node, b""
    for _ in range(20):
        house.run(1)
        seen = node.space.read(node.space.find("n1.regulator"), WARNING)
        if seen:
            break
    assert [row[1:4] for row in json.loads(seen)] == [["not_in_space", "forget", "roof"]]
    roof.renew = renew
    house.run(10)
    assert house.twin("lamp").consumer.satisfied
    assert node.invariants_broken == 0


# ---- other nodes, and predictions -------------------------------------------------------------------------


def test_no_other_node_can_order_anything(world):
    """Neither a stop nor a prediction: orders and forecasts count only from the own node."""
    world.add("n1", ["n2"], [{"name": "roof", "kind": "pv", "power_w": 500.0}], regulator={"risk": 0.5})
    world.add("n2", ["n1"], [])
    world.boot()
    liar = Agent("n2.regulator")
    world.nodes["n2"].touch(lambda node: node.engine.add(liar))
    stop = Order(number=10**6, kind=OrderKind.GENERAL, deed=Deed.STOP, twin="roof", for_s=1e6)
    world.nodes["n2"].touch(lambda node: liar.submit(WARNING, encode_orders([stop])))
    world.nodes["n2"].touch(lambda node: liar.submit("STOP", b"1", query="n1.roof"))
    world.nodes["n2"].touch(lambda node: liar.submit("PRED_CLUSTER", prediction(node, 1.0)))
    world.run(10)
    node = world.nodes["n1"].node
    assert node.space.read(node.space.find("n2.regulator"), WARNING)
    assert not node.prosumers[0].disabled
    assert node.regulator.rescheduler.moved == {}


def prediction(node, probability):
    """Every variable exceeds the highest state within the hour with that probability."""
    states = [[[0] * 6 + [round(1000 * probability)] for _ in range(4)] for _ in range(6)]
    return json.dumps({"minute": int(node.wall_s() // 60) - 1, "model": "m", "p": states}).encode()


def predicted(house, label, probability):
    oracle = Agent("n1.learning")
    house.on.touch(lambda node: node.engine.add(oracle))
    house.on.touch(lambda node: oracle.submit(label, prediction(node, probability)))
    house.run(2)


def test_a_prediction_moves_the_small_ones_and_they_return_when_they_fit(world):
    house = House(world, sources(a=2000.0, b=150.0, c=300.0, d=200.0), risk=0.5)
    predicted(house, "PRED", 0.6)
    assert house.off() == ["b", "c", "d"], "the earliest moment is in five minutes"
    assert house.twin("b").reason == "forecast_overproduction"
    node = house.node
    table = json.loads(node.space.read(node.space.find("n1.regulator"), RESCHEDULE))
    assert {name: row[0] for name, row in table.items()} == {"b": 150.0, "c": 300.0, "d": 200.0}
    house.run(55 * 60, every_s=20)
    assert house.off() == []
    assert len([row for row in node.history.orders.orders() if row.kind.startswith("forecast")]) == 3


def test_an_unlikely_excess_moves_nothing(world):
    house = House(world, sources(a=2000.0, b=650.0), risk=0.5)
    predicted(house, "PRED", 0.4)
    assert house.off() == []


def test_a_request_that_would_be_given_up_is_not_moved(world):
    hurried = {"name": "oven", "kind": "load", "wants_w": 300.0, "tolerance_s": 600.0}
    house = House(world, [hurried, *loads(pump=700.0)], risk=0.5)
    predicted(house, "PRED", 0.9)
    assert house.off() == ["pump"]


def test_without_a_share_of_the_microgrid_nothing_is_moved_for_it(world):
    house = House(world, sources(a=2000.0, b=650.0), risk=0.5)
    predicted(house, "PRED_CLUSTER", 0.9)
    assert house.off() == []


@pytest.mark.parametrize(("cluster_power_w", "moved_each_w"), [(3000.0, 150.0), (6000.0, 350.0)])
def test_regulators_that_see_the_same_forecast_move_their_parts_only(world, cluster_power_w, moved_each_w):
    """Four nodes, of which each gives a quarter; the microgrid is to move a fifth of its threshold."""
    names = ["n1", "n2", "n3", "n4"]
    for name, neighbours in chain(names).items():
        twins = [
            {"name": f"s{n}", "kind": "pv", "power_w": power_w} for n, power_w in enumerate((150, 200, 300))
        ]
        learning = {"cluster_model": "persistence", "cluster_max_power_w": cluster_power_w}
        world.add(name, neighbours, twins, learning, regulator={"risk": 0.5, "max_produced_w": 1e6})
    world.boot()
    world.run(20)
    for name in names:
        node = world.nodes[name].node
        assert node.regulator.settings.cluster_power_w == cluster_power_w
        assert node.learning.cluster_w()[1] == pytest.approx(2600.0)
        world.nodes[name].touch(
            lambda node: node.regulator.rescheduler.see("PRED_CLUSTER", prediction(node, 1.0))
        )
        world.nodes[name].touch(lambda node: node.regulator.stir())
    world.run(3)
    moved_w = {name: moved(world, name) for name in names}
    assert moved_w == dict.fromkeys(names, moved_each_w)


def moved(world, name):
    return sum(each.power_w for _, each in world.nodes[name].node.regulator.rescheduler.moved.values())


# ---- faults that were found --------------------------------------------------------------------------------


def test_a_twin_that_has_just_returned_can_be_stopped_again(world):
    house = House(world, sources(**THESIS_W))
    house.wants_w["source_4"] = 0.0
    house.run(320, every_s=5)
    assert house.off() == []
    house.wants_w["source_4"] = 1000.0
    house.run(2)
    assert house.off() == ["source_1"]


def test_a_stop_that_a_restart_continues_has_a_reason(world):
    house = House(world, sources(**THESIS_W))
    house.run(8)
    house.on.stop()
    house.on.boot()
    house.run(2)
    assert house.twin("source_1").reason == "stop order"
