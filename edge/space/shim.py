"""The MicroPython names under CPython, and the CPython ones under MicroPython (DESIGN 2).

The one module of the kernel that asks which Python it runs on.
"""

import sys

MICROPYTHON = sys.implementation.name == "micropython"
TYPE_CHECKING = False

if not TYPE_CHECKING and MICROPYTHON:
    from binascii import crc32
    from time import ticks_diff, ticks_ms

    from micropython import const
else:
    from time import monotonic_ns
    from zlib import crc32

    _TICKS_PERIOD = 1 << 30

    def const(value: int) -> int:
        """A compile-time constant to MicroPython, the value itself here."""
        return value

    def ticks_ms() -> int:
        """Milliseconds that wrap around, as on a microcontroller."""
        return monotonic_ns() // 1_000_000 % _TICKS_PERIOD

    def ticks_diff(later: int, earlier: int) -> int:
        """Signed distance between two `ticks_ms`, right across one wrap."""
        half = _TICKS_PERIOD >> 1
        return (later - earlier + half) % _TICKS_PERIOD - half


__all__ = ["MICROPYTHON", "const", "crc32", "ticks_diff", "ticks_ms"]
