"""Frames: they arrive as they were sent, or are refused; no bytes have any other effect."""

import contextlib
import random

import msgspec
import pytest
from bad_frames import HEADER, bad_frames, pack, pulse, sample, sealed, squeezed, statement
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.net import packing
from edge.net.frame import (
    MAX_BODY_BYTES,
    MAX_FRAME_BYTES,
    Frame,
    WrongVersion,
    decode,
    encode,
    encode_parts,
    parts_of,
)
from edge.net.parts import pack as packed_parts
from edge.net.pulse import MAX_AHEAD, Pulse
from edge.net.schema import MAX_BEATS, MAX_VALUE_BYTES, FrameError, Statement
from edge.space.courier import Roster
from edge.space.lsa import EVERYWHERE, HERE, MAX_PATH, Aggregation, Delta, Lsa, Near, Property
from edge.space.origins import MAX_INCARNATION, MAX_SEQUENCE

U31 = 2**31 - 1
NODES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:#-]{0,20}", fullmatch=True)
TEXTS = st.one_of(st.just(""), WORDS)
INCARNATIONS = st.integers(1, MAX_INCARNATION)
AUTHS = st.one_of(st.just(b""), st.binary(min_size=64, max_size=64))
VALUES = st.one_of(st.binary(max_size=300), st.sampled_from([b"", b'{"w":1}', b"[" * 2000]))


@st.composite
def properties(draw, version):
    shown = []
    for label, query in draw(st.lists(st.tuples(WORDS, TEXTS), max_size=6, unique=True)):
        life_s = draw(st.integers(0, U31))
        left_s = draw(st.integers(1, life_s)) if life_s else 0
        shown.append(Property(label, query, draw(st.integers(0, version)), life_s, draw(VALUES), left_s))
    return shown


@st.composite
def paths(draw, origin):
    path = draw(st.lists(NODES, max_size=5, unique=True).filter(lambda nodes: origin not in nodes))
    return [*path, origin]


@st.composite
def lsas(draw):
    origin, version = draw(NODES), draw(st.integers(1, MAX_SEQUENCE))
    specs = [
        Aggregation(
            draw(WORDS), draw(WORDS), draw(st.sampled_from([HERE, EVERYWHERE])), draw(st.integers(0, 86_400))
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return Lsa(
        f"{origin}.{draw(WORDS)}",
        draw(TEXTS),
        draw(AUTHS),
        origin,
        draw(INCARNATIONS),
        version,
        draw(st.integers(0, 3600)),
        draw(paths(origin)),
        specs,
        draw(properties(version)),
    )


@st.composite
def deltas(draw):
    origin, version = draw(NODES), draw(st.integers(1, MAX_SEQUENCE))
    return Delta(
        f"{origin}.{draw(WORDS)}",
        draw(AUTHS),
        draw(INCARNATIONS),
        version,
        draw(st.integers(1, 3600)),
        draw(paths(origin)),
        draw(st.lists(st.integers(0, MAX_SEQUENCE), max_size=9)),
        draw(properties(version)),
    )


@st.composite
def nears(draw):
    reach, life_s = draw(st.integers(1, 254)), draw(st.integers(1, U31))
    return Near(
        f"{draw(NODES)}.{draw(WORDS)}",
        draw(INCARNATIONS),
        draw(WORDS),
        draw(TEXTS),
        draw(st.integers(1, MAX_SEQUENCE)),
        reach,
        draw(st.integers(0, min(reach, MAX_PATH) - 1)),
        life_s,
        draw(st.integers(1, life_s)),
        draw(VALUES),
        draw(AUTHS),
    )


STATEMENTS = st.builds(
    Statement,
    NODES,
    INCARNATIONS,
    st.integers(0, MAX_SEQUENCE),
    st.integers(0, 65535),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 255),
    st.integers(1, MAX_SEQUENCE),
    st.binary(max_size=12),
    AUTHS,
)


@st.composite
def pulses(draw, link_bytes):
    return [
        Pulse(
            draw(NODES),
            draw(st.integers(0, 63)),
            draw(st.integers(0, MAX_AHEAD)),
            draw(st.integers(0, MAX_PATH - 1)),
            draw(st.integers(1, 15)),
            draw(st.binary(min_size=link_bytes, max_size=link_bytes)),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]


@st.composite
def rosters(draw):
    origin = draw(NODES)
    entries = [
        (f"{origin}.{draw(WORDS)}", draw(st.integers(1, MAX_SEQUENCE)))
        for _ in range(draw(st.integers(0, 5)))
    ]
    return Roster(origin, draw(INCARNATIONS), draw(st.integers(0, MAX_SEQUENCE)), entries)


def frames(link_bytes):
    return st.builds(
        Frame,
        pulses(link_bytes),
        st.lists(STATEMENTS, max_size=3),
        st.lists(lsas(), max_size=3),
        st.lists(deltas(), max_size=3),
        st.lists(nears(), max_size=2),
        st.lists(rosters(), max_size=2),
        st.lists(NODES, max_size=3),
        st.lists(WORDS, max_size=3),
    )


def plain(thing):
    """Records as lists, to compare."""
    if isinstance(thing, Statement | Pulse):
        return thing
    if isinstance(thing, list):
        return [plain(each) for each in thing]
    if isinstance(thing, Lsa | Delta | Near | Property | Aggregation | Frame | Roster):
        return [plain(getattr(thing, name)) for name in type(thing).__slots__]
    return thing


# ---- what leaves arrives ------------------------------------------------------------------------


@given(st.one_of(frames(4), frames(12)))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_a_frame_arrives_as_it_left(frame):
    assert plain(decode(encode(frame))) == plain(frame)


@given(st.lists(frames(12), max_size=4))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_what_is_too_much_for_one_frame_leaves_in_several(several):
    parts = [part for frame in several for part in parts_of(frame)]
    batches = list(packed_parts(parts))
    assert [part for batch in batches for part in batch] == parts
    assert all(len(encode_parts(batch)) <= MAX_FRAME_BYTES for batch in batches)


def test_an_empty_frame_is_a_header():
    data = encode(Frame())
    assert len(data) == HEADER.size
    assert plain(decode(data)) == plain(Frame())


def test_a_beat_costs_little():
    assert len(encode(Frame([Pulse("gym", 4, 5, 0, 13, b"link")]))) == HEADER.size + 1 + 3 + 3 + 4
    assert len(encode(Frame([Pulse("gym", 4, 5, 0, 13, b"l" * 12)]))) == HEADER.size + 1 + 3 + 3 + 12


def test_values_travel_as_they_are():
    lsa = one(b'{"power_w":12.5}')
    assert b'{"power_w":12.5}' in encode(Frame(lsas=[lsa]))
    lsa.properties[0].value = bytes(range(200))
    body = packing.unpacked(encode(Frame(lsas=[lsa]))[HEADER.size :], MAX_BODY_BYTES)
    assert bytes(range(200)) in body
    assert len(encode(Frame(lsas=[lsa]))) < 240


def test_large_bodies_are_compressed():
    assert len(encode(Frame(lsas=[one(b"[" + b"1," * 1000 + b"1]")]))) < 200


# ---- bounds -------------------------------------------------------------------------------------


def one(value: bytes) -> Lsa:
    return Lsa("a.t", "", b"", "a", 1, 1, 13, ["a"], [], [Property("L", "", 1, 0, value)])


def several(values: list[bytes]) -> Lsa:
    shown = [Property(f"L{i}", "", 1, 0, value) for i, value in enumerate(values)]
    return Lsa("a.t", "", b"", "a", 1, 1, 13, ["a"], [], shown)


def test_a_frame_too_large_never_leaves():
    noise = random.Random(1).randbytes(MAX_VALUE_BYTES)
    with pytest.raises(FrameError):
        encode(Frame(lsas=[several([noise] * 4)]))
    with pytest.raises(FrameError):
        encode(Frame(lsas=[several([b"x" * MAX_VALUE_BYTES] * 4)]))  # though it compresses well
    with pytest.raises(FrameError):
        encode(Frame([Pulse(f"n{i}", 0, 0, 0, 13, b"link") for i in range(MAX_BEATS + 1)]))
    with pytest.raises(FrameError):
        encode(Frame(rosters=[Roster("a", 1, 1, [(f"a.{i}", 1) for i in range(1000)])] * 5))


def test_the_largest_frames_that_leave_also_arrive():
    noise = random.Random(1).randbytes(16_000)
    full = Frame([Pulse("n" * 32, 63, 255, 63, 15, b"l" * 12) for _ in range(MAX_BEATS)])
    for frame in (
        Frame(full.pulses, lsas=[several([noise] * 3)]),
        Frame(lsas=[several([b"x" * 16_000] * 3)]),
        full,
    ):
        data = encode(frame)
        assert len(data) <= MAX_FRAME_BYTES
        assert plain(decode(data)) == plain(frame)


def test_an_lsa_of_ten_full_binary_properties_fits_a_frame():
    rng = random.Random(2)
    name = "n" * 32
    shown = [Property("L" * 62 + str(i), "q" * 64, MAX_SEQUENCE, U31, rng.randbytes(4096)) for i in range(10)]
    specs = [Aggregation("A" * 64, "o" * 64, EVERYWHERE, 86_400) for _ in range(16)]
    path = [f"{i:032}" for i in range(MAX_PATH - 1)] + [name]
    lsa = Lsa(
        f"{name}.{'x' * 31}",
        "k" * 64,
        b"a" * 64,
        name,
        MAX_INCARNATION,
        MAX_SEQUENCE,
        3600,
        path,
        specs,
        shown,
    )
    assert plain(decode(encode(Frame(lsas=[lsa])))) == plain(Frame(lsas=[lsa]))


@pytest.mark.parametrize("data", [b"", b"M", b"M" * 7, b"\x00" * (MAX_FRAME_BYTES + 1)])
def test_sizes_out_of_bounds_are_refused(data):
    with pytest.raises(FrameError):
        decode(data)


def test_a_body_too_large_when_inflated_is_refused():
    for size in (MAX_BODY_BYTES + 1, 60_000_000):
        with pytest.raises(FrameError, match="too large when inflated"):
            decode(squeezed(b" " * size))
    nested = packing.packed(packing.packed(b"[" * 10_000_000))
    with pytest.raises(FrameError):
        decode(sealed(nested, flags=1))
    with pytest.raises(FrameError, match="too large"):
        decode(sealed(b"\x80" + bytes(MAX_BODY_BYTES)))


def test_a_compressed_body_is_complete_and_nothing_follows():
    whole = packing.packed(pack({}))
    decode(sealed(whole, flags=1))
    for wrong in (whole[:-1], whole + b"x", whole + whole, b"", b"x"):
        with pytest.raises(FrameError):
            decode(sealed(wrong, flags=1))


# ---- the header and the pulses --------------------------------------------------------------------


def test_wrong_pulses():
    assert decode(sealed(b"", pulse(), 1)).pulses == [Pulse("a", 0, 0, 0, 13, b"link")]
    assert decode(sealed(b"", pulse(link=b"l" * 12), 1, 2)).pulses == [Pulse("a", 0, 0, 0, 13, b"l" * 12)]
    for wrong in (
        pulse(b""),
        pulse(b"A"),
        pulse(b"a b"),
        pulse(b"\xff"),
        pulse("é".encode()),
        pulse(b"a" * 33),
        pulse(life_s=0),
        pulse(length=200),
        pulse()[:-1],
        pulse()[:1],
        b"",
    ):
        with pytest.raises(FrameError):
            decode(sealed(b"", wrong, 1))
    with pytest.raises(FrameError):
        decode(sealed(b"", pulse() * 200, 200))
    with pytest.raises(FrameError):
        decode(sealed(b"", pulse(), 2))
    with pytest.raises(FrameError):
        decode(sealed(b"", pulse(), 0))  # then it is no body
    with pytest.raises(FrameError):
        decode(sealed(b"", pulse(link=b"l" * 11), 1, 2))


def test_wrong_headers():
    good = encode(sample(random.Random(1)))
    decode(good)
    for place, value in (
        (0, 0x4D ^ 1),
        (1, 0),
        (1, 1),
        (1, 3),
        (2, good[2] ^ 1),
        (2, good[2] ^ 2),
        (2, 0x80),
        (3, good[3] + 1),
        (4, good[4] ^ 1),
    ):
        with pytest.raises(FrameError):
            decode(good[:place] + bytes([value]) + good[place + 1 :])


def test_another_version_is_refused_with_both_numbers():
    for version in (1, 4):
        with pytest.raises(
            WrongVersion, match=f"speaks wire version {version}, this node versions 2 and 3"
        ) as caught:
            decode(sealed(b'{"l?":["a.t"]}', version=version))
        assert caught.value.version == version


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
    assert 7_000 < len(refusals) < 9_900
    assert len(set(refusals)) > 15
    assert max(map(len, refusals)) < 200


@given(st.binary(max_size=300), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_under_a_valid_checksum(content, beats, flags):
    with contextlib.suppress(FrameError):
        decode(sealed(content, count=beats, flags=flags))


def test_a_statement_of_another_node_is_one_object():
    said = statement("b", 2, 5, 7)
    assert decode(encode(Frame(statements=[said]))).statements == [said]
    assert msgspec.structs.replace(said, number=8) != said
