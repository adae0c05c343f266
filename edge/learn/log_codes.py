"""Counts as codes of one byte: a logarithm in steps of half an octave, at most 19 % beside the count.

A probability needs no more. The codes of a table are mostly 0, and shrink well.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .terms import Array

Codes = NDArray[np.uint8]

_PER_OCTAVE = 2
_COUNTS = np.exp2(np.arange(256) / _PER_OCTAVE).astype(np.float32) - np.float32(1.0)  # up to 2 ** 127


def coded(counts: NDArray[Any]) -> Codes:
    """The codes of counts that are not negative."""
    found: Codes = np.minimum(np.rint(_PER_OCTAVE * np.log2(1.0 + counts)), 255).astype(np.uint8)
    return found


def decoded(codes: Codes) -> Array:
    """The counts of codes."""
    found: Array = _COUNTS[codes]
    return found
