"""Clearing at one price: who buys and sells how much in one step of a market (thesis 8.2.2).

All orders of a step are cleared together. The energy that is traded is the most for which a buyer can be
found that pays at least what a seller asks, so no other division of it brings more: the welfare, what buyers
were ready to pay less what sellers asked, is the highest possible. All pay and get one price, between the
dearest accepted seller and the cheapest accepted buyer; what those who were not served asked narrows it down.

Orders can be filled in part. Those whose limit is the price share what is left for them in proportion, so the
order in which they arrived does not matter. Energies are whole Wh, so what is bought is what is sold.
"""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from .sharing import apportion


class Order(NamedTuple):
    """A member buys or sells up to `energy_wh`: a buyer at `limit` per kWh or less, a seller at no less."""

    member: str
    sells: bool
    energy_wh: int
    limit: float


class Clearing(NamedTuple):
    """The outcome of one step: the price per kWh (None: nothing was traded), and what each order got, in the
    order of the orders."""

    price: float | None
    energy_wh: int
    filled_wh: tuple[int, ...]


class _Level(NamedTuple):
    """All orders of one side with the same limit."""

    limit: float
    energy_wh: int
    places: list[int]


def clear(orders: Sequence[Order]) -> Clearing:
    """Clear one step. An order without energy gets nothing."""
    buys, sells = _levels(orders, sells=False), _levels(orders, sells=True)
    bought, sold = [0] * len(buys), [0] * len(sells)  # by level
    buy = sell = total_wh = 0
    while buy < len(buys) and sell < len(sells) and buys[buy].limit >= sells[sell].limit:
        energy_wh = min(buys[buy].energy_wh - bought[buy], sells[sell].energy_wh - sold[sell])
        bought[buy] += energy_wh
        sold[sell] += energy_wh
        total_wh += energy_wh
        buy += bought[buy] == buys[buy].energy_wh
        sell += sold[sell] == sells[sell].energy_wh
    filled = [0] * len(orders)
    for levels, energies in ((buys, bought), (sells, sold)):
        for level, energy_wh in zip(levels, energies, strict=True):
            if not energy_wh:
                break
            _fill(level, energy_wh, orders, filled)
    price = None if not total_wh else _price(buys, bought, sells, sold)
    return Clearing(price, total_wh, tuple(filled))


def welfare(orders: Sequence[Order], filled_wh: Sequence[float]) -> float:
    """What buyers were ready to pay for what was filled, less what sellers asked, in the currency."""
    parts = zip(orders, filled_wh, strict=True)
    return sum((-1 if each.sells else 1) * each.limit * energy_wh for each, energy_wh in parts) / 1000


def _levels(orders: Sequence[Order], sells: bool) -> list[_Level]:
    """The orders of one side by limit, the best one first."""
    places: dict[float, list[int]] = {}
    for i, each in enumerate(orders):
        if each.sells is sells and each.energy_wh > 0:
            places.setdefault(each.limit, []).append(i)
    return [
        _Level(limit, sum(orders[i].energy_wh for i in places[limit]), places[limit])
        for limit in sorted(places, reverse=not sells)
    ]


def _fill(level: _Level, energy_wh: int, orders: Sequence[Order], filled: list[int]) -> None:
    if energy_wh == level.energy_wh:
        for i in level.places:
            filled[i] = orders[i].energy_wh
        return
    wanted = {(orders[i].member, i): orders[i].energy_wh for i in level.places}
    for (_, i), part_wh in apportion(energy_wh, wanted).items():
        filled[i] = part_wh


def _price(buys: list[_Level], bought: list[int], sells: list[_Level], sold: list[int]) -> float:
    """The middle of all prices at which nobody who was served, or was not, would want it otherwise."""
    last_buy = max(i for i, energy_wh in enumerate(bought) if energy_wh)
    last_sell = max(i for i, energy_wh in enumerate(sold) if energy_wh)
    high, low = buys[last_buy].limit, sells[last_sell].limit
    return (max(low, _next(buys, bought, last_buy, -inf)) + min(high, _next(sells, sold, last_sell, inf))) / 2


def _next(levels: list[_Level], filled: list[int], last: int, none: float) -> float:
    """The best limit of one side that was not filled; `none` if all were."""
    if filled[last] < levels[last].energy_wh:
        return levels[last].limit
    return levels[last + 1].limit if last + 1 < len(levels) else none
