"""Weights of experts that give quantiles: an expert that would have lost less gets more.

The weights follow exponentially what an expert would have saved of the pinball loss (its regret), with less
weight for older days. They are separate for each variable and lead, and for low, middle and high quantiles.
"""

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .quantiles import LEVEL, Floats
from .terms import HORIZONS_MIN, LEADS_MIN, LEVELS, Array

_REMAINS = 0.5 ** (1 / (7 * 96))  # of a regret after a quarter of an hour
_RATE = np.where(np.arange(len(LEADS_MIN)) < len(HORIZONS_MIN), 0.1, 0.03)  # few far ones can be compared
_UNIT_RATE = 0.01
_LEAST_UNIT_W = 0.1
_PART = (slice(0, 3), slice(2, 5), slice(4, 7))  # of the levels that are judged together
_SHARES = np.array(  # of the parts in the weights of a level
    [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1], [0, 0, 1]]
).T
assert len(LEVELS) == _SHARES.shape[1]


class BandWeights:
    """Of all leads. Quantiles of experts are (experts, 6, levels) in W, NaN where an expert has none."""

    def __init__(self, experts: int) -> None:
        self.regrets = np.zeros((len(LEADS_MIN), experts, len(VARIABLES), len(_PART)), np.float32)
        self.units_w = np.zeros((len(LEADS_MIN), len(VARIABLES)), np.float32)  # usual loss

    def pooled(self, lead: int, made_w: Array) -> Array:
        """Quantiles (6, levels), NaN where no expert has any."""
        known = ~np.isnan(made_w)
        found: Array = (np.where(known, made_w, 0.0) * self._of(lead, known)).sum(0)
        found[~known.any(0)] = np.nan
        found.sort(-1)
        return found.astype(np.float32)

    def learn(self, lead: int, made_w: Array, actual_w: Floats) -> None:
        """Compare with what was measured (6,), NaN where unknown."""
        pooled = self.pooled(lead, made_w)
        over = pooled - actual_w[:, None]
        there = ~np.isnan(over)
        slope = np.where(there, (over > 0) - LEVEL, 0.0)  # of the pinball loss
        loss_w = (slope * np.where(there, over, 0.0)).mean(-1)
        unit_w = self.units_w[lead]
        rate = np.where(unit_w > 0, _UNIT_RATE, 1.0) * there.any(-1)
        unit_w += (rate * (loss_w - unit_w)).astype(np.float32)
        saved = slope * np.where(np.isnan(made_w), 0.0, np.nan_to_num(pooled) - made_w)
        saved /= np.maximum(unit_w, _LEAST_UNIT_W)[:, None]
        self.regrets[lead] *= _REMAINS
        self.regrets[lead] += np.stack([saved[..., part].mean(-1) for part in _PART], -1)

    def _of(self, lead: int, known: NDArray[np.bool_]) -> Floats:
        """Weights (experts, 6, levels), 1 in all."""
        regrets = np.where(known, self.regrets[lead] @ _SHARES, -np.inf)
        top = regrets.max(0)
        weights = np.exp(_RATE[lead] * (regrets - np.where(np.isfinite(top), top, 0.0)))
        found: Floats = weights / np.maximum(weights.sum(0), 1e-9)
        return found
