"""The parameters of a request: what each may be, and how its text is read or refused."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

_EPOCH = datetime(1970, 1, 1)
_SHOWN = 60  # characters of a refused value


class BadRequest(ValueError):
    """The parameters of a request are invalid; the message says which, and what is expected."""


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
            raise BadRequest(f"{self.name} = {text[:_SHOWN]}: expected {self.expected}") from None


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """One of a few words."""

    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        return " or ".join(self.choices)

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

    def value(self, text: str) -> float:
        number = float(text)
        if not self.above < number <= self.most:
            raise ValueError(text)
        return number


@dataclass(frozen=True, slots=True)
class Minute(Parameter):
    """A moment of the node's civil clock; the view is given minutes since 1970."""

    @property
    def expected(self) -> str:
        return "a local time as YYYY-MM-DDTHH:MM"

    def value(self, text: str) -> int:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            raise ValueError(text)
        return (moment - _EPOCH) // timedelta(minutes=1)


def minute_text(minute: int) -> str:
    """Minutes since 1970 as YYYY-MM-DDTHH:MM."""
    return (_EPOCH + timedelta(minutes=minute)).isoformat(timespec="minutes")


def read_query(query: str, parameters: Sequence[Parameter]) -> list[Any]:
    """The values of `parameters`, in their order, from the part of a URL after `?`. Raises BadRequest."""
    given: dict[str, str] = {}
    known = [each.name for each in parameters]
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            expected = f"expected one of {', '.join(known)}" if known else "this path takes none"
            raise BadRequest(f"{name[:_SHOWN]} = {text[:_SHOWN]}: unknown parameter, {expected}")
        if name in given:
            raise BadRequest(f"{name} = {text[:_SHOWN]}: given more than once")
        given[name] = text
    return [each.read(given.get(each.name)) for each in parameters]
