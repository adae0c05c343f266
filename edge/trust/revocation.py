"""The list of revoked certificates, signed by the authority of the microgrid.

    magic 3 | number 4 | cluster | (node | serial 4)* | signature 64

An entry revokes all certificates of a node up to that serial number, so a node may return with a new one.
Nodes stand in the order of their names, each once. The number of the list is the time at which it was made,
or one more than that of the list before: it never goes back, and a node keeps the list with the highest.
"""

import struct
from collections.abc import Callable, Mapping

from .certificate import name_bytes, read_name

MAGIC = b"MR\x01"
_SIGNATURE = 64
_HEAD = struct.Struct(">3sI")
_SERIAL = struct.Struct(">I")
# No setting: all nodes must take the same list. Entries whose identities have expired leave it.
MOST_BYTES = 1024  # about 50 nodes; each node of the microgrid holds one of every other node
_MOST_NUMBER = 2**32 - 1


class BadList(ValueError):
    """These bytes are no list of revoked certificates; the message says why."""


class Revocations:
    """A list, read but not verified. `serials`: the highest revoked serial number of each node."""

    __slots__ = ("cluster", "data", "number", "serials", "signature", "signed")

    def __init__(self, data: bytes) -> None:
        """Raises BadList."""
        end = len(data) - _SIGNATURE
        if not _HEAD.size < end or len(data) > MOST_BYTES:
            raise BadList("wrong length")
        magic, number = _HEAD.unpack_from(data)
        self.number: int = number
        if magic != MAGIC:
            raise BadList("not a list of revoked certificates")
        self.cluster, at = read_name(data, _HEAD.size)
        self.serials: dict[str, int] = {}
        last = ""
        while at < end and self.cluster:
            node, at = read_name(data, at)
            if node <= last or at + _SERIAL.size > end:
                raise BadList("damaged")
            self.serials[node] = _SERIAL.unpack_from(data, at)[0]
            at += _SERIAL.size
            last = node
        if at != end or not self.cluster:
            raise BadList("damaged")
        self.data = bytes(data)
        self.signed, self.signature = self.data[:end], self.data[end:]

    def revokes(self, node: str, serial: int) -> bool:
        """Whether that certificate of that node is revoked."""
        return serial <= self.serials.get(node, -1)


def issue(sign: Callable[[bytes], bytes], *, cluster: str, number: int, serials: Mapping[str, int]) -> bytes:
    """A list; `sign` signs for the authority. Raises ValueError, also when it would be too long."""
    if not 0 <= number <= _MOST_NUMBER or not all(0 <= each <= _MOST_NUMBER for each in serials.values()):
        raise ValueError("a number is out of range")
    entries = (name_bytes(node) + _SERIAL.pack(serial) for node, serial in sorted(serials.items()))
    signed = _HEAD.pack(MAGIC, number) + name_bytes(cluster) + b"".join(entries)
    if len(signed) + _SIGNATURE > MOST_BYTES:
        raise ValueError(f"a list of revoked certificates holds at most {MOST_BYTES} bytes")
    return signed + sign(signed)
