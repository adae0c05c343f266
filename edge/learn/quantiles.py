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
    shape, n = samples.shape, samples.shape[-1]
    flat = samples.reshape(-1, n)
    starts = n * np.arange(len(flat))[:, None]
    order = flat.argsort(-1) + starts  # NaN comes last
    values = flat.take(order)
    known = ~np.isnan(values)
    found = [_of_sorted(values, known, np.broadcast_to(each, shape).take(order), starts) for each in weights]
    return [each.reshape(*shape[:-1], -1) for each in found]


def _of_sorted(values: Floats, known: NDArray[np.bool_], weights: Floats, starts: NDArray[np.int64]) -> Array:
    """Quantiles (rows, levels) of rows that begin at these places."""
    weights = weights * known
    middles = weights.cumsum(-1, dtype=np.float64)
    total = middles[:, -1:].copy()
    middles -= 0.5 * weights
    middles /= np.where(total > 0, total, 1.0)
    rows = 2.0 * np.arange(len(values))[:, None]  # one search through all rows, each above those before it
    middles += rows
    levels = LEVEL + rows
    last = starts + np.maximum(known.sum(-1, keepdims=True) - 1, 0)
    right = np.clip(np.searchsorted(middles.ravel(), levels), starts, last)
    left = np.maximum(right - 1, starts)
    low, high = values.take(left), values.take(right)
    before, after = middles.take(left), middles.take(right)
    share = np.clip((levels - before) / np.where(after > before, after - before, 1.0), 0.0, 1.0)
    found: Array = np.where(total > 0, low + share * (high - low), np.nan).astype(np.float32)
    return found


def pinball(quantiles: Floats, actual: Floats) -> Floats:
    """The loss (..., levels) of quantiles (..., levels) for what was measured (...), in the unit of both."""
    over = quantiles - np.asarray(actual)[..., None]
    loss: Floats = np.where(over >= 0, (1.0 - LEVEL) * over, -LEVEL * over)
    return loss
