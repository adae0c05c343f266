"""The last known state of every twin, in columns; the recorder sums it up each second.

Both the virtual microgrid and the real one fill it in; the code that reads it does not know which.
"""

import numpy as np
import numpy.typing as npt

from .cast import Cast

Column = npt.NDArray[np.float64]


class Board:
    """One entry for each twin. Powers in W, times in s; nan: no request, or never served."""

    def __init__(self, cast: Cast) -> None:
        count, nodes = len(cast.names), len(cast.nodes)
        self.cast = cast
        self.need_w, self.taken_w = np.zeros(count), np.zeros(count)
        self.capacity_w, self.given_w = np.zeros(count), np.zeros(count)
        self.reserved_w, self.committed_w = np.zeros(count), np.zeros(count)
        self.asked_s, self.response_s = np.full(count, np.nan), np.full(count, np.nan)
        self.unserved_w = np.zeros(count)  # the largest power missing during the last wait
        self.validated = np.zeros(count)
        self.flow_w = np.zeros((nodes, nodes))  # by consumer's node and supplier's node
