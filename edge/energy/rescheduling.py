"""Avoiding a predicted excess: whose activity is moved, by how much, and when (thesis 4.3.7, 4.5.2.2).

Activities are moved in ascending power, flexible ones first, until what is predicted falls below 80 % of the
threshold, and at least 20 % of it has been moved. They stop 10 minutes before the predicted moment
and go on 50 minutes after it. Of an excess of the whole microgrid each node moves its part: its share of the
power that the microgrid produces, or consumes, now.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .orders import Candidate, ascending

BEFORE_S, AFTER_S = 600.0, 3000.0
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)  # of the quantiles of a forecast
LEADS_MIN = (5, 10, 30, 60)  # those within an hour
_BELOW, _LEAST = 0.8, 0.2  # shares of the threshold
_ALL_LEADS, _VARIABLES = 9, 6
_POWERS = struct.Struct(f"<{_VARIABLES * _ALL_LEADS * len(LEVELS)}e")  # kW


@dataclass(frozen=True, slots=True)
class Risk:
    """A predicted excess: how many seconds after the forecast, how likely, and the power then in W."""

    after_s: float
    probability: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Moved:
    """The activity of a twin is interrupted between two moments."""

    power_w: float
    from_s: float
    until_s: float

    def overlaps(self, from_s: float, until_s: float) -> bool:
        """Whether it is interrupted at some moment of that period."""
        return self.from_s < until_s and from_s < self.until_s


def risk_of_powers(packed: bytes, variable: int, threshold_w: float, least: float) -> Risk | None:
    """The earliest excess of at least that probability in a forecast in watts, as the learning twin packs it;
    None without one. Raises ValueError for other bytes, and for a forecast that knows nothing.
    """
    if len(packed) != _POWERS.size:
        raise ValueError(f"{len(packed)} bytes are no forecast")
    powers_kw = _POWERS.unpack(packed)
    unknown = True
    for lead, minutes in enumerate(LEADS_MIN):
        at = (variable * _ALL_LEADS + lead) * len(LEVELS)
        quantiles_w = [1000 * each for each in powers_kw[at : at + len(LEVELS)]]
        if any(map(math.isnan, quantiles_w)):
            continue
        unknown, probability = False, _above(quantiles_w, threshold_w)
        if probability and probability >= least:
            return Risk(60.0 * minutes, probability, _quantile(quantiles_w, 1 - probability / 2))
    if unknown:
        raise ValueError("the forecast knows nothing")
    return None


def risk_of_states(
    thousandths: Sequence[Sequence[Sequence[int]]], variable: int, most_w: float, least: float
) -> Risk | None:
    """The same of a prediction of states, of which the highest is above `most_w`."""
    for states, minutes in zip(thousandths[variable], LEADS_MIN, strict=True):
        probability = states[-1] / 1000
        if probability and probability >= least:
            return Risk(60.0 * minutes, probability, most_w)
    return None


def to_move(
    candidates: Sequence[Candidate], power_w: float, threshold_w: float, share: float, moved_w: float
) -> list[Candidate]:
    """Whose activities a node moves, of a predicted `power_w`; `moved_w` is moved already.

    None are when enough is moved to stay below the threshold. And a large one is left alone when the others
    suffice for that: it would cost more than the distance from the threshold is worth.
    """
    whole_w = share * max(power_w - _BELOW * threshold_w, _LEAST * threshold_w)
    enough_w = share * max(power_w - threshold_w, _LEAST * threshold_w)
    if moved_w >= enough_w:
        return []
    chosen = ascending(candidates, whole_w - moved_w)
    before_w = moved_w + sum(each.power_w for each in chosen[:-1])
    if chosen and before_w >= enough_w and chosen[-1].power_w > whole_w:
        chosen.pop()
    return chosen


def moved_w(moved: Iterable[Moved], from_s: float, until_s: float) -> float:
    """The power that is moved out of a period already."""
    return sum(each.power_w for each in moved if each.overlaps(from_s, until_s))


def _above(quantiles_w: Sequence[float], threshold_w: float) -> float:
    """The probability of more than the threshold, between two quantiles in proportion."""
    if threshold_w >= quantiles_w[-1]:
        return 0.0
    if threshold_w < quantiles_w[0]:
        return 1.0
    for low_w, high_w, low, high in zip(quantiles_w, quantiles_w[1:], LEVELS, LEVELS[1:], strict=False):
        if low_w <= threshold_w < high_w:
            return 1 - (low + (high - low) * (threshold_w - low_w) / (high_w - low_w))
    return 0.0


def _quantile(quantiles_w: Sequence[float], level: float) -> float:
    if level <= LEVELS[0]:
        return quantiles_w[0]
    for low_w, high_w, low, high in zip(quantiles_w, quantiles_w[1:], LEVELS, LEVELS[1:], strict=False):
        if level <= high:
            return low_w + (high_w - low_w) * (level - low) / (high - low)
    return quantiles_w[-1]
