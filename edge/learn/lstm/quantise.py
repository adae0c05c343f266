"""Quantises weights to int8, with one scale for each matrix, as the LSTM of TFLite needs it."""

import numpy as np
from numpy.typing import NDArray

from .stack import Real

_MAX_CODE = 127


def quantised(weights: Real) -> tuple[NDArray[np.int8], float]:
    """Codes and scale: weight = code * scale; the greatest error is half a scale."""
    scale = float(np.abs(weights).max()) / _MAX_CODE or 1.0
    return np.rint(weights / scale).astype(np.int8), scale
