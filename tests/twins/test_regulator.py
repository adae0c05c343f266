"""The regulator keeps its node below thresholds and obeys external limits, each with the fewest twins."""

import json

import pytest

from edge.energy.limits import LimitRefused
from edge.energy.orders import Deed, Order, OrderKind, encode_orders
from edge.energy.rules import DISABLED, RESCHEDULE, WARNING
from edge.space.agent import Agent
from host_tools.world import World, chain

THESIS_W = {"source_1": 2000.0, "source_2": 150.0, "source_3": 300.0, "source_4": 1000.0}


@pytest.fixture
def world():
    world = World(seed=11)
    yield world
    world.close()


class House:
    """A node whose devices obey their relays, and what is left to them; read every second."""

    def __init__(self, world, twins, household_w=0.0, **regulator):
        self.world, self.household_w = world, household_w
        self.wants_w = {}
        tables = []
        for twin in twins:
            name = twin["name"]
            self.wants_w[name] = twin.pop("wants_w", 0.0)
            relay = {} if twin.get("flexible") == "dimmed" else {"relay": f"r_{name}"}
            tables.append({"input": f"m_{name}.total", "meter_grace_s": 60.0} | relay | twin)
        connection = regulator.pop("connection", True)
        if connection:
            regulator["connection_input"] = "house.total"
        self.connection = connection
        self.on = world.add("n1", [], tables, regulator=regulator)
        self.series = []
        world.boot()
        self.run(5)

    @property
    def node(self):
        return self.on.node

    @property
    def regulator(self):
        return self.node.regulator

    def twin(self, name):
        return self.node.prosumer(name)

    def power_w(self, name):
        if self.on.meters.relays.get(f"r_{name}") is False:
            return 0.0
        return min(self.wants_w[name], self.twin(name).obedience.most_w)

    def read(self):
        drawn_w = self.household_w
        for name in self.wants_w:
            power_w = self.power_w(name)
            self.on.meters.say(f"m_{name}.total", power_w)
            drawn_w += -power_w if self.twin(name).settings.supplies else power_w
        if self.connection:
            self.on.meters.say("house.total", drawn_w)
        self.series.append(drawn_w)

    def run(self, seconds, every_s=1):
        for _ in range(0, seconds, every_s):
            self.read()
            self.world.run(every_s)

    def order(self, **message):
        self.on.touch(lambda node: node.regulator.tell(message, "grid"))

    def off(self):
        return sorted(twin.short_name for twin in self.node.prosumers if twin.disabled)


def sources(**powers_w):
    return [{"name": name, "kind": "pv", "wants_w": power_w} for name, power_w in powers_w.items()]


def loads(**powers_w):
    return [{"name": name, "kind": "load", "wants_w": power_w} for name, power_w in powers_w.items()]


def flexible(name, power_w, how="switched", **more):
    return {"name": name, "kind": "load", "wants_w": power_w, "flexible": how, "rated_w": power_w} | more


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


# ---- external limits -------------------------------------------------------------------------------


def limited(world, **more):
    """4.2 kW at the connection of a house that draws 9.5 kW, of which 1 kW is household load."""
    twins = [
        flexible("heat_pump", 3000.0, priority="medium"),
        flexible("boiler", 2500.0),
        flexible("wallbox", 3000.0, "dimmed"),
        *loads(kitchen=1000.0),
    ]
    house = House(world, twins, max_consumed_w=20_000.0, **more)
    assert house.series[-1] == 9500.0
    return house


def test_a_limit_is_obeyed_at_the_next_reading_and_household_load_is_left_alone(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200)
    house.run(320)
    assert max(house.series[-319:]) <= 4200.0
    assert house.power_w("kitchen") == 1000.0
    assert not house.twin("kitchen").disabled
    assert house.node.invariants_broken == 0


def test_what_can_be_dimmed_shrinks_before_others_are_switched_off(world):
    house = limited(world)
    house.order(direction="consume", power_w=8000)
    house.run(3)
    assert house.off() == []
    assert house.power_w("wallbox") == pytest.approx(1100.0)


def test_all_return_within_five_seconds_after_its_end(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200, lasts_s=120)
    house.run(118)
    assert house.series[-1] <= 4200.0
    house.run(7)
    assert house.off() == []
    assert house.series[-1] == 9500.0


def test_a_released_limit_ends_and_one_of_another_source_holds_on(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200)
    house.on.touch(lambda node: node.regulator.tell({"direction": "consume", "power_w": 6000}, "other"))
    house.run(5)
    assert house.series[-1] <= 4200.0
    house.order(direction="consume", power_w=None)
    house.run(5)
    assert 4200.0 < house.series[-1] <= 6000.0
    assert [limit.power_w for limit in house.regulator.held.values()] == [6000.0]


def test_a_limit_for_later_begins_on_time(world):
    house = limited(world)
    wall_s = house.node.wall_s()
    house.order(direction="consume", power_w=4200, from_s=wall_s + 30, until_s=wall_s + 60)
    house.run(29)
    assert house.series[-1] == 9500.0
    house.run(4)
    assert house.series[-1] <= 4200.0
    house.run(35)
    assert house.series[-1] == 9500.0


def test_a_limit_never_goes_below_what_is_guaranteed(world):
    twins = [flexible("heat_pump", 6000.0, "dimmed"), flexible("wallbox", 11_000.0, "dimmed")]
    house = House(world, twins, max_consumed_w=50_000.0, reserve_percent=0.0)
    house.order(direction="consume", power_w=0)
    house.run(5)
    assert house.series[-1] == pytest.approx(7560.0)


def test_a_flexible_load_that_does_not_run_cannot_exceed_the_limit_later(world):
    house = limited(world)
    house.wants_w["boiler"] = house.wants_w["heat_pump"] = 0.0
    house.run(2)
    house.order(direction="consume", power_w=4200)
    house.run(5)
    house.wants_w["boiler"] = house.wants_w["heat_pump"] = 3000.0
    house.run(60)
    assert max(house.series[-60:]) <= 4200.0


def test_more_household_load_takes_from_the_flexible(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200)
    house.run(10)
    house.household_w = 1500.0
    house.run(60)
    assert max(house.series[-58:]) <= 4200.0
    house.household_w = 0.0
    house.run(330)
    assert house.series[-1] > 3000.0, "what it left free is used again"
    assert max(house.series[-329:]) <= 4200.0


def test_a_limit_that_cannot_be_kept_is_a_trouble(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200)
    house.household_w = 5000.0
    house.run(20)
    codes = [code for code, _ in house.regulator.troubles()]
    assert codes == ["limit_exceeded"]
    assert [code for code, _ in house.regulator.warnings()] == ["limit_in_force"]
    house.household_w = 0.0
    house.run(10)
    assert list(house.regulator.troubles()) == []


def test_feed_in_is_limited_by_stopping_sources(world):
    house = House(world, [*sources(a=2000.0, b=500.0), *loads(kitchen=300.0)], policy="smallest_set")
    assert house.series[-1] == -2200.0
    house.order(direction="feed_in", power_w=1000)
    house.run(60)
    assert min(house.series[-58:]) >= -1000.0
    assert house.off() == ["a"]
    house.order(direction="feed_in", power_w=None)
    house.run(5)
    assert house.series[-1] == -2200.0


def test_circuits_and_twins_have_limits_of_their_own(world):
    twins = [
        flexible("a", 2000.0, circuit="cellar"),
        flexible("b", 3000.0, circuit="cellar"),
        flexible("c", 3000.0),
    ]
    house = House(world, twins, max_consumed_w=20_000.0, guaranteed_w=0.0)
    house.order(direction="consume", power_w=2500, circuit="cellar")
    house.run(5)
    assert house.off() == ["b"]
    house.order(direction="consume", power_w=1000, twins=["c"])
    house.run(5)
    assert house.off() == ["b", "c"]


def test_a_scope_that_is_not_known_is_refused(world):
    house = limited(world)
    for message in ({"twins": ["nobody"]}, {"circuit": "attic"}):
        with pytest.raises(LimitRefused):
            house.node.regulator.tell({"direction": "consume", "power_w": 1, **message}, "grid")


def test_without_a_meter_at_the_connection_the_sum_of_the_twins_counts(world):
    house = limited(world, connection=False)
    house.order(direction="consume", power_w=4200)
    house.run(60)
    assert max(house.series[-58:]) <= 4200.0


def test_the_grid_supplies_no_more_than_may_be_drawn(world):
    twins = [
        {"name": "grid", "kind": "grid", "capacity_w": 20_000.0, "input": ""},
        flexible("heat_pump", 3000.0),
        *loads(kitchen=2000.0),
    ]
    house = House(world, twins, max_consumed_w=20_000.0)
    assert house.twin("heat_pump").consumer.satisfied
    house.order(direction="consume", power_w=4200, lasts_s=60)
    house.run(5)
    assert house.twin("grid").supplier.capacity_w == pytest.approx(0.95 * 1.05 * 4200.0)
    assert house.off() == ["heat_pump"]
    assert house.twin("kitchen").consumer.satisfied
    house.run(65)
    assert house.twin("grid").supplier.capacity_w == 20_000.0
    assert house.twin("heat_pump").consumer.satisfied


@pytest.mark.parametrize("reserve_percent", [0.0, 5.0, 20.0])
def test_contracts_shrink_before_they_end(world, reserve_percent):
    twins = [
        {"name": "grid", "kind": "grid", "capacity_w": 20_000.0, "input": ""},
        flexible("wallbox", 6000.0, "dimmed"),
        *loads(kitchen=1000.0),
    ]
    house = House(world, twins, max_consumed_w=20_000.0, reserve_percent=reserve_percent)
    contract = house.twin("wallbox").consumer.main
    house.order(direction="consume", power_w=4200, lasts_s=60)
    left_w = 4200.0 * (1 - reserve_percent / 100) - 1000.0
    for _ in range(50):
        house.run(1)
        shrunk = house.twin("wallbox").consumer
        assert shrunk.main.id == contract.id, "it is the same contract"
        assert shrunk.satisfied
        assert shrunk.supplied_w == pytest.approx(left_w)
        assert house.twin("kitchen").consumer.satisfied
    house.run(20)
    assert house.twin("wallbox").consumer.supplied_w == 6000.0


# ---- the failsafe, and what outlives a restart --------------------------------------------------------


def test_the_failsafe_holds_from_the_start_until_the_controller_orders(world):
    house = limited_by_box(world)
    house.run(5)
    assert house.series[-1] <= 4200.0
    assert [code for code, _ in house.regulator.warnings()] == ["failsafe_in_force"]
    house.on.touch(lambda node: node.regulator.tell({"power_w": None}, "mqtt:box"))
    house.run(5)
    assert house.series[-1] == 6000.0
    house.run(130)
    assert house.series[-1] <= 4200.0


def limited_by_box(world):
    twins = [flexible("a", 3000.0), flexible("b", 3000.0)]
    settings = {"controller": "mqtt:box", "failsafe_consume_w": 4200.0, "max_consumed_w": 20_000.0}
    return House(world, twins, **settings)


def test_a_limit_outlives_a_restart_of_the_node(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200, lasts_s=300)
    house.run(20)
    house.on.stop()
    world.run(5)
    house.on.boot()
    house.run(60)
    assert max(house.series[-57:]) <= 4200.0
    house.run(400)
    assert house.off() == []


# ---- contacts and registers ------------------------------------------------------------------------------


def test_the_contacts_of_a_ripple_control_receiver(world):
    house = House(
        world,
        sources(roof=2000.0, barn=1500.0),
        max_produced_w=9000.0,
        installed_w=5000.0,
        reserve_percent=0.0,
        policy="smallest_set",
        **{f"{key}_input": f"{key}.total" for key in ("w3", "s2", "s1", "w4")},
    )

    def contacts(w3=0, s2=0, s1=0, w4=0):
        for name, value in (("w3", w3), ("s2", s2), ("s1", s1), ("w4", w4)):
            house.on.meters.say(f"{name}.total", value)
        house.run(5)
        return {key[0].value: limit.power_w for key, limit in house.regulator.held.items()}

    assert contacts() == {}
    assert contacts(s1=1) == {"feed_in": 3000.0}
    assert house.series[-1] == -2000.0
    assert contacts(s1=1, s2=1) == {"feed_in": 1500.0}
    assert contacts(w3=1, s2=1, w4=1) == {"feed_in": 0.0, "consume": 4200.0}
    assert house.series[-1] == 0.0
    assert contacts() == {}
    assert house.series[-1] == -3500.0


def test_a_register_says_a_limit_in_watts(world):
    twins = [flexible("a", 3000.0), flexible("b", 3000.0)]
    settings = {"consume_input": "box.total", "controller": "register", "failsafe_consume_w": 5000.0}
    house = House(world, twins, max_consumed_w=20_000.0, **settings)
    assert [limit.source for limit in house.regulator.held.values()] == ["failsafe"]
    house.on.meters.say("box.total", 4200.0)
    house.run(5)
    assert [limit.power_w for limit in house.regulator.held.values()] == [4200.0]
    house.on.meters.say("box.total", -1.0)
    house.run(5)
    assert house.regulator.held == {}
    house.on.meters.say("box.total", None)
    house.run(130)
    assert [limit.source for limit in house.regulator.held.values()] == ["failsafe"]


# ---- the log ----------------------------------------------------------------------------------------


def test_each_order_is_a_row_of_the_log(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200, lasts_s=60)
    house.run(30)
    rows = {(row.kind, row.subject): row for row in house.node.history.orders.orders()}
    assert rows.keys() == {
        ("limit_consume", "connection"),
        ("limit", "boiler"),
        ("limit", "heat_pump"),
    } or rows.keys() == {("limit_consume", "connection"), ("limit", "heat_pump")}
    assert rows["limit_consume", "connection"].finished_s is None
    house.run(40)
    row = next(each for each in house.node.history.orders.orders() if each.kind == "limit_consume")
    assert (row.start_w, row.limit_w, row.source) == (9500.0, 4200.0, "grid")
    assert row.after_w <= row.highest_w <= 4200.0
    assert row.finished_s - row.created_s == pytest.approx(60, abs=1.5)
    assert all(each.finished_s for each in house.node.history.orders.orders())


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


def test_regulators_that_see_the_same_forecast_move_their_parts_only(world):
    """Four nodes, of which each gives a quarter; the microgrid is to move 600 W."""
    names = ["n1", "n2", "n3", "n4"]
    for name, neighbours in chain(names).items():
        twins = [
            {"name": f"s{n}", "kind": "pv", "power_w": power_w} for n, power_w in enumerate((150, 200, 300))
        ]
        learning = {"cluster_model": "persistence", "cluster_max_power_w": 3000.0}
        world.add(name, neighbours, twins, learning, regulator={"risk": 0.5, "max_produced_w": 1e6})
    world.boot()
    world.run(20)
    for name in names:
        node = world.nodes[name].node
        assert node.learning.cluster_w()[1] == pytest.approx(2600.0)
        world.nodes[name].touch(
            lambda node: node.regulator.rescheduler.see("PRED_CLUSTER", prediction(node, 1.0))
        )
        world.nodes[name].touch(lambda node: node.regulator.stir())
    world.run(3)
    moved_w = {name: moved(world, name) for name in names}
    assert moved_w == dict.fromkeys(names, 150.0)


def moved(world, name):
    return sum(each.power_w for _, each in world.nodes[name].node.regulator.rescheduler.moved.values())


# ---- faults that were found --------------------------------------------------------------------------------


def test_the_begin_of_a_limit_wakes_the_node_once(world):
    house = limited(world)
    wall_s = house.node.wall_s()
    house.order(direction="consume", power_w=4200, from_s=wall_s + 10.3, until_s=wall_s + 20.3)
    reactions = house.node.engine.reactions
    house.run(30)
    assert house.node.engine.reactions - reactions < 200
    assert not house.node.busy


@pytest.mark.parametrize("connection", [True, False])
def test_sources_that_can_be_dimmed_feed_in_what_is_left_to_them(world, connection):
    roof = {"name": "roof", "kind": "pv", "wants_w": 2000.0, "flexible": "dimmed", "rated_w": 3000.0}
    house = House(world, [roof, *loads(kitchen=300.0)], connection=connection, reserve_percent=0.0)
    house.order(direction="feed_in", power_w=700)
    house.run(20)
    assert house.series[-1] == pytest.approx(-700.0)
    house.run(320, every_s=5)
    assert min(house.series[-60:]) >= -700.1, "also when it is looked at again"
    house.order(direction="feed_in", power_w=None)
    house.run(5)
    assert house.series[-1] == -1700.0


def test_a_twin_that_has_just_returned_can_be_stopped_again(world):
    house = House(world, sources(**THESIS_W))
    house.wants_w["source_4"] = 0.0
    house.run(320, every_s=5)
    assert house.off() == []
    house.wants_w["source_4"] = 1000.0
    house.run(2)
    assert house.off() == ["source_1"]


def test_without_a_date_a_limit_lasts_as_long_as_was_left_of_it(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200, lasts_s=200)
    house.run(20)
    house.on.stop()
    house.on.clock.wall_error_s = -house.node.wall_s()  # the clock begins in 1970
    house.on.boot()
    house.run(60)
    assert house.series[-1] <= 4200.0
    house.run(260, every_s=2)
    assert list(house.regulator.limits) == []


def test_a_stop_that_a_restart_continues_has_a_reason(world):
    house = House(world, sources(**THESIS_W))
    house.run(8)
    house.on.stop()
    house.on.boot()
    house.run(2)
    assert house.twin("source_1").reason == "stop order"


def test_contracts_of_other_nodes_with_the_limited_connection_shrink_low_priority_first(world):
    grid = {"name": "grid", "kind": "grid", "capacity_w": 20_000.0}
    settings = {"max_consumed_w": 20_000.0, "guaranteed_w": 0.0}
    world.add("n1", ["n2"], [grid], regulator=settings)
    household = {"name": "household", "kind": "load", "power_w": 1000.0, "priority": "medium"}
    boiler = {"name": "boiler", "kind": "load", "power_w": 3000.0, "accepts": "partial"}
    world.add("n2", ["n1"], [household, boiler])
    world.boot()
    world.run(5)
    n2 = world.nodes["n2"].node
    supplied_w = [twin.consumer.supplied_w for twin in n2.prosumers]
    assert supplied_w == [1000.0, 3000.0]
    order = {"direction": "consume", "power_w": 2500}
    world.nodes["n1"].touch(lambda node: node.regulator.tell(order, "grid"))
    world.run(5)
    household_w, boiler_w = (twin.consumer.supplied_w for twin in n2.prosumers)
    assert household_w == 1000.0
    assert 0.95 * 2500.0 - 1.0 <= household_w + boiler_w <= 2500.0, "its margin is used too"
    assert sum(node.node.invariants_broken for node in world.nodes.values()) == 0
