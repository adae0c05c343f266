"""Frames: the bytes that neighbours exchange (thesis 5.1.3.2). Versioned, bounded, and valid or refused.

    magic 'M' | version u8 | flags u8 | beats u8 | crc32 u32 | beats | body

A beat is the heartbeat of one origin with the digest of what it holds. It is binary because nothing else
crosses a link while nothing changes. The body is JSON, compressed with zlib when that makes it shorter:
changed LSAs, rosters, and requests for both. JSON values stay readable on the wire; other bytes travel
as base64.
"""

import binascii
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..space.courier import MAX_LSAS, Beat, Roster
from ..space.lsa import MAX_PATH, Aggregation, Lsa, Property
from ..space.origins import MAX_INCARNATION
from .links import is_node_name

VERSION = 1
MAX_FRAME_BYTES = 64 * 1024
MAX_BODY_BYTES = 128 * 1024  # inflated; parsing takes a small multiple of it
MAX_BEATS = 128
_COMPRESS_FROM_BYTES = 256
_ZLIB = 1
_HEADER = struct.Struct("<cBBBI")
_BEAT = struct.Struct("<IIBBHI")
_U32 = 0xFFFFFFFF
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:#-]{0,63}\Z")


class FrameError(ValueError):
    """An invalid frame; the message says why."""


@dataclass(slots=True)
class Frame:
    """What one frame carries; every part may be empty."""

    beats: list[Beat] = field(default_factory=list)
    lsas: list[Lsa] = field(default_factory=list)
    ask_roster: list[str] = field(default_factory=list)  # origins
    rosters: list[Roster] = field(default_factory=list)
    ask_lsas: list[str] = field(default_factory=list)  # LSA names


# ---- encoding -----------------------------------------------------------------------------------


def encode_lsa(lsa: Lsa) -> bytes:
    """An LSA as JSON; one encoding serves all neighbours."""
    properties = [[p.label, p.query, p.version, p.life_s, *_encode_value(p.value)] for p in lsa.properties]
    specs = [[a.label, a.operator, a.gossip, a.min_delay_s] for a in lsa.aggregations]
    fields = [lsa.name, lsa.kind, lsa.auth, lsa.origin, lsa.incarnation, lsa.version, lsa.life_s, lsa.path]
    return orjson.dumps([*fields, specs, properties])


def _encode_value(value: bytes) -> list[Any]:
    try:
        parsed = orjson.loads(value)
        if orjson.dumps(parsed) == value:  # the receiver restores it byte for byte
            return [orjson.Fragment(value)]
    except (orjson.JSONDecodeError, TypeError):
        pass
    return [binascii.b2a_base64(value, newline=False).decode(), 1]


def encode(frame: Frame, lsas: list[bytes] | None = None) -> bytes:
    """The bytes of a frame; `lsas` are encoded already. Raises FrameError when it is too large."""
    body: dict[str, Any] = {}
    fragments = [orjson.Fragment(lsa) for lsa in [*map(encode_lsa, frame.lsas), *(lsas or [])]]
    if fragments:
        body["l"] = fragments
    if frame.ask_roster:
        body["r?"] = frame.ask_roster
    if frame.rosters:
        body["r"] = [[r.origin, r.incarnation, r.sequence, r.entries] for r in frame.rosters]
    if frame.ask_lsas:
        body["l?"] = frame.ask_lsas
    data = orjson.dumps(body) if body else b""
    if len(data) > MAX_BODY_BYTES:
        raise FrameError(f"body of {len(data)} bytes, at most {MAX_BODY_BYTES}")
    flags = 0
    if len(data) >= _COMPRESS_FROM_BYTES:
        packed = zlib.compress(data, 6)
        if len(packed) < len(data):
            data, flags = packed, _ZLIB
    beats = b"".join(_encode_beat(beat) for beat in frame.beats)
    content = beats + data
    if len(content) + _HEADER.size > MAX_FRAME_BYTES or len(frame.beats) > MAX_BEATS:
        raise FrameError(f"frame of {len(content)} bytes, at most {MAX_FRAME_BYTES}")
    crc = zlib.crc32(content, flags << 8 | len(frame.beats))
    return _HEADER.pack(b"M", VERSION, flags, len(frame.beats), crc) + content


def _encode_beat(beat: Beat) -> bytes:
    name = beat.origin.encode()
    fields = (beat.incarnation, beat.sequence, beat.hops, beat.life_s, beat.lsas, beat.checksum)
    return bytes([len(name)]) + name + _BEAT.pack(*fields)


# ---- decoding: everything is checked here -------------------------------------------------------


def decode(data: bytes) -> Frame:
    """The frame in some bytes. Raises FrameError unless they are exactly valid."""
    if not _HEADER.size <= len(data) <= MAX_FRAME_BYTES:
        raise FrameError(f"{len(data)} bytes")
    magic, version, flags, beats, crc = _HEADER.unpack_from(data)
    if magic != b"M" or version != VERSION:
        raise FrameError("not a frame of this version")
    if flags & ~_ZLIB or beats > MAX_BEATS:
        raise FrameError("bad flags")
    content = memoryview(data)[_HEADER.size :]
    if zlib.crc32(content, flags << 8 | beats) != crc:
        raise FrameError("checksum is wrong")
    frame = Frame()
    position = 0
    for _ in range(beats):
        beat, position = _decode_beat(content, position)
        frame.beats.append(beat)
    _decode_body(frame, _inflate(content[position:], flags))
    return frame


def _decode_beat(content: memoryview, position: int) -> tuple[Beat, int]:
    if position >= len(content):
        raise FrameError("beat is cut short")
    start = position + 1
    end = start + content[position]
    if end + _BEAT.size > len(content):
        raise FrameError("beat is cut short")
    try:
        origin = str(content[start:end], "ascii")
    except UnicodeDecodeError:
        raise FrameError("bad node name") from None
    beat = Beat(origin, *_BEAT.unpack_from(content, end))
    if not is_node_name(origin) or not 0 < beat.incarnation <= MAX_INCARNATION:
        raise FrameError("bad beat")
    if beat.hops > MAX_PATH or not beat.life_s or not beat.sequence:
        raise FrameError("bad beat")
    return beat, end + _BEAT.size


def _inflate(content: memoryview, flags: int) -> bytes:
    if not flags & _ZLIB:
        return bytes(content)
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(content, MAX_BODY_BYTES)
    except zlib.error:
        raise FrameError("cannot be inflated") from None
    if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
        raise FrameError("body is too large when inflated")
    return body


def _decode_body(frame: Frame, body: bytes) -> None:
    if not body:
        return
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FrameError("body is not valid JSON") from None
    if not isinstance(fields, dict) or not fields.keys() <= {"l", "r?", "r", "l?"}:
        raise FrameError("bad body")
    frame.lsas = [_decode_lsa(item) for item in _list(fields.get("l", []), MAX_LSAS)]
    frame.ask_roster = [_node(item) for item in _list(fields.get("r?", []), MAX_BEATS)]
    frame.ask_lsas = [_name(item) for item in _list(fields.get("l?", []), MAX_LSAS)]
    for item in _list(fields.get("r", []), MAX_BEATS):
        origin, incarnation, sequence, entries = _fields(item, 4)
        pairs = [_fields(entry, 2) for entry in _list(entries, MAX_LSAS)]
        checked = [(_name(name), _number(version, 1, _U32)) for name, version in pairs]
        numbers = _number(incarnation, 1, MAX_INCARNATION), _number(sequence, 0, _U32)
        frame.rosters.append(Roster(_node(origin), *numbers, checked))


def _decode_lsa(item: object) -> Lsa:
    name, kind, auth, origin, incarnation, version, life_s, path, specs, properties = _fields(item, 10)
    lsa = Lsa(
        _name(name),
        _text(kind),
        _text(auth),
        _node(origin),
        _number(incarnation, 1, MAX_INCARNATION),
        _number(version, 1, _U32),
        _number(life_s, 0, 3600),
        [_node(each) for each in _list(path, MAX_PATH)],
        [_decode_spec(each) for each in _list(specs, 16)],
        [_decode_property(each) for each in _list(properties, 64)],
    )
    if not lsa.path or len(set(lsa.path)) != len(lsa.path) or lsa.origin not in lsa.path:
        raise FrameError("bad path")
    if not lsa.name.startswith(lsa.origin + "."):
        raise FrameError(f"{lsa.name} is not a name of {lsa.origin}")
    keys = {(p.label, p.query) for p in lsa.properties}
    if len(keys) != len(lsa.properties):
        raise FrameError("duplicate property")
    return lsa


def _decode_spec(item: object) -> Aggregation:
    label, operator, gossip, min_delay_s = _fields(item, 4)
    if not isinstance(gossip, bool):
        raise FrameError("bad aggregation")
    return Aggregation(_name(label), _name(operator), gossip, _number(min_delay_s, 0, 86_400))


def _decode_property(item: object) -> Property:
    if not isinstance(item, list) or len(item) not in (5, 6):
        raise FrameError("bad property")
    label, query, version, life_s, value = item[:5]
    if len(item) == 6:
        try:
            raw = binascii.a2b_base64(value, strict_mode=True) if isinstance(value, str) else None
        except (binascii.Error, ValueError):
            raw = None
        if raw is None or type(item[5]) is not int or item[5] != 1:
            raise FrameError("bad binary value")
    else:
        try:
            raw = orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise FrameError("value is nested too deeply") from None
    return Property(_name(label), _text(query), _number(version, 0, _U32), _number(life_s, 0, _U32 >> 1), raw)


def _fields(item: object, count: int) -> list[Any]:
    if not isinstance(item, list) or len(item) != count:
        raise FrameError(f"{count} fields expected")
    return item


def _list(item: object, most: int) -> list[Any]:
    if not isinstance(item, list) or len(item) > most:
        raise FrameError(f"a list of at most {most} expected")
    return item


def _number(item: object, least: int, most: int) -> int:
    if type(item) is not int or not least <= item <= most:
        raise FrameError("number out of range")
    return item


def _name(item: object) -> str:
    if not isinstance(item, str) or not _NAME.match(item):
        raise FrameError("bad name")
    return item


def _text(item: object) -> str:
    return "" if item == "" else _name(item)


def _node(item: object) -> str:
    if not is_node_name(item):
        raise FrameError("bad node name")
    return str(item)
