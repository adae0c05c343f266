"""95 % intervals of means over days, by the t distribution.

The minutes of one day are not independent, so a day is one observation. A percentile bootstrap over seven
days would be too narrow: it covers 75 to 87 % where it says 95 %.
"""

import math

import numpy as np
from numpy.typing import NDArray

MIN_DAYS = 3  # fewer give no interval
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)  # by degrees of freedom, from 1
_NORMAL, _MORE = 1.960, (2.372, 2.82)

Interval = tuple[float, float] | None


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of the t distribution, to 0.1 %."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    return _NORMAL + _MORE[0] / freedom + _MORE[1] / freedom**2


def by_days(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, Interval]:
    """The mean over cells of sums / counts, both (days, cells), and its interval; None for too few days.

    Each cell (a variable and horizon) has the same weight, and days count by their number of predictions.
    """
    total = counts.sum(0)
    there = total > 0
    if not there.any():
        return math.nan, None
    sums, counts, total = sums[:, there], counts[:, there], total[there]
    means = sums.sum(0) / total
    days = int((counts.sum(1) > 0).sum())
    if days < MIN_DAYS:
        return float(means.mean()), None
    off = ((sums - means * counts) / total).mean(1)  # what each day adds to the mean
    error = math.sqrt(days / (days - 1) * float(np.square(off).sum()))
    half = t_quantile(days - 1) * error
    return float(means.mean()), (float(means.mean()) - half, float(means.mean()) + half)
