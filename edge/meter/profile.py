"""Meter profiles: one TOML file describes what a meter model measures and in which registers.

    name = "Eastron SDM120"
    phases = 1                  # 1 or 3
    max_power_w = 15000         # a reading above it is implausible
    max_registers = 50          # most registers in one request (Modbus: 125)
    max_gap = 12                # unlisted registers that a request may include

    [encoding]                  # defaults for all registers
    function = 4                # 3: holding registers, 4: input registers
    type = "float32"            # float32, int16, uint16, int32, uint32, uint64
    word_order = "big"          # "little": the low word first

    [total]                     # and, if the meter has them, [l1] [l2] [l3]
    power_w = { register = 0x000C }
    import_energy_wh = { register = 0x0048, scale = 1000 }

Powers are positive when they flow to the consumer, as the meters count them.
"""

import math
import os
from dataclasses import dataclass
from typing import Any

from ..files import read_text
from .registers import PHASES, PLAUSIBLE, POWERS, TOTAL, TYPES, Block, Register, group
from .rtu import MAX_REGISTERS

_DIRECTORY = os.path.join(os.path.dirname(__file__), "profiles")
_MAX_FILE_BYTES = 64 * 1024
_TOP_KEYS = {"name", "phases", "max_power_w", "max_registers", "max_gap", "encoding", TOTAL, *PHASES}
_ENCODING_KEYS = {"function", "type", "word_order", "scale"}
_REGISTER_KEYS = _ENCODING_KEYS | {"register"}
_QUANTITIES = {*PLAUSIBLE, *POWERS}


class ProfileError(ValueError):
    """An invalid profile; the message names the file, the key and the value."""

    def __init__(self, file: str, key: str, value: object, reason: str) -> None:
        super().__init__(f"{file}: {key} = {value!r}: {reason}")
        self.file, self.key, self.value = file, key, value


@dataclass(frozen=True, slots=True)
class Profile:
    """A meter model. `power_blocks` read the power of each input, `record_blocks` all registers."""

    name: str
    phases: int
    inputs: tuple[str, ...]
    max_registers: int
    max_gap: int
    registers: tuple[Register, ...]
    power_blocks: tuple[Block, ...]
    record_blocks: tuple[Block, ...]


def load_profile(name_or_path: str) -> Profile:
    """The built-in profile with that name, or the file at that path. Raises ProfileError."""
    is_path = os.sep in name_or_path or name_or_path.endswith(".toml")
    path = name_or_path if is_path else os.path.join(_DIRECTORY, f"{name_or_path}.toml")
    return _Reader(path).profile()


def shipped_profiles() -> list[str]:
    """The names of the built-in profiles."""
    return sorted(each.removesuffix(".toml") for each in os.listdir(_DIRECTORY) if each.endswith(".toml"))


class _Reader:
    """Checks one file key by key, so that every error names its key and value."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._table = self._parse()

    def _parse(self) -> dict[str, Any]:
        import tomllib  # only while profiles are read

        try:
            return tomllib.loads(read_text(self._path, _MAX_FILE_BYTES))
        except OSError as error:
            raise self._wrong("file", self._path, error.strerror or "cannot be read") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self._wrong("file", self._path, f"is not valid TOML: {error}") from error

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
        return Profile(
            name,
            phases,
            inputs,
            max_registers,
            max_gap,
            registers,
            group(powers, max_registers, max_gap),
            group(registers, max_registers, max_gap),
        )

    def _input(self, input_: str) -> list[Register]:
        table = self._subtable(self._table, input_, input_)
        self._only(table, _QUANTITIES, f"{input_}.")
        if "power_w" not in table:
            raise self._wrong(f"{input_}.power_w", None, "every input needs a power register")
        return [self._register(input_, quantity, table) for quantity in table]

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
        if not valid or not math.isfinite(value) or value == 0:
            raise self._wrong(key, value, "must be a finite number other than 0")
        return float(value)

    def _wrong(self, key: str, value: object, reason: str) -> ProfileError:
        return ProfileError(os.path.basename(self._path), key, value, reason)
