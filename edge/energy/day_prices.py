"""Prices of the next day as public services give them, in JSON, checked before use (thesis 8.2.3).

    {"data": [{"start_timestamp": 1764457200000, "end_timestamp": 1764460800000, "marketprice": 81.2}, ...]}
    {"unix_seconds": [1764457200, 1764458100, ...], "price": [81.2, null, ...]}

Times are those of the begin of a step, in ms or s of Unix time, and prices are per MWh. They may be negative.
A price that is null or not there is unknown, which is not zero.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

import orjson

_STEP_S, _LONGEST_S = 900, 3600
_PAST_S, _AHEAD_S = 31 * 86_400, 8 * 86_400  # further away a date is not plausible
MOST_STEPS = 4000
MOST_BYTES = 1 << 20
_MOST_PER_MWH = 100_000.0  # far beyond what any exchange allows


class PricesRefused(ValueError):
    """Prices that are not used; the message says why."""


class Step(NamedTuple):
    """The price per kWh from a moment (Unix time) until another."""

    from_s: int
    until_s: int
    rate: float


class DayPrices(NamedTuple):
    """Steps in order of time; there may be gaps between them."""

    steps: tuple[Step, ...] = ()

    @property
    def until_s(self) -> float:
        """When the last price ends; 0 without any."""
        return self.steps[-1].until_s if self.steps else 0.0

    def at(self, at_s: float) -> float | None:
        """The price per kWh then; None where it is unknown."""
        place = bisect_right(self.steps, (at_s, float("inf"))) - 1
        found = self.steps[place] if place >= 0 else None
        return found.rate if found and at_s < found.until_s else None

    def following(self, at_s: float) -> list[Step]:
        """The step of a moment and those that follow it without a gap."""
        found: list[Step] = []
        for step in self.steps:
            if step.until_s > at_s:
                if step.from_s != found[-1].until_s if found else step.from_s > at_s:
                    break
                found.append(step)
        return found


def read_json(data: bytes, wall_s: float) -> DayPrices:
    """The prices of an answer; `wall_s` is Unix time. Raises PricesRefused."""
    if len(data) > MOST_BYTES:
        raise PricesRefused(f"they are longer than {MOST_BYTES} bytes")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise PricesRefused("they are not valid JSON") from None
    if isinstance(found, dict) and isinstance(found.get("data"), list):
        return checked(_of_rows(found["data"]), wall_s)
    if isinstance(found, dict) and isinstance(found.get("unix_seconds"), list):
        return checked(_of_columns(found["unix_seconds"], found.get("price")), wall_s)
    raise PricesRefused("they have neither `data` nor `unix_seconds` and `price`")


def checked(rows: Iterable[tuple[float, float | None, float | None]], wall_s: float) -> DayPrices:
    """Prices from rows: begin and end of a step (Unix time; an end of None: where the next one begins) and
    the price per MWh (None: unknown). Raises PricesRefused.
    """
    given = list(rows)
    if not given:
        raise PricesRefused("there are none")
    if len(given) > MOST_STEPS:
        raise PricesRefused(f"there are more than {MOST_STEPS}")
    for from_s, _, per_mwh in given:
        if not wall_s - _PAST_S <= from_s <= wall_s + _AHEAD_S or from_s % _STEP_S:
            raise PricesRefused(f"{from_s!r} is not the begin of a quarter-hour of these days")
        if per_mwh is not None and not abs(per_mwh) <= _MOST_PER_MWH:
            raise PricesRefused(f"{per_mwh!r} per MWh is not plausible")
    if any(later[0] <= each[0] for each, later in pairwise(given)):
        raise PricesRefused("they are not in order of time")
    steps = []
    for (from_s, until_s, per_mwh), next_s in zip(given, _nexts([row[0] for row in given]), strict=True):
        until_s = next_s if until_s is None else until_s
        if not 0 < until_s - from_s <= _LONGEST_S:
            raise PricesRefused(f"a step of {until_s - from_s:g} s is neither an hour nor a part of one")
        if per_mwh is not None:
            steps.append(Step(int(from_s), int(until_s), round(per_mwh / 1000, 6)))
    if any(later.from_s < each.until_s for each, later in pairwise(steps)):
        raise PricesRefused("two steps overlap")
    return DayPrices(tuple(steps))


def _nexts(begins: Sequence[float]) -> list[float]:
    """When the next step begins, an hour later at most; the last step is as long as the one before."""
    spans = [min(_LONGEST_S, later - each) for each, later in pairwise(begins)]
    spans.append(spans[-1] if spans else _LONGEST_S)
    return [begin + span for begin, span in zip(begins, spans, strict=True)]


def _of_rows(rows: list[Any]) -> Iterable[tuple[float, float | None, float | None]]:
    for row in rows[: MOST_STEPS + 1]:
        if not isinstance(row, dict):
            raise PricesRefused("a row is not an object")
        until_ms = row.get("end_timestamp")
        until_s = None if until_ms is None else _number(until_ms) / 1000
        yield _number(row.get("start_timestamp")) / 1000, until_s, _price(row.get("marketprice"))


def _of_columns(times: list[Any], prices: Any) -> Iterable[tuple[float, float | None, float | None]]:
    if not isinstance(prices, list) or len(prices) != len(times):
        raise PricesRefused("there are not as many prices as times")
    for time_s, price in zip(times[: MOST_STEPS + 1], prices, strict=False):
        yield _number(time_s), None, _price(price)


def _price(value: Any) -> float | None:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise PricesRefused("a time or a price is not a number")
    return float(value)


def condensed(steps: Sequence[Step], most: int) -> list[Step]:
    """At most so many steps, the first as it is: again and again the two neighbours whose prices differ
    least, by their length, become one with their mean price."""
    left = list(steps)
    while len(left) > most:
        place = min(range(1, len(left) - 1), key=lambda i: _loss(left[i], left[i + 1]))
        left[place : place + 2] = [_joined(left[place], left[place + 1])]
    return left


def _loss(one: Step, other: Step) -> float:
    """By how much prices are off when two steps are one: the sum of squares."""
    lengths = one.until_s - one.from_s, other.until_s - other.from_s
    return (one.rate - other.rate) ** 2 * lengths[0] * lengths[1] / sum(lengths)


def _joined(one: Step, other: Step) -> Step:
    lengths = one.until_s - one.from_s, other.until_s - other.from_s
    rate = (one.rate * lengths[0] + other.rate * lengths[1]) / sum(lengths)
    return Step(one.from_s, other.until_s, rate)
