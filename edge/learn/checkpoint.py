"""The format of what a model has learnt: named arrays and a few facts in one block of bytes with a checksum.

    "MGL1", CRC-32 and length of the unpacked rest, length of the header; compressed: header (JSON), arrays

Facts whose name ends in `_minute` are minutes of UTC. Earlier releases wrote civil minutes, without the mark
`utc` in the header.

No pickle: bytes from a disk or a neighbour must never become code.
"""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calendar import UTC, Calendar

_MAGIC = b"MGL1"
_HEAD = struct.Struct("<4sIII")
_MOST_BYTES = 1 << 24  # unpacked
_TYPES = {"float32", "int8", "uint16", "uint32", "int32", "int64"}


def pack(
    kind: str,
    facts: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    level: int = 0,
    strategy: int = zlib.Z_DEFAULT_STRATEGY,
) -> bytes:
    """One block of bytes; `facts` hold JSON types. `level` and `strategy` are those of zlib: counts shrink
    much at level 1, weights by a fifth, with Z_RLE by a sixth, which takes half the time."""
    index = {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()}
    header = json.dumps({"kind": kind, "utc": True, "facts": facts, "arrays": index}).encode()
    parts = [np.frombuffer(header, np.uint8)]
    parts += [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays.values()]
    packer, check, length = zlib.compressobj(level, strategy=strategy), 0, 0
    packed = []
    for part in parts:  # one by one, so that the whole is in memory only once
        packed.append(packer.compress(part.data))
        check, length = zlib.crc32(part.data, check), length + len(part)
    packed.append(packer.flush())
    return _HEAD.pack(_MAGIC, check, length, len(header)) + b"".join(packed)


def unpack(
    kind: str, data: bytes, calendar: Calendar = UTC, now: int | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts, and copies of the arrays. Raises ValueError for anything that `pack` did not make for this
    kind. Minutes are converted if they are civil, and none is later than `now`."""
    if len(data) < _HEAD.size:
        raise ValueError(f"{kind}: the data are too short")
    magic, check, length, header_length = _HEAD.unpack_from(data)
    unpacking = zlib.decompressobj()
    try:
        body = unpacking.decompress(memoryview(data)[_HEAD.size :], min(length, _MOST_BYTES) + 1)
    except zlib.error as error:
        raise ValueError(f"{kind}: the data are damaged") from error
    if (
        magic != _MAGIC
        or not unpacking.eof
        or unpacking.unused_data
        or length != len(body)
        or header_length > length
        or check != zlib.crc32(body)
    ):
        raise ValueError(f"{kind}: the data are damaged, or are not a checkpoint")
    try:
        header = json.loads(body[:header_length])
        if header["kind"] != kind:
            raise ValueError(f"{kind}: this is a checkpoint of {header['kind']}")
        facts, arrays, at = dict(header["facts"]), {}, header_length
        for name, (type_name, shape) in header["arrays"].items():
            if type_name not in _TYPES or not all(isinstance(side, int) and side >= 0 for side in shape):
                raise ValueError(f"{kind}: array {name!r} has an invalid type or shape: {type_name} {shape}")
            count = math.prod(shape)
            arrays[name] = np.frombuffer(body, type_name, count, at).reshape(shape).copy()
            at += count * np.dtype(type_name).itemsize
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{kind}: the header is invalid") from error
    if at != length:
        raise ValueError(f"{kind}: the length is wrong by {length - at} bytes")
    for name, value in facts.items():
        if name.endswith("_minute") and type(value) is int:
            minute = value if header.get("utc") else calendar.utc(value)
            facts[name] = minute if now is None else min(minute, now)
    return facts, arrays


def checked(
    kind: str, arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]
) -> Mapping[str, NDArray[Any]]:
    """The arrays, if they are finite and have the names, types and shapes of the expected ones. Raises
    ValueError if not."""
    if arrays.keys() != expected.keys():
        raise ValueError(f"{kind}: the arrays are {', '.join(arrays)} instead of {', '.join(expected)}")
    for name, array in arrays.items():
        like = expected[name]
        if array.dtype != like.dtype or array.shape != like.shape:
            raise ValueError(f"{kind}: {name} is {array.dtype} {array.shape}, not {like.dtype} {like.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{kind}: {name} is not finite")
    return arrays
