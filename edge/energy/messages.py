"""Requests, offers, contracts, confirmations: the values twins publish, as JSON (thesis 4.1.1, DESIGN 7).

Everything read here may come from another node: types, ranges and sizes are checked, and ValueError
raised for anything else.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, TypeVar

import orjson

from .rules import MARGIN, MAX_PARTS, MAX_POWER_W, MIN_POWER_W

T = TypeVar("T")


def round_w(power_w: float) -> float:
    """A power as it stands in messages: whole milliwatts."""
    return round(power_w, 3)


class Priority(IntEnum):
    """How urgent a request is (thesis 4.1.2)."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A need of a consumer; `waited_s` counts from when it was first unserved."""

    id: int
    power_w: float
    priority: Priority
    waited_s: float

    def encode(self) -> bytes:
        return orjson.dumps(
            {"id": self.id, "w": self.power_w, "prio": self.priority, "waited_s": round(self.waited_s, 1)}
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What a supplier would give to one request; `impact` is the environmental impact, low is green."""

    request_id: int
    power_w: float
    max_w: float
    impact: int

    def encode(self) -> bytes:
        return orjson.dumps(
            {"req": self.request_id, "w": self.power_w, "max": self.max_w, "impact": self.impact}
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One supplier's share of a contract: the power agreed, and the most that is reserved."""

    supplier: str
    power_w: float
    max_w: float


@dataclass(frozen=True, slots=True)
class Contract:
    """What a consumer and its suppliers agree on; `valid` once all of them have confirmed."""

    id: int
    revision: int
    valid: bool
    ttl_s: int
    parts: tuple[Part, ...]

    @property
    def power_w(self) -> float:
        """The power agreed, in W."""
        return sum(part.power_w for part in self.parts)

    @property
    def max_w(self) -> float:
        """The most the consumer may draw, in W."""
        return sum(part.max_w for part in self.parts)

    def part_of(self, supplier: str) -> Part | None:
        """The share of a supplier, None when it has none."""
        return next((part for part in self.parts if part.supplier == supplier), None)

    def use(self, power_w: float, shrink: bool) -> "Contract":
        """The contract restated for a use of `power_w`; `shrink` gives back what is beyond its margin."""
        ratio = power_w / self.power_w
        left_w = power_w
        parts = []
        for part in self.parts:
            share_w = min(round_w(part.power_w * ratio), part.max_w)
            parts.append(replace(part, power_w=share_w))
            left_w -= share_w
        for i, part in enumerate(parts):  # a supplier at its limit leaves a rest to the others
            extra_w = max(0.0, min(round_w(left_w), part.max_w - part.power_w))
            left_w -= extra_w
            share_w = part.power_w + extra_w
            max_w = min(part.max_w, round_w(share_w * (1 + MARGIN))) if shrink else part.max_w
            parts[i] = replace(part, power_w=share_w, max_w=max_w)
        return replace(self, revision=self.revision + 1, parts=tuple(parts))

    def encode(self) -> bytes:
        parts = [[part.supplier, part.power_w, part.max_w] for part in self.parts]
        return orjson.dumps(
            {"id": self.id, "rev": self.revision, "ok": self.valid, "ttl": self.ttl_s, "parts": parts}
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A supplier's word on a contract of one consumer."""

    contract_id: int
    agreed: bool


Answers = dict[str, Answer]  # by consumer


def encode_answers(answers: Answers) -> bytes:
    """The confirmation table a supplier publishes."""
    return orjson.dumps({name: [each.contract_id, each.agreed] for name, each in answers.items()})


def parse_request(data: bytes) -> Request:
    """Raises ValueError."""
    fields = _object(data)
    priority = Priority(_integer(fields, "prio", 0, 2))
    return Request(_integer(fields, "id"), _power(fields["w"]), priority, _seconds(fields, "waited_s"))


def parse_offer(data: bytes) -> Offer:
    """Raises ValueError."""
    fields = _object(data)
    power_w, max_w = _power(fields["w"]), _power(fields["max"])
    _check_margin(power_w, max_w)
    return Offer(_integer(fields, "req"), power_w, max_w, _integer(fields, "impact", 0, 9))


def parse_contract(data: bytes) -> Contract:
    """Raises ValueError."""
    fields = _object(data)
    rows = fields["parts"]
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_PARTS or not isinstance(fields["ok"], bool):
        raise ValueError("bad contract")
    parts = []
    for row in rows:
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str):
            raise ValueError("bad part")
        part = Part(row[0], _power(row[1]), _power(row[2]))
        if part.max_w < part.power_w - MIN_POWER_W:
            raise ValueError("a part draws more than is reserved for it")
        parts.append(part)
    if len({part.supplier for part in parts}) != len(parts):
        raise ValueError("a supplier stands twice")
    numbers = _integer(fields, "id"), _integer(fields, "rev")
    return Contract(*numbers, fields["ok"], _integer(fields, "ttl", 1, 86_400 * 366), tuple(parts))


def parse_answers(data: bytes) -> Answers:
    """Raises ValueError."""
    answers = {}
    for name, row in _object(data).items():
        if not isinstance(row, list) or len(row) != 2 or type(row[0]) is not int:
            raise ValueError("bad answer")
        answers[name] = Answer(row[0], row[1] is True)
    return answers


def lenient(parse: Callable[[bytes], T]) -> Callable[[bytes], T | None]:
    """A parser that gives None where the strict one raises."""

    def parse_or_none(data: bytes) -> T | None:
        try:
            return parse(data)
        except (ValueError, KeyError, TypeError):
            return None

    return parse_or_none


def _object(data: bytes) -> dict[str, Any]:
    fields = orjson.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("an object is expected")
    return fields


def _integer(fields: dict[str, Any], key: str, least: int = 0, most: int = 2**53) -> int:
    value = fields[key]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{key} is out of range")
    return value


def _power(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("power is no number")
    if not math.isfinite(value) or not 0 < value <= MAX_POWER_W:
        raise ValueError("power is out of range")
    return float(value)


def _seconds(fields: dict[str, Any], key: str) -> float:
    value = fields[key]
    if type(value) not in (int, float) or not 0 <= value <= 1e9:
        raise ValueError(f"{key} is out of range")
    return float(value)


def _check_margin(power_w: float, max_w: float) -> None:
    if not power_w - MIN_POWER_W <= max_w <= power_w * (1 + MARGIN) + MIN_POWER_W:
        raise ValueError("margin is out of range")
