"""A battery that takes orders: written when they change, again each minute, and retried after a failure."""

from importlib.resources import files

import pytest

from edge.meter.profile import ProfileError, load_profile
from edge.meter.steered import AGAIN_S
from host_tools.meter import MeterFault

REGISTERS = {"control": 42000, "mode": 42010, "charge": 42020, "discharge": 42021}


@pytest.fixture
def table(bench, meter):
    made = bench([meter("cells", 3, "marstek-venus"), meter("m1", 1)], power_w=500.0)
    made.run(30)
    return made


def written(table):
    registers = table.slaves[3].written
    return {name: registers.get(register) for name, register in REGISTERS.items()}


def test_its_power_and_state_of_charge_are_read(table):
    total = [each for each in table.readings if each.device == "cells.total"]
    assert total[-1].power_w == pytest.approx(500.0, abs=1.0)
    records = [each.record for each in total if each.record]
    assert records[-1]["state_of_charge_percent"] == 63.0


def test_nothing_is_written_before_the_first_order(table):
    table.run(300)
    assert table.slaves[3].written == {}
    table.bus.steer("cells", None)
    table.run(10)
    assert table.slaves[3].written == {}


@pytest.mark.parametrize(
    ("power_w", "wanted"),
    [
        (800.4, {"control": 0x55AA, "mode": 1, "charge": 800, "discharge": None}),
        (-1200.0, {"control": 0x55AA, "mode": 2, "charge": None, "discharge": 1200}),
        (0.0, {"control": 0x55AA, "mode": 0, "charge": None, "discharge": None}),
        (9e9, {"control": 0x55AA, "mode": 1, "charge": 2500, "discharge": None}),
    ],
)
def test_an_order_is_written(table, power_w, wanted):
    table.bus.steer("cells", power_w)
    table.run(5)
    assert written(table) == wanted


def test_the_battery_is_left_to_itself(table):
    table.bus.steer("cells", 700.0)
    table.run(5)
    table.bus.steer("cells", None)
    table.run(5)
    assert written(table)["control"] == 0x55BB
    assert written(table)["mode"] == 0
    table.slaves[3].written.clear()
    table.run(5 * AGAIN_S)
    assert table.slaves[3].written == {}


def test_an_order_is_repeated_since_a_battery_may_forget_it(table):
    table.bus.steer("cells", 700.0)
    table.run(5)
    table.slaves[3].written.clear()
    table.run(AGAIN_S + 10)
    assert written(table)["charge"] == 700


def test_the_latest_order_wins(table):
    for power_w in range(1000):
        table.bus.steer("cells", float(power_w))
    table.run(5)
    assert written(table)["charge"] == 999


def test_an_order_is_tried_again_after_a_failure(table):
    table.faults.inject(3, MeterFault.SILENT)
    table.bus.steer("cells", -600.0)
    table.run(60)
    assert written(table)["mode"] is None
    (stats,) = table.bus.stats()["batteries"]
    assert stats["failures_in_a_row"] > 0
    assert stats["written_w"] is None
    table.faults.clear(3)
    table.run(120)
    assert written(table) == {"control": 0x55AA, "mode": 2, "charge": None, "discharge": 600}
    assert table.bus.stats()["batteries"][0]["written_w"] == -600.0


def test_a_meter_takes_no_orders(table):
    with pytest.raises(KeyError):
        table.bus.steer("m1", 100.0)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("most_w = 2500", "most_w = 0", "most_w"),
        ('[42020, "power_w"]', '[42020, "watts"]', "charge"),
        ("[42010, 0]]\nend", "[70000, 0]]\nend", "rest"),
        ("begin = [[42000, 0x55AA]]", "begin = 5", "begin"),
        ("begin = [[42000, 0x55AA]]", "start = [[42000, 1]]", "start"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, old, new, key):
    text = (files("edge.meter") / "profiles" / "marstek-venus.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ProfileError, match=key):
        load_profile(str(path))
