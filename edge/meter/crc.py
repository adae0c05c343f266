"""The CRC-16 at the end of every Modbus RTU frame (polynomial 0x8005, reflected, initial value 0xFFFF)."""

from array import array
from collections.abc import Iterable


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_TABLE = array("H", [_entry(byte) for byte in range(256)])


def crc16(frame: Iterable[int]) -> int:
    """The checksum of `frame`, sent low byte first. Over a frame including its checksum it is zero."""
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc
