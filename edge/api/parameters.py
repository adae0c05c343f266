"""The parameters of a request: what each may be, and how its text is read or refused."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ..terms import DAY_MIN

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_LONGEST_MIN = 400 * DAY_MIN  # a view may begin or end so far from what it is asked for
_SHOWN = 60  # characters of a refused value


class BadRequest(ValueError):
    """The parameters of a request are invalid; the message says which, and what is expected.

    `about` are the key and the value that are concerned, if it is one.
    """

    def __init__(self, message: str, **about: str) -> None:
        super().__init__(message)
        self.about = about


@dataclass(frozen=True, slots=True)
class Parameter(ABC):
    """One parameter. Without a default it may be left out, and the view is given None."""

    name: str
    meaning: str
    default: str | None = None

    @property
    @abstractmethod
    def expected(self) -> str:
        """Type and range, for people."""

    @property
    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The same as JSON Schema."""

    @abstractmethod
    def value(self, text: str) -> Any:
        """The value that a text stands for. Raises ValueError."""

    def read(self, text: str | None) -> Any:
        """The value that was asked for, or the default. Raises BadRequest."""
        if text is None:
            return None if self.default is None else self.value(self.default)
        try:
            return self.value(text)
        except ValueError:
            raise _refused(self.name, text, f"expected {self.expected}") from None


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """One of a few words."""

    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        return " or ".join(self.choices)

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def value(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class Number(Parameter):
    """A number above `above`, at most `most`."""

    above: float = 0.0
    most: float = math.inf

    @property
    def expected(self) -> str:
        return f"a number above {self.above:g}, at most {self.most:g}"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "number", "exclusiveMinimum": self.above, "maximum": self.most}

    def value(self, text: str) -> float:
        number = float(text)
        if not self.above < number <= self.most:
            raise ValueError(text)
        return number


@dataclass(frozen=True, slots=True)
class Whole(Parameter):
    """A whole number between two bounds, both allowed."""

    least: int = 0
    most: int = 2**53

    @property
    def expected(self) -> str:
        return f"a whole number between {self.least} and {self.most}"

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def value(self, text: str) -> int:
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < _SHOWN):
            raise ValueError(text)
        number = int(text)
        if not self.least <= number <= self.most:
            raise ValueError(text)
        return number


@dataclass(frozen=True, slots=True)
class Text(Parameter):
    """A text that matches a pattern as a whole; `words` say the same to people."""

    pattern: str = ".{1,100}"
    words: str = "1 to 100 characters"

    @property
    def expected(self) -> str:
        return self.words

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def value(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class Minute(Parameter):
    """A moment with its offset from UTC, or without one by the civil time of the node."""

    @property
    def expected(self) -> str:
        return "a time as YYYY-MM-DDTHH:MM, with Z or an offset if it is not the node's civil time"

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": "^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
            "T([01][0-9]|2[0-3]):[0-5][0-9]Z$",
        }

    def value(self, text: str) -> "Moment":
        head, space, offset = text.partition(" ")  # a URL decodes the + of an offset to a space
        at = datetime.fromisoformat(f"{head}+{offset}" if space and "T" in head else text)
        moment = Moment(((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MINUTE)
        moment.civil = at.tzinfo is None
        return moment


class Zone(Protocol):
    """The time zone of a node."""

    def offset_min(self, minute: int) -> int: ...
    def utc(self, civil: int) -> int | None: ...
    def text(self, minute: int) -> str: ...


class Moment(int):
    """Minutes since 1970, of UTC or of the civil time of the node."""

    civil = False

    def utc(self, zone: Zone) -> int:
        """The minute of UTC: the first if there are two, and the one an hour on if it is skipped. Raises
        BadRequest where the calendar has no room for the longest period before or after it."""
        try:
            for away in (-_LONGEST_MIN, _LONGEST_MIN):
                zone.text(int(self) + away)
            if not self.civil:
                return int(self)
            found = zone.utc(int(self))
            return int(self) - zone.offset_min(int(self) - DAY_MIN) if found is None else found
        except (ValueError, OverflowError, OSError):
            raise BadRequest(f"minute {int(self)} since 1970 is out of range") from None


def read_segments(texts: Sequence[str], segments: Sequence[Parameter]) -> list[Any]:
    """The values of the segments of a path. Raises BadRequest."""
    return [each.read(text) for text, each in zip(texts, segments, strict=True)]


def _refused(name: str, text: str, reason: str) -> BadRequest:
    name, text = name[:_SHOWN], text[:_SHOWN]
    return BadRequest(f"{name} = {text}: {reason}", key=name, value=text)


def read_query(query: str, parameters: Sequence[Parameter]) -> list[Any]:
    """The values of `parameters`, in their order, from the part of a URL after `?`. Raises BadRequest."""
    given: dict[str, str] = {}
    known = [each.name for each in parameters]
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            expected = f"expected one of {', '.join(known)}" if known else "this path takes none"
            raise _refused(name, text, f"unknown parameter, {expected}")
        if name in given:
            raise _refused(name, text, "given more than once")
        given[name] = text
    return [each.read(given.get(each.name)) for each in parameters]
