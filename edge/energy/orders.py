"""Orders of the regulator to the twins of its node, and which twins they go to (thesis 4.3.6, 5.2.1.4).

Each order has a life, after which it is no longer shown; a twin that has an order is not given the same again
while that lives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

_EPSILON_W = 0.001


class OrderKind(StrEnum):
    """Why a twin is told something."""

    OVERPRODUCTION = "overproduction"
    OVERCONSUMPTION = "overconsumption"
    FORECAST_PRODUCTION = "forecast_overproduction"
    FORECAST_CONSUMPTION = "forecast_overconsumption"
    LIMIT = "limit"  # an external one
    GENERAL = "general"  # somebody stops all twins
    USER = "user"  # somebody stops this one
    CHANGE = "change"  # of power or dates
    MERGE = "merge"
    BATTERY = "battery"
    NOT_IN_SPACE = "not_in_space"  # its LSA has vanished


LIFE_S = {
    OrderKind.OVERPRODUCTION: 30,
    OrderKind.OVERCONSUMPTION: 30,
    OrderKind.FORECAST_PRODUCTION: 30,
    OrderKind.FORECAST_CONSUMPTION: 30,
    OrderKind.LIMIT: 30,
    OrderKind.GENERAL: 30,
    OrderKind.USER: 2,
    OrderKind.CHANGE: 3,
    OrderKind.MERGE: 5,
    OrderKind.BATTERY: 3,
    OrderKind.NOT_IN_SPACE: 5,
}


class Deed(StrEnum):
    """What a twin is to do."""

    STOP = "stop"  # and stay off until it may return
    REDUCE = "reduce"  # to at most the power of the order
    RETURN = "return"  # go on as if there had been no order
    FORGET = "forget"  # all that ties it to the twin of the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. `power_w` is what is left to the twin; a stop ends after `for_s` if nothing else is said."""

    number: int
    kind: OrderKind
    deed: Deed
    twin: str
    power_w: float = 0.0
    for_s: float = 0.0


def encode_orders(orders: Sequence[Order]) -> bytes:
    """As they are published: JSON, oldest first."""
    rows = [[o.number, o.kind, o.deed, o.twin, round(o.power_w, 3), round(o.for_s, 3)] for o in orders]
    return orjson.dumps(rows)


def decode_orders(data: bytes) -> list[Order]:
    """The orders of the regulator of the same node. Raises ValueError."""
    try:
        rows: list[list[Any]] = orjson.loads(data)
        return [
            Order(
                number=int(number),
                kind=OrderKind(kind),
                deed=Deed(deed),
                twin=str(twin),
                power_w=float(power_w),
                for_s=float(for_s),
            )
            for number, kind, deed, twin, power_w, for_s in rows
        ]
    except TypeError as error:
        raise ValueError(str(error)) from None


# ---- whom to stop ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A twin that may be stopped: its power now, and the priority of its requests."""

    twin: str
    power_w: float
    priority: int = 0
    flexible: bool = False


Choice = Callable[[Sequence[Candidate], float], list[Candidate]]


def largest_first(candidates: Sequence[Candidate], over_w: float) -> list[Candidate]:
    """The largest, then the next one, until the rest is below the threshold."""
    return _until(sorted(candidates, key=lambda each: (-each.power_w, each.twin)), over_w)


def smallest_set(candidates: Sequence[Candidate], over_w: float) -> list[Candidate]:
    """As few as possible, and of the last one no larger one than necessary."""
    left = sorted(candidates, key=lambda each: (each.power_w, each.twin))
    chosen: list[Candidate] = []
    while left and over_w > _EPSILON_W:
        found = next((each for each in left if each.power_w >= over_w - _EPSILON_W), left[-1])
        left.remove(found)
        chosen.append(found)
        over_w -= found.power_w
    return chosen


def lowest_priority(candidates: Sequence[Candidate], over_w: float) -> list[Candidate]:
    """Those of low priority before those of high priority, of each the fewest."""
    chosen: list[Candidate] = []
    for level in sorted({each.priority for each in candidates}):
        if over_w <= _EPSILON_W:
            break
        found = smallest_set([each for each in candidates if each.priority == level], over_w)
        chosen += found
        over_w -= sum(each.power_w for each in found)
    for each in list(chosen):  # later choices may have made an earlier one unnecessary
        if each.power_w <= -over_w + _EPSILON_W:
            chosen.remove(each)
            over_w += each.power_w
    return chosen


def ascending(candidates: Sequence[Candidate], move_w: float) -> list[Candidate]:
    """Flexible ones first, and of them the smallest first: whose activity is moved (thesis 4.3.7)."""
    order = sorted(candidates, key=lambda each: (not each.flexible, each.power_w, each.twin))
    return _until(order, move_w)


def _until(ordered: Sequence[Candidate], over_w: float) -> list[Candidate]:
    chosen: list[Candidate] = []
    for each in ordered:
        if over_w <= _EPSILON_W:
            break
        chosen.append(each)
        over_w -= each.power_w
    return chosen


CHOICES: dict[str, Choice] = {
    "largest": largest_first,
    "smallest_set": smallest_set,
    "lowest_priority": lowest_priority,
}
