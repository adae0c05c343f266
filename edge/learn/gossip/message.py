"""What travels between neighbours: a header, and pieces of the parts of a model, as bytes with a checksum.

    "MGG", version; CRC-32 of all that follows
    age, neighbours; samples and recent log losses of the six variables
    power profile: level, maximum power, last minute, bytes
    wants: for each neighbour whose last piece could not be used, its variables
    pieces: variable, kind, key of the part, checksums of the part before and after, unit, bytes

A message that is not exactly as it should be is refused whole, with a reason. The origin is known from the
signature of the property that carries the message.
"""

import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..gossip_names import LEVELS
from ..parts import KEY_BYTES
from .packet import HEAD_BYTES, Refused, check_head, headed, inflated
from .profile import NO_PROFILE, Profile

VERSION = 1
MOST_BYTES = 16_000
_MAGIC = b"MGG"
_FACTS = struct.Struct("<HB6I6HBfIHBB")  # ... level, maximum power, minute, profile bytes, wants, pieces
_WANT = struct.Struct("<IB")
_PIECE = struct.Struct(f"<BB{KEY_BYTES}sIIfH")
PIECE_HEAD_BYTES = _PIECE.size
_MOST_AGE_MIN = 0xFFFF
_PER_NAT, _UNKNOWN_LOSS = 1000, 0xFFFF
_MOST_POWER_W = 1e9

WHOLE, DELTA, COUNTED = range(3)  # kinds of pieces


DOES_NOT_FIT = "does_not_fit"


class Missing(Refused):
    """What a difference is added to is not here. The sender will send the whole part."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one variable, packed: whole weights, a difference to those sent before, or counts."""

    variable: int
    kind: int
    key: bytes
    before: int  # checksum of the values that a difference is added to
    after: int  # checksum of the values that result
    unit: float  # of a code
    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """See the module. Arrays are (6,); a log loss is NaN where unknown."""

    age_min: int
    neighbours: int
    samples: NDArray[np.float64]
    losses: NDArray[np.float64]
    max_power_w: float
    level: str = "none"
    profile: Profile = NO_PROFILE
    wants: Mapping[int, int] = field(default_factory=dict)  # `address_of` a node to a bit mask of variables
    pieces: tuple[Piece, ...] = ()

    def packed(self) -> bytes:
        """The message as bytes. Raises ValueError if it becomes too long."""
        told = self.profile.packed(self.level, self.max_power_w) if len(self.profile.minutes) else b""
        known = np.clip(self.losses * _PER_NAT, 0, _UNKNOWN_LOSS - 1)
        losses = np.where(np.isnan(known), _UNKNOWN_LOSS, np.rint(np.nan_to_num(known)))
        facts = _FACTS.pack(
            min(max(self.age_min, 0), _MOST_AGE_MIN),
            min(self.neighbours, 255),
            *(int(min(each, 0xFFFFFFFF)) for each in self.samples),
            *(int(each) for each in losses),
            LEVELS.index(self.level),
            self.max_power_w,
            self.profile.end_minute,
            len(packed_profile := zlib.compress(told, 6) if told else b""),
            len(self.wants),
            len(self.pieces),
        )
        body = [facts, packed_profile, *(_WANT.pack(*want) for want in self.wants.items())]
        for each in self.pieces:
            numbers = each.before, each.after, each.unit, len(each.data)
            body += [_PIECE.pack(each.variable, each.kind, each.key, *numbers), each.data]
        rest = b"".join(body)
        if HEAD_BYTES + len(rest) > MOST_BYTES:
            raise ValueError(f"a message of {HEAD_BYTES + len(rest)} bytes is longer than {MOST_BYTES}")
        return headed(_MAGIC, VERSION, rest)

    @classmethod
    def unpacked(cls, data: bytes) -> "Message":
        """The message. Raises Refused."""
        check_head(data, _MAGIC, VERSION, _FACTS.size, MOST_BYTES)
        try:
            return cls._read(_Reader(data, HEAD_BYTES))
        except (struct.error, zlib.error) as error:
            raise Refused("the content is damaged") from error
        except ValueError as error:
            raise Refused(str(error)) from error

    @classmethod
    def _read(cls, reader: "_Reader") -> "Message":
        age_min, neighbours, *rest = reader.next(_FACTS)
        samples, losses = np.array(rest[:6], float), np.array(rest[6:12], float)
        level, max_power_w, end_minute, profile_bytes, wants, pieces = rest[12:]
        if not 0 < max_power_w <= _MOST_POWER_W or level >= len(LEVELS):
            raise Refused("the maximum power or the level of privacy is out of range")
        told = inflated(reader.bytes(profile_bytes), 1024) if profile_bytes else b""
        found = cls(
            age_min=age_min,
            neighbours=neighbours,
            samples=samples,
            losses=np.where(losses == _UNKNOWN_LOSS, np.nan, losses / _PER_NAT),
            max_power_w=max_power_w,
            level=LEVELS[level],
            profile=Profile.unpacked(level, told, end_minute, max_power_w),
            wants=dict(reader.pair() for _ in range(wants)),
            pieces=tuple(cls._piece(reader) for _ in range(pieces)),
        )
        if not reader.at_end:
            raise Refused("there are bytes after the end")
        return found

    @staticmethod
    def _piece(reader: "_Reader") -> Piece:
        variable, kind, key, before, after, unit, length = reader.next(_PIECE)
        if variable >= len(VARIABLES) or kind not in (WHOLE, DELTA, COUNTED):
            raise Refused("a piece is of an unknown variable or kind")
        if not (math.isfinite(unit) and 0.0 <= unit <= 1e3):
            raise Refused("the unit of a piece is out of range")
        return Piece(variable, kind, key, before, after, unit, reader.bytes(length))


def address_of(node: str) -> int:
    """A node in `wants`."""
    return zlib.crc32(node.encode())


def inflated_codes(data: bytes, count: int) -> bytes:
    """Exactly `count` bytes from packed ones. Raises Refused."""
    try:
        found = inflated(data, count)
    except (ValueError, zlib.error) as error:
        raise Refused("the packed values are damaged") from error
    if len(found) != count:
        raise Refused(f"a part has {len(found)} values instead of {count}")
    return found


class _Reader:
    """Reads one thing after the other. Raises struct.error beyond the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def next(self, form: struct.Struct) -> tuple[Any, ...]:
        found = form.unpack_from(self._data, self._at)
        self._at += form.size
        return found

    def pair(self) -> tuple[int, int]:
        node, variables = self.next(_WANT)
        return node, variables

    def bytes(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise struct.error("too short")
        self._at += count
        return found

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)
