"""What all messages of gossip begin with: a name, a version, and the checksum of all that follows."""

import struct
import zlib

_HEAD = struct.Struct("<3sBI")
HEAD_BYTES = _HEAD.size


class Refused(ValueError):
    """A message that is not used, and why; `reason` is one of a few words that are counted."""

    def __init__(self, why: str, reason: str = "damaged") -> None:
        super().__init__(why)
        self.reason = reason


def headed(magic: bytes, version: int, rest: bytes) -> bytes:
    """The message with its head."""
    return _HEAD.pack(magic, version, zlib.crc32(rest)) + rest


def check_head(data: bytes, magic: bytes, version: int, least: int, most: int) -> None:
    """Whether it is such a message, of `least` bytes beside the head and at most `most` in all. Raises
    Refused."""
    if not HEAD_BYTES + least <= len(data) <= most:
        raise Refused(f"the length is {len(data)} bytes")
    named, numbered, checksum = _HEAD.unpack_from(data)
    if named != magic or numbered != version:
        raise Refused(f"the version is not {version}")
    if checksum != zlib.crc32(memoryview(data)[HEAD_BYTES:]):
        raise Refused("the checksum is wrong")


def inflated(data: bytes, most: int) -> bytes:
    """Decompressed data of up to `most` bytes. Raises ValueError or zlib.error."""
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(data, most + 1)
    if len(found) > most or not unpacking.eof or unpacking.unused_data:
        raise ValueError("packed data have a wrong length")
    return found
