"""Adam (Kingma and Ba 2015), with the weight decay of AdamW and a limit on the slope of each network."""

import numpy as np

from .network import Real

_MEAN, _SQUARE, _FLOOR = 0.9, 0.999, 1e-8


class Adam:
    """Moments of the slopes of a stack of weights (M, size)."""

    def __init__(self, like: Real, clip: float = 1.0, decay: float = 0.0) -> None:
        self._mean, self._square = np.zeros_like(like), np.zeros_like(like)
        self._clip, self._decay = clip, decay
        self._steps = 0

    def step(self, weights: Real, slopes: Real, rate: float) -> None:
        """Change the weights in place; `slopes` is used up."""
        self._steps += 1
        lengths = np.sqrt(np.einsum("mp,mp->m", slopes, slopes))
        slopes *= np.minimum(1.0, self._clip / np.maximum(lengths, 1e-12)).astype(slopes.dtype)[:, None]
        self._mean *= _MEAN
        self._mean += (1 - _MEAN) * slopes
        slopes *= slopes
        self._square *= _SQUARE
        self._square += (1 - _SQUARE) * slopes
        np.sqrt(self._square, out=slopes)
        slopes *= 1.0 / np.sqrt(1 - _SQUARE**self._steps)
        slopes += _FLOOR
        np.divide(self._mean, slopes, out=slopes)
        slopes *= rate / (1 - _MEAN**self._steps)
        if self._decay:
            weights *= 1 - rate * self._decay
        weights -= slopes
