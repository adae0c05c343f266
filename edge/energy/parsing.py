"""Parses the messages of twins. They may come from another node, so types, ranges and sizes are checked.

Every `parse_*` raises ValueError, KeyError or TypeError for an invalid message; `lenient` turns that into
None.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import orjson
from msgspec import DecodeError, msgpack

from .messages import Answer, Answers, Contract, Offer, Part, Priority, Request
from .prices import read_rows
from .rules import CATEGORY_MAX, MARGIN, MAX_PARTS, MAX_POWER_W, MIN_POWER_W

S = TypeVar("S")
T = TypeVar("T")
MAX_PRICE = 1e6  # per kWh
_MAX_CREDIT_WH = 1e9
_YEAR_S = 86_400 * 366
_TERMS = 2**31 - 1
_AHEAD_S = 2 * 86_400  # a contract may begin so much later
_RUN_S = 86_400.0


def parse_request(data: bytes) -> Request:
    """A consumer's request."""
    fields = read_object(data)
    alert_s = number(fields.get("alert_s", 0.0), 0.0, 1e9)
    power_w = power(fields["w"])
    spare_w = number(fields.get("spare", 0.0), 0.0, power_w)
    return Request(
        integer(fields, "id"),
        power_w,
        _priority(fields),
        "alert_s" in fields,
        alert_s,
        fields.get("part", False) is True,
        spare_w,
        *_span(fields),
        number(fields.get("credit", 0.0), -_MAX_CREDIT_WH, _MAX_CREDIT_WH),
        _category(fields.get("cat", "")),
    )


def parse_offer(data: bytes) -> Offer:
    """A supplier's offer. Without free power it must state the power that interruptions would give."""
    row = _unpacked(data)
    if not isinstance(row, list) or len(row) not in (4, 6, 7, 8):
        raise ValueError("invalid offer")
    row += (0.0, 0, 0.0, [])[len(row) - 4 :]
    request_id, power_mw, max_mw, impact, price, urgent_mw, in_s, prices = row
    urgent_w = number(_w(urgent_mw), 0.0, MAX_POWER_W)
    least_w = 0.0 if urgent_w >= MIN_POWER_W else MIN_POWER_W
    power_w = number(_w(power_mw), least_w, MAX_POWER_W)
    max_w = number(_w(max_mw), least_w, MAX_POWER_W)
    if not power_w - MIN_POWER_W <= max_w <= power_w * (1 + MARGIN) + MIN_POWER_W:
        raise ValueError("margin is out of range")
    price = number(price, 0.0, MAX_PRICE)
    in_s, table = number(in_s, 0.0, _AHEAD_S), read_rows(prices)
    return Offer(whole(request_id), power_w, max_w, whole(impact, most=9), price, urgent_w, in_s, table)


def parse_contract(data: bytes) -> Contract:
    """A whole contract, as its consumer keeps it."""
    fields = read_object(data)
    return replace(_terms(fields), parts=_parts(fields["parts"], power))


def parse_stub(data: bytes) -> Contract:
    """What all may know of a contract: one without parts."""
    return _terms(read_object(data))


def parse_parts(data: bytes) -> tuple[Part, ...]:
    """Shares of a contract."""
    return _parts(_unpacked(data), _power_of_mw)


def parse_answers(data: bytes) -> Answers:
    """A confirmation table, or what one node may read of it."""
    table = _unpacked(data)
    if not isinstance(table, dict) or not all(isinstance(consumer, str) for consumer in table):
        raise ValueError("invalid confirmations")
    return {consumer: _answers(rows) for consumer, rows in table.items()}


def lenient(parse: Callable[[S], T]) -> Callable[[S], T | None]:
    """A parser that returns None where the strict one raises."""

    def parse_or_none(data: S) -> T | None:
        try:
            return parse(data)
        except (ValueError, KeyError, TypeError):
            return None

    return parse_or_none


def _category(given: Any) -> str:
    if not isinstance(given, str) or len(given) > CATEGORY_MAX:
        raise ValueError("invalid category")
    return given


def _span(fields: dict[str, Any]) -> tuple[float, float, float]:
    """Of a request: length of the run, first and latest begin; zeros for one that begins now."""
    if "run_s" not in fields:
        return 0.0, 0.0, 0.0
    begin_in_s = number(fields["begin_in_s"], 0.0, _AHEAD_S)
    return (
        number(fields["run_s"], 1.0, _RUN_S),
        begin_in_s,
        number(fields["latest_in_s"], begin_in_s, _AHEAD_S),
    )


def _terms(fields: dict[str, Any]) -> Contract:
    if not isinstance(fields["ok"], bool):
        raise ValueError("invalid contract")
    number, revision = integer(fields, "id"), integer(fields, "rev")
    ttl_s = integer(fields, "ttl", 1, _YEAR_S)
    term = whole(fields.get("term", 0), most=_TERMS)
    in_s = whole(fields.get("in", 0), most=_AHEAD_S)
    return Contract(number, revision, fields["ok"], ttl_s, _priority(fields), (), term, in_s)


def _parts(rows: Any, power_of: Callable[[Any], float]) -> tuple[Part, ...]:
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_PARTS:
        raise ValueError("invalid parts of a contract")
    parts = []
    for row in rows:
        if not isinstance(row, list) or len(row) not in (3, 4) or not isinstance(row[0], str):
            raise ValueError("invalid part of a contract")
        part = Part(row[0], power_of(row[1]), power_of(row[2]), read_rows(row[3] if len(row) == 4 else []))
        if part.max_w < part.power_w - MIN_POWER_W:
            raise ValueError("a part uses more power than is reserved for it")
        parts.append(part)
    if len({part.supplier for part in parts}) != len(parts):
        raise ValueError("duplicate supplier")
    return tuple(parts)


def _answers(rows: Any) -> tuple[Answer, ...]:
    answers = []
    for row in rows:
        if not isinstance(row, list) or len(row) not in (2, 3, 4) or type(row[0]) is not int:
            raise ValueError("invalid answer")
        contract_id, agreed, limit_mw, term = (*row, 0, 0)[:4]
        unlimited = len(row) != 3 and limit_mw == 0
        limit_w = math.inf if unlimited else _power_of_mw(limit_mw)
        answers.append(Answer(contract_id, agreed == 1, limit_w, whole(term, most=_TERMS)))
    return tuple(answers)


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object."""
    fields = orjson.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("not a JSON object")
    return fields


def _unpacked(data: bytes) -> Any:
    try:
        return msgpack.decode(data)
    except (DecodeError, RecursionError):
        raise ValueError("not msgpack") from None


def integer(fields: dict[str, Any], key: str, least: int = 0, most: int = 2**53) -> int:
    """A whole number of an object, in a range."""
    return whole(fields[key], least, most)


def whole(value: Any, least: int = 0, most: int = 2**53) -> int:
    """A whole number in a range."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError("a number is out of range")
    return value


def _priority(fields: dict[str, Any]) -> Priority:
    return Priority(integer(fields, "prio", 0, 2))


def power(value: object) -> float:
    """A power in W, above zero."""
    return number(value, 5e-324, MAX_POWER_W)


def _w(power_mw: Any) -> float:
    return whole(power_mw, most=10**10 + 1) / 1000


def _power_of_mw(power_mw: Any) -> float:
    return power(_w(power_mw))


def number(value: object, least: float, most: float) -> float:
    """A number in a range."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    if not least <= value <= most:  # nan is in no range
        raise ValueError("a number is out of range")
    return float(value)
