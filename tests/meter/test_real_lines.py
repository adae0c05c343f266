"""What real lines do: echo, stray bytes, deaf meters, a second master, a stalled adapter, refusals."""

import itertools
import logging
import random
import struct

import pytest
from test_rtu import GOOD, ScriptedPort, master_of, sealed

from edge.meter import BusSettings, MeterBus, MeterSettings, RelaySettings, load_profile, rtu
from edge.meter.registers import Register, assemble, contradiction
from host_tools.field.line import RoughLine
from host_tools.world import VirtualClock

VALUE = bytes.fromhex("43664ccd")
REQUEST = sealed(1, 4, 0, 0, 0, 2)


class Table:
    """Meters on a rough line."""

    def __init__(self, *profiles, period_s=10.0, relays=(), power_w=None, pause_s=0.1, slaves=None):
        self.clock = VirtualClock()
        meters = [
            MeterSettings(name=f"m{n}", bus="b", address=n, profile=profile, power_period_s=period_s)
            for n, profile in enumerate(profiles, 1)
        ]
        slaves = slaves or dict(enumerate(profiles, 1)) | {each.address: "sdm120" for each in relays}
        power_w = power_w or (lambda address, now_s: 1000.0 * address + 234)
        self.line = RoughLine(slaves, power_w, self.clock, random.Random(5))
        self.readings = []
        settings = BusSettings(name="b", port="rough", pause_s=pause_s)
        self.bus = MeterBus(settings, meters, relays, self.clock, self.readings.append, self.line.open)

    @property
    def habits(self):
        return self.line.habits

    def run(self, seconds):
        """Let time pass; the powers of each input meanwhile."""
        end_s, before = self.clock.now_s() + seconds, len(self.readings)
        while self.clock.now_s() < end_s:
            wait_s = self.bus.step()
            self.clock.advance_to(min(end_s, self.clock.now_s() + wait_s))
        powers = {}
        for each in self.readings[before:]:
            powers.setdefault(each.device, []).append(each.power_w)
        return powers

    def good(self, seconds):
        """The part of good readings by input, after checking that every good one is right."""
        parts = {}
        for device, powers in self.run(seconds).items():
            known = [each for each in powers if each is not None]
            if device.endswith(".total"):
                assert known == [pytest.approx(1000.0 * int(device[1]) + 234)] * len(known)
            parts[device] = len(known) / len(powers)
        return parts

    def stats(self):
        return self.bus.stats()


# ---- echo and stray bytes ------------------------------------------------------------------------


@pytest.mark.parametrize("answer_s", [0.0, 0.03, 0.4])
def test_an_echo_of_the_request_is_dropped(answer_s):
    port = ScriptedPort((0.001, REQUEST), (0.001 + answer_s, GOOD))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == VALUE


def test_an_echo_in_pieces_or_with_a_stray_byte_is_dropped():
    port = ScriptedPort((0.001, REQUEST[:3]), (0.004, REQUEST[3:] + GOOD[:2]), (0.008, GOOD[2:]))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == VALUE
    port = ScriptedPort((0.001, b"\x00" + REQUEST + b"\xff" + GOOD))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == VALUE


def test_an_echo_alone_is_no_answer():
    with pytest.raises(rtu.NoAnswer):
        master_of(ScriptedPort((0.001, REQUEST))).read_registers(1, 4, 0, 2)


def test_an_echo_is_not_the_confirmation_of_a_coil():
    order = sealed(9, 5, 0, 3, 0xFF, 0)
    port = ScriptedPort((0.001, order), (0.03, order))
    master = master_of(port)
    master.write_coil(9, 3, True)
    port.pieces = ((0.001, sealed(9, 1, 0, 3, 0, 1)), (0.03, sealed(9, 1, 1, 1)))
    port.clock.advance_to(1.0)
    assert master.read_coil(9, 3) is True
    assert master.foreign_frames == 0
    port.pieces = ((0.001, order),)  # now the slave is gone, and only the echo comes back
    port.clock.advance_to(2.0)
    with pytest.raises(rtu.NoAnswer):
        master.write_coil(9, 3, True)


def test_a_bus_with_an_echo_works_like_any_other():
    relay = RelaySettings(name="boiler", bus="b", address=9, coil=3)
    table = Table("sdm630", "sdm120", relays=[relay])
    table.habits.echo = True
    assert set(table.good(300).values()) == {1.0}
    table.bus.switch("boiler", True)
    table.run(5)
    assert table.line.line.slaves[9].coils[3] is True
    assert table.stats()["relays"][0]["actual"] is True
    assert table.stats()["foreign_frames"] == 0


@pytest.mark.parametrize("before", [b"", b"\x00", b"\xff", b"\xfe\x00", b"\x01", b"\x01\x04"])
@pytest.mark.parametrize("after", [b"", b"\x00", b"\xff", b"\x80\xff"])
def test_stray_bytes_around_a_good_answer_do_no_harm(before, after):
    port = ScriptedPort((0.02, before + GOOD + after))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == VALUE
    refusal = ScriptedPort((0.02, before + sealed(1, 0x84, 2) + after))
    with pytest.raises(rtu.SlaveException):
        master_of(refusal).read_registers(1, 4, 0, 2)


def test_a_stray_byte_long_before_the_answer_does_no_harm():
    port = ScriptedPort((0.001, b"\x00"), (0.3, GOOD))
    assert bytes(master_of(port).read_registers(1, 4, 0, 2)) == VALUE


@pytest.mark.parametrize("stray", [b"\x00", b"\xff"])
def test_a_bus_with_stray_bytes_works_like_any_other(stray):
    table = Table("sdm630", "em24")
    table.habits.stray_before = table.habits.stray_after = stray
    assert set(table.good(300).values()) == {1.0}


# ---- deaf meters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("deaf_s", [0.02, 0.06, 0.095])
def test_meters_that_are_deaf_after_any_frame_are_read(deaf_s):
    table = Table("sdm630", "sdm630", "sdm120")  # as in deploy/nodes/gym.toml
    table.habits.deaf_s = deaf_s
    assert set(table.good(600).values()) == {1.0}


def test_the_pause_is_between_all_frames_of_a_bus():
    port = ScriptedPort((0.02, GOOD))
    master = rtu.RtuMaster(port, 0.5, port.clock, pause_s=0.1)
    for _ in range(3):
        master.read_registers(1, 4, 0, 2)
    sent = [at_s for at_s, _ in port.sent]
    assert all(b - a >= 0.12 - 1e-9 for a, b in itertools.pairwise(sent))


def test_meters_do_not_stay_in_step():
    """Without a pause the third meter is deaf each time; its retries find a quiet moment and stay there."""
    table = Table("sdm630", "sdm630", "sdm120", pause_s=0.0)
    table.habits.deaf_s = 0.3
    table.run(120)
    assert min(table.good(300).values()) > 0.9


# ---- a stalled adapter ---------------------------------------------------------------------------


def test_a_stalled_adapter_is_opened_again(caplog):
    table = Table("sdm630", "sdm120")
    table.run(60)
    assert table.line.opened == 1
    table.habits.stalled = True
    with caplog.at_level(logging.INFO, "edge.meter"):
        table.run(200)
    assert table.line.opened == 2
    assert set(table.good(60).values()) == {1.0}
    assert table.stats()["reopened"] == 1
    assert [each.getMessage() for each in caplog.records if "opened again" in each.getMessage()] != []


def test_a_dead_bus_is_opened_again_less_and_less_often(caplog):
    table = Table("sdm630", "sdm120")
    table.run(60)
    table.habits.cut = True
    with caplog.at_level(logging.INFO, "edge.meter"):
        table.run(6 * 3600)
    assert 5 <= table.line.opened <= 14
    assert table.stats()["silent_s"] > 5 * 3600
    assert len([each for each in caplog.records if "opened again" in each.getMessage()]) == 1
    assert len(caplog.records) == 3  # and one line for each meter
    table.habits.cut = False
    table.run(310)
    assert set(table.good(60).values()) == {1.0}
    assert table.stats()["silent_s"] == 0


def test_one_dead_meter_does_not_close_the_port():
    table = Table("sdm630", "sdm120")
    table.habits.silent.add(2)
    table.run(3600)
    assert table.line.opened == 1


# ---- a second master -----------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("period_s", [0.3, 1.0, 3.7])
def test_the_answers_to_a_second_master_are_never_ours(seen, period_s):
    table = Table("sdm120", period_s=2.0)
    table.habits.master_s, table.habits.master_asks, table.habits.master_seen = period_s, (1, 4, 0, 2), seen
    parts = table.good(1200)  # it reads the voltage, 231 V; each good value is checked
    assert parts["m1.total"] > (0.05 if period_s < 1 else 0.7)
    assert table.stats()["foreign_frames"] > 50
    assert table.stats()["distrusted"] is True
    table.habits.master_s = 0.0
    table.run(700)
    assert table.stats()["distrusted"] is False


@pytest.mark.parametrize("asks", [(1, 4, 6, 14), (1, 4, 4, 14), (1, 4, 0, 8)])
def test_an_answer_of_the_same_length_is_told_by_its_content(asks):
    table = Table("sdm120", period_s=2.0)
    table.habits.master_s, table.habits.master_asks = 0.8, asks
    table.good(1800)


def test_a_refusal_meant_for_another_master_costs_nothing():
    table = Table("sdm630", period_s=2.0)
    table.habits.master_s, table.habits.master_asks = 0.9, (1, 4, 5000, 2)  # a register that nobody has
    table.habits.master_seen = False
    table.good(1800)
    assert table.stats()["meters"][0]["refused"] == []


def test_a_request_of_a_second_master_is_named():
    port = ScriptedPort((0.02, sealed(1, 4, 0, 0, 0, 2)[:0] + sealed(1, 4, 0, 6, 0, 2)))
    master = master_of(port)
    with pytest.raises(rtu.ForeignFrame):
        master.read_registers(1, 4, 0, 2)
    assert master.foreign_frames == 1
    assert master.distrusted


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"power_w": 1200.0, "voltage_v": 231.0, "current_a": 5.4}, False),
        ({"power_w": 1200.0, "voltage_v": 231.0, "current_a": 0.1}, True),
        ({"power_w": 1200.0, "voltage_v": 0.0}, True),
        ({"power_w": 1200.0, "voltage_v": None}, True),
        ({"power_w": -5000.0, "apparent_power_va": 5100.0}, False),
        ({"power_w": -5000.0, "apparent_power_va": 230.0}, True),
        ({"power_w": 3000.0, "l1.power_w": 1000.0, "l2.power_w": 1500.0, "l3.power_w": 500.0}, False),
        ({"power_w": 3000.0, "l1.power_w": 231.0, "l2.power_w": 231.0, "l3.power_w": 500.0}, True),
        ({"power_w": None}, False),
    ],
)
def test_what_one_block_says_must_fit(values, wrong):
    assert bool(contradiction(values)) is wrong


def test_short_blocks_are_made_longer_by_a_voltage_or_their_neighbours():
    shapes = {
        name: [(each.start, each.count) for each in load_profile(name).power_blocks]
        for name in ("sdm120", "em24", "sdm630")
    }
    assert shapes == {"sdm120": [(0, 14)], "em24": [(0x12, 6), (0x28, 6)], "sdm630": [(0x0C, 42)]}


# ---- an extra costs the main value ---------------------------------------------------------------


def test_a_meter_read_with_the_profile_of_its_larger_brother_gives_its_power(caplog):
    """An SDM72DM-V2 as sdm630: it has no energies of the phases."""
    table = Table("sdm630", slaves={1: "sdm72dm-v2"})
    with caplog.at_level(logging.INFO, "edge.meter"):
        assert set(table.good(3600).values()) == {1.0}
    stats = table.stats()["meters"][0]
    assert sorted(stats["refused"]) == sorted(
        f"l{n}.{way}_energy_wh" for n in (1, 2, 3) for way in ("import", "export")
    )
    assert len(caplog.records) == 6
    record = next(each.record for each in table.readings[::-1] if each.record)
    assert {"import_energy_wh", "l3.voltage_v", "power_w"} <= record.keys()
    assert stats["failures_in_a_row"] == 0


def test_a_record_that_fails_on_the_way_leaves_the_power():
    table = Table("sdm630")
    ask = table.line.line.hear

    def hear(data, now_s):  # everything but the block of powers is lost
        return ask(data, now_s) if data[2:4] == b"\x00\x0c" else []

    table.line.line.hear = hear
    assert set(table.good(600).values()) == {1.0}
    assert all(each.record is None for each in table.readings)
    assert table.stats()["meters"][0]["errors"]["no_answer"] >= 9


# ---- formats -------------------------------------------------------------------------------------

PARTS = """
name = "M"
phases = 1
max_power_w = 10000
[encoding]
function = 3
type = "uint16"
[total]
"""


@pytest.mark.parametrize(
    ("line", "words", "value"),
    [
        ("power_w = { register = 0, minus = 1 }", (1500, 0), 1500.0),
        ("power_w = { register = 0, minus = 1 }", (0, 1500), -1500.0),
        ("power_w = { register = 0, minus = 1 }", (0, 65535), None),
        ("power_w = { register = 0, sign = 1 }", (1500, 0), 1500.0),
        ("power_w = { register = 0, sign = 1 }", (1500, 1), -1500.0),
        ("power_w = { register = 0, sign = 1 }", (1500, 2), None),  # a sign that nobody knows
        ("power_w = { register = 0, sign = 1 }", (1500, 0xFFFF), None),
        ("power_w = { register = 0, sign = 1, sign_mask = 4 }", (1500, 0xFFFF), None),
        ("power_w = { register = 0, sign = 1, sign_mask = 32768 }", (1500, 0x8000), -1500.0),
        ("power_w = { register = 0, sign = 1, sign_mask = 4 }", (1500, 3), 1500.0),
        ("power_w = { register = 0, sign = 1, sign_mask = 4 }", (1500, 6), -1500.0),
        ('power_w = { register = 0, byte_order = "little" }', (0xDC05,), 1500.0),
    ],
)
def test_a_power_of_two_registers(tmp_path, line, words, value):
    path = tmp_path / "own.toml"
    path.write_text(PARTS + line)
    (block,) = load_profile(str(path)).power_blocks
    values = assemble(block.decode(memoryview(struct.pack(f">{len(words)}H", *words))))
    assert values == {"power_w": value}


@pytest.mark.parametrize(
    ("type_", "byte_order", "word_order", "data", "value"),
    [
        ("float64", "big", "big", struct.pack(">d", 1234.5), 1234.5),
        ("float64", "big", "little", struct.pack(">d", 1234.5)[::-1], None),
        ("float64", "little", "little", struct.pack("<d", 1234.5), 1234.5),
        ("float32", "little", "little", struct.pack("<f", 1234.5), 1234.5),
        ("int64", "big", "big", struct.pack(">q", -77), -77.0),
    ],
)
def test_orders_of_bytes_and_words(type_, byte_order, word_order, data, value):
    register = Register("total", "power_w", 3, 0, type_, 1.0, word_order, -1e4, 1e4, byte_order)
    decoded = register.decode(memoryview(data))
    assert decoded == value or (value is None and decoded != 1234.5)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("power_w = { register = 0, minus = 1, sign = 2 }", "total.power_w.sign"),
        ("power_w = { register = 0, sign_mask = 2 }", "total.power_w.sign_mask"),
        ("power_w = { register = 0, minus = -1 }", "total.power_w.minus"),
        ('power_w = { register = 0, byte_order = "odd" }', "total.power_w.byte_order"),
        ("power_w = { register = 0 }\n[line]\nbaud = 300", "line.baud"),
        ('power_w = { register = 0 }\n[line]\nparity = "X"', "line.parity"),
        ("power_w = { register = 0 }\n[line]\npause_s = 9", "line.pause_s"),
        ("power_w = { register = 0 }\n[line]\nspeed = 9", "line.speed"),
    ],
)
def test_a_wrong_format_is_refused_with_its_key(tmp_path, line, key):
    path = tmp_path / "own.toml"
    path.write_text(PARTS + line)
    from edge.meter import ProfileError

    with pytest.raises(ProfileError) as caught:
        load_profile(str(path))
    assert caught.value.key == key


def test_the_energies_of_an_iem3155_are_64_bit_integers_in_wh():
    registers = {each.key: each for each in load_profile("iem3155").registers}
    energies = [registers[f"{way}_energy_wh"] for way in ("import", "export")]
    assert [(each.address, each.type) for each in energies] == [(3203, "int64"), (3207, "int64")]
