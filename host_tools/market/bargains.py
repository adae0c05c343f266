"""Many pairs of members negotiate a price: what it is in the mean, beside the fixed prices of the grid."""

import random
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import NamedTuple

from edge.energy.bargaining import Deal, Side, negotiate

ROUNDS = 8
LATE = 3.0  # pace of a side that concedes late
_WAYS: Mapping[str, tuple[float, float]] = {  # the pace of the seller, and of the buyer
    "both by equal steps": (1.0, 1.0),
    "the buyer concedes late": (1.0, LATE),
    "the seller concedes late": (LATE, 1.0),
    "both concede late": (LATE, LATE),
}


class Result(NamedTuple):
    """Of all pairs: how many agree, and the means of those, None without any."""

    way: str
    agreed: float
    price: float | None
    rounds: float | None


def pairs(count: int, short: float, long: float, seed: int) -> Iterator[tuple[Side, Side]]:
    """A seller opens at the import tariff, a buyer at the feed-in tariff; where each stops is its own."""
    rng = random.Random(f"{seed}/bargains")
    for _ in range(count):
        least, most = rng.uniform(long, short), rng.uniform(long, short)
        yield Side(short, least), Side(long, most)


def study(count: int, short: float, long: float, seed: int) -> list[Result]:
    """The same pairs in all ways."""
    results = []
    for way, (seller_pace, buyer_pace) in _WAYS.items():
        deals: list[Deal] = []
        for seller, buyer in pairs(count, short, long, seed):
            sides = (
                Side(seller.opening, seller.reservation, seller_pace),
                Side(buyer.opening, buyer.reservation, buyer_pace),
            )
            if deal := negotiate(*sides, ROUNDS):
                deals.append(deal)
        price = fmean(deal.price for deal in deals) if deals else None
        rounds = fmean(deal.rounds for deal in deals) if deals else None
        results.append(Result(way, len(deals) / count, price, rounds))
    return results
