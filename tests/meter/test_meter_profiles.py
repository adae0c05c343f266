"""Profiles: valid files, decoding of registers, and few requests that the meter allows."""

import itertools
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.meter import ProfileError, load_profile
from edge.meter.profile import shipped_profiles
from edge.meter.registers import TYPES, Register, group

GOOD = """
name = "M"
phases = 1
max_power_w = 1000
[encoding]
function = 4
type = "float32"
[total]
power_w = { register = 0x0C }
"""


# What a meter does not measure, or for what no two sources agree.
MISSING = {
    "countis-e34": {"import_energy_wh"},
    "finder7m38": {"import_energy_wh", "frequency_hz"},
    "dtsu666": {"import_energy_wh"},
    "marstek-venus": {"voltage_v", "current_a", "import_energy_wh", "frequency_hz"},
    "pac2200": {"frequency_hz"},
    "sdm72d-m": {"voltage_v", "current_a", "frequency_hz"},
}


def register(address=0, type_="float32", scale=1.0, word_order="big", low=-1e4, high=1e4, function=4):
    return Register("total", "power_w", function, address, type_, scale, word_order, low, high)


def test_the_promised_meters_are_shipped():
    assert {"sdm120", "sdm230", "sdm630", "em24", "b23", "iem3155"} <= set(shipped_profiles())


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_profile_measures_power_on_every_input(name):
    profile = load_profile(name)
    totals_only = profile.phases == 1 or name == "sdm72d-m"
    assert profile.inputs == (("total",) if totals_only else ("total", "l1", "l2", "l3"))
    fast = [
        each.input
        for block in profile.power_blocks
        for each in block.registers
        if each.quantity == "power_w" and each.role in ("value", "plus", "magnitude")
    ]
    assert sorted(fast) == sorted(profile.inputs)
    assert {each for block in profile.record_blocks for each in block.registers} == set(profile.registers)
    measured = {each.quantity for each in profile.registers}
    wanted = {"power_w", "voltage_v", "current_a", "import_energy_wh", "frequency_hz"}
    assert measured >= wanted - MISSING.get(name, set())


@pytest.mark.parametrize(
    ("name", "energies"),
    [
        ("em24", {"": 0x3E, "export": 0x5C, "l1": 0x46, "l2": 0x48, "l3": 0x4A}),
        ("em340", {"": 0x34, "export": 0x4E, "l1": 0x40, "l2": 0x42, "l3": 0x44}),
        ("umg96rm-e", {"": 19068, "export": 19076, "l1": 19062, "l2": 19064, "l3": 19066}),
    ],
)
def test_energies_are_where_two_sources_say(name, energies):
    found = {each.key: each.address for each in load_profile(name).registers if "energy" in each.key}
    keys = {"": "import_energy_wh", "export": "export_energy_wh"}
    assert found == {keys.get(each, f"{each}.import_energy_wh"): at for each, at in energies.items()}


@pytest.mark.parametrize("name", shipped_profiles())
def test_requests_stay_within_what_the_meter_answers(name):
    profile = load_profile(name)
    for block in (*profile.power_blocks, *profile.record_blocks):
        assert 1 <= block.count <= profile.max_registers <= 125
        assert block.start + block.count <= 0x10000


def test_a_profile_may_be_a_file_anywhere(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("\ufeff" + GOOD, encoding="utf-8")  # some editors begin a file with a mark
    assert load_profile(str(path)).name == "M"


def test_the_fast_poll_of_four_powers_is_one_request_where_the_meter_allows():
    assert [(each.start, each.count) for each in load_profile("sdm630").power_blocks] == [(0x0C, 42)]
    assert [(each.start, each.count) for each in load_profile("b23").power_blocks] == [(0x5B14, 8)]


@pytest.mark.parametrize(
    ("old", "new", "key", "value"),
    [
        ('name = "M"', "", "name", None),
        ("phases = 1", "phases = 2", "phases", 2),
        ("phases = 1", "phases = true", "phases", True),
        ("phases = 1", "phases = 1\nvolts = 3", "volts", 3),
        ("max_power_w = 1000", "max_power_w = -1", "max_power_w", -1.0),
        ("max_power_w = 1000", "max_power_w = nan", "max_power_w", math.nan),
        ("max_power_w = 1000", "max_power_w = 1000\nmax_registers = 126", "max_registers", 126),
        ("max_power_w = 1000", "max_power_w = 1000\nmax_registers = 1", "max_registers", 1),
        ("max_power_w = 1000", "max_power_w = 1000\nmax_gap = -1", "max_gap", -1),
        ("function = 4", "function = 6", "total.power_w.function", 6),
        ("function = 4", "", "total.power_w.function", None),
        ("function = 4", "function = 4\nparity = 1", "encoding.parity", 1),
        ('"float32"', '"float16"', "total.power_w.type", "float16"),
        ('"float32"', '["float32"]', "total.power_w.type", ["float32"]),
        ('type = "float32"', 'type = "float32"\nword_order = "mixed"', "total.power_w.word_order", "mixed"),
        ("0x0C", "0x10000", "total.power_w.register", 0x10000),
        ("0x0C", "0xFFFF", "total.power_w.register", 0xFFFF),
        ("0x0C", "-1", "total.power_w.register", -1),
        ("0x0C", "1.5", "total.power_w.register", 1.5),
        ("0x0C", "0x0C, scale = 0", "total.power_w.scale", 0),
        ("0x0C", "0x0C, scale = inf", "total.power_w.scale", math.inf),
        ("0x0C", "0x0C, scal = 1", "total.power_w.scal", 1),
        ("{ register = 0x0C }", "12", "total.power_w", 12),
        ("power_w = {", "power_kw = {", "total.power_kw", {"register": 12}),
        ("power_w = {", "voltage_v = {", "total.power_w", None),
        ("[total]", "[l1]", "total", None),
        ("phases = 1", "phases = 3\nl1 = 3", "l1", 3),
        ("[encoding]", "[l2]\npower_w = { register = 0 }\n[encoding]", "l2", "..."),
    ],
)
def test_a_bad_profile_is_refused_with_file_key_and_value(tmp_path, old, new, key, value):
    assert GOOD.count(old) >= 1
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ProfileError, match=r"bad\.toml") as caught:
        load_profile(str(path))
    assert caught.value.key == key
    assert caught.value.value == value or (value is not None and value != value)
    assert key in str(caught.value)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"x" * 70_000, b""])
def test_an_invalid_file_is_refused(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=r"bad\.toml"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("name", "words"),
    [("sdm999", "^unknown profile; known: b23, .*, sdm120, "), ("/no/such/file.toml", "No such file")],
)
def test_a_missing_profile_is_refused(name, words):
    with pytest.raises(ProfileError, match=words):
        load_profile(name)


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_that_is_far_too_long_is_refused(tmp_path, number):
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace("max_power_w = 1000", f"max_power_w = {number}"))
    with pytest.raises(ProfileError, match=r"bad\.toml"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("type_", "scale", "word_order", "words", "value"),
    [
        ("float32", 1.0, "big", "43664ccd", 230.3),
        ("float32", 1.0, "little", "4ccd4366", 230.3),
        ("float32", 1000.0, "big", "3f9d70a4", 1230.0),
        ("int32", 0.1, "big", "fffffc18", -100.0),
        ("int32", 0.1, "little", "fc18ffff", -100.0),
        ("uint32", 0.1, "big", "00002710", 1000.0),
        ("uint32", 0.1, "little", "27100000", 1000.0),
        ("int16", 1.0, "big", "fc18", -1000.0),
        ("uint16", 0.1, "little", "2710", 1000.0),
        ("uint64", 10.0, "big", "000000000000007b", 1230.0),
        ("uint64", 10.0, "little", "007b000000000000", 1230.0),
    ],
)
def test_words_become_a_value(type_, scale, word_order, words, value):
    decoded = register(type_=type_, scale=scale, word_order=word_order).decode(
        memoryview(bytes.fromhex(words))
    )
    assert decoded == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("float32", "7fc00000"),  # NaN
        ("float32", "ffc00000"),
        ("float32", "7f800000"),  # infinities
        ("float32", "ff800000"),
        ("float32", "7f7fffff"),  # the largest float
        ("int32", "7fffffff"),  # "not available"
        ("uint32", "ffffffff"),
        ("uint64", "ffffffffffffffff"),
        ("int16", "8000"),
        ("uint16", "ffff"),
        ("int32", "80000000"),
        ("uint32", "80000000"),
        ("int64", "7fffffffffffffff"),
        ("int64", "8000000000000000"),
        ("float64", "7ff8000000000000"),
        ("int16", "2711"),  # 10 001
    ],
)
def test_an_implausible_value_is_undefined(type_, words):
    assert register(type_=type_).decode(memoryview(bytes.fromhex(words))) is None


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("int16", "7fff"),
        ("int16", "8000"),
        ("uint16", "ffff"),
        ("int32", "7fffffff"),
        ("int32", "80000000"),
        ("uint32", "ffffffff"),
        ("uint32", "80000000"),
        ("int64", "7fffffffffffffff"),
        ("uint64", "ffffffffffffffff"),
    ],
)
@pytest.mark.parametrize("word_order", ["big", "little"])
def test_not_available_is_undefined_even_where_it_is_plausible(type_, words, word_order):
    """0x7FFFFFFF of an EM24 are 214 GWh, 0xFFFF of a WE-504 are 6553 A."""
    order = (
        words if word_order == "big" else "".join(words[at : at + 4] for at in range(len(words) - 4, -1, -4))
    )
    one = register(type_=type_, scale=1e-6, word_order=word_order, low=-1e14, high=1e14)
    assert one.decode(memoryview(bytes.fromhex(order))) is None


@pytest.mark.parametrize(("type_", "words"), [("float32", "80000000"), ("float64", "8000000000000000")])
def test_minus_zero_is_zero(type_, words):
    value = register(type_=type_).decode(memoryview(bytes.fromhex(words)))
    assert str(value) == "0.0"


@given(st.sampled_from(sorted(TYPES)), st.sampled_from(["big", "little"]), st.binary(min_size=8, max_size=8))
def test_any_words_are_a_plausible_value_or_undefined(type_, word_order, words):
    value = register(type_=type_, word_order=word_order).decode(memoryview(words)[: TYPES[type_].size])
    assert value is None or -1e4 <= value <= 1e4


def fewest(registers, max_registers, max_gap):
    """The fewest requests, by trying every place to cut."""
    each = sorted(registers, key=lambda one: (one.function, one.address))

    def allowed(first, last):
        run = each[first : last + 1]
        return (
            run[0].function == run[-1].function
            and run[-1].address + run[-1].words - run[0].address <= max_registers
            and all(b.address - a.address - a.words <= max_gap for a, b in itertools.pairwise(run))
        )

    best = [0] + [math.inf] * len(each)
    for last in range(len(each)):
        best[last + 1] = min(best[first] + 1 for first in range(last + 1) if allowed(first, last))
    return best[-1]


@settings(max_examples=150, deadline=None)
@given(
    st.sets(st.integers(0, 90), min_size=1, max_size=12),
    st.sampled_from([2, 5, 11, 50, 125]),
    st.integers(0, 20),
    st.integers(0, 4095),
)
def test_requests_are_as_few_as_can_be_and_cover_everything(places, max_registers, max_gap, functions):
    registers = [
        register(2 * place, function=3 + (functions >> at & 1)) for at, place in enumerate(sorted(places))
    ]
    blocks = group(registers, max_registers, max_gap)
    assert len(blocks) == fewest(registers, max_registers, max_gap)
    assert sorted(each.address for block in blocks for each in block.registers) == [
        2 * each for each in sorted(places)
    ]
    for block in blocks:
        assert block.count <= max_registers
        data = memoryview(
            b"".join(struct.pack(">f", (block.start + at) / 2) for at in range(0, block.count, 2))
        )
        assert all(value == each.address / 2 for each, value in block.decode(data))
