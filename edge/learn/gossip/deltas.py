"""Parts of models as bytes. Weights are sent as differences to what the receiver holds, in a closed loop:

    sender:    code = round((weights - held) / unit),  held += code * unit
    receiver:                                          held += code * unit

The unit is of the size of the differences, so most codes are -1, 0 or 1, and a code fits into half a byte.
What rounding leaves out is not lost: it is part of the next difference. Nodes that begin with the same
weights hold the same at first. Each piece tells the checksums of what is held before and after, so a lost
piece is noticed, and then whole weights are sent once, as codes of one byte.

Counts are whole each time, as logarithms of one byte (`log_codes`): they need no memory of what was sent.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from ..log_codes import coded, decoded
from ..terms import Array
from .message import COUNTED, DELTA, WHOLE, Missing, Piece, inflated_codes
from .packet import Refused

Codes = NDArray[np.int8]

_LEVEL = 6  # of zlib
_MOST_BYTE, _MOST_NIBBLE = 127, 7  # the greatest codes
_PER_SPREAD = 1.2  # a unit, in root mean squares of the differences
_LEAST_UNIT = 1e-7
_MOST_WEIGHT = 1e3
_MOST_COUNT = 2.0**24  # minutes: 32 years


def checksum(values: Array) -> int:
    """Of the values that two nodes hold."""
    return zlib.crc32(np.ascontiguousarray(values, np.float32).data)


def delta_piece(variable: int, key: bytes, weights: Array, held: Array) -> tuple[Piece, Array]:
    """The difference, and what the receiver holds after it."""
    apart = weights - held
    unit = np.float32(max(_PER_SPREAD * float(np.sqrt(np.mean(np.square(apart)))), _LEAST_UNIT))
    codes = _rounded(apart / unit, _MOST_NIBBLE)
    after = held + codes.astype(np.float32) * unit
    data = _packed(_nibbles(codes))
    return Piece(variable, DELTA, key, checksum(held), checksum(after), float(unit), data), after


def whole_piece(variable: int, key: bytes, weights: Array) -> tuple[Piece, Array]:
    """All weights, and what the receiver holds after it."""
    unit = np.float32(max(float(np.abs(weights).max()) / _MOST_BYTE, _LEAST_UNIT))
    codes = _rounded(weights / unit, _MOST_BYTE)
    after = codes.astype(np.float32) * unit
    data = _packed(codes.tobytes())
    return Piece(variable, WHOLE, key, 0, checksum(after), float(unit), data), after


def counts_piece(variable: int, key: bytes, counts: Array) -> Piece:
    """All counts."""
    return Piece(variable, COUNTED, key, 0, 0, 0.0, zlib.compress(coded(counts).tobytes(), _LEVEL))


def _packed(codes: bytes) -> bytes:
    """Codes of weights repeat nothing: `Z_FILTERED` makes zlib lean on the frequencies of the codes."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_FILTERED)
    return packer.compress(codes) + packer.flush()


def _rounded(values: Array, most: int) -> Codes:
    """The nearest codes; as integers, so that both sides compute with the same zero."""
    return np.clip(np.rint(values), -most, most).astype(np.int8)


def _nibbles(codes: Codes) -> bytes:
    """Two codes a byte."""
    lifted = np.append(codes, np.zeros(len(codes) % 2, np.int8)).reshape(-1, 2) + 8
    return (lifted[:, 0] << 4 | lifted[:, 1]).astype(np.uint8).tobytes()


def _from_nibbles(data: bytes, count: int) -> Array:
    both = np.frombuffer(data, np.uint8)
    codes = np.stack((both >> 4, both & 15), -1).reshape(-1)[:count]
    found: Array = codes.astype(np.float32) - np.float32(8.0)
    return found


def weights_from(piece: Piece, count: int, held: Array | None) -> Array:
    """The weights (count,) after a piece. Raises Refused, or Missing."""
    if piece.kind == DELTA and (held is None or checksum(held) != piece.before):
        raise Missing("the weights that the difference belongs to are not here")
    if piece.kind == DELTA:
        found = _from_nibbles(inflated_codes(piece.data, (count + 1) // 2), count)
    else:
        found = np.frombuffer(inflated_codes(piece.data, count), np.int8).astype(np.float32)
    found *= np.float32(piece.unit)
    if piece.kind == DELTA and held is not None:
        found = held + found
    if not np.abs(found).max(initial=0.0) <= _MOST_WEIGHT:
        raise Refused("a weight is out of range")
    if checksum(found) != piece.after:
        raise Refused("the weights are not those that were sent")
    return found


def counts_from(piece: Piece, count: int) -> Array:
    """The counts (count,) of a piece. Raises Refused."""
    found = decoded(np.frombuffer(inflated_codes(piece.data, count), np.uint8))
    if not found.max(initial=0.0) <= _MOST_COUNT:
        raise Refused("a count is out of range")  # sums of such counts would not be finite
    return found
