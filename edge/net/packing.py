"""How the body of a frame is compressed: raw deflate, with a dictionary of what all bodies contain.

Bodies are short, so that without it the names of labels and fields would cost more than what they say. The
dictionary is part of the version of the wire: who changes it changes the version.
"""

import zlib

DICTIONARY = (
    b"identity\xa8learning\xa5TOTAL\x00\x00\xa4PRED\x00\x00\xa8IDENTITY\x00\x00\xa2n1\xa2n2\xa8prosumer\xce\x00"
    b'\x90\xc4\x00\x90\x91\x96\xa3REQ\x00\x00\x00\xc4%{"id":1234567890,"w":1000.0,"prio":1}'
    b'\x91\x96\xa9CONTRACT1\xa0\x00\x00\x00\xc4x{"id":1470590578,"rev":0,"ok":false,"ttl":3600,"prio":0}\x00'
    b'{"id":1470590578,"rev":1,"ok":true,"ttl":3600,"prio":0}\x00\x91\x96\xb0CONTRACT_CONFIRM\xa0\x00\x00\xc4#'
    b"\x00\x0d\x91\xa2n3\xc4\x00\x90\x91\x96\xa5OFFER\xa5n2.c1\x08\x08\xc4\x1d"
)
_WINDOW = -13  # 8 kB; raw, since the frame has a checksum of its own
_MEMORY = 6  # 16 kB; more costs more time than the bodies are worth


def packed(data: bytes, level: int = 6) -> bytes:
    """Compressed."""
    packer = zlib.compressobj(level, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=DICTIONARY)
    return packer.compress(data) + packer.flush()


def unpacked(data: bytes | memoryview, most: int) -> bytes:
    """The reverse. Raises ValueError, before it makes more than `most` bytes."""
    unpacker = zlib.decompressobj(_WINDOW, zdict=DICTIONARY)
    try:
        body = unpacker.decompress(data, most)
    except zlib.error:
        raise ValueError("cannot be inflated") from None
    if unpacker.unconsumed_tail or not unpacker.eof or unpacker.unused_data:
        raise ValueError("body is too large when inflated")
    return body
