"""One Modbus slave: the registers of a meter model and a bank of coils."""

import math
import struct
from collections.abc import Callable

from edge.meter.crc import crc16
from edge.meter.profile import Profile
from edge.meter.registers import MAGNITUDE, MINUS, PLUS, SIGN, TYPES, Register

from .installation import Installation

COILS = 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


def sealed(body: bytes) -> bytes:
    """`body` followed by its checksum."""
    return body + struct.pack("<H", crc16(body))


class Slave:
    """A meter at an address. Like the real model it refuses long requests and unlisted registers."""

    def __init__(
        self, address: int, profile: Profile, power_w: Callable[[float], float], now_s: float
    ) -> None:
        self.address = address
        self.coils = [False] * COILS
        self.written: dict[int, int] = {}  # registers, by orders to a battery
        self.stuck = False  # coils accept a write but do not change
        self._profile = profile
        self._installation = Installation(profile.phases, power_w, now_s)
        self._readable = {function: _readable(profile, function) for function in (3, 4)}

    def answer(self, request: bytes, now_s: float) -> bytes:
        """The answer to `request`, a valid frame of eight bytes for this slave."""
        function, first, second = struct.unpack(">xBHHxx", request)
        if function in (3, 4):
            code, data = self._read(function, first, second, now_s)
        elif function == 1:
            code, data = self._read_coils(first, second)
        elif function == 5:
            code, data = self._write_coil(first, second), request[2:6]
        elif function == 6 and self._profile.steering:
            code, data = 0, request[2:6]
            self.written[first] = second
        else:
            code, data = ILLEGAL_FUNCTION, b""
        if code:
            return self.exception(function, code)
        return sealed(bytes((self.address, function)) + data)

    def exception(self, function: int, code: int) -> bytes:
        """The exception frame that refuses a request."""
        return sealed(bytes((self.address, function | 0x80, code)))

    def _read(self, function: int, start: int, count: int, now_s: float) -> tuple[int, bytes]:
        if not 1 <= count <= self._profile.max_registers:
            return ILLEGAL_VALUE, b""
        wanted = range(start, start + count)
        if not self._readable[function].issuperset(wanted):
            return ILLEGAL_ADDRESS, b""
        measured = self._installation.measure(now_s)
        words = dict.fromkeys(wanted, 0)
        for register in self._profile.registers:
            inside = start - register.words < register.address < start + count
            if inside and register.function == function:
                value = measured[register.input, register.quantity]
                words.update(zip(range(register.address, 0x10000), encode(register, value), strict=False))
        return 0, bytes((2 * count,)) + struct.pack(f">{count}H", *(words[each] for each in wanted))

    def _read_coils(self, start: int, count: int) -> tuple[int, bytes]:
        if not 1 <= count <= COILS:
            return ILLEGAL_VALUE, b""
        if start + count > COILS:
            return ILLEGAL_ADDRESS, b""
        bits = sum(on << at for at, on in enumerate(self.coils[start : start + count]))
        size = (count + 7) // 8
        return 0, bytes((size,)) + bits.to_bytes(size, "little")

    def _write_coil(self, coil: int, value: int) -> int:
        if value not in (0, 0xFF00):
            return ILLEGAL_VALUE
        if coil >= COILS:
            return ILLEGAL_ADDRESS
        if not self.stuck:
            self.coils[coil] = value != 0
        return 0


def encode(register: Register, value: float) -> tuple[int, ...]:
    """The words of `value` as the meter encodes it; "not available" if it does not fit."""
    form = TYPES[register.type]
    if register.role == SIGN:
        return ((register.mask or 1) if value < 0 else 0,)
    if register.role in (PLUS, MINUS):
        value = value if register.role == PLUS else -value
        value = 0.0 if value < 0 else value
    elif register.role == MAGNITUDE:
        value = abs(value)
    if register.type.startswith("float"):
        packed = form.pack(value / register.scale)
    else:
        bits = form.size * 8
        lowest, highest = (
            (0, 2**bits - 1) if register.type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        raw = round(value / register.scale) if math.isfinite(value) else highest
        packed = form.pack(raw if lowest <= raw <= highest else highest)
    words = struct.unpack(f"{'>' if register.byte_order == 'big' else '<'}{register.words}H", packed)
    return words if register.word_order == "big" else words[::-1]


def _readable(profile: Profile, function: int) -> set[int]:
    """The register numbers that may be read: the listed ones and small gaps between them."""
    readable: set[int] = set()
    end = None
    for register in sorted(profile.registers, key=lambda each: each.address):
        if register.function == function:
            if end is not None and register.address - end <= profile.max_gap:
                readable.update(range(end, register.address))
            end = register.address + register.words
            readable.update(range(register.address, end))
    return readable
