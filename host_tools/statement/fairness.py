"""How fair a division is, by several indices, since each of them misses cases.

The ratio of service is what a member received of what it drew. The gain of a member is what it saved and
earned against trading with its supplier alone; the Shapley value of a member is its mean contribution to what
a community gains, over all orders in which the members could have joined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from host_tools.sim.metrics import jain

from .settlement import Account, Prices

EXACT_MOST = 12  # members, for all coalitions
_ORDERS = 200  # beyond that
Energies = NDArray[np.int64]  # a row a step, a column a member


@dataclass(frozen=True, slots=True)
class Fairness:
    """None: there is nothing to divide."""

    jain: float | None  # of ratios of service: 1 is equal, 1 / n the least
    gini: float | None  # of the same: 0 is equal
    qoe: float | None  # of mean prices: 1 is equal
    shapley: float | None  # sum of distances of gains to Shapley values, by their sum: 0 is best
    worst: str  # the member with the least ratio of service
    worst_ratio: float | None


def gini(values: Sequence[float]) -> float | None:
    """Gini's index: 0 if all are equal."""
    total, count = sum(values), len(values)
    if not total:
        return None
    ranked = sum(rank * value for rank, value in enumerate(sorted(values), 1))
    return 2 * ranked / (count * total) - (count + 1) / count


def qoe(prices: Sequence[float], low: float, high: float) -> float | None:
    """Quality of experience: 1 less twice the standard deviation by the range that prices may have."""
    return 1 - 2 * float(np.std(prices)) / (high - low) if prices and high > low else None


def shapley(injected: Energies, withdrawn: Energies, seed: int = 1) -> NDArray[np.float64]:
    """The Shapley values, in Wh, of the game in which a coalition is worth what it shares."""
    count = injected.shape[1]
    if count > EXACT_MOST:
        return _sampled(injected, withdrawn, seed)
    worth = np.zeros(1 << count)
    for coalition in range(1, 1 << count):
        inside = [i for i in range(count) if coalition >> i & 1]
        worth[coalition] = _shared(injected[:, inside].sum(axis=1), withdrawn[:, inside].sum(axis=1))
    values = np.zeros(count)
    for coalition in range(1 << count):
        size = coalition.bit_count()
        for i in range(count):
            if not coalition >> i & 1:
                more = worth[coalition | 1 << i] - worth[coalition]
                values[i] += more / (count * comb(count - 1, size))
    return values


def _sampled(injected: Energies, withdrawn: Energies, seed: int) -> NDArray[np.float64]:
    rng, values = np.random.default_rng(seed), np.zeros(injected.shape[1])
    for _ in range(_ORDERS):
        fed, drawn, before = np.zeros(len(injected)), np.zeros(len(injected)), 0.0
        for i in rng.permutation(injected.shape[1]):
            fed, drawn = fed + injected[:, i], drawn + withdrawn[:, i]
            worth = _shared(fed, drawn)
            values[i] += worth - before
            before = worth
    return values / _ORDERS


def _shared(injected: NDArray[np.generic], withdrawn: NDArray[np.generic]) -> float:
    return float(np.minimum(injected, withdrawn).sum())


def judge(
    accounts: Mapping[str, Account],
    prices: Prices,
    injected: Energies | None = None,
    withdrawn: Energies | None = None,
) -> Fairness:
    """The fairness of a period. The energies (columns as `accounts`) give Shapley values."""
    drawing = {name: each for name, each in accounts.items() if each.withdrawn_wh}
    ratios = {name: each.received_wh / each.withdrawn_wh for name, each in drawing.items()}
    paid = [each.cost(prices) / each.withdrawn_wh * 1000 for each in drawing.values()]
    worst = min(ratios, key=lambda name: (ratios[name], name), default="")
    distance = None
    if injected is not None and withdrawn is not None:
        fair = shapley(injected, withdrawn) * (prices.retail - prices.feed_in) / 1000
        if fair.sum() > 0:
            gains = np.array([each.gain(prices) for each in accounts.values()])
            distance = float(np.abs(gains - fair).sum() / fair.sum())
    return Fairness(
        jain(np.array(list(ratios.values()))),
        gini(list(ratios.values())),
        qoe(paid, prices.feed_in, prices.retail),
        distance,
        worst,
        ratios.get(worst),
    )
