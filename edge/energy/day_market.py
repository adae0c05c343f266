"""The market of the next day: all quarter-hours of a day, cleared one by one; what deviates is settled.

A position is what a member has bought (above 0) or sold (below 0) in a quarter-hour, in whole Wh. All
positions of a step add up to 0. When the step is over, the meter says what the member drew or gave, and the
difference is bought or sold at the balancing price: the import tariff while all members together drew more
than they gave, else the feed-in tariff. As that is also what the grid operator charges for all of them, the
books balance.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .auction import Order, clear

STEPS, STEP_S = 96, 900
MOST_LIMIT = 1e4  # per kWh, above 0 or below
Steps = Sequence[Sequence[Order]]  # the orders of one member, by step


class Cleared(NamedTuple):
    """The outcome of a day: the price of each step (None: nothing was traded), and positions by member."""

    prices: tuple[float | None, ...]
    positions_wh: dict[str, tuple[int, ...]]

    @property
    def traded_wh(self) -> int:
        """What was bought in all."""
        return sum(max(0, each) for steps in self.positions_wh.values() for each in steps)


def admitted(book: Sequence[Order], most_wh: float) -> tuple[list[Order], Counter[str]]:
    """The orders of one step that may be cleared, and how many were refused by member.

    An order needs an energy of at least 1 Wh and a plausible limit. Who buys, or sells, more in all than its
    connection carries in the step (`most_wh`) takes no part: a lie about its means costs its author alone.
    """
    refused: Counter[str] = Counter()
    sums: Counter[tuple[str, bool]] = Counter()
    valid = []
    for each in book:
        if each.energy_wh > 0 and abs(each.limit) <= MOST_LIMIT:  # nan is not
            valid.append(each)
            sums[each.member, each.sells] += each.energy_wh
        else:
            refused[each.member] += 1
    beyond = {member for (member, _), energy_wh in sums.items() if energy_wh > most_wh}
    refused.update(each.member for each in valid if each.member in beyond)
    return [each for each in valid if each.member not in beyond], refused


def clear_day(orders: Mapping[str, Steps]) -> Cleared:
    """Clear all steps. Members are those who have ordered anything."""
    positions = {member: [0] * STEPS for member in sorted(orders)}
    prices = []
    for step in range(STEPS):
        book = [order for member in positions for order in orders[member][step]]
        outcome = clear(book)
        prices.append(outcome.price)
        for order, filled_wh in zip(book, outcome.filled_wh, strict=True):
            positions[order.member][step] += -filled_wh if order.sells else filled_wh
    return Cleared(tuple(prices), {member: tuple(steps) for member, steps in positions.items()})


class Settled(NamedTuple):
    """One step of one member: what its position cost (below 0: brought), and what the deviation did."""

    position_wh: int
    deviation_wh: int  # drawn more, or given less, than its position
    paid_market: float
    paid_balancing: float

    @property
    def paid(self) -> float:
        """In all; below 0 it was paid."""
        return self.paid_market + self.paid_balancing


def balancing_price(needs_wh: Mapping[str, int], short: float, long: float) -> float:
    """The price of deviations in a step: by what all members together needed."""
    return short if sum(needs_wh.values()) > 0 else long


def settle(position_wh: int, price: float | None, need_wh: int | None, balancing: float) -> Settled | None:
    """Settle one step of one member; None while its meter is not known, which is not zero."""
    if need_wh is None:
        return None
    deviation_wh = need_wh - position_wh
    return Settled(
        position_wh, deviation_wh, (price or 0.0) * position_wh / 1000, balancing * deviation_wh / 1000
    )


@dataclass(slots=True)
class Bill:
    """The sums of one member, in Wh and in the currency; a step without a measurement counts only as that."""

    bought_wh: int = 0
    sold_wh: int = 0
    more_wh: int = 0  # needed beyond its positions
    less_wh: int = 0
    paid_market: float = 0.0
    paid_balancing: float = 0.0
    unknown_steps: int = 0

    @property
    def paid(self) -> float:
        """In all; below 0 it was paid."""
        return self.paid_market + self.paid_balancing

    def row(self) -> tuple[int, int, int, int, float, float, int]:
        """Its fields, in their order."""
        energies = self.bought_wh, self.sold_wh, self.more_wh, self.less_wh
        return *energies, self.paid_market, self.paid_balancing, self.unknown_steps

    def add(
        self, position_wh: int, price: float | None, need_wh: int | None, balancing: float | None
    ) -> None:
        """Add a step; see `settle`."""
        self.bought_wh += max(0, position_wh)
        self.sold_wh += max(0, -position_wh)
        self.paid_market += (price or 0.0) * position_wh / 1000
        row = None if balancing is None else settle(position_wh, price, need_wh, balancing)
        if row is None:
            self.unknown_steps += 1
            return
        self.more_wh += max(0, row.deviation_wh)
        self.less_wh += max(0, -row.deviation_wh)
        self.paid_balancing += row.paid_balancing
