"""Probabilities of the seven states: made from logits, and scored by the actual state."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .terms import STATES, Array, States

_FLOOR = 1e-6  # a smaller probability is scored as this: certainty that fails costs 13.8 nats


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Turn logits into probabilities along the last axis, in place."""
    logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(-1, keepdims=True)
    return logits


def hits(probabilities: Array, actual: States) -> NDArray[np.bool_]:
    """Whether the most likely state was the actual one: (..., 7) and (...) to (...)."""
    found: NDArray[np.bool_] = probabilities.argmax(-1) == actual
    return found


def log_losses(probabilities: Array, actual: States) -> Array:
    """- ln p of the actual state, in nats: (..., 7) and (...) to (...)."""
    places = np.maximum(actual, 0)[..., None].astype(np.intp)
    of_actual = np.take_along_axis(probabilities, places, -1)[..., 0]
    found: Array = -np.log(np.maximum(of_actual, _FLOOR))
    return found


def briers(probabilities: Array, actual: States) -> Array:
    """Sum over the states of (p - actual)^2, 0 to 2: (..., 7) and (...) to (...)."""
    happened = actual[..., None] == np.arange(STATES)
    found: Array = np.square(probabilities - happened).sum(-1)
    return found
