"""One day of a member of the market of the next day: what it ordered, what it was awarded, what it measured.

The market may say something false. What a member has not ordered it has neither bought nor sold: such an
award counts as none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from ..energy.day_market import STEPS
from ..energy.day_messages import UNIT, Awarded, Pieces

_TOLERANCE = 1e-9
_MOST_AHEAD = 2  # days: orders for the day after tomorrow are taken once those for tomorrow are closed


class Bounds(NamedTuple):
    """What orders for one step allow: Wh bought and sold at most, the highest price and the lowest one."""

    bought_wh: int = 0
    sold_wh: int = 0
    most: int = -(2**31)
    least: int = 2**31

    def widened(self, pieces: Pieces) -> "Bounds":
        """With other orders for the same step: nobody knows which of them arrived."""
        bought = [(limit, wh) for limit, wh in pieces if wh > 0]
        sold = [(limit, -wh) for limit, wh in pieces if wh < 0]
        return Bounds(
            max(self.bought_wh, sum(wh for _, wh in bought)),
            max(self.sold_wh, sum(wh for _, wh in sold)),
            max([self.most, *(limit for limit, _ in bought)]),
            min([self.least, *(limit for limit, _ in sold)]),
        )

    def allow(self, step: Awarded) -> bool:
        """Whether that award follows from the orders."""
        if not step.position_wh:
            return True
        if step.price is None or not -self.sold_wh <= step.position_wh <= self.bought_wh:
            return False
        if step.position_wh > 0:
            return step.price <= self.most / UNIT + _TOLERANCE
        return step.price >= self.least / UNIT - _TOLERANCE


@dataclass(slots=True)
class TradedDay:
    """One day of this node; all lists have a place for each step, or are empty."""

    ordered: bool = False
    prices: list[float | None] = field(default_factory=list)
    position_wh: list[int] = field(default_factory=list)
    partners: list[list[tuple[str, int]]] = field(default_factory=list)
    needs_wh: list[int | None] = field(default_factory=list)
    told: bool = False  # what it measured
    refused: str = ""
    bounds: list[Bounds] = field(default_factory=list)  # empty: of a day before these were kept

    @property
    def awarded(self) -> bool:
        """Whether the whole result is known."""
        return len(self.position_wh) == STEPS

    def row(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "bounds": [list(each) for each in self.bounds]}

    def order(self, rows: Sequence[Pieces]) -> None:
        """These orders are about to be sent."""
        self.bounds = self.bounds or [Bounds()] * STEPS
        padded = [*rows, *([()] * (STEPS - len(rows)))]
        self.bounds = [each.widened(row) for each, row in zip(self.bounds, padded, strict=True)]

    def take(self, steps: Iterable[Awarded]) -> int:
        """The next steps of the result; returns how many of them nobody has ordered."""
        refused = 0
        for step in steps:
            place = len(self.position_wh)
            if self.bounds and not self.bounds[place].allow(step):
                step = Awarded(step.price, 0, ())
                refused += 1
            self.prices.append(step.price)
            self.position_wh.append(step.position_wh)
            self.partners.append(list(step.partners))
        return refused


def read_day(row: dict[str, Any]) -> TradedDay:
    """A day as it was kept. Raises ValueError, TypeError."""
    day = TradedDay(**row)
    if len({len(day.prices), len(day.position_wh), len(day.partners)}) > 1:
        raise ValueError("lists of different lengths")
    day.partners = [[(str(name), int(wh)) for name, wh in step] for step in day.partners]
    day.bounds = [Bounds(*map(int, each)) for each in day.bounds]
    if len(day.bounds) not in (0, STEPS):
        raise ValueError("bounds of another number of steps")
    return day


def is_ahead(day: int, today: int) -> bool:
    """Whether orders for a day may be taken now; a market that says another one is not believed."""
    return today < day <= today + _MOST_AHEAD
