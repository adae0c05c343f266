"""A Modbus RTU master: one request, one answer, one hard deadline, fixed buffers.

Why not a library? Measured (x86-64, Python 3.11; `python -m host_tools.meter.compare`), 36 registers over a
pseudo terminal; memory in addition to paho-mqtt and orjson, pyserial (0.2 MB) included:

                   import   read   at 9600 baud   CPU time   lost by a bad checksum
    ours           0.8 MB   4 ms        93 ms       0.11 ms                     4 ms
    minimalmodbus  0.4 MB   4 ms        93 ms       0.30 ms                     4 ms
    pymodbus       3.8 MB   9 ms        95 ms       0.27 ms     520 ms (it retries)

In wire time this master equals minimalmodbus. It needs a third of the CPU time, works with any
`Port` and `Clock`, so that every fault is tested in virtual time, and checks what follows the end of a frame.
pymodbus costs 3 MB more and has waited forever on line noise (its issue 2960).

A frame is accepted only if everything is right: silence before and after it, length, checksum, slave and
function. Some habits of real lines are accepted: an adapter that echoes the request, once or more, also with
a few wrong bits; a late answer of another slave right before ours; up to three stray bytes at either end of
a frame (a transceiver that turns round); and a slave or gateway whose answers have gaps: after the first
answer that broke off, it gets the whole timeout. A request waits until the line has been silent for the
pause of its bus. So no late answer precedes it, and no slave is asked while it is deaf.

Two answers of a slave to similar requests cannot be told apart. Therefore a slave that failed is not polled
for some seconds (`bus.py`), and frames of a second master are noticed: the line is then `distrusted` for a
while, the master listens longer, and readings are checked for contradictions (`polled.py`).
"""

import struct

from edge.clock import Clock, SystemClock

from .crc import crc16
from .errors import (
    BadCrc,
    BusError,
    ForeignFrame,
    LongFrame,
    NoAnswer,
    Noise,
    PortLost,
    ShortFrame,
    SlaveException,
    WrongFunction,
    WrongLength,
    WrongSlave,
)
from .frames import EXCEPTION, REQUEST_BYTES, frames_in, length_of
from .port import Port

__all__ = [
    "BadCrc",
    "BusError",
    "ForeignFrame",
    "LongFrame",
    "NoAnswer",
    "Noise",
    "PortLost",
    "RtuMaster",
    "ShortFrame",
    "SlaveException",
    "WrongFunction",
    "WrongLength",
    "WrongSlave",
]

READ_COILS = 1
WRITE_COIL, WRITE_REGISTER = 5, 6
_CONFIRMED = (WRITE_COIL, WRITE_REGISTER)  # by the same frame
MAX_REGISTERS = 125
DISTRUST_S = 600.0  # after the last frame of a second master

_REQUEST = struct.Struct(">BBHH")
_FRAME_BYTES = 256  # the longest frame of Modbus
_SILENT_CHARS = 3.5
_MIN_SILENCE_S = 0.00175  # the minimum of the specification, above 19 200 baud
_BROKEN_OFF_S = 0.1  # silence that ends an incomplete frame; USB adapters delay bytes by up to 16 ms
_STRAY_BYTES = 3  # that may precede or follow an answer
_WRONG_BITS = 3  # in an echo; any other frame with a right checksum differs in at least four
_LISTEN_S = 0.1  # silence around a transaction while there is a second master
_LATE_S = 5.0  # until then an answer to a request that failed may still come


class RtuMaster:
    """Sends requests to the slaves of one line. `timeout_s`: the time until the first byte of an answer.

    Every call ends within `deadline_s(...)` with a value or a BusError, whatever happens on the line.
    `pause_s`: the silence before each request.
    """

    def __init__(
        self, port: Port, timeout_s: float, clock: Clock | None = None, pause_s: float = 0.0
    ) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._silence_s = max(_SILENT_CHARS * port.char_s, _MIN_SILENCE_S)
        self._pause_s = max(pause_s, self._silence_s)
        self._heard_s = self._clock.now_s()  # when the last byte was received
        self._request = bytearray(REQUEST_BYTES)
        self._answer = bytearray(_FRAME_BYTES + 1)  # one more, to detect a frame that is too long
        self._request_view = memoryview(self._request)
        self._answer_view = memoryview(self._answer)
        self._echoes = 0  # how often the adapter returns what it sends
        self._dropped = 0  # echoes of the present request
        self._halting: set[int] = set()  # slaves whose answers have gaps
        self._failed_s: dict[int, float] = {}  # by slave: when its last request failed
        self._foreign_s = -DISTRUST_S
        self.late_answers = 0  # how often bytes were waiting on the line before a request
        self.foreign_frames = 0

    @property
    def distrusted(self) -> bool:
        """Whether a second master was on the line not long ago."""
        return self.foreign_frames > 0 and self._clock.now_s() < self._foreign_s + DISTRUST_S

    def read_registers(self, address: int, function: int, start: int, count: int) -> memoryview:
        """Read `count` registers of two bytes; the next call overwrites the view. `function` is 3 or 4."""
        if not 1 <= count <= MAX_REGISTERS:
            raise ValueError(f"{count} registers in one request: must be 1 to {MAX_REGISTERS}")
        self._exchange(address, function, start, count, 5 + 2 * count)
        if self._answer[2] != 2 * count:
            raise WrongLength(f"the answer announces {self._answer[2]} bytes instead of {2 * count}")
        return self._answer_view[3 : 3 + 2 * count]

    def write_coil(self, address: int, coil: int, on: bool) -> None:
        """Switch one coil; the slave confirms it by the same frame."""
        self._exchange(address, WRITE_COIL, coil, 0xFF00 if on else 0, 8)
        if self._answer_view[:8] != self._request_view:
            raise WrongFunction("the slave confirmed a different coil or state")

    def write_register(self, address: int, register: int, value: int) -> None:
        """Write one register; the slave confirms it by the same frame."""
        self._exchange(address, WRITE_REGISTER, register, value, 8)
        if self._answer_view[:8] != self._request_view:
            raise WrongFunction("the slave confirmed a different register or value")

    def read_coil(self, address: int, coil: int) -> bool:
        """Whether one coil is on."""
        self._exchange(address, READ_COILS, coil, 1, 6)
        if self._answer[2] != 1:
            raise WrongLength(f"the answer announces {self._answer[2]} bytes instead of 1")
        return bool(self._answer[3] & 1)

    def deadline_s(self, answer_bytes: int) -> float:
        """The longest duration of one call: emptying the line, the slave's timeout, the transmission."""
        quiet_s = max(self._pause_s, _LISTEN_S)
        return 2 * self._timeout_s + 3 * quiet_s + self._silence_s + (8 + answer_bytes) * self._port.char_s

    def contradicted(self, reason: str) -> ForeignFrame:
        """The error of an answer whose content cannot be ours."""
        self._found_foreign()
        return ForeignFrame(f"the answer of another request: {reason}")

    # ---- one transaction ---------------------------------------------------------------------

    def _exchange(self, address: int, function: int, first: int, second: int, expected: int) -> None:
        """Send a request; the answer buffer then holds a valid frame of `expected` bytes."""
        try:
            self._ask(address, function, first, second, expected)
        except (PortLost, SlaveException):
            raise
        except BusError:
            self._failed_s[address] = self._clock.now_s()
            raise

    def _ask(self, address: int, function: int, first: int, second: int, expected: int) -> None:
        self._await_silence()
        _REQUEST.pack_into(self._request, 0, address, function, first, second)
        struct.pack_into("<H", self._request, 6, crc16(self._request_view[:6]))
        deadline_s = self._clock.now_s() + self._timeout_s + (8 + expected) * self._port.char_s
        self._port.send(self._request_view)
        self._dropped = 0
        stranger: BusError | None = None
        while True:
            size = self._receive(address, function, expected, deadline_s)
            if size == 0:
                raise stranger or NoAnswer(f"slave {address} does not answer")
            while size:
                at = self._find(size, address, function, expected)
                if at >= 0:
                    return self._accept(at, function)
                if self._is_echo(0, size, function, _WRONG_BITS):
                    size = self._drop_echo(REQUEST_BYTES, size)
                    continue
                end = self._end_of_stranger(size, address)
                if not end:
                    if size < expected:
                        self._halting.add(address)
                    raise self._fault(size, address, function, expected)
                self._recognise(end)  # often a late answer of another slave: ours may still come
                stranger = WrongSlave(f"slave {self._answer[0]} answered instead of {address}")
                size = self._without_echo(self._drop(end, size), function)

    def _accept(self, at: int, function: int) -> None:
        """Move the frame to the beginning of the answer buffer. Raises SlaveException."""
        self._answer[: _FRAME_BYTES - at] = self._answer[at:_FRAME_BYTES]
        if function not in _CONFIRMED:
            self._echoes = self._dropped
        if self._answer[1] & EXCEPTION:
            raise SlaveException(self._answer[2])

    def _await_silence(self) -> None:
        """Discard received bytes until the line is silent, so that no earlier answer precedes the next."""
        quiet_s = max(self._pause_s, _LISTEN_S) if self.distrusted else self._pause_s
        give_up_s = self._clock.now_s() + self._timeout_s + quiet_s
        late, size = False, 0
        while (now_s := self._clock.now_s()) <= give_up_s:
            got = self._port.receive(self._answer_view[size:], self._heard_s + quiet_s - now_s)
            if not got:
                break
            late = True
            size += got
            self._heard_s = self._clock.now_s()
            if size == len(self._answer):
                self._recognise(size)
                size = 0
        self._recognise(size)
        if now_s > give_up_s:
            raise Noise("the line is never silent")
        self.late_answers += late

    def _receive(self, address: int, function: int, expected: int, deadline_s: float) -> int:
        """Fill the answer buffer until silence, the deadline or its end; returns the number of bytes."""
        size = 0
        while size < len(self._answer):
            left_s = deadline_s - self._clock.now_s()
            if left_s <= 0:
                break
            patience_s = self._patience_s(size, address, function, expected, left_s)
            got = self._port.receive(self._answer_view[size:], patience_s)
            if got == 0:
                break
            self._heard_s = self._clock.now_s()
            size = self._without_echo(size + got, function)
        return size

    def _patience_s(self, size: int, address: int, function: int, expected: int, left_s: float) -> float:
        """How long to wait for the next bytes after `size` bytes."""
        if self._find(size, address, function, expected) >= 0:
            return _LISTEN_S if self.distrusted else self._silence_s
        begun = size > 1 and self._answer[0] == address and self._answer[1] & ~EXCEPTION == function
        if begun and size >= (5 if self._answer[1] & EXCEPTION else expected):
            return self._silence_s
        if not begun and size >= 5 and crc16(self._answer_view[:size]) == 0:  # of another slave
            return self._silence_s
        if size <= _STRAY_BYTES and not (size and self._answer[0] == address):
            return left_s
        if address in self._halting:
            return left_s
        return min(max(_BROKEN_OFF_S, self._silence_s), left_s)

    def _without_echo(self, size: int, function: int) -> int:
        """Drop the echoes of the request from the beginning of the answer buffer; returns what is left."""
        at = 0
        while at <= min(_STRAY_BYTES, size - REQUEST_BYTES):
            if self._is_echo(at, size, function, 0):
                size, at = self._drop_echo(at + REQUEST_BYTES, size), 0
            else:
                at += 1
        return size

    def _is_echo(self, at: int, size: int, function: int, wrong_bits: int) -> bool:
        """Whether the request is there, with at most so many wrong bits.

        The confirmation of what was written looks like it, so there it is an echo only if the adapter is
        known to echo, or if the frame is there twice.
        """
        end = at + REQUEST_BYTES
        if end > size or _wrong_bits(self._answer_view[at:end], self._request) > wrong_bits:
            return False
        twice = end + REQUEST_BYTES <= size and self._answer_view[end : end + REQUEST_BYTES] == self._request
        return function not in _CONFIRMED or self._dropped < self._echoes or twice

    def _drop_echo(self, end: int, size: int) -> int:
        self._dropped += 1
        self._echoes = max(self._echoes, self._dropped)
        return self._drop(end, size)

    def _drop(self, end: int, size: int) -> int:
        """Drop the bytes before `end`; returns how many are left."""
        self._answer[: size - end] = self._answer[end:size]
        return size - end

    def _end_of_stranger(self, size: int, address: int) -> int:
        """Where the frame of another slave ends that the answer buffer begins with; 0 if there is none."""
        frame = self._answer_view[:size]
        if size < 5 or frame[0] == address:
            return 0
        return size if crc16(frame) == 0 else length_of(frame, 0)

    def _find(self, size: int, address: int, function: int, expected: int) -> int:
        """Where the right frame begins among `size` bytes, with few stray bytes around it; -1: nowhere."""
        for at in range(min(_STRAY_BYTES, size - 5) + 1):
            if self._answer[at] != address or self._answer[at + 1] & ~EXCEPTION != function:
                continue
            end = at + (5 if self._answer[at + 1] & EXCEPTION else expected)
            if end <= size <= end + _STRAY_BYTES and crc16(self._answer_view[at:end]) == 0:
                return at
        return -1

    def _fault(self, size: int, address: int, function: int, expected: int) -> BusError:
        """The error of `size` bytes without the right frame: first faults of the line, then of the slave."""
        asked = self._recognise(size)
        frame = self._answer_view[:size]
        if asked == address:
            return ForeignFrame(f"a request to slave {address} that is not ours")
        if size < 5 or crc16(frame) != 0:
            if size == expected:
                return BadCrc(f"{size} bytes with a wrong checksum")
            return (ShortFrame if size < expected else LongFrame)(f"{size} bytes instead of {expected}")
        if frame[1] != function:
            return WrongFunction(f"answer with function {frame[1]} instead of {function}")
        return (ShortFrame if size < expected else LongFrame)(f"{size} bytes instead of {expected}")

    # ---- a second master ---------------------------------------------------------------------

    def _recognise(self, size: int) -> int:
        """Look for frames of a second master in the buffer; returns the slave that it asked last, or 0."""
        asked = 0
        now_s = self._clock.now_s()
        for frame in frames_in(self._answer_view[:size]):
            if frame.data == self._request:
                continue
            if frame.is_request:
                asked = frame.address
            elif now_s < self._failed_s.pop(frame.address, -_LATE_S) + _LATE_S:
                continue  # a late answer
            self._found_foreign()
        return asked

    def _found_foreign(self) -> None:
        self.foreign_frames += 1
        self._foreign_s = self._clock.now_s()


def _wrong_bits(frame: memoryview, sent: bytearray) -> int:
    """How many bits of `frame` are not those of `sent`."""
    return 0 if frame == sent else sum((a ^ b).bit_count() for a, b in zip(frame, sent, strict=True))
