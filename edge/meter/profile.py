"""Meter profiles: one TOML file describes what a meter model measures and in which registers.

    name = "Eastron SDM120"
    phases = 1                  # 1 or 3
    max_power_w = 15000         # a reading above it is implausible
    max_registers = 50          # most registers in one request (Modbus: 125)
    max_gap = 12                # unlisted registers that a request may include

    [line]                      # how it leaves the factory: defaults of its bus; all keys may be missing
    baud = 9600
    parity = "N"                # "N", "E" or "O"
    stop_bits = 1
    pause_s = 0.1               # how long it is deaf after a frame

    [encoding]                  # defaults for all registers
    function = 4                # 3: holding registers, 4: input registers
    type = "float32"            # float32, float64, int16, uint16, int32, uint32, int64, uint64
    word_order = "big"          # "little": the low word first
    byte_order = "big"          # "little": the low byte of each word first

    [total]                     # and, if the meter has them, [l1] [l2] [l3]
    power_w = { register = 0x000C }
    import_energy_wh = { register = 0x0048, scale = 1000 }

A meter that counts the two directions apart has `power_w = { register = 1, minus = 3 }`: the value of the
first register minus that of the second. One with a register for the sign has `power_w = { register = 1,
sign = 5 }`: 0 is positive, 1 negative, anything else unknown. With `sign_mask = 8` it is negative while a bit
of the mask is set there.

A battery also has `state_of_charge_percent`, and a table `[steer]` if it takes orders (`steered.py`).

Integers that hold the largest number of their type, or only its highest bit, are not available, like NaN and
infinity in floats.

Powers are positive when they flow to the consumer, as the meters count them.
"""

import os
from dataclasses import dataclass, replace
from typing import Any

from ..files import InvalidToml, read_toml
from ..option import shown
from .registers import (
    MAGNITUDE,
    MINUS,
    PHASES,
    PLAUSIBLE,
    PLUS,
    POWERS,
    SIGN,
    TOTAL,
    TYPES,
    Block,
    Register,
    group,
    telling,
)
from .rtu import MAX_REGISTERS
from .steered import POWER, Steering, Writes

_DIRECTORY = os.path.join(os.path.dirname(__file__), "profiles")
_MAX_FILE_BYTES = 64 * 1024
_MOST = 1e300  # a whole number beyond it has no float
_TOP_KEYS = {"name", "phases", "max_power_w", "max_registers", "max_gap", "line", "encoding", "steer"}
_TOP_KEYS |= {TOTAL, *PHASES}
_ORDERS = ("begin", "charge", "discharge", "rest", "end")
_MOST_WRITES = 8
_LINE_KEYS = {"baud", "parity", "stop_bits", "pause_s"}
_ENCODING_KEYS = {"function", "type", "word_order", "byte_order", "scale"}
_REGISTER_KEYS = _ENCODING_KEYS | {"register", "minus", "sign", "sign_mask"}
_QUANTITIES = {*PLAUSIBLE, *POWERS}


class ProfileError(ValueError):
    """An invalid profile; the message names the file, the key and the value."""

    def __init__(self, file: str, key: str, value: object, reason: str) -> None:
        super().__init__(f"{file}: {key}{'' if value is None else f' = {shown(value)}'}: {reason}")
        self.file, self.key, self.value = file, key, value


class UnknownProfile(ProfileError):
    """No shipped profile has this name."""

    def __init__(self, name: str) -> None:
        ValueError.__init__(self, f"unknown profile; known: {', '.join(shipped_profiles())}")
        self.file, self.key, self.value = name, "profile", name


@dataclass(frozen=True, slots=True)
class Profile:
    """A meter model. `power_blocks` read the power of each input; `record_blocks` are these and more.

    `line` holds what it states of "baud", "parity", "stop_bits" and "pause_s".
    """

    name: str
    phases: int
    inputs: tuple[str, ...]
    max_registers: int
    max_gap: int
    registers: tuple[Register, ...]
    power_blocks: tuple[Block, ...]
    record_blocks: tuple[Block, ...]
    line: dict[str, Any]
    steering: Steering | None = None


def load_profile(name_or_path: str) -> Profile:
    """The built-in profile with that name, or the file at that path. Raises ProfileError."""
    is_path = os.sep in name_or_path or name_or_path.endswith(".toml")
    if not is_path and name_or_path not in shipped_profiles():
        raise UnknownProfile(name_or_path)
    path = name_or_path if is_path else os.path.join(_DIRECTORY, f"{name_or_path}.toml")
    return _Reader(path).profile()


def shipped_profiles() -> list[str]:
    """The names of the built-in profiles."""
    return sorted(each.removesuffix(".toml") for each in os.listdir(_DIRECTORY) if each.endswith(".toml"))


def _is_word(value: object) -> bool:
    return type(value) is int and 0 <= value <= 0xFFFF


class _Reader:
    """Checks one file key by key, so that every error names its key and value."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._table = self._parse()

    def _parse(self) -> dict[str, Any]:
        try:
            return read_toml(self._path, _MAX_FILE_BYTES)
        except OSError as error:
            raise self._wrong("file", self._path, error.strerror or "cannot be read") from error
        except InvalidToml as error:
            raise self._wrong("file", self._path, str(error)) from error

    def profile(self) -> Profile:
        table = self._table
        self._only(table, _TOP_KEYS, "")
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise self._wrong("name", name, "must be a non-empty string")
        phases = self._integer(table, "phases", None, 1, 3)
        if phases == 2:
            raise self._wrong("phases", phases, "must be 1 or 3")
        max_registers = self._integer(table, "max_registers", MAX_REGISTERS, 1, MAX_REGISTERS)
        max_gap = self._integer(table, "max_gap", 0, 0, MAX_REGISTERS)
        inputs = tuple(each for each in (TOTAL, *PHASES) if each in table)
        if TOTAL not in inputs:
            raise self._wrong(TOTAL, None, "this input is required")
        if phases == 1 and len(inputs) > 1:
            raise self._wrong(inputs[1], "...", "a single-phase meter can only have the input total")
        registers = tuple(each for input_ in inputs for each in self._input(input_))
        for each in registers:
            if each.words > max_registers:
                raise self._wrong("max_registers", max_registers, f"{each.key} alone needs {each.words}")
        powers = [each for each in registers if each.quantity == "power_w"]
        fast = tuple(
            telling(block, registers, max_registers, max_gap)
            for block in group(powers, max_registers, max_gap)
        )
        read = {each for block in fast for each in block.registers}
        slow = group([each for each in registers if each not in read], max_registers, max_gap)
        return Profile(
            name,
            phases,
            inputs,
            max_registers,
            max_gap,
            registers,
            fast,
            (*fast, *slow),
            self._line(),
            self._steering(),
        )

    def _steering(self) -> Steering | None:
        if "steer" not in self._table:
            return None
        table = self._subtable(self._table, "steer", "steer")
        self._only(table, {"most_w", *_ORDERS}, "steer.")
        most_w = self._integer(table, "most_w", None, 1, 0xFFFF, "steer")
        return Steering(most_w, *(self._writes(table, order) for order in _ORDERS))

    def _writes(self, table: dict[str, Any], order: str) -> Writes:
        rows = table.get(order, [])
        if not isinstance(rows, list) or len(rows) > _MOST_WRITES:
            raise self._wrong(f"steer.{order}", rows, f"must be a list of at most {_MOST_WRITES} writes")
        writes = []
        for row in rows:
            right = isinstance(row, list) and len(row) == 2 and all(map(_is_word, row[:1]))
            if not right or not (_is_word(row[1]) or row[1] == POWER):
                raise self._wrong(f"steer.{order}", row, f"must be [register, value or {POWER!r}]")
            writes.append((row[0], row[1]))
        return tuple(writes)

    def _line(self) -> dict[str, Any]:
        if "line" not in self._table:
            return {}
        table = self._subtable(self._table, "line", "line")
        self._only(table, _LINE_KEYS, "line.")
        if "baud" in table:
            self._integer(table, "baud", None, 1200, 115200, "line")
        if table.get("parity", "N") not in ("N", "E", "O"):
            raise self._wrong("line.parity", table["parity"], "must be 'N', 'E' or 'O'")
        if "stop_bits" in table:
            self._integer(table, "stop_bits", None, 1, 2, "line")
        if "pause_s" in table and not 0 < self._number(table, "pause_s", "line.pause_s", None) <= 1:
            raise self._wrong("line.pause_s", table["pause_s"], "must be above 0 and at most 1")
        return table

    def _input(self, input_: str) -> list[Register]:
        table = self._subtable(self._table, input_, input_)
        self._only(table, _QUANTITIES, f"{input_}.")
        if "power_w" not in table:
            raise self._wrong(f"{input_}.power_w", None, "every input needs a power register")
        return [each for quantity in table for each in self._registers(input_, quantity, table)]

    def _registers(self, input_: str, quantity: str, table: dict[str, Any]) -> list[Register]:
        """One register, or two if the quantity has two parts."""
        first = self._register(input_, quantity, table)
        own, key = table[quantity], f"{input_}.{quantity}"
        if "minus" in own and "sign" in own:
            raise self._wrong(f"{key}.sign", own["sign"], "cannot be combined with minus")
        if "minus" in own:
            address = self._integer(own, "minus", None, 0, 0x10000 - first.words, key)
            first = replace(first, role=PLUS, lowest=0.0)
            return [first, replace(first, role=MINUS, address=address)]
        if "sign" in own:
            address = self._integer(own, "sign", None, 0, 0xFFFF, key)
            mask = self._integer(own, "sign_mask", 0, 1, 0xFFFF, key) if "sign_mask" in own else 0
            first = replace(first, role=MAGNITUDE, lowest=0.0)
            return [first, replace(first, role=SIGN, address=address, type="uint16", mask=mask)]
        if "sign_mask" in own:
            raise self._wrong(f"{key}.sign_mask", own["sign_mask"], "needs sign")
        return [first]

    def _register(self, input_: str, quantity: str, table: dict[str, Any]) -> Register:
        key = f"{input_}.{quantity}"
        own = self._subtable(table, quantity, key)
        self._only(own, _REGISTER_KEYS, f"{key}.")
        common = self._subtable(self._table, "encoding", "encoding") if "encoding" in self._table else {}
        self._only(common, _ENCODING_KEYS, "encoding.")
        merged = {**common, **own}
        type_ = merged.get("type")
        if not isinstance(type_, str) or type_ not in TYPES:
            raise self._wrong(f"{key}.type", type_, f"must be one of {', '.join(TYPES)}")
        word_order = merged.get("word_order", "big")
        if word_order not in ("big", "little"):
            raise self._wrong(f"{key}.word_order", word_order, "must be 'big' or 'little'")
        byte_order = merged.get("byte_order", "big")
        if byte_order not in ("big", "little"):
            raise self._wrong(f"{key}.byte_order", byte_order, "must be 'big' or 'little'")
        words = TYPES[type_].size // 2
        highest = self._number(self._table, "max_power_w", "max_power_w", None)
        if highest <= 0:
            raise self._wrong("max_power_w", highest, "must be above 0")
        return Register(
            input_,
            quantity,
            self._integer(merged, "function", None, 3, 4, key),
            self._integer(merged, "register", None, 0, 0x10000 - words, key),
            type_,
            self._number(merged, "scale", f"{key}.scale", 1.0),
            word_order,
            *PLAUSIBLE.get(quantity, (-highest, highest)),
            byte_order,
        )

    def _subtable(self, table: dict[str, Any], name: str, key: str) -> dict[str, Any]:
        value = table[name]
        if not isinstance(value, dict):
            raise self._wrong(key, value, "must be a table")
        return value

    def _only(self, table: dict[str, Any], allowed: set[str], prefix: str) -> None:
        for key, value in table.items():
            if key not in allowed:
                raise self._wrong(f"{prefix}{key}", value, "unknown key")

    def _integer(
        self, table: dict[str, Any], name: str, default: int | None, low: int, high: int, prefix: str = ""
    ) -> int:
        value = table.get(name, default)
        if type(value) is not int or not low <= value <= high:  # a bool is not a number here
            key = f"{prefix}.{name}" if prefix else name
            raise self._wrong(key, value, f"must be a whole number from {low} to {high}")
        return value

    def _number(self, table: dict[str, Any], name: str, key: str, default: float | None) -> float:
        value: Any = table.get(name, default)
        valid = isinstance(value, int | float) and not isinstance(value, bool)
        if not valid or not -_MOST <= value <= _MOST or value == 0:
            raise self._wrong(key, value, "must be a finite number other than 0")
        return float(value)

    def _wrong(self, key: str, value: object, reason: str) -> ProfileError:
        return ProfileError(os.path.basename(self._path), key, value, reason)
