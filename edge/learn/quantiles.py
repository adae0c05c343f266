"""Quantiles of a power: their levels, how they are taken from weighted samples, and how they are scored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .terms import LEVELS, Array

Floats = NDArray[Any]
LEVEL = np.array(LEVELS)


def weighted(samples: Floats, *weights: Floats) -> list[Array]:
    """Quantiles (..., levels) of samples (..., n), for each of the weights, which are broadcast.

    A sample that is NaN does not count; where none counts, the quantiles are NaN.
    """
    order = samples.argsort(-1)  # NaN comes last
    values = np.take_along_axis(samples, order, -1)
    known = ~np.isnan(values)
    return [_of_sorted(values, known, order, np.broadcast_to(each, samples.shape)) for each in weights]


def _of_sorted(values: Floats, known: NDArray[np.bool_], order: NDArray[np.intp], weights: Floats) -> Array:
    weights = np.take_along_axis(weights, order, -1) * known
    middles = weights.cumsum(-1)
    total = middles[..., -1:].copy()
    middles -= 0.5 * weights
    middles /= np.where(total > 0, total, 1.0)
    last = np.maximum(known.sum(-1) - 1, 0)
    right = np.stack([np.minimum((middles < level).sum(-1), last) for level in LEVEL], -1)
    left = np.maximum(right - 1, 0)
    low, high = np.take_along_axis(values, left, -1), np.take_along_axis(values, right, -1)
    before, after = np.take_along_axis(middles, left, -1), np.take_along_axis(middles, right, -1)
    share = np.clip((LEVEL - before) / np.where(after > before, after - before, 1.0), 0.0, 1.0)
    found: Array = np.where(total > 0, low + share * (high - low), np.nan).astype(np.float32)
    return found


def pinball(quantiles: Floats, actual: Floats) -> Floats:
    """The loss (..., levels) of quantiles (..., levels) for what was measured (...), in the unit of both."""
    over = quantiles - np.asarray(actual)[..., None]
    loss: Floats = np.where(over >= 0, (1.0 - LEVEL) * over, -LEVEL * over)
    return loss
