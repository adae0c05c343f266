"""Frames that are invalid in many ways, some of them with a valid checksum."""

import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from edge.net.frame import MAX_BODY_BYTES, Frame, encode
from edge.net.manifest import of_statement
from edge.net.packing import packed, unpacked
from edge.net.pulse import Pulse
from edge.net.schema import Statement
from edge.space.courier import Roster
from edge.space.lsa import EVERYWHERE, Aggregation, Delta, Lsa, Near, Property
from edge.space.origins import MAX_INCARNATION, MAX_SEQUENCE

HEADER = struct.Struct("<cBBBI")
WRONG = [
    None,
    True,
    False,
    0,
    -1,
    1.0,
    1.5,
    2**31,
    2**32,
    2**64 - 1,
    1e300,
    "",
    " ",
    "a b",
    "A" * 65,
    "é",
    "\x00",
    "a.t\n",
    "../a",
    b"",
    b"a",
    b"x" * 70,
    [],
    [[]],
    [1],
    ["a"],
    ["a", "a"],
    {},
    {"a": 1},
    ["a"] * 11,
    [None] * 10,
]
pack = msgspec.msgpack.encode


def sealed(body: bytes, pulses: bytes = b"", count: int = 0, flags: int = 0, version: int = 2) -> bytes:
    """A frame with a valid checksum around any content."""
    content = pulses + body
    return HEADER.pack(b"M", version, flags, count, zlib.crc32(content, flags << 8 | count)) + content


def squeezed(body: bytes) -> bytes:
    """A frame whose body is compressed."""
    return sealed(packed(body), flags=1)


def statement(origin: str = "a", incarnation: int = 1, sequence: int = 1, number: int = 1, **fields: Any):
    """A statement of an open node."""
    said = Statement(origin, incarnation, sequence, 4, b"c" * 16, 0, number, b"", b"")
    return msgspec.structs.replace(said, **fields)


def check(said: Statement) -> bytes:
    """What pulses show of it where nothing is signed."""
    return zlib.crc32(of_statement(said)).to_bytes(4, "big")


def sample(rng: random.Random, properties: int = 3) -> Frame:
    """A frame that uses every part."""
    values = [b'{"power_w":12.5}', rng.randbytes(20), b"", b"[1,2,3]", b'"text"']
    version = rng.randint(9, 99)
    shown = [
        Property(f"L{i}", rng.choice(["", "b.t"]), i, 5 * i, rng.choice(values), 3 * i)
        for i in range(properties)
    ]
    specs = [Aggregation("L0", "sum", EVERYWHERE, 60)]
    lsa = Lsa("a.t", "twin", b"k" * 64, "a", 2, version, 13, ["a"], specs, shown)
    far = Lsa("c.t", "twin", b"", "c", 2, version, 13, ["a", "c"], [], [])
    gone = Lsa("a.u", "", b"", "a", 2, 7, 0, ["a"], [], [])
    delta = Delta("a.t", b"d" * 64, 2, version + 1, 13, ["a"], [1, 2], shown[:1])
    near = Near("a.t", 2, "N", "", 9, 2, 0, 30, 20, b"near", b"n" * 64)
    said = [statement(name, 3, rng.randint(1, 99), rng.randint(1, 99)) for name in ("a", "c")]
    pulses = [Pulse(each.origin, 0, rng.randrange(9), 1, 13, check(each)) for each in said]
    rosters = [Roster("c", 1, 9, [("c.t", 5), ("c.u", 6)])]
    return Frame(pulses, said, [lsa, far, gone], [delta], [near], rosters, ["a"], ["c.v", "c.w"])


def pulse(
    name: bytes = b"a",
    ordinal: int = 0,
    ahead: int = 0,
    hops: int = 0,
    life_s: int = 13,
    link: bytes = b"link",
    length: int | None = None,
) -> bytes:
    """The bytes of a pulse; arguments may make it invalid."""
    bits = ahead << 16 | hops << 10 | life_s << 6 | ordinal
    return bytes([len(name) if length is None else length]) + name + bits.to_bytes(3, "little") + link


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Some bits are flipped."""
    wrong = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        wrong[rng.randrange(len(wrong))] ^= 1 << rng.randrange(8)
    return bytes(wrong)


def cut(rng: random.Random, data: bytes) -> bytes:
    """A part is missing or duplicated."""
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return rng.choice((data[:start], data[end:], data[:start] + data[end:], data + data[start:end]))


def resealed(rng: random.Random, data: bytes) -> bytes:
    """The same with a changed body and a new, valid checksum."""
    _, version, flags, count, _ = HEADER.unpack_from(data)
    content = data[HEADER.size :]
    content = (flipped if rng.random() < 0.7 and content else cut)(rng, content)
    return sealed(content, flags=flags, count=count, version=version)


def mutated(rng: random.Random, thing: Any) -> Any:
    """A value with something in it replaced, duplicated, dropped or swapped."""
    if isinstance(thing, list) and thing and rng.random() < 0.85:
        place = rng.randrange(len(thing))
        choice = rng.random()
        if choice < 0.7:
            return [*thing[:place], mutated(rng, thing[place]), *thing[place + 1 :]]
        if choice < 0.8:
            return thing[:place] + thing[place + 1 :]
        if choice < 0.9:
            return [*thing, thing[place]]
        other = rng.randrange(len(thing))
        swapped = list(thing)
        swapped[place], swapped[other] = thing[other], thing[place]
        return swapped
    if isinstance(thing, dict) and thing and rng.random() < 0.9:
        key = rng.choice(sorted(thing))
        return {**thing, key: mutated(rng, thing[key])}
    if type(thing) is int and rng.random() < 0.5:
        return rng.choice(
            (thing + 1, max(0, thing - 1), rng.getrandbits(32), rng.getrandbits(63), -thing, 0, 2**31 - 1)
        )
    if isinstance(thing, str) and rng.random() < 0.5:
        return rng.choice((thing[:-1], thing + "x", thing.upper(), "c.t", "a.u", "b", "c", thing * 30))
    if isinstance(thing, bytes) and rng.random() < 0.5:
        return rng.choice((thing[:-1], thing + b"x", b"", rng.randbytes(64), b"[1]"))
    return rng.choice(WRONG)


def body_of(data: bytes) -> Any:
    """The body of a frame without pulses, as plain values."""
    flags, content = data[2], data[HEADER.size :]
    return msgspec.msgpack.decode(unpacked(content, MAX_BODY_BYTES) if flags & 1 else content)


def remade(rng: random.Random, frame: Frame) -> bytes:
    """Valid msgpack of an almost valid shape, with almost valid pulses."""
    frame.pulses = []
    fields = body_of(encode(frame))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        fields = mutated(rng, fields)
    said = statement(
        rng.choice(("a", "b", "c", "d", "zz")),
        rng.choice((1, 2, 3, 0, MAX_INCARNATION, rng.getrandbits(32))),
        rng.choice((1, 50, rng.getrandbits(32), MAX_SEQUENCE)),
        rng.choice((1, 50, rng.getrandbits(32), MAX_SEQUENCE)),
        ordinal=rng.randrange(256),
    )
    count = rng.randrange(2)
    if count and isinstance(fields, dict) and isinstance(fields.get("s"), list):
        fields["s"].append(msgspec.to_builtins(said, builtin_types=(bytes,)))
    numbers = said.ordinal % 64, rng.randrange(9), rng.randrange(64), rng.randrange(16)
    beats = pulse(said.origin.encode(), *numbers, check(said) if said.number <= MAX_SEQUENCE else b"link")
    try:
        data = pack(fields)
    except OverflowError:  # no number of msgpack
        data = b"\xc1"
    flags = rng.randrange(2)
    return sealed(packed(data) if flags else data, beats * count, count, flags)


def bad_frames(count: int, seed: int = 1) -> Iterator[bytes]:
    """Invalid frames of every kind; some are valid by chance."""
    rng = random.Random(seed)
    for turn in range(count):
        frame = sample(rng, rng.randrange(6))
        data = encode(frame)
        kind = turn % 7
        if kind == 0:
            yield rng.randbytes(rng.randrange(200))
        elif kind == 1:
            yield flipped(rng, data)
        elif kind == 2:
            yield cut(rng, data)
        elif kind == 3:
            other = encode(sample(rng))
            yield data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]
        elif kind == 4:
            yield resealed(rng, data)
        else:
            yield remade(rng, frame)
