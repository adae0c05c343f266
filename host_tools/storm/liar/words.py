"""False messages of the market of the next day, of negotiations and of gates, before they are sealed.

Each begins as one that its reader takes. One part of it is made false then, as `values` says; a part that the
message does not have is a true message, again and again.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import msgpack

from edge.energy.day_market import STEPS
from edge.energy.day_messages import MOST_WH, UNIT, Question
from edge.energy.messages import Offer, Priority, Request
from edge.energy.rules import (
    COUNTER,
    HOLON,
    LEFT,
    MARKET,
    MARKET_ANSWER,
    MARKET_ASK,
    MAX_POWER_W,
    OFFER,
    UPWARD,
)

from . import values
from .grammar import Lie

_MOST_MESSAGES = 7  # at a time
_MOST_PRICE = 1e5
_TYPES: tuple[Any, ...] = (None, True, "7", [], {}, [[[]]], -0.0, 2**70)
_QUESTIONS = ("orders", "result", "meter", "bill")
Fields = dict[str, Any]


class Word(NamedTuple):
    """One message: `reader` is the twin for whose node it is sealed; empty: all may read it."""

    label: str
    reader: str
    plain: bytes


@dataclass(slots=True)
class Heard:
    """What a liar has heard of others, and what day it is."""

    node: str
    day: int = 0
    wall_s: float = 0.0
    market: str = ""
    traders: list[str] = field(default_factory=list)
    questions: dict[str, Question] = field(default_factory=dict)  # to it, by trader
    requests: dict[str, Request] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)  # to it, by supplier


def words(lie: Lie, heard: Heard, count: int, rng: random.Random) -> Iterator[Word]:
    """The messages of a lie; `count` rises with each time."""
    falsify = _Falsifier(lie, count, rng)
    if lie.what == "call":
        yield Word(MARKET, "", falsify.json(_call(heard, falsify)))
    elif lie.what in _QUESTIONS and heard.market:
        yield Word(MARKET_ASK, heard.market, falsify.json(_question(lie.what, heard, count, falsify)))
    elif lie.what == "answer":
        for trader in heard.traders[:_MOST_MESSAGES]:
            asked = heard.questions.get(trader, Question(count, "result", heard.day + 1))
            yield Word(MARKET_ANSWER, trader, falsify.json(_answer(asked, heard, falsify)))
    elif lie.what == "counter":
        for supplier, offer in list(heard.offers.items())[:_MOST_MESSAGES]:
            yield Word(COUNTER, supplier, falsify.json(_counter(offer, count, falsify)))
    elif lie.what == "offer":
        for consumer, request in list(heard.requests.items())[:_MOST_MESSAGES]:
            yield Word(OFFER, consumer, _offer(request, heard, falsify))
    elif lie.family == "gate":
        yield from _gate(lie.what, count, falsify)


class _Falsifier:
    """Makes one part of messages false."""

    def __init__(self, lie: Lie, count: int, rng: random.Random) -> None:
        self._lie, self._count, self._rng = lie, count, rng

    def whole(self, part: str, true: int, end: int) -> Any:
        """A whole number, false if it is that part."""
        if part != self._lie.field:
            return true
        if self._lie.value == "contradictory":  # another one each time
            return true if self._count % 2 else self._rng.randrange(end)
        return values.number(self._lie.value, true, end, self._rng)

    def real(self, part: str, true: float, end: float) -> Any:
        """The same for a power or a price."""
        if part != self._lie.field:
            return true
        most = {"zero": 0.0, "negative": -end, "huge": 1e308, "end": end, "nan": values.NAN, "replayed": true}
        if self._lie.value == "contradictory" and self._count % 2:
            return true
        return most.get(self._lie.value, round(self._rng.uniform(0.0, 500.0), 1))

    def length(self, part: str, true: int) -> int:
        """How many there are of something."""
        if part != self._lie.field:
            return true
        return values.count(self._lie.value, true, self._rng)

    def names(self, true: list[str]) -> list[Any]:
        """Partners."""
        if self._lie.field != "partner":
            return true
        return [values.name(self._lie.value, true, self._rng) for _ in range(self._rng.choice((0, 1, 1, 3)))]

    def json(self, fields: Fields) -> bytes:
        """An object as it travels; nan is written as such."""
        if self._lie.field == "type":
            fields[self._rng.choice(list(fields))] = self._rng.choice(_TYPES)
        return json.dumps(fields).encode()

    def flag(self, part: str, true: bool) -> Any:
        """A truth value."""
        if part != self._lie.field:
            return true
        return {"contradictory": bool(self._count % 2), "nan": "yes", "huge": 1}.get(
            self._lie.value, not true
        )


def _call(heard: Heard, falsify: _Falsifier) -> Fields:
    open_day = falsify.whole("day", heard.day + 1, 10**6)
    return {
        "open": open_day,
        "until": falsify.whole("time", int(heard.wall_s) + 60, 2**40),
        "cleared": falsify.whole("number", heard.day + 1, 10**6),
        "settled": falsify.whole("number", heard.day + 1, 10**6),
        "short": falsify.real("price", 0.3, 1e4),
        "long": falsify.real("price", 0.08, 1e4),
    }


def _question(deed: str, heard: Heard, count: int, falsify: _Falsifier) -> Fields:
    rows: list[Any] = []
    if deed == "orders":
        piece = [falsify.whole("limit", 3000, 10**8), falsify.whole("energy", 400, MOST_WH)]
        rows = [[piece, [100, -300]]] * falsify.length("length", STEPS)
    elif deed == "meter":
        rows = [falsify.whole("energy", -120, MOST_WH)] * falsify.length("length", STEPS)
    day = heard.day + (deed in ("orders", "result"))
    about = {"day": falsify.whole("day", day, 10**6), "from": falsify.whole("step", 0, STEPS)}
    return {"n": falsify.whole("number", count, 2**53), "do": deed, **about, "rows": rows}


def _answer(asked: Question, heard: Heard, falsify: _Falsifier) -> Fields:
    fields: Fields = {"n": falsify.whole("number", asked.number, 2**53), "next": STEPS}
    price = falsify.whole("price", UNIT * UNIT // 5, 10**12)
    if asked.deed == "result":
        sold_wh = falsify.whole("energy", 500, MOST_WH)
        names = falsify.names([heard.node])
        partners = [[place, sold_wh] for place in range(len(names))]
        count = falsify.length("length", STEPS - asked.first)
        position = -sold_wh if isinstance(sold_wh, int) else sold_wh
        fields |= {"who": names, "rows": [[price, position, partners]] * min(count, 2 * STEPS)}
    elif asked.deed == "bill":
        fields["balancing"] = [price] * falsify.length("length", STEPS)
    fields["next"] = falsify.whole("step", STEPS, STEPS)
    return fields


def _counter(offer: Offer, count: int, falsify: _Falsifier) -> Fields:
    about = {
        "id": falsify.whole("number", offer.request_id, 2**53),
        "round": falsify.whole("round", count % 4, 32),
    }
    return {**about, "price": falsify.real("price", 0.05, _MOST_PRICE)}


def _offer(request: Request, heard: Heard, falsify: _Falsifier) -> bytes:
    """One whose price is another each time, as in a negotiation without end."""
    power_mw = falsify.whole("power", round(1000 * request.power_w), 10**10)
    rate = falsify.whole("price", 3000, 10**9)
    count = falsify.length("length", 1)
    begins_s = falsify.whole("time", int(heard.wall_s), 2**40)
    slots = [[begins_s + 900 * i if isinstance(begins_s, int) else begins_s, rate] for i in range(count)]
    number = falsify.whole("number", request.id, 2**53)
    row = [number, power_mw, power_mw, 0, falsify.real("limit", 0.3, 1e6), 0, 0.0, slots]
    return msgpack.encode([each if not isinstance(each, int) or each < 2**63 else -1 for each in row])


def _gate(what: str, count: int, falsify: _Falsifier) -> Iterator[Word]:
    up = falsify.flag("way", False)
    if what == "need":  # told to gates, and to nobody else
        power_w, number = falsify.real("power", 80.0, MAX_POWER_W), falsify.whole("number", count // 8, 2**53)
        yield Word(UPWARD, "", falsify.json({"id": number, "w": power_w, "prio": int(Priority.HIGH)}))
        return
    if what != "left":
        hidden = {"w": 0.0, "lacks": 0.0, "up": up} if what == "behind" else _surplus(up, falsify)
        yield Word(HOLON, "", falsify.json(hidden))
    if what == "behind":
        yield Word(LEFT, "", falsify.json(_surplus(up, falsify)))
    elif what == "left":
        yield Word(LEFT, "", json.dumps(falsify.real("power", 500.0, MAX_POWER_W)).encode())


def _surplus(up: Any, falsify: _Falsifier) -> Fields:
    ahead = [falsify.real("forecast", 100.0, MAX_POWER_W)] * falsify.length("length", 8)
    most_w = falsify.real("limit", 2000.0, MAX_POWER_W)
    return {
        "w": falsify.real("power", 500.0, MAX_POWER_W),
        "lacks": falsify.real("lack", 0.0, MAX_POWER_W),
        "price": falsify.real("price", 0.1, 1e6),
        "most": most_w,
        "up": up,
        "ahead": ahead,
    }
