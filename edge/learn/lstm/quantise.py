"""Weights as int8: one scale for each matrix, the greatest weight at 127.

The same codes go into a .tflite file, whose LSTM knows one scale a matrix, and over the wire.
"""

import numpy as np
from numpy.typing import NDArray

from .network import Real

_MOST = 127


def quantised(weights: Real) -> tuple[NDArray[np.int8], float]:
    """Codes and scale: weight = code * scale, off by half a scale at most."""
    scale = float(np.abs(weights).max()) / _MOST or 1.0
    return np.rint(weights / scale).astype(np.int8), scale
