"""Frames that are invalid in many ways, some of them with a valid checksum."""

import json
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import orjson

from edge.net.frame import Frame, encode
from edge.space.courier import Beat, Roster
from edge.space.lsa import Aggregation, Lsa, Property
from edge.space.origins import MAX_INCARNATION

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


def sealed(body: bytes, beats: bytes = b"", count: int = 0, flags: int = 0, version: int = 1) -> bytes:
    """A frame with a valid checksum around any content."""
    content = beats + body
    return HEADER.pack(b"M", version, flags, count, zlib.crc32(content, flags << 8 | count)) + content


def sample(rng: random.Random, properties: int = 3) -> Frame:
    """A frame that uses every part."""
    values = [b'{"power_w":12.5}', rng.randbytes(20), b"", b"[1,2,3]", b'"text"']
    shown = [
        Property(f"L{i}", rng.choice(["", "b.t"]), i, 5 * i, rng.choice(values)) for i in range(properties)
    ]
    specs = [Aggregation("L0", "sum", True, 60)]
    lsa = Lsa("a.t", "twin", "key", "a", 2, rng.randint(1, 99), 13, ["c", "a"], specs, shown)
    gone = Lsa("a.u", "", "", "a", 2, 7, 0, ["a"], [], [])
    beats = [Beat(name, 3, rng.randint(1, 99), 1, 13, 4, rng.getrandbits(32)) for name in ("a", "c")]
    return Frame(beats, [lsa, gone], ["a"], [Roster("c", 1, 9, [("c.t", 5), ("c.u", 6)])], ["c.v", "c.w"])


def beat(
    name: bytes = b"a",
    incarnation: int = 1,
    sequence: int = 1,
    hops: int = 0,
    life_s: int = 13,
    length: int | None = None,
) -> bytes:
    """The bytes of a beat; arguments may make it invalid."""
    numbers = struct.pack("<IIBBHI", incarnation, sequence, hops, life_s, 0, 0)
    return bytes([len(name) if length is None else length]) + name + numbers


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
    _, version, flags, beats, _ = HEADER.unpack_from(data)
    content = data[HEADER.size :]
    content = (flipped if rng.random() < 0.7 and content else cut)(rng, content)
    return sealed(content, flags=flags, count=beats, version=version)


def mutate_json(rng: random.Random, thing: Any) -> Any:
    """A JSON value with something in it replaced, duplicated, dropped or swapped."""
    if isinstance(thing, list) and thing and rng.random() < 0.85:
        place = rng.randrange(len(thing))
        choice = rng.random()
        if choice < 0.7:
            return [*thing[:place], mutate_json(rng, thing[place]), *thing[place + 1 :]]
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
        return {**thing, key: mutate_json(rng, thing[key])}
    if type(thing) is int and rng.random() < 0.5:
        return rng.choice(
            (thing + 1, max(0, thing - 1), rng.getrandbits(32), rng.getrandbits(64), -thing, 0, 2**31 - 1)
        )
    if isinstance(thing, str) and rng.random() < 0.5:
        return rng.choice((thing[:-1], thing + "x", thing.upper(), "c.t", "a.u", "b", "c", thing * 30))
    return rng.choice(WRONG)


def remade(rng: random.Random, frame: Frame) -> bytes:
    """Valid JSON of an almost valid shape, with almost valid beats."""
    body = encode(Frame([], frame.lsas, frame.ask_roster, frame.rosters, frame.ask_lsas))[HEADER.size :]
    fields = orjson.loads(zlib.decompress(body) if body[:1] == b"\x78" else body)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        fields = mutate_json(rng, fields)
    beats = beat(
        rng.choice((b"a", b"b", b"c", b"d", b"zz")),
        rng.choice((1, 2, 3, 0, MAX_INCARNATION, rng.getrandbits(32))),
        rng.choice((1, 50, rng.getrandbits(32))),
        rng.randrange(70),
        rng.randrange(256),
    )
    count = rng.randrange(2)
    data = json.dumps(fields).encode()
    flags = rng.randrange(2)
    return sealed(zlib.compress(data) if flags else data, beats * count, count, flags)


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
