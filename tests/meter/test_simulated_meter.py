"""The simulated meter itself: a strict slave, a consistent installation, injected faults, a paced line."""

import math
import random
import struct
import time
from contextlib import suppress

import pytest

from edge.meter import BusSettings, ProfileError
from edge.meter.crc import crc16
from edge.meter.errors import BusError
from edge.meter.port import SerialPort
from edge.meter.rtu import RtuMaster
from host_tools.meter import MeterFault, SimulatedMeter
from host_tools.meter.fault import FaultPlan
from host_tools.meter.installation import Installation
from host_tools.meter.line import SimulatedLine


def request(*numbers, function=4, address=1):
    body = struct.pack(">BBHH", address, function, *numbers)
    return body + struct.pack("<H", crc16(body))


@pytest.fixture
def line():
    return SimulatedLine({1: "sdm120"}, lambda address, now_s: 500.0, random.Random(0), 0.0)


def answer(line, frame):
    return b"".join(data for _, data in line.hear(frame, 0.0))


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (request(0, 1, function=6), 1),
        (request(0, 2, function=3), 2),
        (request(0x46, 8), 2),
        (request(0, 0), 3),
        (request(0, 51), 3),
        (request(16, 1, function=1), 2),
        (request(0, 17, function=1), 3),
        (request(16, 0xFF00, function=5), 2),
        (request(0, 1, function=5), 3),
    ],
)
def test_what_a_meter_would_refuse_is_refused(line, frame, code):
    refusal = answer(line, frame)
    assert refusal[:3] == bytes((1, frame[1] | 0x80, code))
    assert crc16(refusal) == 0


def test_noise_and_other_addresses_are_ignored(line):
    assert answer(line, request(0, 2, address=2)) == b""
    assert answer(line, b"\x01\x04\x00") == b""
    line.silence()
    assert answer(line, b"\xff\x01" + request(12, 2))[3:7] == struct.pack(">f", 500.0)


def test_requests_in_pieces_are_understood(line):
    frame = request(12, 2)
    assert answer(line, frame[:3]) == b""
    assert answer(line, frame[3:])[3:7] == struct.pack(">f", 500.0)


@pytest.mark.parametrize("phases", [1, 3])
@pytest.mark.parametrize("power_w", [0.0, 2300.0, -4000.0])
def test_an_installation_is_consistent(phases, power_w):
    building = Installation(phases, lambda now_s: power_w, 0.0)
    values = building.measure(1800.0)
    inputs = {each for each, _ in values}
    for each in inputs:
        p, q, s = (values[each, key] for key in ("power_w", "reactive_power_var", "apparent_power_va"))
        assert math.hypot(p, q) == pytest.approx(s)
        assert values[each, "power_factor"] * s == pytest.approx(p)
        if each != "total" or phases == 1:
            assert values[each, "voltage_v"] * values[each, "current_a"] == pytest.approx(s)
    assert sum(values[each, "power_w"] for each in inputs - {"total"}) == pytest.approx(power_w)
    assert values["total", "import_energy_wh"] == pytest.approx(max(power_w, 0) / 2)
    assert values["total", "export_energy_wh"] == pytest.approx(max(-power_w, 0) / 2)


def test_faults_occur_with_the_given_probability():
    plan = FaultPlan(random.Random(3))
    plan.inject(1, MeterFault.SHORT, count=2)
    plan.inject(2, MeterFault.LONG, probability=0.25)
    assert [plan.draw(1) for _ in range(4)] == [MeterFault.SHORT, MeterFault.SHORT, None, None]
    assert plan.draw(3) is None
    assert 200 < sum(plan.draw(2) is MeterFault.LONG for _ in range(1000)) < 300
    plan.clear(2)
    assert plan.draw(2) is None


def test_a_paced_answer_takes_its_time_on_the_wire():
    with SimulatedMeter({1: "sdm630"}, lambda address, now_s: 1.0, baud=9600) as meter:
        port = SerialPort(BusSettings(name="b", port=meter.port))
        master = RtuMaster(port, 0.5)
        spent_s = []
        for _ in range(20):
            begun_s = time.monotonic()
            with suppress(BusError):  # a busy machine may interrupt an answer
                master.read_registers(1, 4, 0, 36)
                spent_s.append(time.monotonic() - begun_s)
            if len(spent_s) == 3:
                break
        port.close()
    assert 85 * 10 / 9600 <= min(spent_s) < 0.3  # a busy machine may delay one of them


def test_an_unknown_profile_is_refused():
    with pytest.raises(ProfileError):
        SimulatedMeter({1: "sdm999"}, lambda address, now_s: 0.0)
