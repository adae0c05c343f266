"""The identity of a node: its name and its two public keys, signed by the authority of its microgrid.

    magic 3 | serial 4 | begins 4 | ends 4 | signing key 32 | sealing key 32 | cluster | node | signature 64

Numbers are big-endian, dates are Unix seconds, a name is one byte of length and its characters: about 165
bytes. Each content has exactly one encoding. The serial number is the time at which the certificate was made,
or one more than that of the certificate before: a higher one replaces a lower one.

A node with keys begins each life with an incarnation that is no lower than the time of its certificate. So a
node that lost its memory with its keys comes after all that it was, and who has the keys of the former
certificate cannot speak for a later life.
"""

import re
import struct
from collections.abc import Callable

from ..clock import CLOCK_SET_S
from ..terms import NODE_NAME

MAGIC = b"MI\x01"
_FIXED = struct.Struct(">3sIII32s32s")
_SIGNATURE = 64
MOST_BYTES = _FIXED.size + 2 * 33 + _SIGNATURE
_MOST_NUMBER = 2**32 - 1
_MOST_FIRST = 2**30  # half of all incarnations, in the year 2057; the other half is for restarts


class BadCertificate(ValueError):
    """These bytes are no certificate; the message says why."""


class Certificate:
    """A certificate, read but not verified. Dates are Unix seconds."""

    __slots__ = (
        "begins_s",
        "cluster",
        "data",
        "ends_s",
        "node",
        "seal_key",
        "serial",
        "sign_key",
        "signature",
        "signed",
    )

    def __init__(self, data: bytes) -> None:
        """Raises BadCertificate."""
        if not _FIXED.size + _SIGNATURE < len(data) <= MOST_BYTES:
            raise BadCertificate("wrong length")
        magic, self.serial, self.begins_s, self.ends_s, self.sign_key, self.seal_key = _FIXED.unpack_from(
            data
        )
        if magic != MAGIC:
            raise BadCertificate("not the identity of a node")
        self.cluster, at = _name(data, _FIXED.size)
        self.node, at = _name(data, at)
        if len(data) != at + _SIGNATURE:
            raise BadCertificate("wrong length")
        if self.begins_s >= self.ends_s:
            raise BadCertificate("it ends before it begins")
        self.data = bytes(data)
        self.signed, self.signature = self.data[:at], self.data[at:]

    @property
    def first_incarnation(self) -> int:
        """The earliest incarnation of a life that begins with this certificate: seconds since 2023."""
        made: int = self.serial
        return max(1, min(made - int(CLOCK_SET_S), _MOST_FIRST))


def issue(
    sign: Callable[[bytes], bytes],
    *,
    cluster: str,
    node: str,
    serial: int,
    begins_s: int,
    ends_s: int,
    sign_key: bytes,
    seal_key: bytes,
) -> bytes:
    """A certificate; `sign` signs for the authority. Raises ValueError."""
    if not 0 <= serial <= _MOST_NUMBER or not 0 <= begins_s < ends_s <= _MOST_NUMBER:
        raise ValueError("a serial number or a date is out of range")
    fixed = _FIXED.pack(MAGIC, serial, begins_s, ends_s, sign_key, seal_key)
    signed = fixed + name_bytes(cluster) + name_bytes(node)
    return signed + sign(signed)


def name_bytes(name: str) -> bytes:
    """A name of a node or of a microgrid as it is encoded. Raises ValueError."""
    if not re.fullmatch(NODE_NAME, name):
        raise ValueError(f"{name!r} is not a valid name")
    return bytes([len(name)]) + name.encode("ascii")


def _name(data: bytes, at: int) -> tuple[str, int]:
    name, after = read_name(data, at)
    if not name:
        raise BadCertificate("a name is not valid")
    return name, after


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at that position and the position after it; empty if it is not valid."""
    if at >= len(data):
        return "", at
    after = at + 1 + data[at]
    text = data[at + 1 : after].decode("latin-1")
    if after > len(data) or not re.fullmatch(NODE_NAME, text):
        return "", after
    return text, after
