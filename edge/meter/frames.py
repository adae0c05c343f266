"""Recognises Modbus RTU frames in bytes that were not asked for, to tell a second master from noise."""

from collections.abc import Iterator
from typing import NamedTuple

from .crc import crc16

REQUEST_BYTES = 8  # of the functions 1 to 6
EXCEPTION = 0x80
_EXCEPTION_BYTES = 5
_FUNCTIONS = {1, 2, 3, 4, 5, 6, 15, 16}
_READS = {1, 2, 3, 4}


class Frame(NamedTuple):
    """A frame with a right checksum."""

    address: int
    function: int
    data: bytes

    @property
    def is_request(self) -> bool:
        """Whether only a master sends it. A slave confirms a written coil by the same frame."""
        three_bytes_of_bits = self.function <= 2 and self.data[2] == 3  # an answer of the same length
        return self.function in _READS and len(self.data) == REQUEST_BYTES and not three_bytes_of_bits


def frames_in(data: memoryview) -> Iterator[Frame]:
    """The frames in `data`, from the left, without what is between them."""
    at = 0
    while len(data) - at >= _EXCEPTION_BYTES:
        length = length_of(data, at)
        if length:
            yield Frame(data[at], data[at + 1], bytes(data[at : at + length]))
        at += length or 1


def length_of(data: memoryview, at: int) -> int:
    """The length of the frame at this place; 0 if there is none."""
    if len(data) - at < _EXCEPTION_BYTES:
        return 0
    return next((each for each in _lengths(data, at) if crc16(data[at : at + each]) == 0), 0)


def _lengths(data: memoryview, at: int) -> Iterator[int]:
    """The lengths that a frame at this place may have."""
    function = data[at + 1]
    if not 1 <= data[at] <= 247 or function & ~EXCEPTION not in _FUNCTIONS:
        return
    left = len(data) - at
    if function & EXCEPTION:
        yield _EXCEPTION_BYTES
        return
    if left >= REQUEST_BYTES:
        yield REQUEST_BYTES
    answer = 5 + data[at + 2]
    if function in _READS and _EXCEPTION_BYTES < answer <= left:
        yield answer
