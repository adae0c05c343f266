"""The registers of a meter: their meaning, and their grouping into few requests."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

TOTAL = "total"
PHASES = ("l1", "l2", "l3")

# All are big-endian within a 16-bit register; the order of the registers depends on the meter.
TYPES = {
    "float32": struct.Struct(">f"),
    "int16": struct.Struct(">h"),
    "uint16": struct.Struct(">H"),
    "int32": struct.Struct(">i"),
    "uint32": struct.Struct(">I"),
    "uint64": struct.Struct(">Q"),
}

# Plausible ranges; a meter's "not available" lies outside. The range of powers is in the profile.
PLAUSIBLE = {
    "voltage_v": (0.0, 1000.0),
    "current_a": (-10_000.0, 10_000.0),
    "power_factor": (-1.001, 1.001),
    "phase_angle_deg": (-360.0, 360.0),
    "frequency_hz": (0.0, 100.0),
    "import_energy_wh": (0.0, 1e12),
    "export_energy_wh": (0.0, 1e12),
}
POWERS = ("power_w", "reactive_power_var", "apparent_power_va")


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a meter: its address, and how its words are converted to the unit of `quantity`."""

    input: str
    quantity: str
    function: int
    address: int
    type: str
    scale: float
    word_order: str
    lowest: float
    highest: float

    @property
    def words(self) -> int:
        return TYPES[self.type].size // 2

    @property
    def key(self) -> str:
        """Its name in a record."""
        return self.quantity if self.input == TOTAL else f"{self.input}.{self.quantity}"

    def decode(self, data: memoryview) -> float | None:
        """The value of `data`, the bytes of this register; None if it is not available or implausible."""
        if self.word_order == "little":
            words = struct.unpack(f">{self.words}H", data)
            data = memoryview(struct.pack(f">{self.words}H", *reversed(words)))
        value = float(TYPES[self.type].unpack(data)[0]) * self.scale
        return value if self.lowest <= value <= self.highest else None  # NaN is in no range


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring registers that are read by one request."""

    function: int
    start: int
    count: int
    registers: tuple[Register, ...]

    def decode(self, data: memoryview) -> Iterable[tuple[Register, float | None]]:
        """The value of each register, from the answer to the block's request."""
        for register in self.registers:
            at = 2 * (register.address - self.start)
            yield register, register.decode(data[at : at + 2 * register.words])


def group(registers: Iterable[Register], max_registers: int, max_gap: int) -> tuple[Block, ...]:
    """The fewest blocks that cover `registers`: each of at most `max_registers`, with gaps up to `max_gap`.

    Going through the sorted registers and starting a block only when necessary gives the minimum.
    """
    blocks: list[list[Register]] = []
    for register in sorted(registers, key=lambda each: (each.function, each.address)):
        if blocks:
            first, last = blocks[-1][0], blocks[-1][-1]
            hole = register.address - (last.address + last.words)
            span = register.address + register.words - first.address
            if register.function == first.function and hole <= max_gap and span <= max_registers:
                blocks[-1].append(register)
                continue
        blocks.append([register])
    return tuple(_block(each) for each in blocks)


def _block(registers: list[Register]) -> Block:
    start = registers[0].address
    end = max(each.address + each.words for each in registers)
    return Block(registers[0].function, start, end - start, tuple(registers))
