"""Meters over pseudo terminals: threads, pyserial, and independent masters and slaves."""

import asyncio
import errno
import os
import pty
import select
import struct
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import minimalmodbus
import pytest
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusSerialServer
from repository import REPOSITORY

from edge.clock import SystemClock
from edge.meter import BusSettings, MeterBus, MeterSettings, RelaySettings, SerialMeters, load_profile
from edge.meter.errors import PortLost
from edge.meter.port import SerialPort
from edge.meter.profile import shipped_profiles
from edge.meter.rtu import RtuMaster
from host_tools.meter import MeterFault, SimulatedMeter
from host_tools.world import VirtualClock


def until(condition, seconds=5.0):
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s, "did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def simulated():
    with SimulatedMeter(
        {1: "sdm120", 2: "sdm630", 9: "sdm120"}, lambda address, now_s: 1000.0 * address
    ) as meter:
        yield meter


@pytest.fixture
def bus(simulated):
    meters = [
        MeterSettings(name="m1", bus="b", address=1, profile="sdm120", power_period_s=0.1),
        MeterSettings(name="m2", bus="b", address=2, profile="sdm630", power_period_s=0.1),
    ]
    made = MeterBus(
        BusSettings(name="b", port=simulated.port, timeout_s=0.25),
        meters,
        [RelaySettings(name="boiler", bus="b", address=9, coil=3)],
        SystemClock(),
    )
    made.heard = []
    made.deliver = made.heard.append
    yield made
    made.stop()


def last(bus, device):
    return next((each for each in reversed(bus.heard) if each.device == device), None)


def shows(bus, device, power_w):
    reading = last(bus, device)
    return reading is not None and reading.power_w == (power_w and pytest.approx(power_w, rel=1e-4))


def test_meters_are_read_again_after_unplugging(simulated, bus):
    bus.start()
    until(lambda: shows(bus, "m1.total", 1000) and shows(bus, "m2.l1", 900))
    simulated.unplug()
    until(lambda: shows(bus, "m1.total", None) and shows(bus, "m2.l3", None))
    assert bus.stats()["open"] is False
    assert not Path(simulated.port).exists()
    simulated.replug()
    until(lambda: shows(bus, "m1.total", 1000) and shows(bus, "m2.total", 2000))
    assert bus.stats()["port_losses"] == 1


def test_an_adapter_that_is_missing_at_start_is_found_later(simulated, bus):
    simulated.unplug()
    bus.start()
    until(lambda: shows(bus, "m1.total", None))
    simulated.replug()
    until(lambda: shows(bus, "m1.total", 1000))


def test_an_answer_that_pulls_the_plug_is_survived(simulated, bus):
    simulated.inject(2, MeterFault.UNPLUG, count=1)
    bus.start()
    until(lambda: shows(bus, "m2.total", None))
    simulated.replug()
    until(lambda: shows(bus, "m2.total", 2000))


@pytest.mark.parametrize(
    "fault", [each for each in MeterFault if each not in (MeterFault.UNPLUG, MeterFault.GARBAGE)]
)
def test_a_fault_of_one_meter_leaves_the_other_alone(simulated, bus, fault):
    bus.start()
    until(lambda: shows(bus, "m1.total", 1000))
    simulated.inject(1, fault)
    until(lambda: shows(bus, "m1.total", None))
    since = len(bus.heard)
    until(lambda: sum(each.device == "m2.total" for each in bus.heard[since:]) >= 3)
    assert {each.power_w for each in bus.heard[since:] if each.device == "m1.total"} <= {None}
    assert bus.stats()["meters"][0]["failures_in_a_row"] == 1


def test_endless_garbage_is_survived(simulated, bus):
    simulated.inject(1, MeterFault.GARBAGE, count=1)
    bus.start()
    until(lambda: shows(bus, "m1.total", None))
    until(lambda: shows(bus, "m1.total", 1000), seconds=8)


def test_a_relay_is_switched_and_read_back(simulated, bus):
    bus.start()
    until(lambda: bus.stats()["relays"][0]["actual"] is False)
    spent_s = []
    for on in (True, False, True):
        begun_s = time.monotonic()
        bus.switch("boiler", on)
        spent_s.append(time.monotonic() - begun_s)
    assert min(spent_s) < 0.05  # it does not wait for the line; a busy machine may delay one of them
    until(lambda: bus.stats()["relays"][0]["actual"] is True)
    assert simulated.line.slaves[9].coils[3] is True


def test_stopping_takes_less_than_two_seconds_even_on_a_dead_line(simulated):
    simulated.inject(1, MeterFault.SILENT)
    settings = BusSettings(name="slow", port=simulated.port, timeout_s=2.3)
    heard = []
    slow = MeterBus(
        settings,
        [MeterSettings(name="m", bus="b", address=1, profile="sdm120")],
        [],
        SystemClock(),
        heard.append,
    )
    slow.start()
    until(lambda: simulated.line.asked[1] == 1)
    begun_s = time.monotonic()
    slow.stop()
    assert time.monotonic() - begun_s < 2.1
    until(lambda: slow.stats()["open"] is False)  # the transaction has ended too
    assert heard == []


def test_a_line_that_hangs_up_is_a_lost_port(simulated, monkeypatch):
    port = SerialPort(BusSettings(name="b", port=simulated.port))
    monkeypatch.setattr(os, "readv", lambda descriptor, buffers: 0)  # what a USB adapter does when pulled out
    port.send(memoryview(bytes.fromhex("01040000000271cb")))
    with pytest.raises(PortLost):
        port.receive(memoryview(bytearray(9)), 1.0)
    port.close()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ENXIO])
@pytest.mark.parametrize("call", ["readv", "write"])
def test_an_error_of_the_adapter_is_a_lost_port(simulated, monkeypatch, number, call):
    port = SerialPort(BusSettings(name="b", port=simulated.port))
    master = RtuMaster(port, 0.2)
    assert len(master.read_registers(1, 4, 0, 2)) == 4

    def fails(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(PortLost):
        master.read_registers(1, 4, 0, 2)
    monkeypatch.undo()
    port.close()


def test_an_adapter_that_comes_back_under_another_name_is_named(tmp_path):
    for name in ("ttyUSB1", "ttyUSB12", "ttyUSB_old", "ttyACM0"):
        (tmp_path / name).touch()
    with pytest.raises(PortLost) as caught:
        SerialPort(BusSettings(name="b", port=str(tmp_path / "ttyUSB0")))
    assert f"there is {tmp_path}/ttyUSB1, {tmp_path}/ttyUSB12: a name in" in str(caught.value)
    bus = MeterBus(BusSettings(name="b", port=str(tmp_path / "ttyUSB0")), [], [], SystemClock())
    bus.step()
    assert "ttyUSB1" in bus.stats()["trouble"]


def test_the_log_says_why_a_port_cannot_be_opened_when_the_reason_changes(caplog):
    reasons = ["no such device"] * 4 + ["permission denied"] * 4 + ["in use"] * 4
    clock = VirtualClock()

    def open_port(settings):
        raise PortLost(reasons.pop(0))

    bus = MeterBus(BusSettings(name="b", port="p"), [], [], clock, open_port=open_port)
    while reasons:
        clock.advance_to(clock.now_s() + bus.step())
    told = [each.getMessage().rpartition(": ")[2] for each in caplog.records]
    assert told == ["no such device", "permission denied", "in use"]
    assert bus.stats()["trouble"] == "in use"


def test_a_bus_can_be_stopped_and_started_again(simulated, bus):
    bus.start()
    with pytest.raises(RuntimeError):
        bus.start()
    until(lambda: shows(bus, "m1.total", 1000))
    bus.stop()
    count = len(bus.heard)
    time.sleep(0.15)
    assert len(bus.heard) == count
    bus.start()
    until(lambda: len(bus.heard) > count)


def test_a_port_can_only_be_opened_by_one_bus(simulated):
    port = SerialPort(BusSettings(name="b", port=simulated.port))
    with pytest.raises(PortLost):
        SerialPort(BusSettings(name="c", port=simulated.port))
    port.close()


def test_the_meters_of_a_node_are_several_buses():
    with (
        SimulatedMeter({1: "sdm120"}, lambda address, now_s: 100.0) as one,
        SimulatedMeter({1: "em24"}, lambda address, now_s: 200.0) as two,
    ):
        clock = SystemClock()
        first = MeterBus(
            BusSettings(name="b1", port=one.port),
            [MeterSettings(name="a", bus="b1", address=1, profile="sdm120")],
            [],
            clock,
        )
        second = MeterBus(
            BusSettings(name="b2", port=two.port),
            [MeterSettings(name="b", bus="b2", address=1, profile="em24")],
            [RelaySettings(name="pump", bus="b2", address=1, coil=0)],
            clock,
        )
        meters = SerialMeters([first, second])
        heard = []
        meters.start(heard.append)
        meters.switch("pump", True)
        until(lambda: {"a.total", "b.total"} <= {each.device for each in heard})
        until(lambda: meters.stats()[1]["relays"][0]["actual"] is True)
        with pytest.raises(KeyError):
            meters.switch("sauna", True)
        begun_s = time.monotonic()
        meters.stop()
        assert time.monotonic() - begun_s < 2
        assert two.line.slaves[1].coils[0] is True
        with pytest.raises(ValueError, match="'a'"):
            SerialMeters([first, first])


def independent_value(instrument, register):
    """What minimalmodbus makes of a register."""
    big = register.word_order == "big"
    order = minimalmodbus.BYTEORDER_BIG if big else minimalmodbus.BYTEORDER_LITTLE_SWAP
    at, function = register.address, register.function
    match register.type:
        case "float32":
            raw = instrument.read_float(at, function, 2, order)
        case "int32" | "uint32":
            raw = instrument.read_long(at, function, register.type == "int32", order)
        case "int16" | "uint16":
            raw = instrument.read_register(at, 0, function, register.type == "int16")
        case "uint64" | "int64" | "float64":
            read = instrument.read_registers(at, 4, function)
            words = struct.pack(">4H", *(read if big else reversed(read)))
            raw = struct.unpack({"uint64": ">Q", "int64": ">q", "float64": ">d"}[register.type], words)[0]
    return raw * register.scale


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_register_agrees_with_an_independent_master(name):
    clock = VirtualClock()
    with SimulatedMeter({7: name}, lambda address, now_s: -2321.0, clock=clock) as meter:
        clock.advance_to(5 * 3600)
        profile = load_profile(name)
        port = SerialPort(BusSettings(name="b", port=meter.port))
        master = RtuMaster(port, 0.5)
        ours = {}
        for block in profile.record_blocks:
            data = master.read_registers(7, block.function, block.start, block.count)
            ours |= dict(block.decode(data))
        port.close()
        instrument = minimalmodbus.Instrument(meter.port, 7)
        instrument.serial.timeout = 2.0  # the machine may be busy
        instrument.serial.baudrate = 115200
        for register, value in ours.items():
            if value is None:  # a meter of one direction, with a negative power
                assert register.type.startswith("u")
                continue
            assert value == pytest.approx(independent_value(instrument, register), rel=1e-6)
        named = {each.key: value for each, value in ours.items()}
        power = next(each for each in ours if each.key == "power_w")
        step_w = power.scale if "int" in power.type else 0.0  # a Countis counts in 10 W
        right = pytest.approx(-2321, rel=1e-6, abs=step_w / 2)
        assert named["power_w"] == (right if power.type[0] != "u" else None)
        if "export_energy_wh" in named:
            assert named["export_energy_wh"] == pytest.approx(5 * 2321, rel=0.01)
        instrument.write_bit(3, 1)
        assert instrument.read_bit(3, 1) == 1
        instrument.serial.close()


class TerminalPort:
    """The controlling side of a pseudo terminal as a Port."""

    char_s = 10 / 19200

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def send(self, frame):
        os.write(self.descriptor, frame)

    def receive(self, buffer, timeout_s):
        if not select.select([self.descriptor], [], [], max(0.0, timeout_s))[0]:
            return 0
        return os.readv(self.descriptor, [buffer])

    def close(self):
        os.close(self.descriptor)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_our_master_reads_an_independent_slave():
    master_side, slave_side = pty.openpty()
    tty.setraw(slave_side)
    loop = asyncio.new_event_loop()
    registers = list(range(1000, 1200))

    async def serve(ready):
        block = ModbusSequentialDataBlock(1, registers)
        coils = ModbusSequentialDataBlock(1, [False] * 16)
        context = ModbusServerContext(ModbusDeviceContext(ir=block, hr=block, co=coils), single=True)
        server = ModbusSerialServer(context, port=os.ttyname(slave_side), baudrate=19200)
        await server.serve_forever(background=True)
        ready.set()
        return server

    ready = threading.Event()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(ready), loop).result(5)
    port = TerminalPort(master_side)
    master = RtuMaster(port, 1.0)
    for function, start, count in ((4, 0, 1), (3, 17, 40), (4, 50, 125)):
        data = bytes(master.read_registers(1, function, start, count))
        assert data == b"".join(each.to_bytes(2, "big") for each in registers[start : start + count])
    assert master.read_coil(1, 5) is False
    master.write_coil(1, 5, True)
    assert master.read_coil(1, 5) is True
    asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()
    port.close()
    os.close(slave_side)


def test_the_command_serves_a_meter_to_any_tool():
    command = [sys.executable, "-m", "host_tools.meter", "--profile", "sdm630", "--address", "1", "5"]
    with subprocess.Popen(
        [*command, "--power", "1200", "--seconds", "20"], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as process:
        instrument = minimalmodbus.Instrument(process.stdout.readline().strip(), 5)
        instrument.serial.timeout = 2.0  # the machine may be busy
        assert instrument.read_float(0x34, 4) == pytest.approx(1200)
        instrument.serial.close()
        process.terminate()


def test_the_command_reports_an_unknown_profile():
    from host_tools.meter.__main__ import main

    assert main(["--profile", "sdm999"]) == 2
    with pytest.raises(SystemExit):
        main(["--fault", "explosion"])
