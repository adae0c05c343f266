"""Frames: the bytes that neighbours exchange (thesis 5.1.3.2). Versioned, bounded, and valid or refused.

    magic 'M' | version u8 | flags u8 | pulses u8 | crc32 u32 | pulses | body

Pulses (`pulse.py`) are heartbeats. The body (`wire.py`) is msgpack, compressed when that makes it shorter
(`packing.py`): statements, changed LSAs, rosters, and questions. Values travel as they are.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Raw

from ..space.courier import Roster
from ..space.lsa import Delta, Lsa, Near
from . import wire
from .bundle import Record, bundled, bundles
from .packing import packed, unpacked
from .parts import (
    KINDS,
    MOST,
    Kind,
    Part,
    part_of_delta,
    part_of_lsa,
    part_of_near,
    part_of_pulse,
    part_of_roster,
    part_of_statement,
)
from .pulse import CHECK_BYTES, LINK_BYTES, Pulse, decode_pulse
from .schema import MAX_BEATS, MAX_ITEMS, Bundled, FrameError, Statement, WireError

VERSION = 2
VERSION_ALONE = 3  # with properties that bring their LSA along; older nodes understand all other frames
MAX_FRAME_BYTES = 64 * 1024
MAX_BODY_BYTES = 48 * 1024  # inflated
_COMPRESS_FROM_BYTES = 64
_PACKED, _LINKS = 1, 2  # flags
_HEADER = struct.Struct("<cBBBI")
HEADER_BYTES = _HEADER.size


class WrongVersion(FrameError):
    """A frame of another version of the wire."""

    def __init__(self, version: int) -> None:
        super().__init__(f"speaks wire version {version}, this node versions {VERSION} and {VERSION_ALONE}")
        self.version = version


@dataclass(slots=True)
class Frame:
    """What one frame carries; every part may be empty."""

    pulses: list[Pulse] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    lsas: list[Lsa] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    near: list[Near] = field(default_factory=list)
    rosters: list[Roster] = field(default_factory=list)
    ask_roster: list[str] = field(default_factory=list)  # origins
    ask_lsas: list[str] = field(default_factory=list)  # LSA names
    bundled: list[Bundled] = field(default_factory=list)  # signatures that several records share
    alone: list[Near] = field(default_factory=list)  # near properties that bring their LSA along

    @property
    def records(self) -> list[Record]:
        """What its origin has signed, in the order in which trees count it."""
        return [*self.lsas, *self.deltas, *self.near, *self.alone]


_PROVED = (Kind.LSA, Kind.DELTA, Kind.NEAR, Kind.ALONE)  # in the order in which trees count them
_QUESTIONS = (Kind.ASK_ROSTER, Kind.ASK_LSA)


# ---- encoding -----------------------------------------------------------------------------------


def parts_of(frame: Frame) -> Iterator[Part]:
    """Everything a frame carries, in the order in which it is to be understood."""
    yield from map(part_of_lsa, frame.lsas)
    yield from map(part_of_delta, frame.deltas)
    yield from map(part_of_near, frame.near)
    yield from map(part_of_near, frame.alone)
    yield from map(part_of_statement, frame.statements)
    yield from map(part_of_pulse, frame.pulses)
    yield from map(part_of_roster, frame.rosters)
    for kind, texts in ((Kind.ASK_ROSTER, frame.ask_roster), (Kind.ASK_LSA, frame.ask_lsas)):
        for text in texts:
            yield Part(kind, text.encode())


def encode_parts(parts: Sequence[Part], shared: Sequence[Bundled] = ()) -> bytes:
    """The bytes of one frame, also with signatures that were not taken apart. Raises FrameError."""
    lists: dict[Kind, list[bytes]] = {}
    items, proved = 0, False
    for kind, encoded, its_items, auth in parts:
        lists.setdefault(kind, []).append(encoded)
        items += its_items
        proved = proved or bool(auth)
    if items > MAX_ITEMS or any(len(each) > MOST[kind] for kind, each in lists.items()):
        raise FrameError("too many parts")
    pulses = lists.pop(Kind.PULSE, [])
    records: dict[str, list[Raw | str | Bundled]] = {
        kind.value: [each.decode() for each in texts] if kind in _QUESTIONS else [*map(Raw, texts)]
        for kind in KINDS
        if (texts := lists.get(kind))
    }
    trees = bundled(part.auth for kind in _PROVED for part in parts if part.kind is kind) if proved else []
    if shared or trees:
        records["b"] = [*shared, *trees]
    data = wire.encode_body(records) if records else b""
    if len(data) > MAX_BODY_BYTES:
        raise FrameError(f"body of {len(data)} bytes, at most {MAX_BODY_BYTES}")
    flags = 0
    if len(data) >= _COMPRESS_FROM_BYTES:
        smaller = packed(data)
        if len(smaller) < len(data):
            data, flags = smaller, _PACKED
    if pulses and len(pulses[0]) == 1 + pulses[0][0] + 3 + LINK_BYTES:
        flags |= _LINKS
    content = b"".join(pulses) + data
    if len(content) + _HEADER.size > MAX_FRAME_BYTES:
        raise FrameError(f"frame of {len(content)} bytes, at most {MAX_FRAME_BYTES}")
    crc = zlib.crc32(content, flags << 8 | len(pulses))
    version = VERSION_ALONE if Kind.ALONE in lists else VERSION
    return _HEADER.pack(b"M", version, flags, len(pulses), crc) + content


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises FrameError when it is too large for one."""
    return encode_parts(list(parts_of(frame)), frame.bundled)


# ---- decoding: everything is checked here -------------------------------------------------------


def decode(data: bytes) -> Frame:
    """The frame in some bytes. Raises FrameError unless they are exactly valid."""
    if not _HEADER.size <= len(data) <= MAX_FRAME_BYTES:
        raise FrameError(f"{len(data)} bytes")
    magic, version, flags, pulses, crc = _HEADER.unpack_from(data)
    if magic != b"M":
        raise FrameError("not a frame")
    content = memoryview(data)[_HEADER.size :]
    if zlib.crc32(content, flags << 8 | pulses) != crc:
        raise FrameError("checksum is wrong")
    if version not in (VERSION, VERSION_ALONE):
        raise WrongVersion(version)
    if flags & ~(_PACKED | _LINKS) or pulses > MAX_BEATS:
        raise FrameError("bad flags")
    frame = Frame()
    position = 0
    for _ in range(pulses):
        pulse, position = decode_pulse(content, position, LINK_BYTES if flags & _LINKS else CHECK_BYTES)
        frame.pulses.append(pulse)
    body = _inflate(content[position:], flags)
    if body:
        try:
            _decode_body(frame, body, version)
        except WireError as error:
            raise FrameError(str(error)) from None
    return frame


def _inflate(content: memoryview, flags: int) -> bytes:
    if not flags & _PACKED:
        if len(content) > MAX_BODY_BYTES:
            raise FrameError("body is too large")
        return bytes(content)
    try:
        return unpacked(content, MAX_BODY_BYTES)
    except ValueError as error:
        raise FrameError(str(error)) from None


def _decode_body(frame: Frame, data: bytes, version: int) -> None:
    """Raises WireError."""
    body = wire.decode_body(data)
    if bool(body.a) != (version == VERSION_ALONE):
        raise WireError("the body is of another version")
    frame.statements, frame.ask_roster, frame.ask_lsas = body.s, body.o, body.w
    frame.bundled = body.b
    left = MAX_ITEMS - len(body.s) - len(body.o) - len(body.w)
    kinds: tuple[tuple[list[Raw], Callable[[Raw], Any], list[Any]], ...] = (
        (body.l, wire.decode_lsa, frame.lsas),
        (body.d, wire.decode_delta, frame.deltas),
        (body.n, wire.decode_near, frame.near),
        (body.a, wire.decode_alone, frame.alone),
        (body.r, wire.decode_roster, frame.rosters),
    )
    for encoded, decode_one, into in kinds:
        for each in encoded:
            record = decode_one(each)
            left -= wire.items_of(record)
            if left < 0:
                raise WireError("too many items in one frame")
            into.append(record)
    for _ in bundles(frame.records, body.b) if body.b else ():
        pass  # it checks what the trees refer to
