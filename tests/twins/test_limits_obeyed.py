"""The regulator obeys external limits with the fewest flexible loads, and leaves household load alone."""

import csv
import math

import pytest
from regulated import House, flexible, limited, limited_by_box, loads, sources

from edge.energy.limits import MOST_LIMITS, Direction, Limit, LimitRefused
from edge.energy.orders import largest_first
from edge.energy.regulation import Device, Left, obey

# ---- external limits -------------------------------------------------------------------------------


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


# ---- faults that were found --------------------------------------------------------------------------------


def test_many_orders_of_others_do_not_crowd_out_contacts_and_controller(world):
    house = limited(world, w4_input="box.total", w4_w=4200.0, controller="mqtt:operator")

    def crowd(node):
        for number in range(100):
            try:
                message = {"direction": "consume", "power_w": 9000, "lasts_s": 3600 + number}
                node.regulator.tell(message, f"api:{number}")
            except LimitRefused:
                return

    house.on.touch(crowd)
    assert len(list(house.regulator.limits)) == MOST_LIMITS
    house.on.meters.say("box.total", 1.0)
    house.run(3)
    assert {limit.source for limit in house.regulator.held.values()} == {"contacts"}
    assert house.series[-1] <= 4200.0
    order = {"direction": "consume", "power_w": 4000}
    house.on.touch(lambda node: node.regulator.tell(order, "mqtt:operator"))
    assert "mqtt:operator" in {limit.source for limit in house.regulator.limits}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_register_that_is_no_number_releases_nothing(world, value):
    house = limited(world, consume_input="box.total")
    house.on.meters.say("box.total", 4200.0)
    house.run(3)
    house.on.meters.say("box.total", value)
    house.run(3)
    assert [limit.power_w for limit in house.regulator.held.values()] == [4200.0]


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


@pytest.mark.parametrize("kind", ["building", "both"])
def test_what_is_left_to_a_device_that_draws_too_does_not_count_as_less_feed_in(world, kind):
    """It would draw less and give as much: it is switched off."""
    plant = {"name": "plant", "kind": kind, "wants_w": -900.0, "flexible": "dimmed", "relay": "r_plant"}
    more = {"production_input": "given.total", "connection": "own"} if kind == "both" else {}
    house = House(world, [plant | more], guaranteed_w=0.0, connection=kind == "building")
    if kind == "both":
        house.wants_w["plant"] = 0.0
        house.on.meters.say("given.total", 900.0)
        house.run(1)
    house.order(direction="feed_in", power_w=0)
    house.run(2)
    assert house.off() == ["plant"]
    assert house.on.meters.relays["r_plant"] is False


def test_what_a_meter_shows_of_an_order_already_is_not_counted_twice(world):
    """Two sources stop, which the meter shows half a second later: no load has to make up for it again."""
    twins = [*sources(roof=2000.0, barn=1500.0), flexible("wallbox", 1000.0, "dimmed")]
    house = House(world, twins, guaranteed_w=0.0, max_produced_w=9000.0)
    house.order(direction="consume", power_w=2000)
    house.run(5)
    house.order(direction="feed_in", power_w=0)
    house.run(10, every_s=0.5)
    assert house.off() == ["barn", "roof"]
    assert set(house.series[-18:]) == {1000.0}


def test_a_device_that_draws_and_gives_counts_with_what_remains_of_both():
    plant = Device(name="plant", drawn_w=30.0, given_w=100.0, flexible="dimmed", two_way=True)
    roof = Device(name="roof", given_w=60.0)
    limit = Limit(direction=Direction.FEED_IN, power_w=60.0, source="grid")
    assert list(obey(limit, -70.0, [plant, roof], largest_first)) == [Left("plant", 0.0, 70.0)]


def test_a_device_of_unknown_rated_power_is_not_let_go_while_its_limit_holds(world):
    twins = [{"name": "heater", "kind": "load", "wants_w": 5000.0, "flexible": "dimmed"}]
    house = House(world, twins, guaranteed_w=0.0, max_consumed_w=9000.0)
    house.order(direction="consume", power_w=3000, lasts_s=700)
    house.run(690, every_s=5)
    assert max(house.series[-137:]) <= 3000.0, "also when it is looked at again"
    house.run(20)
    assert house.series[-1] == 5000.0


# ---- what a contact, the log and the failsafe promise -----------------------------------------------------


def test_contact_w4_limits_consumption_to_w4_w_while_it_is_closed(world):
    house = limited(world, w4_input="w4.total", w4_w=6000.0)

    def contact(value):
        house.on.meters.say("w4.total", value)
        house.run(5)
        return [(limit.source, limit.power_w) for limit in house.regulator.held.values()]

    assert contact(0.0) == []
    assert contact(1.0) == [("contacts", 6000.0)]
    assert 4200.0 < house.series[-1] <= 6000.0
    assert contact(None) == [("contacts", 6000.0)], "an undefined input changes nothing"
    assert contact(0.0) == []
    assert house.series[-1] == 9500.0


def test_orders_csv_has_a_row_for_the_limit_and_each_twin_that_was_stopped(world):
    house = limited(world)
    house.order(direction="consume", power_w=4200, lasts_s=60)
    house.run(80)
    house.on.stop()
    with (house.on.config.state_dir / "orders.csv").open(newline="") as file:
        rows = {(row["kind"], row["subject"]): row for row in csv.DictReader(file)}
    row = rows["limit_consume", "connection"]
    assert (float(row["start_w"]), float(row["limit_w"]), row["source"]) == (9500.0, 4200.0, "grid")
    assert float(row["after_w"]) <= float(row["highest_w"]) <= 4200.0
    assert float(row["finished_s"]) - float(row["created_s"]) == pytest.approx(60, abs=1.5)
    assert {subject for kind, subject in rows if kind == "limit"} >= {"heat_pump"}


def test_the_failsafe_lasts_two_hours_and_longer_however_often_a_heartbeat_comes_alone(world):
    house = limited_by_box(world)
    house.on.touch(lambda node: node.regulator.tell({"power_w": None}, "mqtt:box"))
    house.run(130)
    for _ in range(72):
        house.on.touch(lambda node: node.regulator.tell({}, "mqtt:box"))
        house.run(100, every_s=20)
        assert [limit.source for limit in house.regulator.held.values()] == ["failsafe"]
        assert house.series[-1] <= 4200.0
    house.on.touch(lambda node: node.regulator.tell({"power_w": None}, "mqtt:box"))
    house.run(5)
    assert house.series[-1] == 6000.0
