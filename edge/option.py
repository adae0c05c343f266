"""How a setting is declared: once, as an annotated field of a frozen dataclass.

    baud: Annotated[int, Within(1200, 115200), "bits per second"] = 9600

The field carries the key, its type, its default, the values that are allowed and the meaning. A key without
a default is required. `options_of` turns a class into `Option` records: from them come the check of a file,
`microgrid-edge options` and docs/configuration.md. A field without `Annotated` is not a key of the file: the
program sets it.
"""

import math
import re
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

from .terms import NODE_NAME

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHOWN = 60  # characters of a refused value
REQUIRED: Any = MISSING
_TYPES = {int: "whole number", float: "number", str: "text", Path: "file or folder"}
_NUMBERS: dict[type, tuple[type, ...]] = {int: (int,), float: (int, float)}  # what TOML may hold for them


class Mark(Protocol):
    """Which values are allowed. `words` completes the sentence "the value must be ..."."""

    @property
    def words(self) -> str: ...

    def allows(self, value: Any) -> bool: ...


@dataclass(frozen=True, slots=True)
class Within:
    """A number between two bounds, both allowed."""

    least: float
    most: float

    @property
    def words(self) -> str:
        return f"between {_plain(self.least)} and {_plain(self.most)}"

    def allows(self, value: Any) -> bool:
        return bool(self.least <= value <= self.most)


class OneOf:
    """One of a few texts or numbers."""

    def __init__(self, *choices: str | int) -> None:
        self.choices = choices

    @property
    def words(self) -> str:
        return f"one of {', '.join(map(str, self.choices))}"

    def allows(self, value: Any) -> bool:
        return value in self.choices


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that matches a pattern as a whole; `words` say the same to people."""

    pattern: str
    words: str

    def allows(self, value: Any) -> bool:
        return re.fullmatch(self.pattern, value) is not None


NAME_OF_NODE = Matching(NODE_NAME, "1 to 32 of a-z, 0-9, _ and -, the first a letter or a digit")
NAME = Matching(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,30}", "1 to 31 letters, digits, _ and -, the first not -")


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a section. `default` is REQUIRED if there is none; `mark` says which values are allowed."""

    key: str
    kind: type[Any]
    default: Any
    meaning: str
    mark: Mark | None = None

    @property
    def required(self) -> bool:
        """Whether the file must state it."""
        return self.default is REQUIRED

    @property
    def type_words(self) -> str:
        """The type in plain words."""
        return _TYPES.get(self.kind, "text")

    @property
    def default_text(self) -> str:
        """The default as it would be written in the file."""
        if isinstance(self.default, Enum):
            return f'"{self.default.name.lower()}"'
        return f'"{self.default}"' if isinstance(self.default, str | Path) else str(self.default)

    def refusal(self, raw: Any) -> str:
        """Why a value of the file is refused; empty if it is right."""
        if not isinstance(raw, _NUMBERS.get(self.kind, str)) or isinstance(raw, bool):
            return f"must be a {self.type_words}" if self.kind in _NUMBERS else "must be text"
        if isinstance(raw, float) and not math.isfinite(raw):
            return "must be a finite number"
        if isinstance(raw, str) and _CONTROL.search(raw):
            return "must not contain control characters"
        if self.mark and not self.mark.allows(raw):
            return f"must be {self.mark.words}"
        return "must not be empty" if self.required and raw == "" else ""

    def value(self, raw: Any) -> Any:
        """A value of the file, one that is not refused, as the field holds it."""
        return self.kind[raw.upper()] if issubclass(self.kind, Enum) else self.kind(raw)


@cache
def options_of(settings: type) -> tuple[Option, ...]:
    """The keys that a settings class declares, in their order."""
    hints = get_type_hints(settings, include_extras=True)
    return tuple(
        _option(field.name, hints[field.name], field.default)
        for field in fields(settings)
        if get_origin(hints[field.name]) is Annotated
    )


def _option(key: str, hint: Any, default: Any) -> Option:
    kind, *marks, meaning = get_args(hint)
    if issubclass(kind, Enum):
        marks.append(OneOf(*(each.name.lower() for each in kind)))
    return Option(key, kind, default, meaning, *marks)


def shown(value: object) -> str:
    """A value as TOML, cut after 60 characters."""
    text = _toml(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:  # in JSON
        return "null"
    if isinstance(value, str):
        text = value[:_SHOWN].replace("\\", "\\\\").replace('"', '\\"')
        text = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        return f'"{text}"'
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return hex(value)  # Python refuses to print more than 4300 decimal digits
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value[:_SHOWN]))}]"
    if isinstance(value, dict):
        pairs = list(value.items())[:_SHOWN]
        return f"{{{', '.join(f'{shown_key(key)} = {shown(each)}' for key, each in pairs)}}}"
    return str(value)


def shown_key(key: str) -> str:
    """A key as TOML: quoted if it needs to be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else shown(key)


def _plain(number: float) -> str:
    """A number for people: 115,200 or 0.05."""
    return f"{int(number):,}" if number == int(number) else f"{number:,}"
