"""The power in use by its source, second by second: the sun, other local sources, the grid."""

import numpy as np

from .board import Column
from .cast import Cast

SOURCES = ("sun", "other local sources", "grid")
_SUN, _OTHER, _GRID = range(len(SOURCES))
_OF_KIND = {"pv": _SUN, "grid": _GRID, "dso": _GRID}


class Sources:
    """What each source supplies under contracts. `supplied_w` has a row for each second."""

    def __init__(self, cast: Cast, seconds: int) -> None:
        self.supplied_w = np.zeros((seconds, len(SOURCES)), dtype=np.float32)
        self._of_twin = np.array([_OF_KIND.get(kind, _OTHER) for kind in cast.kinds])

    def look(self, given_w: Column, second: int) -> None:
        """Keep a sample: what each twin gives."""
        self.supplied_w[second] = np.bincount(self._of_twin, given_w, len(SOURCES))
