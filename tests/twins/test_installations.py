"""The usual installations of docs/energy.md: what each of them requests, produces and exchanges.

The sun gives 5 000 W, the house draws 2 000 W, and where there is a battery it charges with 1 000 W.
"""

import math

import pytest

from edge.config.check import ConfigError, build
from host_tools.world import World

GRACE = {"meter_grace_s": 3600.0}
PV = {"name": "roof", "kind": "pv", "input": "pv.total", **GRACE}
LOAD = {"name": "home", "kind": "load", "input": "home.total", **GRACE}
HOUSE = {"name": "home", "kind": "house", "input": "grid.total", "production_input": "pv.total", **GRACE}
BATTERY = {"name": "cells", "kind": "battery", "input": "cells.total", **GRACE}
BUILDING = {"name": "home", "kind": "building", "input": "grid.total", **GRACE}
GRID = {"name": "line", "kind": "grid", "capacity_w": 9000.0}
METERED_GRID = {**GRID, "input": "grid.total", **GRACE}

# twins; readings in W; requested, produced
INSTALLATIONS = {
    "house meter": ([LOAD], {"home": 2000}, 2000, 0),
    "house meter and PV meter": ([LOAD, PV], {"home": 2000, "pv": 5000}, 2000, 5000),
    "PV meter counts backwards": ([LOAD, {**PV, "sign": -1}], {"home": 2000, "pv": -5000}, 2000, 5000),
    "grid meter alone, exporting": ([BUILDING], {"grid": -3000}, 0, 3000),
    "grid meter alone, at night": ([BUILDING], {"grid": 2000}, 2000, 0),
    "grid meter and PV meter": ([HOUSE, PV], {"grid": -3000, "pv": 5000}, 2000, 5000),
    "grid meter and PV meter, signs turned": (
        [{**HOUSE, "sign": -1, "production_sign": -1}, {**PV, "sign": -1}],
        {"grid": 3000, "pv": -5000},
        2000,
        5000,
    ),
    "grid, PV and battery meter, charging": (
        [{**HOUSE, "battery_input": "cells.total"}, PV, BATTERY],
        {"grid": -2000, "pv": 5000, "cells": 1000},
        3000,
        5000,
    ),
    "grid, PV and battery meter, discharging": (
        [{**HOUSE, "battery_input": "cells.total"}, PV, BATTERY],
        {"grid": 0, "pv": 1200, "cells": -800},
        2000,
        2000,
    ),
    "battery counts the other way": (
        [{**HOUSE, "battery_input": "cells.total", "battery_sign": -1}, PV, {**BATTERY, "sign": -1}],
        {"grid": -2000, "pv": 5000, "cells": -1000},
        3000,
        5000,
    ),
    "grid and battery meter": (
        [
            {
                "name": "home",
                "kind": "house",
                "input": "grid.total",
                "battery_input": "cells.total",
                **GRACE,
            },
            BATTERY,
        ],
        {"grid": 3000, "cells": 1000},
        3000,
        0,
    ),
    "one meter with both directions": (
        [
            {
                "name": "home",
                "kind": "both",
                "input": "in.total",
                "production_input": "out.total",
                "production_sign": -1,
                **GRACE,
            }
        ],
        {"in": 0, "out": -3000},
        0,
        3000,
    ),
    "building with a PV plant of its own connection": (
        [BUILDING, {**PV, "connection": "own"}],
        {"grid": 2000, "pv": 5000},
        2000,
        5000,
    ),
}


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def node_of(world, twins, **readings_w):
    world.add("n1", [], twins)
    world.boot()
    say(world, **readings_w)
    world.run(20)
    return world.nodes["n1"].node


def say(world, **readings_w):
    for meter, power_w in readings_w.items():
        world.nodes["n1"].meters.say(f"{meter}.total", float(power_w))


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_what_an_installation_requests_and_produces(world, name):
    twins, readings_w, requested_w, produced_w = INSTALLATIONS[name]
    total = node_of(world, twins, **readings_w).total()
    assert (total.requested_w, total.produced_w) == (requested_w, produced_w)
    if "grid" in readings_w and "own" not in name:
        drawn_w = -readings_w["grid"] if "signs turned" in name else readings_w["grid"]
        assert total.requested_w - total.produced_w == drawn_w  # both are counted once


def test_a_house_is_served_by_its_own_sun_and_exports_the_rest(world):
    node = node_of(world, [HOUSE, PV, METERED_GRID], grid=-3000, pv=5000)
    total, flows = node.total(), node.flows()
    assert (total.consumed_w, total.missing_w) == (2000.0, 0.0)
    assert total.available_w == pytest.approx(5000 + 9000 - 1.05 * 2000)
    assert (flows.pv_w, flows.imported_w, flows.exported_w) == (5000.0, 0.0, 3000.0)
    assert flows.ready_w == 14000.0
    say(world, grid=2000, pv=0)
    world.run(20)
    flows = node.flows()
    assert (flows.pv_w, flows.imported_w, flows.exported_w, flows.ready_w) == (0.0, 2000.0, 0.0, 9000.0)


def test_without_a_meter_at_the_grid_contracts_tell_what_is_exchanged(world):
    node = node_of(world, [LOAD, PV, GRID], home=2000, pv=500)
    assert node.total().produced_w == 9500.0
    flows = node.flows()
    assert flows.pv_w == 500.0
    assert flows.imported_w == pytest.approx(node.total().supplied_w - 500.0, abs=30)
    assert flows.imported_w > 1400.0
    say(world, home=100, pv=5000)
    world.run(20)
    assert node.flows().exported_w + node.total().supplied_w - node.flows().imported_w == pytest.approx(
        5000.0
    )


def test_power_from_a_battery_is_a_flow_of_its_own(world):
    node = node_of(world, [LOAD, BATTERY], home=500, cells=-800)
    assert (node.flows().battery_w, node.total().consumed_w) == (800.0, 500.0)


# ---- readings at different moments -----------------------------------------------------------------


def poll(world, seconds, grid_w, pv_w):
    """Both meters are read once a second, 0.4 s apart; what they show depends on the time in seconds."""
    needs_w = []
    consumer = next(
        twin for twin in world.nodes["n1"].node.prosumers if twin.settings.kind == "house"
    ).consumer
    for second in range(seconds):
        say(world, grid=grid_w(second))
        world.run(0.4)
        say(world, pv=pv_w(second + 0.4))
        world.run(0.6)
        needs_w.append(consumer.need_w)
    return needs_w


def test_a_cloud_between_two_readings_does_not_change_the_load(world):
    node_of(world, [HOUSE, PV], grid=-3000, pv=5000)

    def sun_w(second):  # a cloud at every third second, between the two readings
        return 1000.0 if second % 3 >= 1.2 else 5000.0

    needs_w = poll(world, 30, lambda second: 2000.0 - sun_w(second), sun_w)
    assert set(needs_w) == {2000.0}


def test_a_change_of_the_load_is_seen_at_the_next_reading(world):
    node_of(world, [HOUSE, PV], grid=-3000, pv=5000)
    needs_w = poll(world, 6, lambda second: (2000.0 if second < 3 else 2600.0) - 5000.0, lambda _: 5000.0)
    assert needs_w == [2000.0] * 3 + [2600.0] * 3


def test_a_derived_load_is_never_negative(world):
    node = node_of(world, [HOUSE, PV], grid=-3000, pv=2900)
    assert node.total().requested_w == 0.0
    assert node.total().produced_w == 2900.0


def test_a_house_is_unknown_until_every_meter_has_been_read(world):
    house = {**HOUSE, "meter_grace_s": 5.0}
    node = node_of(world, [house, {**PV, "meter_grace_s": 5.0}], grid=2000)
    assert node.total().requested_w == 0.0
    (twin,) = [each for each in node.prosumers if each.settings.kind == "house"]
    assert not twin.device.known(node.now_s())


def load_of(node):
    (twin,) = [each for each in node.prosumers if each.settings.kind == "house"]
    return twin


def test_a_load_is_not_derived_from_before_a_pause(world):
    """The meters return after an hour, the grid meter as the last: the old load is not shown for a moment."""
    grace = {"meter_grace_s": 30.0}
    node = node_of(world, [{**HOUSE, **grace}, {**PV, **grace}], grid=-3000, pv=5000)
    for _ in range(3):
        say(world, grid=-3000)
        world.run(1)
        say(world, pv=5000)
        world.run(9)
    house = load_of(node)
    assert house.consumer.need_w == 2000.0
    world.run(3600)
    assert house.unknown
    say(world, pv=100)
    world.run(1)
    say(world, grid=400)
    world.run(3)
    assert house.unknown, "the photovoltaics have not been read after the grid"
    say(world, pv=100)
    world.run(5)
    assert (house.unknown, house.consumer.need_w) == (False, 500.0)


def test_a_reading_from_before_a_pause_is_no_side_of_a_bracket(world):
    grace = {"meter_grace_s": 30.0}
    node = node_of(world, [{**HOUSE, **grace}, {**PV, **grace}], grid=-3000, pv=5000)
    world.run(3600)
    say(world, grid=400)
    world.run(1)
    say(world, pv=100)
    world.run(5)
    assert load_of(node).consumer.need_w == 500.0


@pytest.mark.parametrize("battery", [False, True])
def test_a_house_with_an_undefined_meter_is_unknown(world, battery):
    house = {**HOUSE, "meter_grace_s": 5.0} | ({"battery_input": "cells.total"} if battery else {})
    node = node_of(world, [house, PV, BATTERY], grid=2000, pv=0, cells=100)
    for bad in ("grid", "pv", "cells")[: 3 if battery else 2]:
        for _ in range(4):
            say(world, grid=2000, pv=0, cells=100)
            world.run(1)
        assert not load_of(node).unknown
        for _ in range(8):
            say(world, **{"grid": 2000, "pv": 0, "cells": 100, bad: math.nan})
            world.run(1)
        assert load_of(node).unknown


# ---- what would be counted twice -------------------------------------------------------------------


def complaints(*twins):
    meters = [
        {"name": name, "bus": "b", "address": 1 + i, "profile": "sdm630"}
        for i, name in enumerate(("grid", "pv", "home", "cells"))
    ]
    raw = {
        "node": {"name": "n", "state_dir": "/tmp/n"},
        "bus": [{"name": "b", "port": "/dev/ttyUSB0"}],
        "meter": meters,
        "twin": list(twins),
    }
    try:
        build(raw, "f")
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_a_building_beside_its_own_photovoltaics_is_refused_with_the_way_out():
    (line,) = complaints(BUILDING, PV)
    assert 'twin[1].kind = "pv"' in line
    assert "`home` counts it already" in line
    assert 'connection = "own"' in line
    assert "kind `house`" in line
    assert complaints(BUILDING, {**PV, "connection": "own"}) == []
    assert complaints({**BUILDING, "connection": "own"}, PV) == []


@pytest.mark.parametrize("part", [LOAD, {**BUILDING, "name": "other", "input": "home.total"}, BATTERY])
def test_nothing_behind_the_meter_of_a_building_is_counted_again(part):
    (line,) = complaints(BUILDING, {**part, "name": "part"})
    assert "twin[1].kind" in line or "twin[0].kind" in line


def test_one_input_belongs_to_one_twin():
    (line,) = complaints(LOAD, {**LOAD, "name": "again"})
    assert 'twin[1].input = "home.total": twin `home` counts it already' in line


def test_a_phase_is_part_of_the_total_of_its_meter():
    (line,) = complaints(LOAD, {**LOAD, "name": "kitchen", "input": "home.l1"})
    assert "twin `home` counts `home.total` already" in line
    one, two = ({**LOAD, "name": f"t{i}", "input": f"home.l{i}"} for i in (1, 2))
    assert complaints(one, two) == []


def test_both_directions_need_two_inputs():
    (line,) = complaints({**LOAD, "kind": "both", "production_input": "home.total"})
    assert "is given twice" in line


@pytest.mark.parametrize(("one", "other"), [("home.l1", "home.total"), ("home.total", "home.l2")])
def test_the_directions_of_one_twin_do_not_overlap(one, other):
    (line,) = complaints({**LOAD, "kind": "both", "input": one, "production_input": other})
    assert "is given twice" in line


def test_two_connections_to_the_grid_need_two_meters():
    """Otherwise the import is counted twice."""
    (line,) = complaints(METERED_GRID, {**METERED_GRID, "name": "other"})
    assert "twin `line` counts it already" in line
    assert complaints(METERED_GRID, {**METERED_GRID, "name": "other", "input": "home.total"}) == []


@pytest.mark.parametrize(
    "twins",
    [
        (HOUSE, {**PV, "sign": -1}),
        ({**HOUSE, "production_sign": -1}, PV),
        ({**HOUSE, "battery_input": "cells.total"}, PV, {**BATTERY, "sign": -1}),
        (HOUSE, PV, {**METERED_GRID, "sign": -1}),
    ],
)
def test_an_input_has_one_sign(twins):
    (line,) = complaints(*twins)
    assert "twin `home` gives" in line


def test_a_load_behind_the_meters_of_a_house_is_counted_already():
    (line,) = complaints(HOUSE, PV, LOAD | {"name": "oven"})
    assert 'twin[2].kind = "load": `home` counts it already' in line
    assert complaints(HOUSE, PV, BATTERY, METERED_GRID) == []


def test_a_house_needs_the_meters_that_it_derives_its_load_from():
    (line,) = complaints({"name": "home", "kind": "house", "input": "grid.total"})
    assert "kind `house` needs the meter" in line
    (line,) = complaints({**LOAD, "battery_input": "cells.total"})
    assert "only for kind `house`" in line
