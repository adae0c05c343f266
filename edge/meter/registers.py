"""The registers of a meter: their meaning, and their grouping into few requests."""

import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
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
    "int64": struct.Struct(">q"),
    "uint64": struct.Struct(">Q"),
    "float64": struct.Struct(">d"),
}

# What integers hold when a meter has no value: the largest number or the sign bit alone.
_NO_VALUE = {f"uint{bits}": (2**bits - 1, 2 ** (bits - 1)) for bits in (16, 32, 64)}
_NO_VALUE |= {f"int{bits}": (2 ** (bits - 1) - 1, -(2 ** (bits - 1))) for bits in (16, 32, 64)}

# Plausible ranges; a meter's "not available" lies outside. The range of powers is in the profile.
PLAUSIBLE = {
    "voltage_v": (0.0, 1000.0),
    "current_a": (-10_000.0, 10_000.0),
    "power_factor": (-1.001, 1.001),
    "phase_angle_deg": (-360.0, 360.0),
    "frequency_hz": (0.0, 100.0),
    "state_of_charge_percent": (0.0, 100.0),  # of a battery
    "import_energy_wh": (0.0, 1e12),
    "export_energy_wh": (0.0, 1e12),
}
POWERS = ("power_w", "reactive_power_var", "apparent_power_va")


# The parts of a quantity. Most have one register; some meters count the two directions apart, or give the
# sign in a register of its own.
VALUE, PLUS, MINUS, MAGNITUDE, SIGN = "value", "plus", "minus", "magnitude", "sign"
TELLING_WORDS = 6  # a shorter block is what any other master asks for, too


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a meter: its address, and how its words are converted to the unit of `quantity`.

    `role` is the part of the quantity that it holds. A SIGN is negative if a bit of `mask` is set; without a
    mask (0) it is 0 or 1, and anything else is unknown.
    """

    input: str
    quantity: str
    function: int
    address: int
    type: str
    scale: float
    word_order: str
    lowest: float
    highest: float
    byte_order: str = "big"
    role: str = VALUE
    mask: int = 0

    @property
    def words(self) -> int:
        return TYPES[self.type].size // 2

    @property
    def key(self) -> str:
        """Its name in a record."""
        return self.quantity if self.input == TOTAL else f"{self.input}.{self.quantity}"

    def decode(self, data: memoryview) -> float | None:
        """The value of `data`, the bytes of this register; None if it is not available or implausible."""
        if self.word_order == "little" or self.byte_order == "little":
            words = struct.unpack(f"{'<' if self.byte_order == 'little' else '>'}{self.words}H", data)
            data = memoryview(
                struct.pack(f">{self.words}H", *words[:: -1 if self.word_order == "little" else 1])
            )
        raw = TYPES[self.type].unpack(data)[0]
        if self.role == SIGN:
            return _sign(raw, self.mask)
        if raw in _NO_VALUE.get(self.type, ()):
            return None
        value = float(raw) * self.scale + 0.0  # not -0.0
        return value if self.lowest <= value <= self.highest else None  # NaN is in no range


def _sign(raw: int, mask: int) -> float | None:
    if mask and raw != 0xFFFF:
        return -1.0 if raw & mask else 1.0
    return {0: 1.0, 1: -1.0}.get(raw)


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

    def halves(self) -> "list[Block]":
        """The same registers in two requests; empty for one register."""
        middle = len(self.registers) // 2
        return [_block(each) for each in (self.registers[:middle], self.registers[middle:])] if middle else []


def assemble(decoded: Iterable[tuple[Register, float | None]]) -> dict[str, float | None]:
    """The value of each quantity by its name in a record, put together from its parts."""
    parts: dict[str, dict[str, float | None]] = {}
    for register, value in decoded:
        parts.setdefault(register.key, {})[register.role] = value
    return {key: _whole(each) for key, each in parts.items()}


def _whole(parts: Mapping[str, float | None]) -> float | None:
    if VALUE in parts:
        return parts[VALUE]
    plus, minus = parts.get(PLUS), parts.get(MINUS)
    if plus is not None and minus is not None:
        return plus - minus
    magnitude, sign = parts.get(MAGNITUDE), parts.get(SIGN)
    return None if magnitude is None or sign is None else magnitude * sign


def contradiction(values: Mapping[str, float | None]) -> str:
    """Why the values of one block cannot be measured at one moment; empty if they can.

    It is asked while a second master is on the line: its answers have a right checksum but another content.
    """
    voltage_v = values.get("voltage_v", 230.0)
    if voltage_v is None or not 40.0 <= voltage_v <= 600.0:
        return f"a voltage of {voltage_v} V"
    for prefix in ("", *(f"{phase}." for phase in PHASES)):
        power_w, apparent_va, u_v, i_a = (
            values.get(prefix + key) for key in ("power_w", "apparent_power_va", "voltage_v", "current_a")
        )
        if power_w is None:
            continue
        if apparent_va is not None and abs(power_w) > 1.1 * abs(apparent_va) + 20.0:
            return f"{power_w:.0f} W with {apparent_va:.0f} VA"
        if u_v is not None and i_a is not None and abs(power_w) > 1.1 * abs(u_v * i_a) + 20.0:
            return f"{power_w:.0f} W with {u_v:.0f} V and {i_a:.1f} A"
    total_w = values.get("power_w")
    phases_w = [values.get(f"{phase}.power_w") for phase in PHASES]
    known_w = [each for each in phases_w if each is not None]
    if total_w is not None and len(known_w) == len(PHASES):
        slack_w = 0.03 * sum(map(abs, known_w)) + 30.0
        if abs(sum(known_w) - total_w) > slack_w:
            return f"phases of {sum(known_w):.0f} W in a total of {total_w:.0f} W"
    return ""


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


def _block(registers: Sequence[Register]) -> Block:
    start = registers[0].address
    end = max(each.address + each.words for each in registers)
    return Block(registers[0].function, start, end - start, tuple(registers))


def telling(block: Block, registers: Sequence[Register], max_registers: int, max_gap: int) -> Block:
    """`block`, made longer if it is short: with a voltage if one is in reach, else with its neighbours.

    An answer that was meant for another master then has another length or an impossible content.
    """
    every = sorted(
        (each for each in registers if each.function == block.function), key=lambda each: each.address
    )
    end = block.start + block.count
    inside = [at for at, each in enumerate(every) if block.start <= each.address < end]
    best = every[inside[0] : inside[-1] + 1]
    if block.count < TELLING_WORDS:
        runs = [
            every[first : last + 1]
            for first in range(inside[0] + 1)
            for last in range(inside[-1], len(every))
            if _fits(every[first : last + 1], max_registers, max_gap)
        ]
        runs.sort(key=_words)
        witnesses = [run for run in runs if any(each.quantity == "voltage_v" for each in run)]
        best = next(
            iter(witnesses or [run for run in runs if _words(run) >= TELLING_WORDS] or runs[-1:]), best
        )
    return _block(best)


def _words(run: Sequence[Register]) -> int:
    return max(each.address + each.words for each in run) - run[0].address


def _fits(run: Sequence[Register], max_registers: int, max_gap: int) -> bool:
    holes = [after.address - (before.address + before.words) for before, after in itertools.pairwise(run)]
    return _words(run) <= max_registers and all(hole <= max_gap for hole in holes)
