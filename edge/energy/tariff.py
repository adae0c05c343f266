"""The tariff of a supplier: a schedule of rates by time of day, and a factor that follows what it has left.

The dynamic factor makes scarce power dear, so that those who can wait move to other slots (thesis 7.3.2):
it is 1 / max(0.1, availability) below an availability of 0.9, else 1. Availability is the share of the
capacity that is neither under contract nor on offer; in a later slot only contracts count that last so long.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from .book import Book
from .day_prices import DayPrices, condensed
from .parsing import number, read_object, whole
from .prices import SLOTS_MAX, PriceTable, Slot, averaged, read_rows, rows_of
from .rules import MAX_POWER_W

_DAY_S = 86_400
_FREE_FROM, _LEAST = 0.9, 0.1  # availability
_ENTRY = re.compile(r"\s*(\d\d):(\d\d)\s+([0-9.]{1,12})\s*")
_GREEN_MOST = 2  # environmental impact of what counts as green
Schedule = tuple[tuple[int, float], ...]  # second of the day, rate per kWh


def read_schedule(text: str) -> Schedule:
    """Rates by time of day, as `06:00 0.30; 22:00 0.18`; empty without any. Raises ValueError."""
    found: dict[int, float] = {}
    for part in filter(str.strip, text.split(";")):
        match = _ENTRY.fullmatch(part)
        if not match or int(match[1]) > 23 or int(match[2]) > 59:
            raise ValueError(f"`{part.strip()}` must have the form HH:MM RATE")
        found[3600 * int(match[1]) + 60 * int(match[2])] = number(float(match[3]), 0.0, 1e5)
    return tuple(sorted(found.items()))


def factor(availability: float) -> float:
    """By which a rate rises when little is left."""
    return 1.0 if availability >= _FREE_FROM else 1.0 / max(_LEAST, availability)


@dataclass(frozen=True, slots=True)
class Tariff:
    """The rates of one supplier."""

    schedule: Schedule
    dynamic: bool

    def table(
        self, book: Book, capacity_w: float, now_s: float, wall_s: float, offset_s: float
    ) -> PriceTable:
        """The next slots. `wall_s` is the Unix time of `now_s`, and civil time is `offset_s` later."""
        begins = self._slots(wall_s, offset_s)
        ends = [begin_s for begin_s, _ in begins[1:]] + [begins[-1][0] + _DAY_S]
        slots = []
        for (begin_s, rate), end_s in zip(begins, ends, strict=True):
            if self.dynamic and capacity_w > 0:
                begun = begin_s <= wall_s
                until_s = now_s if begun else now_s + (begin_s + end_s) / 2 - wall_s
                used_w = sum(
                    promise.power_w
                    for promise in book
                    if begun or (promise.committed and promise.deadline_s > until_s)
                )
                rate *= factor(max(0.0, capacity_w - used_w) / capacity_w)
            slots.append(Slot(begin_s, round(rate, 4)))
        return tuple(slots)

    def _slots(self, wall_s: float, offset_s: float) -> list[tuple[int, float]]:
        """Begin in Unix time and rate of the present slot and of those that follow it."""
        civil_s = wall_s + offset_s
        midnight_s = civil_s - civil_s % _DAY_S - offset_s
        days = (
            (midnight_s + day * _DAY_S + at_s, rate) for day in (-1, 0, 1) for at_s, rate in self.schedule
        )
        every = [(round(begin_s), rate) for begin_s, rate in days]
        present = max(i for i, (begin_s, _) in enumerate(every) if begin_s <= wall_s)
        return every[present : present + SLOTS_MAX]

    def due_s(self, now_s: float, wall_s: float, offset_s: float) -> float:
        """When the next slot begins, in the time of `now_s`."""
        later = [begin_s for begin_s, _ in self._slots(wall_s, offset_s) if begin_s > wall_s]
        return now_s + later[0] - wall_s if later else now_s + _DAY_S


@dataclass(frozen=True, slots=True)
class DayAhead(Tariff):
    """Rates that follow the prices of the next day: *price* x `factor` + `markup`, for fees and taxes.

    The schedule holds where no price is known. A rate is never below 0, since messages have none: who takes
    power when the price is negative pays nothing.
    """

    prices: Callable[[], DayPrices]
    factor: float = 1.0
    markup: float = 0.0

    def _slots(self, wall_s: float, offset_s: float) -> list[tuple[int, float]]:
        steps = condensed(self.prices().following(wall_s), SLOTS_MAX)
        if not steps:
            return Tariff._slots(self, wall_s, offset_s)
        return [(step.from_s, max(0.0, self.factor * step.rate + self.markup)) for step in steps]


@dataclass(frozen=True, slots=True)
class Production:
    """What a supplier tells all: capacity, what of it is left, its impact and its prices (property PROD)."""

    capacity_w: float
    left_w: float
    impact: int
    prices: PriceTable

    @property
    def used_w(self) -> float:
        """What is under contract or on offer."""
        return self.capacity_w - self.left_w

    @property
    def green(self) -> bool:
        """Whether it comes from sun, wind or water."""
        return self.impact <= _GREEN_MOST

    def encode(self) -> bytes:
        fields = {"of": round(self.capacity_w, 1), "w": round(self.left_w, 1), "impact": self.impact}
        return orjson.dumps({**fields, "prices": rows_of(self.prices)})


def parse_production(data: bytes) -> Production:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    capacity_w = number(fields["of"], 0.0, MAX_POWER_W)
    left_w = number(fields["w"], 0.0, capacity_w)
    return Production(capacity_w, left_w, whole(fields["impact"], most=9), read_rows(fields["prices"]))


def encode_feed_in(table: PriceTable) -> bytes:
    """What the operator of the grid pays for energy that no contract takes (property FEED_IN)."""
    return orjson.dumps({"prices": rows_of(table)})


def parse_feed_in(data: bytes) -> PriceTable:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    return read_rows(read_object(data)["prices"])


def average(productions: Iterable[Production], from_s: float) -> PriceTable:
    """What power costs from whoever has it: the tables of all suppliers, averaged by their capacity."""
    return averaged(((each.prices, each.capacity_w) for each in productions), from_s)
