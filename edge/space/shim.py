"""The MicroPython names under CPython, and what each of the two does fastest.

The only module of the kernel that checks which Python it runs on.
"""

import sys

TYPE_CHECKING = False

if not TYPE_CHECKING and sys.implementation.name == "micropython":
    from hashlib import sha256

    from micropython import const

    def copy(target: bytearray, start: int, source: bytes, position: int, length: int) -> None:
        """Copy without making a slice, which would be an object on the heap."""
        for index in range(length):
            target[start + index] = source[position + index]

    def same(target: bytearray, start: int, source: bytes, position: int, length: int) -> bool:
        """Compare without making a slice."""
        for index in range(length):  # noqa: SIM110, a generator would be an object too
            if target[start + index] != source[position + index]:
                return False
        return True
else:
    from hashlib import sha256

    def const(value: int) -> int:
        """A compile-time constant to MicroPython, the value itself here."""
        return value

    def copy(target: bytearray, start: int, source: bytes, position: int, length: int) -> None:
        """`length` bytes of `source` from `position` go to `target` at `start`."""
        target[start : start + length] = source[position : position + length]

    def same(target: bytearray, start: int, source: bytes, position: int, length: int) -> bool:
        """Whether `target` has these bytes at `start` already."""
        return target[start : start + length] == source[position : position + length]


__all__ = ["const", "copy", "same", "sha256"]
