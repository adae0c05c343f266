"""A bus in virtual time: its polls, its devices, its port, its log."""

import itertools
import logging

import pytest

from edge.meter import BusSettings, MeterBus, MeterSettings, ProfileError, RelaySettings
from edge.meter.errors import PortLost
from host_tools.meter import MeterFault
from host_tools.world import VirtualClock


def test_power_every_ten_seconds_and_everything_once_a_minute(bench, meter):
    table = bench([meter()], power_w=lambda address, now_s: 100 + now_s)
    readings = table.run(180)
    assert [round(each.at_s) for each in readings] == list(range(0, 180, 10))
    assert all(each.power_w == pytest.approx(100 + each.at_s, abs=0.1) for each in readings)
    assert [round(each.at_s) for each in readings if each.record is not None] == [0, 60, 120]


def test_both_periods_are_settings(bench, meter):
    table = bench([meter(power_period_s=2.0, record_period_s=5.0)])
    readings = table.run(20)
    assert [round(each.at_s) for each in readings] == [0, 2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18]
    assert [round(each.at_s) for each in readings if each.record is not None] == [0, 5, 10, 15]


def test_a_record_holds_what_the_profile_has(bench, meter):
    table = bench([meter("one", 1, "sdm120"), meter("three", 3, "sdm630")], power_w=3000.0)
    table.run(61)
    one, three = (
        [
            each.record
            for each in table.readings
            if each.device == f"{name}.total" and each.record is not None
        ][-1]
        for name in ("one", "three")
    )
    assert set(one) == {
        "voltage_v",
        "current_a",
        "power_w",
        "apparent_power_va",
        "reactive_power_var",
        "power_factor",
        "frequency_hz",
        "import_energy_wh",
        "export_energy_wh",
    }
    assert one["power_w"] == pytest.approx(3000)
    assert one["voltage_v"] * one["current_a"] == pytest.approx(one["apparent_power_va"], rel=1e-4)
    assert one["import_energy_wh"] == pytest.approx(3000 * 60 / 3600, rel=0.02)
    assert one["export_energy_wh"] == 0
    assert three["l1.power_w"] + three["l2.power_w"] + three["l3.power_w"] == pytest.approx(3000)
    assert three["l2.voltage_v"] == pytest.approx(230, abs=2)


def test_a_three_phase_meter_yields_each_phase_and_a_feed_in_is_negative(bench, meter):
    table = bench([meter(profile="em24")], power_w=-5000.0)
    powers = {each.device: each.power_w for each in table.run(1)}
    assert set(powers) == {"m1.total", "m1.l1", "m1.l2", "m1.l3"}
    assert powers["m1.total"] == pytest.approx(-5000)
    assert powers["m1.l1"] + powers["m1.l2"] + powers["m1.l3"] == pytest.approx(-5000)
    assert all(each.record is None for each in table.readings if each.device != "m1.total")


def test_a_dead_meter_costs_the_others_no_more_than_its_timeout(bench, meter):
    table = bench([meter("m1", 1), meter("dead", 2), meter("m3", 3)])
    table.faults.inject(2, MeterFault.SILENT)
    readings = table.run(600)
    for name in ("m1.total", "m3.total"):
        moments = [each.at_s for each in readings if each.device == name and each.power_w is not None]
        assert len(moments) == 60
        grid_s = {"m1.total": 0.0, "m3.total": 0.5}[name]
        late_s = [(moment - grid_s) % 10 for moment in moments]
        assert all(each < 0.75 or each > 9.99 for each in late_s)  # timeout and pauses
    assert table.stats("dead")["good"] == 0
    assert table.stats("m1")["errors"] == table.stats("m3")["errors"] == {}


def test_missed_polls_are_skipped(bench, meter):
    table = bench([meter()])
    table.run(5)
    table.clock.advance_to(1005)
    assert len(table.run(4)) == 1
    assert [round(each.at_s) for each in table.run(22)] == [1010, 1020, 1030]


def test_a_record_the_meter_refuses_leaves_the_power(bench, meter, tmp_path):
    path = tmp_path / "newer.toml"
    path.write_text(
        'name = "newer"\nphases = 1\nmax_power_w = 1e4\n[encoding]\nfunction = 4\ntype = "float32"\n[total]\n'
        "power_w = { register = 0x0C }\nfrequency_hz = { register = 0x200 }\n"
    )
    table = bench([meter()])
    own = MeterSettings(name="m1", bus="b", address=1, profile=str(path))
    table.bus = MeterBus(table.settings, [own], [], table.clock, table.readings.append, table.adapter.open)
    readings = table.run(600)
    assert [each.power_w for each in readings] == [pytest.approx(1200)] * 60
    assert table.stats("m1")["errors"] == {"exception_2": 1}
    assert table.stats("m1")["refused"] == ["frequency_hz"]
    assert all("frequency_hz" not in each.record for each in readings if each.record)


def test_an_absent_port_is_looked_for_and_found(bench, meter):
    table = bench([meter()], plugged=False)
    tries = [each.at_s for each in table.run(600)]
    assert {each.power_w for each in table.readings} == {None}
    waits = [round(b - a) for a, b in itertools.pairwise(tries)]
    assert waits[:4] == [1, 2, 3, 4]
    assert max(waits) == 30
    stats = table.bus.stats()
    assert stats["open"] is False
    assert stats["port_failures_in_a_row"] == len(tries)
    table.adapter.plugged = True
    assert table.run(31)[0].power_w == pytest.approx(1200)
    assert table.bus.stats()["open"] is True
    assert table.bus.stats()["port_failures_in_a_row"] == 0


def test_readings_are_undefined_while_the_port_is_unplugged(bench, meter):
    table = bench([meter("m1", 1), meter("m2", 2, "sdm630")])
    table.run(15)
    table.faults.inject(2, MeterFault.UNPLUG, count=1)
    lost = table.run(5.5)
    assert {each.device for each in lost if each.power_w is None} == {
        "m1.total",
        "m2.total",
        "m2.l1",
        "m2.l2",
        "m2.l3",
    }
    assert table.bus.stats()["port_losses"] == 1
    assert table.stats("m2")["errors"] == {"port_lost": 1}
    table.adapter.plugged = True
    back = table.run(10)
    assert {each.device for each in back if each.power_w is not None} >= {"m1.total", "m2.total"}
    assert back[-1].power_w is not None
    assert table.adapter.opened == 2


def test_a_new_port_gives_every_meter_a_new_chance(bench, meter):
    table = bench([meter("m1", 1), meter("m2", 2)])
    table.faults.inject(2, MeterFault.SILENT)
    table.run(3600)
    table.faults.clear(2)
    assert table.stats("m2")["retry_in_s"] > 20
    table.adapter.plugged = False
    table.run(11)
    table.adapter.plugged = True
    assert "m2.total" in {each.device for each in table.run(11) if each.power_w is not None}


def test_a_port_that_fails_right_after_opening_is_retried_less_and_less_often(meter, caplog):
    clock = VirtualClock()
    opened = []

    class Broken:
        char_s = 0.001

        def send(self, frame):
            raise PortLost("I/O error")

        def receive(self, buffer, timeout_s):
            return 0

        def close(self):
            return

    def open_port(settings):
        opened.append(clock.now_s())
        return Broken()

    bus = MeterBus(BusSettings(name="b", port="p"), [meter()], [], clock, lambda reading: None, open_port)
    with caplog.at_level(logging.INFO, "edge.meter"):
        while clock.now_s() < 3600:
            clock.advance_to(clock.now_s() + bus.step())
    assert 100 < len(opened) < 160
    assert len(caplog.records) == 1


def test_the_log_has_one_line_for_each_change_of_state(bench, meter, caplog):
    table = bench([meter("m1", 1), meter("m2", 2)])
    with caplog.at_level(logging.INFO, "edge.meter"):
        table.run(30)
        assert caplog.records == []
        table.faults.inject(1, MeterFault.BAD_CRC)
        table.run(600)
        table.faults.clear(1)
        table.run(100)
        table.adapter.plugged = False
        table.run(100)
        table.adapter.plugged = True
        table.run(100)
    lines = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert [level for level, _ in lines] == ["WARNING", "INFO", "WARNING", "INFO"]
    assert lines[0][1].startswith("m1 fails: bad_crc")
    assert lines[1][1].startswith("m1 answers again")
    assert lines[2][1].startswith("bus b: the port cannot be opened")
    assert lines[3][1].startswith("bus b is working again")


def test_a_receiver_that_raises_stops_nothing(bench, meter):
    table = bench([meter()])
    heard = []

    def deliver(reading):
        heard.append(reading)
        raise RuntimeError("receiver is broken")

    table.bus.deliver = deliver
    table.run(100)
    assert len(heard) == 10
    assert table.bus.stats()["delivery_errors"] == 10


def test_a_bus_without_devices_is_idle(bench):
    table = bench([])
    table.run(1000)
    assert table.bus.stats()["meters"] == []


def test_devices_that_cannot_be_told_apart_are_refused(bench, meter):
    with pytest.raises(ValueError, match="name 'm1'"):
        bench([meter("m1", 1), meter("m1", 2)])
    with pytest.raises(ValueError, match="address 1"):
        bench([meter("m1", 1), meter("m2", 1)])
    with pytest.raises(ValueError, match="name 'm1'"):
        bench([meter("m1", 1)], [RelaySettings(name="m1", bus="b", address=9, coil=0)])
    with pytest.raises(ProfileError):
        MeterBus(BusSettings(name="b", port="p"), [meter(profile="sdm999")], [], VirtualClock())
