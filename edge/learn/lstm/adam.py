"""The optimiser Adam (Kingma and Ba 2015), with the weight decay of AdamW and gradient clipping."""

import numpy as np

from .stack import Real

_MEAN, _SQUARE, _EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """The moments of the gradients of a stack of weights (M, size); clips the gradients of each network."""

    def __init__(self, like: Real, clip: float = 1.0, decay: float = 0.0) -> None:
        self._mean, self._square = np.zeros_like(like), np.zeros_like(like)
        self._clip, self._decay = clip, decay
        self._steps = 0

    def step(self, weights: Real, gradients: Real, rate: float) -> None:
        """Change the weights in place; `gradients` is overwritten."""
        self._steps += 1
        lengths = np.sqrt(np.einsum("mp,mp->m", gradients, gradients))
        gradients *= np.minimum(1.0, self._clip / np.maximum(lengths, 1e-12)).astype(gradients.dtype)[:, None]
        self._mean *= _MEAN
        self._mean += (1 - _MEAN) * gradients
        gradients *= gradients
        self._square *= _SQUARE
        self._square += (1 - _SQUARE) * gradients
        np.sqrt(self._square, out=gradients)
        gradients *= 1.0 / np.sqrt(1 - _SQUARE**self._steps)
        gradients += _EPSILON
        np.divide(self._mean, gradients, out=gradients)
        gradients *= rate / (1 - _MEAN**self._steps)
        if self._decay:
            weights *= 1 - rate * self._decay
        weights -= gradients
