"""What a member and the market of the next day say to each other (thesis 8.2.3): one question, one answer.

A member asks one thing at a time and asks again until it is answered, so nothing is lost with a message or a
restart of either side. The answer bears the number of the question. Days are days of UTC since 1970; a day
has 96 steps. What a member orders for a step is one row of pieces: a limit in ten-thousandths per kWh, and
the Wh that it buys (above 0) or sells (below 0) at that limit or a better price.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from .day_market import MOST_LIMIT, STEP_S, STEPS
from .parsing import number, read_object, whole

UNIT = 10_000  # limits and prices travel as whole parts of that
MOST_PIECES = 12  # of one order
MOST_WH = 10**8
_MOST_DAY = 10**6
_DAY_S = STEPS * STEP_S
_ROOM = 3000  # bytes of the rows of one message
ORDERS, RESULT, METER, BILL = "orders", "result", "meter", "bill"
Pieces = tuple[tuple[int, int], ...]  # limit in ten-thousandths, Wh


class Question(NamedTuple):
    """`rows`: the orders of steps from `first` on, or the needs of all steps in Wh (None: not measured)."""

    number: int
    deed: str
    day: int
    first: int = 0
    rows: Sequence[Any] = ()

    def encode(self) -> bytes:
        fields = {"n": self.number, "do": self.deed, "day": self.day}
        return orjson.dumps({**fields, **({"from": self.first} if self.first else {}), "rows": self.rows})


def parse_question(data: bytes) -> Question:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    deed, first = fields["do"], whole(fields.get("from", 0), most=STEPS - 1)
    rows = fields["rows"]
    if deed not in (ORDERS, RESULT, METER, BILL) or not isinstance(rows, list):
        raise ValueError("invalid question")
    if len(rows) > STEPS - first or (deed == METER and len(rows) != STEPS):
        raise ValueError("invalid number of steps")
    read: tuple[Any, ...] = ()
    if deed == ORDERS:
        read = tuple(_pieces(row) for row in rows)
    elif deed == METER:
        read = tuple(None if each is None else _wh(each) for each in rows)
    return Question(whole(fields["n"]), deed, whole(fields["day"], most=_MOST_DAY), first, read)


def _pieces(row: Any) -> Pieces:
    if not isinstance(row, list) or len(row) > MOST_PIECES:
        raise ValueError("invalid order")
    found = []
    for each in row:
        if not isinstance(each, list) or len(each) != 2 or type(each[0]) is not int or not _wh(each[1]):
            raise ValueError("invalid piece of an order")
        if abs(each[0]) > MOST_LIMIT * UNIT:
            raise ValueError("a limit is out of range")
        found.append((each[0], each[1]))
    return tuple(found)


def _wh(value: Any) -> int:
    if type(value) is not int or abs(value) > MOST_WH:
        raise ValueError("an energy is out of range")
    return int(value)


def fitting(rows: Sequence[Any], first: int) -> list[Any]:
    """The rows from `first` on that find room in one message, at least one."""
    found: list[Any] = []
    left = _ROOM
    for row in rows[first:]:
        left -= len(orjson.dumps(row)) + 1
        if found and left < 0:
            break
        found.append(row)
    return found


class Awarded(NamedTuple):
    """One step of a result: the price per kWh (None: nothing was traded), what the member has bought (above
    0) or sold, and with whom: names of nodes and Wh; without a name it is the operator."""

    price: float | None
    position_wh: int
    partners: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `refused`: why the question leads to nothing; `next`: the step that is still lacking, 96
    without any; `steps`: results from the step that was asked for; `balancing`: prices of deviations by step.
    """

    number: int
    refused: str = ""
    next: int = STEPS
    steps: tuple[Awarded, ...] = ()
    balancing: tuple[float | None, ...] = ()

    def encode(self) -> bytes:
        names = sorted({name for step in self.steps for name, _ in step.partners})
        places = {name: i for i, name in enumerate(names)}
        rows = [
            [_unit(step.price), step.position_wh, [[places[name], wh] for name, wh in step.partners]]
            for step in self.steps
        ]
        fields: dict[str, Any] = {"n": self.number, "next": self.next}
        if self.refused:
            fields["no"] = self.refused
        if rows:
            fields |= {"who": names, "rows": rows}
        if self.balancing:
            fields["balancing"] = [_unit(each) for each in self.balancing]
        return orjson.dumps(fields)


def parse_reply(data: bytes) -> Reply:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    names, rows, balancing = fields.get("who", []), fields.get("rows", []), fields.get("balancing", [])
    if not all(isinstance(each, list) and len(each) <= STEPS for each in (rows, balancing)):
        raise ValueError("invalid number of steps")
    if not isinstance(names, list) or not all(isinstance(each, str) and len(each) <= 64 for each in names):
        raise ValueError("invalid names")
    refused = fields.get("no", "")
    if not isinstance(refused, str) or len(refused) > 40:
        raise ValueError("invalid reason")
    return Reply(
        number=whole(fields["n"]),
        refused=refused,
        next=whole(fields["next"], most=STEPS),
        steps=tuple(_awarded(row, names) for row in rows),
        balancing=tuple(_price(each) for each in balancing),
    )


def _awarded(row: Any, names: list[str]) -> Awarded:
    price, position, partners = row
    if not isinstance(partners, list) or len(partners) > len(names):
        raise ValueError("invalid partners")
    found = tuple((names[whole(place, most=len(names) - 1)], _wh(wh)) for place, wh in partners)
    if len({name for name, _ in found}) < len(found) or any(wh < 1 for _, wh in found):
        raise ValueError("invalid partners")
    if sum(wh for _, wh in found) != abs(_wh(position)):
        raise ValueError("a position is not that with all partners")
    return Awarded(_price(price), position, found)


def _unit(price: float | None) -> int | None:
    return None if price is None else round(UNIT * UNIT * price)


def _price(value: Any) -> float | None:
    """Prices have eight digits: the middle of two limits has five."""
    if value is None:
        return None
    if type(value) is not int or abs(value) > MOST_LIMIT * UNIT * UNIT:
        raise ValueError("a price is out of range")
    return value / (UNIT * UNIT)


@dataclass(frozen=True, slots=True)
class Call:
    """What a market tells all (property MARKET): for which day it takes orders and until when (Unix time),
    the last days that are cleared and settled (0: none), and the tariffs of the grid per kWh."""

    open_day: int
    closes_s: int
    cleared_day: int
    settled_day: int
    short: float
    long: float

    def encode(self) -> bytes:
        days = {"open": self.open_day, "until": self.closes_s, "cleared": self.cleared_day}
        return orjson.dumps({**days, "settled": self.settled_day, "short": self.short, "long": self.long})


def parse_call(data: bytes) -> Call:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    days = (whole(fields[each], most=_MOST_DAY) for each in ("open", "cleared", "settled"))
    open_day, cleared, settled = days
    rates = (number(fields[each], -MOST_LIMIT, MOST_LIMIT) for each in ("short", "long"))
    closes_s = whole(fields["until"], max(0, open_day - 1) * _DAY_S, open_day * _DAY_S)
    return Call(open_day, closes_s, cleared, settled, *rates)
