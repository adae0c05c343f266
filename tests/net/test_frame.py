"""Frames: they arrive as they were sent, or are refused; no bytes have any other effect."""

import contextlib
import random
import zlib

import orjson
import pytest
from bad_frames import HEADER, WRONG, bad_frames, beat, sample, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.net.frame import (
    MAX_BEATS,
    MAX_BODY_BYTES,
    MAX_FRAME_BYTES,
    Frame,
    FrameError,
    decode,
    encode,
    encode_lsa,
)
from edge.net.links import is_node_name
from edge.space.courier import MAX_LSAS, Beat, Roster
from edge.space.lsa import MAX_PATH, Aggregation, Lsa, Property
from edge.space.origins import MAX_INCARNATION

U32 = 2**32 - 1
NODES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:#-]{0,20}", fullmatch=True)
TEXTS = st.one_of(st.just(""), WORDS)
INCARNATIONS = st.integers(1, MAX_INCARNATION)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)
VALUES = st.one_of(
    st.binary(max_size=300),
    JSON.map(orjson.dumps),
    JSON.map(lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2)),  # JSON, but not canonical
    st.sampled_from(
        [
            b"",
            b" 1",
            b"1 ",
            b"01",
            b"1.0",
            b"1.50",
            b"1e3",
            b"-0",
            b"1E400",
            b"NaN",
            b"Infinity",
            b'{"a":1,"a":2}',
            b'"\\u0041"',
            b'"\\ud800"',
            b'"\xff"',
            b"[1,]",
            b"[" * 300 + b"]" * 300,
            b"[" * 2000 + b"]" * 2000,
            b"1" * 400,
            b"18446744073709551616",
            b"0.1000000000000000055511151231257827",
        ]
    ),
)


@st.composite
def lsas(draw):
    origin = draw(NODES)
    path = draw(st.lists(NODES, max_size=5, unique=True).filter(lambda nodes: origin not in nodes))
    path.insert(draw(st.integers(0, len(path))), origin)
    keys = draw(st.lists(st.tuples(WORDS, TEXTS), max_size=6, unique=True))
    properties = [
        Property(label, query, draw(st.integers(0, U32)), draw(st.integers(0, U32 // 2)), draw(VALUES))
        for label, query in keys
    ]
    specs = [
        Aggregation(draw(WORDS), draw(WORDS), draw(st.booleans()), draw(st.integers(0, 86_400)))
        for _ in range(draw(st.integers(0, 3)))
    ]
    return Lsa(
        f"{origin}.{draw(WORDS)}",
        draw(TEXTS),
        draw(TEXTS),
        origin,
        draw(INCARNATIONS),
        draw(st.integers(1, U32)),
        draw(st.integers(0, 3600)),
        path,
        specs,
        properties,
    )


BEATS = st.builds(
    Beat,
    NODES,
    INCARNATIONS,
    st.integers(1, U32),
    st.integers(0, MAX_PATH),
    st.integers(1, 255),
    st.integers(0, 65535),
    st.integers(0, U32),
)
ROSTERS = st.builds(
    Roster,
    NODES,
    INCARNATIONS,
    st.integers(0, U32),
    st.lists(st.tuples(WORDS, st.integers(1, U32)), max_size=5),
)
FRAMES = st.builds(
    Frame,
    st.lists(BEATS, max_size=4),
    st.lists(lsas(), max_size=3),
    st.lists(NODES, max_size=3),
    st.lists(ROSTERS, max_size=2),
    st.lists(WORDS, max_size=3),
)


def plain(thing):
    """Records as tuples, to compare."""
    if isinstance(thing, list):
        return [plain(each) for each in thing]
    if isinstance(thing, (Lsa, Property, Aggregation, Frame, Roster, Beat)):
        return [plain(getattr(thing, name)) for name in type(thing).__slots__]
    return thing


def packed(body: bytes) -> bytes:
    return sealed(zlib.compress(body), flags=1)


# ---- what leaves arrives ------------------------------------------------------------------------


@given(FRAMES)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_a_frame_arrives_as_it_left(frame):
    assert plain(decode(encode(frame))) == plain(frame)


@given(FRAMES)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_lsas_may_be_encoded_before(frame):
    encoded = [encode_lsa(lsa) for lsa in frame.lsas]
    before = Frame(frame.beats, [], frame.ask_roster, frame.rosters, frame.ask_lsas)
    assert encode(before, encoded) == encode(frame)


def test_an_empty_frame_is_a_header():
    data = encode(Frame())
    assert len(data) == HEADER.size
    assert plain(decode(data)) == plain(Frame())


def test_a_beat_costs_little():
    assert len(encode(Frame([Beat("gym", 1, 1, 0, 13, 4, 5)]))) == HEADER.size + 1 + 3 + 16


def test_json_stays_readable_on_the_wire_and_other_values_do_not():
    lsa = Lsa("a.t", "", "", "a", 1, 1, 13, ["a"], [], [Property("L", "", 1, 0, b'{"power_w":12.5}')])
    assert b'{"power_w":12.5}' in encode(Frame(lsas=[lsa]))
    lsa.properties[0].value = b'{ "power_w": 12.5 }'
    assert b"power_w" not in encode(Frame(lsas=[lsa]))


def test_large_bodies_are_compressed():
    lsa = Lsa("a.t", "", "", "a", 1, 1, 13, ["a"], [], [Property("L", "", 1, 0, b"[" + b"1," * 1000 + b"1]")])
    assert len(encode(Frame(lsas=[lsa]))) < 200


# ---- bounds -------------------------------------------------------------------------------------


def one(value: bytes) -> Lsa:
    return Lsa("a.t", "", "", "a", 1, 1, 13, ["a"], [], [Property("L", "", 1, 0, value)])


def test_a_frame_too_large_never_leaves():
    noise = random.Random(1).randbytes(MAX_FRAME_BYTES)
    with pytest.raises(FrameError):
        encode(Frame(lsas=[one(noise)]))
    with pytest.raises(FrameError):
        encode(Frame(lsas=[one(b'"' + b"x" * MAX_BODY_BYTES + b'"')]))  # though it compresses well
    with pytest.raises(FrameError):
        encode(Frame([Beat(f"n{i}", 1, 1, 0, 13, 0, 0) for i in range(MAX_BEATS + 1)]))


def test_the_largest_frames_that_leave_also_arrive():
    noise = random.Random(1).randbytes(48_000)
    full = Frame([Beat(f"n{i}", 1, 1, 0, 13, 0, 0) for i in range(MAX_BEATS)])
    for frame in (Frame(lsas=[one(noise)]), Frame(lsas=[one(b'"' + b"x" * 120_000 + b'"')]), full):
        data = encode(frame)
        assert len(data) <= MAX_FRAME_BYTES
        assert plain(decode(data)) == plain(frame)


def test_an_lsa_of_ten_full_binary_properties_fits_a_frame():
    rng = random.Random(2)
    name = "n" * 32
    shown = [Property("L" * 62 + str(i), "q" * 64, U32, U32 // 2, rng.randbytes(4096)) for i in range(10)]
    specs = [Aggregation("A" * 64, "o" * 64, True, 86_400) for _ in range(16)]
    path = [name] + [f"{i:032}" for i in range(MAX_PATH - 1)]
    lsa = Lsa(f"{name}.{'x' * 31}", "k" * 64, "a" * 64, name, MAX_INCARNATION, U32, 3600, path, specs, shown)
    assert plain(decode(encode(Frame(lsas=[lsa])))) == plain(Frame(lsas=[lsa]))


@pytest.mark.parametrize("data", [b"", b"M", b"M" * 7, b"\x00" * (MAX_FRAME_BYTES + 1)])
def test_sizes_out_of_bounds_are_refused(data):
    with pytest.raises(FrameError):
        decode(data)


def test_a_body_too_large_when_inflated_is_refused():
    for size in (MAX_BODY_BYTES + 1, 60_000_000):
        with pytest.raises(FrameError, match="too large when inflated"):
            decode(packed(b" " * size))
    nested = zlib.compress(zlib.compress(b"[" * 10_000_000))
    with pytest.raises(FrameError):
        decode(sealed(nested, flags=1))


def test_a_compressed_body_is_complete_and_nothing_follows():
    whole = zlib.compress(b"{}")
    decode(sealed(whole, flags=1))
    for wrong in (whole[:-1], whole + b"x", whole + whole, b"", b"x"):
        with pytest.raises(FrameError):
            decode(sealed(wrong, flags=1))


# ---- a body that is not exactly right, behind a checksum that is ---------------------------------

LSA = ["a.t", "", "", "a", 1, 1, 13, ["a"], [], []]
SPEC = ["L", "sum", False, 0]
PROPERTY = ["L", "", 1, 0, 1]
ROSTER = ["a", 1, 1, [["a.t", 1]]]


def variants(row, right):
    """A row with every field replaced by every wrong thing; `right` names the exceptions that are valid."""
    for place in range(len(row)):
        for wrong in WRONG:
            if not right(place, wrong):
                yield [*row[:place], wrong, *row[place + 1 :]]
    yield row[:-1]
    yield [*row, 1, 1]


def whole(value, least, most):
    return type(value) is int and least <= value <= most


def right_in_lsa(place, value):
    if place in (1, 2):
        return value == ""
    if place in (4, 5, 6):
        return whole(value, *[(1, MAX_INCARNATION), (1, U32), (0, 3600)][place - 4])
    return (place == 7 and value == ["a"]) or (place in (8, 9) and value == [])


def right_in_property(place, value):
    if place == 1:
        return value == ""
    if place in (2, 3):
        return whole(value, 0, [U32, U32 // 2][place - 2])
    return place == 4


def right_in_spec(place, value):
    return isinstance(value, bool) if place == 2 else place == 3 and whole(value, 0, 86_400)


def right_in_roster(place, value):
    if place in (1, 2):
        return whole(value, 2 - place, MAX_INCARNATION if place == 1 else U32)
    return place == 3 and value == []


def refuse(body):
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(FrameError):
        decode(sealed(data))
    with pytest.raises(FrameError):
        decode(packed(data))


def test_the_patterns_of_the_next_tests_are_valid():
    lsa = [*LSA[:8], [SPEC], [PROPERTY, ["L", "q", 1, 0, "AAE=", 1]]]
    frame = decode(sealed(orjson.dumps({"l": [lsa], "r": [ROSTER], "r?": ["a"], "l?": ["a.t"]})))
    assert [p.value for p in frame.lsas[0].properties] == [b"1", b"\x00\x01"]


def test_wrong_fields_of_an_lsa():
    for row in variants(LSA, right_in_lsa):
        refuse({"l": [row]})


def test_wrong_fields_of_a_property():
    for row in variants(PROPERTY, right_in_property):
        refuse({"l": [[*LSA[:9], [row]]]})


def test_wrong_fields_of_an_aggregation():
    for row in variants(SPEC, right_in_spec):
        refuse({"l": [[*LSA[:8], [row], []]]})


def test_wrong_fields_of_a_roster():
    for row in variants(ROSTER, right_in_roster):
        refuse({"r": [row]})
    for entry in ([], ["a.t"], ["a.t", 0], ["a.t", True], ["a.t", 1, 1], ["", 1], [1, 1], "ab", None):
        refuse({"r": [["a", 1, 1, [entry]]]})


def test_wrong_things_instead_of_a_list_and_in_one():
    for wrong in WRONG:
        for key in ("l", "r", "r?", "l?"):
            if wrong != []:
                refuse({key: [wrong]} if wrong not in ("a",) else {key: wrong})
            if not isinstance(wrong, list):
                refuse({key: wrong})
        if wrong != {}:
            refuse(wrong)
    refuse({"x": []})
    refuse({"l": [], "other": 1})


def test_too_many_of_anything():
    refuse({"l": [LSA] * (MAX_LSAS + 1)})
    refuse({"l?": ["a.t"] * (MAX_LSAS + 1)})
    refuse({"r?": ["a"] * (MAX_BEATS + 1)})
    refuse({"r": [["a", 1, 1, []]] * (MAX_BEATS + 1)})
    refuse({"r": [["a", 1, 1, [["a.t", 1]] * (MAX_LSAS + 1)]]})
    refuse({"l": [[*LSA[:7], ["a"] + [f"n{i}" for i in range(MAX_PATH)], [], []]]})
    refuse({"l": [[*LSA[:8], [SPEC] * 17, []]]})
    refuse({"l": [[*LSA[:9], [[f"L{i}", "", 1, 0, 1] for i in range(65)]]]})


def test_an_lsa_that_contradicts_itself():
    refuse({"l": [["b.t", *LSA[1:]]]})  # no name of its origin
    refuse({"l": [["at", *LSA[1:]]]})
    refuse({"l": [[*LSA[:7], ["b"], [], []]]})  # did not start at its origin
    refuse({"l": [[*LSA[:7], ["a", "b", "a"], [], []]]})
    refuse({"l": [[*LSA[:7], [], [], []]]})
    refuse({"l": [[*LSA[:9], [PROPERTY, PROPERTY]]]})


def test_binary_values_are_base64_and_nothing_else():
    for value, flag in (
        ("AAE", 1),
        ("A", 1),
        ("AA\nE=", 1),
        ("====", 1),
        ("é", 1),
        ("AAE=", 0),
        ("AAE=", True),
        ("AAE=", 1.0),
        ("AAE=", None),
        (1, 1),
        (None, 1),
        (["AAE="], 1),
    ):
        refuse({"l": [[*LSA[:9], [["L", "", 1, 0, value, flag]]]]})


def test_unusual_json_is_refused_or_harmless():
    deep = b'{"l":' + b"[" * 5000 + b"]" * 5000 + b"}"
    inside = orjson.dumps({"l": [[*LSA[:9], [["L", "", 1, 0, 0]]]]})
    assert inside.endswith(b"0]]]]}")
    for body in (
        b"{",
        b"[",
        b"nul",
        b"\xff\xfe",
        b'{"l":[],}',
        b"{} {}",
        b'{"l":NaN}',
        b'{"l":[Infinity]}',
        deep,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'{"l":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"l":[' + b"9" * 400 + b"]}",
        inside[:-6] + b"[" * 500 + b"]" * 500 + b"]]]]}",
        inside[:-6] + b"NaN]]]]}",
        inside[:-6] + b"01]]]]}",
    ):
        refuse(body)


def test_one_of_duplicate_keys_counts_and_is_checked():
    assert decode(sealed(b'{"l":[1],"l":[]}')).lsas == []
    refuse(b'{"l":[],"l":[1]}')


def test_huge_numbers_in_a_value_do_no_harm():
    body = orjson.dumps({"l": [[*LSA[:9], [PROPERTY]]]})
    assert body.endswith(b"1]]]]}")
    for number, arrives in (
        (b"1" * 300, None),
        (b"1e308", b"1e+308"),
        (b"-0", None),
        (b"18446744073709551615", None),
    ):
        frame = decode(sealed(body[:-6] + number + b"]]]]}"))
        value = frame.lsas[0].properties[0].value
        assert value == (arrives or orjson.dumps(orjson.loads(number)))


# ---- the header and the beats ---------------------------------------------------------------------


def test_wrong_beats():
    assert plain(decode(sealed(b"", beat(), 1)).beats) == plain([Beat("a", 1, 1, 0, 13, 0, 0)])
    for wrong in (
        beat(b""),
        beat(b"A"),
        beat(b"a b"),
        beat(b"\xff"),
        beat("é".encode()),
        beat(b"a" * 33),
        beat(incarnation=0),
        beat(incarnation=MAX_INCARNATION + 1),
        beat(sequence=0),
        beat(hops=MAX_PATH + 1),
        beat(life_s=0),
        beat(length=200),
        beat()[:-1],
        beat()[:1],
        b"",
    ):
        with pytest.raises(FrameError):
            decode(sealed(b"", wrong, 1))
    with pytest.raises(FrameError):
        decode(sealed(b"", beat() * 200, 200))
    with pytest.raises(FrameError):
        decode(sealed(b"", beat(), 2))
    with pytest.raises(FrameError):
        decode(sealed(b"", beat(), 0))  # then it is no JSON


def test_wrong_headers():
    good = encode(sample(random.Random(1)))
    decode(good)
    for place, value in (
        (0, 0x4D ^ 1),
        (1, 0),
        (1, 2),
        (2, good[2] ^ 1),
        (2, 0x80),
        (3, good[3] + 1),
        (4, good[4] ^ 1),
    ):
        with pytest.raises(FrameError):
            decode(good[:place] + bytes([value]) + good[place + 1 :])


def test_node_names():
    assert all(map(is_node_name, ("a", "0", "after-school_2", "a" * 32)))
    assert not any(map(is_node_name, ("", "A", "-a", "a.b", "a" * 33, "a\n", "é", None, 1, b"a")))


# ---- 10 000 bad frames ----------------------------------------------------------------------------


def test_10000_bad_frames_raise_frame_error_or_nothing():
    refusals = []
    for data in bad_frames(10_000):
        try:
            frame = decode(data)
        except FrameError as error:
            refusals.append(str(error))
        else:
            assert plain(decode(encode(frame))) == plain(frame)  # what is let in is right
    assert 8_000 < len(refusals) < 9_900
    assert len(set(refusals)) > 15
    assert max(map(len, refusals)) < 200


@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 1))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_under_a_valid_checksum(content, beats, flags):
    with contextlib.suppress(FrameError):
        decode(sealed(content, count=beats, flags=flags))
