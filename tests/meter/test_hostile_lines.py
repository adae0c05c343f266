"""More of what real lines do: several and damaged echoes, answers with gaps, frames that run together."""

import struct

import pytest
from test_real_lines import REQUEST, VALUE, Table
from test_rtu import GOOD, ScriptedPort, master_of, sealed

from edge.meter import RelaySettings, rtu

OTHER = sealed(2, 4, 4, 0x41, 0x20, 0, 0)  # an answer of slave 2
REFUSAL = sealed(2, 0x84, 2)
FOREIGN = sealed(1, 4, 0, 12, 0, 2)  # a request of a second master


def flipped(frame, *bits):
    damaged = bytearray(frame)
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def read(*pieces):
    master = master_of(ScriptedPort(*pieces))
    return bytes(master.read_registers(1, 4, 0, 2)), master


# ---- echoes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap_s", [0.0, 0.002, 0.2])
def test_an_adapter_may_echo_twice(gap_s):
    value, master = read((0.001, REQUEST), (0.001 + gap_s, REQUEST), (0.001 + 2 * gap_s, GOOD))
    assert value == VALUE
    assert master.foreign_frames == 0
    value, _ = read((0.001, REQUEST + REQUEST + GOOD))
    assert value == VALUE


@pytest.mark.parametrize("bits", [(0,), (13,), (63,), (17, 40), (5, 33, 60)])
@pytest.mark.parametrize("gap_s", [0.0, 0.25])
def test_a_damaged_echo_does_no_harm(bits, gap_s):
    echo = flipped(REQUEST, *bits)
    pieces = [(0.001, echo), (0.001 + gap_s, GOOD)] if gap_s else [(0.001, echo + GOOD)]
    assert read(*pieces)[0] == VALUE


def test_a_request_of_a_second_master_is_no_damaged_echo():
    with pytest.raises(rtu.ForeignFrame):
        read((0.001, FOREIGN + GOOD))


def test_two_echoes_are_not_the_confirmation_of_a_coil():
    order = sealed(9, 5, 0, 3, 0xFF, 0)
    port = ScriptedPort((0.001, sealed(9, 1, 0, 3, 0, 1) * 2), (0.03, sealed(9, 1, 1, 1)))
    master = master_of(port)
    assert master.read_coil(9, 3) is True
    port.pieces = ((0.001, order * 2), (0.03, order))
    port.clock.advance_to(1.0)
    master.write_coil(9, 3, True)
    port.pieces = ((0.001, order * 2),)  # now the slave is gone
    port.clock.advance_to(2.0)
    with pytest.raises(rtu.NoAnswer):
        master.write_coil(9, 3, True)


def test_a_doubled_echo_once_does_not_stop_a_relay():
    order = sealed(9, 5, 0, 3, 0xFF, 0)
    asks, says = sealed(9, 1, 0, 3, 0, 1), sealed(9, 1, 1, 1)
    port = ScriptedPort((0.001, asks * 2), (0.03, says))
    master = master_of(port)
    master.read_coil(9, 3)
    for now_s in (1.0, 2.0):
        port.pieces = ((0.001, asks), (0.03, says))
        port.clock.advance_to(now_s)
        master.read_coil(9, 3)
    port.pieces = ((0.001, order), (0.03, order))
    port.clock.advance_to(3.0)
    master.write_coil(9, 3, True)


# ---- frames that run together ----------------------------------------------------------------------


@pytest.mark.parametrize("before", [OTHER, REFUSAL, OTHER + REFUSAL, OTHER + REQUEST, REQUEST + REFUSAL])
def test_a_late_answer_of_another_slave_right_before_ours_does_no_harm(before):
    assert read((0.02, before + GOOD))[0] == VALUE


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (GOOD[:5] + b"\x00" + GOOD[5:], rtu.LongFrame),  # a stray byte inside
        (GOOD[:5] + b"\xff\xff" + GOOD[5:], rtu.LongFrame),
        (GOOD[:5] + GOOD[6:], rtu.ShortFrame),  # a lost byte
        (OTHER + FOREIGN + GOOD, rtu.ForeignFrame),
        (OTHER + GOOD[:6], rtu.ShortFrame),
        (sealed(0, 4, 4, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongSlave),  # the broadcast address
        (sealed(255, 4, 4, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongSlave),
        (sealed(1, 0x83, 2), rtu.WrongFunction),
        (sealed(1, 4, 2, 0x43, 0x66, 0x4C, 0xCD), rtu.WrongLength),
    ],
)
def test_what_is_not_a_whole_answer_is_refused_by_its_name(answer, error):
    with pytest.raises(error):
        read((0.02, answer))


def test_a_late_answer_before_ours_is_no_second_master():
    port = ScriptedPort()
    master = master_of(port)
    with pytest.raises(rtu.NoAnswer):
        master.read_registers(2, 4, 0, 2)
    port.pieces = ((0.02, OTHER + GOOD),)
    assert bytes(master.read_registers(1, 4, 0, 2)) == VALUE
    assert master.foreign_frames == 0


# ---- answers with gaps ---------------------------------------------------------------------------


def test_a_slave_whose_answers_have_gaps_is_read_after_the_first():
    port = ScriptedPort((0.02, GOOD[:4]), (0.32, GOOD[4:]))
    master = master_of(port)
    with pytest.raises(rtu.ShortFrame):
        master.read_registers(1, 4, 0, 2)
    for now_s in (2.0, 4.0, 6.0):
        port.clock.advance_to(now_s)
        assert bytes(master.read_registers(1, 4, 0, 2)) == VALUE


def test_the_patience_is_for_that_slave_and_ends_with_the_timeout():
    port = ScriptedPort((0.02, GOOD[:4]))
    master = master_of(port)
    for now_s in (2.0, 4.0):
        with pytest.raises(rtu.ShortFrame):
            master.read_registers(1, 4, 0, 2)
        assert port.clock.now_s() < now_s
        port.clock.advance_to(now_s)
    port.pieces = ((0.02, OTHER[:4]),)
    with pytest.raises(rtu.ShortFrame):
        master.read_registers(2, 4, 0, 2)
    assert port.clock.now_s() < 4.0 + 0.17


# ---- relays ---------------------------------------------------------------------------------------


def test_a_relay_that_obeys_without_confirming_is_believed_when_it_is_read():
    relay = RelaySettings(name="boiler", bus="b", address=9, coil=3)
    table = Table("sdm120", relays=[relay])
    answer = table.line.line.hear

    def hear(data, now_s):
        answers = answer(data, now_s)
        return [] if data[1] == 5 else answers

    table.line.line.hear = hear
    table.run(5)
    table.bus.switch("boiler", True)
    table.run(10)
    (stats,) = table.stats()["relays"]
    assert table.line.line.slaves[9].coils[3] is True
    assert (stats["actual"], stats["pending"], stats["failures_in_a_row"]) == (True, False, 0)


def test_a_relay_that_confirms_with_another_value_is_read():
    relay = RelaySettings(name="boiler", bus="b", address=9, coil=3)
    table = Table("sdm120", relays=[relay])
    answer = table.line.line.hear

    def hear(data, now_s):
        answers = answer(data, now_s)
        return [(0.0, sealed(9, 5, *struct.pack(">HH", 3, 1)))] if data[1] == 5 else answers

    table.line.line.hear = hear
    table.run(5)
    for on in (True, False):
        table.bus.switch("boiler", on)
        table.run(10)
        (stats,) = table.stats()["relays"]
        assert stats["actual"] is on
        assert stats["failures_in_a_row"] == 0
