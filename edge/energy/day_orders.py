"""What a member orders on the market of the next day, from a forecast with its doubt (thesis 8.2.3).

Who has bought too little pays `short` per kWh for the rest, the import tariff; who has too much is paid
`long`, the feed-in tariff. So the last kWh of a position is worth what it saves with the probability that it
is needed: `long` + (`short` - `long`) x P(need > position). A forecast in quantiles gives these
probabilities, and each piece between two of them becomes an order with its own limit. Nobody needs to guess
the price.

A need is energy drawn less energy given in a step, so below 0 there is a surplus, and the order sells.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from .auction import Order

_DIGITS = 4  # of a limit


def worth(probability: float, short: float, long: float) -> float:
    """What a kWh is worth that is needed with that probability."""
    return round(long + (short - long) * probability, _DIGITS)


def orders_of(
    member: str, needs_wh: Sequence[float], levels: Sequence[float], short: float, long: float
) -> Iterator[Order]:
    """The orders of one step. `needs_wh`: the quantiles of the need at these levels, neither falling."""
    if any(each != each for each in needs_wh) or short <= long:
        return  # nothing is known, or there is nothing to win
    known = [round(each) for each in needs_wh]
    points = [(min(0, known[0]), 0.0), *zip(known, levels, strict=True), (max(0, known[-1]), 1.0)]
    for (low, below), (high, above) in pairwise(points):
        if low < 0 < high:  # what is sold is worth more than what is bought, so nobody trades with itself
            middle = below + (above - below) * -low / (high - low)
            parts = [(low, 0, below, middle), (0, high, middle, above)]
        else:
            parts = [(low, high, below, above)]
        for first, last, under, over in parts:
            if last > first:
                limit = worth(1.0 - (under + over) / 2, short, long)
                yield Order(member, first < 0, last - first, limit)
