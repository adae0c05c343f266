"""The RTU master with everything that a line may deliver: the fault table, and random bytes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer.rtu import FramerRTU

from edge.meter import rtu
from edge.meter.crc import crc16
from edge.meter.rtu import RtuMaster
from host_tools.world import VirtualClock

TIMEOUT_S = 0.5


class ScriptedPort:
    """Sends what it was told to, each piece so many seconds after the request."""

    char_s = 10 / 9600

    def __init__(self, *pieces: tuple[float, bytes], waiting: bytes = b"", endless: bytes = b"") -> None:
        self.clock = VirtualClock()
        self.pieces = pieces
        self.endless = endless
        self.pace_s = 0.001
        self.sent: list[tuple[float, bytes]] = []
        self.coming = [(0.0, waiting)] if waiting else []

    def send(self, frame: memoryview) -> None:
        now_s = self.clock.now_s()
        self.sent.append((now_s, bytes(frame)))
        self.coming += [(now_s + delay_s, data) for delay_s, data in self.pieces]

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        until_s = self.clock.now_s() + max(0.0, timeout_s)
        if self.endless:
            self.clock.advance_to(self.clock.now_s() + self.pace_s)
            data = self.endless
        elif self.coming and self.coming[0][0] <= until_s:
            due_s, data = self.coming.pop(0)
            self.clock.advance_to(due_s)
        else:
            self.clock.advance_to(until_s)
            return 0
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        return


def master_of(port: ScriptedPort) -> RtuMaster:
    return RtuMaster(port, TIMEOUT_S, port.clock)


def sealed(*body: int) -> bytes:
    return bytes(body) + struct.pack("<H", crc16(body))


GOOD = sealed(1, 4, 4, 0x43, 0x66, 0x4C, 0xCD)  # 230.3 V of slave 1


def test_crc_is_the_one_of_the_specification():
    assert crc16(b"123456789") == 0x4B37
    assert sealed(0x01, 0x04, 0x00, 0x00, 0x00, 0x02) == bytes.fromhex("010400000002 71cb")


@given(st.binary(max_size=64))
def test_crc_agrees_with_an_independent_one(data):
    assert struct.pack("<H", crc16(data)) == FramerRTU.compute_CRC(data).to_bytes(2, "big")


def test_a_good_answer_is_read():
    port = ScriptedPort((0.02, GOOD))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == bytes.fromhex("43664ccd")
    assert port.sent[0][1] == bytes.fromhex("01040000000271cb")


def test_an_answer_in_pieces_is_read():
    port = ScriptedPort((0.02, GOOD[:1]), (0.036, GOOD[1:6]), (0.052, GOOD[6:]))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == bytes.fromhex("43664ccd")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", rtu.NoAnswer),
        (GOOD[:1], rtu.ShortFrame),
        (GOOD[:-1], rtu.ShortFrame),
        (sealed(1, 4, 2, 0x43, 0x66), rtu.ShortFrame),
        (GOOD[:-1] + b"\x00", rtu.BadCrc),
        (GOOD[:4] + b"\x00" + GOOD[5:], rtu.BadCrc),
        (sealed(2, 4, 4, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongSlave),
        (sealed(1, 3, 4, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongFunction),
        (sealed(1, 0x83, 2), rtu.WrongFunction),
        (sealed(1, 4, 6, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongLength),
        (GOOD + b"\x00" * 4, rtu.LongFrame),
        (b"\x00" * 4 + GOOD, rtu.LongFrame),
        (GOOD + GOOD, rtu.LongFrame),
        (sealed(1, 4, 6, 0x43, 0x66, 0x4C, 0xCD, 0, 0), rtu.LongFrame),
        (b"\x55" * 400, rtu.LongFrame),
        *((sealed(1, 0x84, code), rtu.SlaveException) for code in (1, 2, 3, 4, 6)),
    ],
)
def test_a_bad_answer_is_refused_by_its_name(answer, error):
    port = ScriptedPort((0.02, answer)) if answer else ScriptedPort()
    with pytest.raises(error) as caught:
        master_of(port).read_registers(1, 4, 0, 2)
    assert caught.type is error
    if error is rtu.SlaveException:
        assert caught.value.code == answer[2]
        assert caught.value.kind == f"exception_{answer[2]}"


def test_an_incomplete_answer_does_not_take_the_whole_timeout():
    port = ScriptedPort((0.02, GOOD[:5]))
    with pytest.raises(rtu.ShortFrame):
        master_of(port).read_registers(1, 4, 0, 2)
    assert port.clock.now_s() < 0.02 + 0.15


def test_bytes_right_behind_a_good_frame_spoil_it():
    port = ScriptedPort((0.02, GOOD), (0.022, b"\x00\x00"), (0.024, b"\x00\x00"))
    with pytest.raises(rtu.LongFrame):
        master_of(port).read_registers(1, 4, 0, 2)


def test_a_late_answer_is_not_taken_for_the_next():
    stale = sealed(1, 4, 4, 0, 0, 0, 0)
    port = ScriptedPort()
    master = master_of(port)
    with pytest.raises(rtu.NoAnswer):
        master.read_registers(1, 4, 0, 2)
    port.coming = [(port.clock.now_s() + 0.001, stale)]
    port.clock.advance_to(port.clock.now_s() + 0.01)
    port.pieces = ((0.02, GOOD),)
    assert bytes(master.read_registers(1, 4, 0, 2)) == bytes.fromhex("43664ccd")
    assert master.late_answers == 1


def test_a_late_answer_of_another_slave_is_ignored():
    late = sealed(2, 4, 4, 0, 0, 0, 0)
    port = ScriptedPort((0.02, late), (0.06, GOOD))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == bytes.fromhex("43664ccd")


@pytest.mark.parametrize(
    ("char_s", "silence_s"), [(10 / 1200, 35 / 1200), (10 / 9600, 35 / 9600), (1e-5, 0.00175)]
)
def test_frames_are_kept_apart_by_silence(char_s, silence_s):
    port = ScriptedPort((0.02, GOOD))
    port.char_s = char_s
    master = master_of(port)
    answered_s = []
    for _ in range(3):
        master.read_registers(1, 4, 0, 2)
        answered_s.append(port.sent[-1][0] + 0.02)
    gaps_s = [sent_s - before_s for before_s, (sent_s, _) in zip(answered_s, port.sent[1:], strict=False)]
    assert min(gaps_s) >= silence_s - 1e-9


def test_a_line_that_is_never_silent_is_an_error():
    port = ScriptedPort(endless=b"\x13\x37")
    master = master_of(port)
    with pytest.raises(rtu.Noise):
        master.read_registers(1, 4, 0, 2)
    assert port.sent == []
    assert port.clock.now_s() <= master.deadline_s(9)


@pytest.mark.parametrize("pace_s", [0.001, 0.05])
def test_endless_garbage_after_a_request_is_an_error(pace_s):
    port = ScriptedPort()
    port.pace_s = pace_s
    master = master_of(port)
    port.send = lambda frame: setattr(port, "endless", b"\x01")  # begins with the address asked
    with pytest.raises(rtu.BusError):
        master.read_registers(1, 4, 0, 2)
    assert port.clock.now_s() <= master.deadline_s(9)


@pytest.mark.parametrize("count", [0, -1, 126])
def test_a_request_that_is_too_large_is_refused(count):
    with pytest.raises(ValueError, match="registers"):
        master_of(ScriptedPort()).read_registers(1, 4, 0, count)


def test_a_coil_is_written_and_read():
    port = ScriptedPort((0.02, sealed(9, 5, 0, 3, 0xFF, 0)))
    master = master_of(port)
    master.write_coil(9, 3, True)
    assert port.sent[0][1] == sealed(9, 5, 0, 3, 0xFF, 0)
    port.pieces = ((0.02, sealed(9, 1, 1, 1)),)
    assert master.read_coil(9, 3) is True
    port.pieces = ((0.02, sealed(9, 1, 1, 0)),)
    assert master.read_coil(9, 3) is False


def test_a_wrong_confirmation_of_a_coil_is_an_error():
    for echo in (sealed(9, 5, 0, 4, 0xFF, 0), sealed(9, 5, 0, 3, 0, 0)):
        with pytest.raises(rtu.WrongFunction):
            master_of(ScriptedPort((0.02, echo))).write_coil(9, 3, True)


pieces = st.lists(st.tuples(st.floats(0.0, 1.2), st.binary(min_size=1, max_size=300)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(pieces=pieces, waiting=st.binary(max_size=40), count=st.integers(1, 125))
def test_random_bytes_never_become_a_value_nor_hold_the_bus(pieces, waiting, count):
    port = ScriptedPort(*sorted(pieces), waiting=waiting)
    master = master_of(port)
    try:
        data = bytes(master.read_registers(1, 4, 0, count))
    except rtu.BusError:
        pass
    else:
        frame = bytes((1, 4, 2 * count)) + data
        assert frame + struct.pack("<H", crc16(frame)) in b"".join(piece for _, piece in sorted(pieces))
    assert port.clock.now_s() <= master.deadline_s(5 + 2 * count) + 1e-9


@settings(max_examples=300, deadline=None)
@given(
    flips=st.lists(st.integers(0, 8 * len(GOOD) - 1), min_size=1, max_size=6, unique=True),
    cut=st.integers(0, 3),
    tail=st.binary(max_size=3),
)
def test_a_damaged_frame_never_becomes_another_value(flips, cut, tail):
    damaged = bytearray(GOOD)
    for bit in flips:
        damaged[bit // 8] ^= 1 << bit % 8
    answer = bytes(damaged[: len(damaged) - cut]) + tail
    port = ScriptedPort((0.02, answer))
    try:
        data = bytes(master_of(port).read_registers(1, 4, 0, 2))
    except rtu.BusError:
        return
    assert sealed(1, 4, 4, *data) in answer  # six flips can hit the one frame in 65 536 that is intact again
