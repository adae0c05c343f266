"""Pulses: heartbeats as they are in a frame, beside its body.

A pulse says that an origin still lives and shows what its last statement said. Pulses are binary because
nothing else crosses a link while nothing changes:

    length u8 | origin | 24 bits: ahead 8, hops 6, life 4, ordinal 6 | link, 12 bytes, or 4 without trust
"""

from typing import NamedTuple

from .links import is_node_name
from .schema import FrameError

MAX_AHEAD = 255
MAX_PULSE_LIFE_S = 15
LINK_BYTES = 12
CHECK_BYTES = 4
_AHEAD_BITS, _HOPS_BITS, _LIFE_BITS, _ORDINAL_BITS = 8, 6, 4, 6
_HOPS, _LIVES, _ORDINALS = (1 << _HOPS_BITS) - 1, (1 << _LIFE_BITS) - 1, (1 << _ORDINAL_BITS) - 1  # masks


class Pulse(NamedTuple):
    """A heartbeat of an origin, on its way: beat number `ahead` after that of its statement `ordinal`."""

    origin: str
    ordinal: int  # its last 6 bits
    ahead: int
    hops: int
    life_s: int
    link: bytes  # of a chain; without trust a checksum of the statement


def encode_pulse(pulse: Pulse) -> bytes:
    """Raises FrameError for numbers out of range."""
    name = pulse.origin.encode()
    bits = 0
    for value, width in (
        (pulse.ahead, _AHEAD_BITS),
        (pulse.hops, _HOPS_BITS),
        (pulse.life_s, _LIFE_BITS),
        (pulse.ordinal, _ORDINAL_BITS),
    ):
        if value >> width:
            raise FrameError("number of a pulse out of range")
        bits = bits << width | value
    return bytes([len(name)]) + name + bits.to_bytes(3, "little") + pulse.link


def decode_pulse(content: memoryview, position: int, link_bytes: int) -> tuple[Pulse, int]:
    """The pulse at a position, and the position after it. Raises FrameError."""
    if position >= len(content):
        raise FrameError("pulse is cut short")
    start = position + 1
    end = start + content[position]
    following = end + 3 + link_bytes
    if following > len(content):
        raise FrameError("pulse is cut short")
    try:
        origin = str(content[start:end], "ascii")
    except UnicodeDecodeError:
        raise FrameError("bad node name") from None
    if not is_node_name(origin):
        raise FrameError("bad node name")
    bits = int.from_bytes(content[end : end + 3], "little")
    ordinal = bits & _ORDINALS
    life_s = bits >> _ORDINAL_BITS & _LIVES
    hops = bits >> _ORDINAL_BITS + _LIFE_BITS & _HOPS
    ahead = bits >> _ORDINAL_BITS + _LIFE_BITS + _HOPS_BITS
    if not life_s:
        raise FrameError("bad pulse")
    return Pulse(origin, ordinal, ahead, hops, life_s, bytes(content[end + 3 : following])), following
