"""The last known state of every twin, as columns: what the recorder sums up each second.

The virtual microgrid and the real one fill it in; nothing behind it knows which of them ran.
"""

import numpy as np
import numpy.typing as npt

from .cast import Cast

Column = npt.NDArray[np.float64]


class Board:
    """One entry a twin. Powers in W, moments in s; nan: no request, never answered."""

    def __init__(self, cast: Cast) -> None:
        count, nodes = len(cast.names), len(cast.nodes)
        self.cast = cast
        self.need_w, self.taken_w = np.zeros(count), np.zeros(count)
        self.capacity_w, self.given_w = np.zeros(count), np.zeros(count)
        self.reserved_w, self.committed_w = np.zeros(count), np.zeros(count)
        self.asked_s, self.response_s = np.full(count, np.nan), np.full(count, np.nan)
        self.unserved_w = np.zeros(count)  # the most that was missing while it last waited
        self.validated = np.zeros(count)
        self.flow_w = np.zeros((nodes, nodes))  # consumer's node, supplier's node
