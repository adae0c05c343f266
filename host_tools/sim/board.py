"""The last known state of every twin, in columns; the recorder sums it up each second.

Both the virtual microgrid and the real one fill it in; the code that reads it does not know which.
"""

import math
import mmap
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .cast import Cast

Column = npt.NDArray[np.float64]


class Supplies(NamedTuple):
    """What suppliers could give, give, have promised with offers, and have under contract, in W, by twin."""

    capacity_w: Column
    given_w: Column
    reserved_w: Column
    committed_w: Column


def _shared(*shape: int) -> Column:
    """Zeros, in memory that processes share which are forked from here."""
    memory = mmap.mmap(-1, 8 * max(1, math.prod(shape)))
    return np.frombuffer(memory, np.float64, math.prod(shape)).reshape(shape)


class Board:
    """One entry for each twin. Powers in W, times in s; nan: no request, or never served.

    Processes that are forked from here write to the same board.
    """

    def __init__(self, cast: Cast) -> None:
        count, nodes = len(cast.names), len(cast.nodes)
        self.cast = cast
        self.need_w, self.taken_w = _shared(count), _shared(count)
        self.capacity_w, self.given_w = _shared(count), _shared(count)
        self.reserved_w, self.committed_w = _shared(count), _shared(count)
        self.asked_s, self.response_s = _shared(count), _shared(count)
        self.asked_s[:] = self.response_s[:] = np.nan
        self.unserved_w = _shared(count)  # the largest power missing during the last wait
        self.validated = _shared(count)
        self.flow_w = _shared(nodes, nodes)  # by consumer's node and supplier's node

    @property
    def supplies(self) -> Supplies:
        """The columns of suppliers."""
        return Supplies(self.capacity_w, self.given_w, self.reserved_w, self.committed_w)
