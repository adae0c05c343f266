"""How far a neighbour may pull a model: differences are shortened to a usual norm, as in ClippedGossip.

The usual norm of a part is the median over the neighbours of each one's median of late. So as long as less
than half of the neighbours are hostile, none of them decides it; and it grows slowly, whoever they are.
"""

from collections import deque
from collections.abc import Hashable

import numpy as np

_KEPT = 8  # norms of a neighbour and a part
_GROWTH = 1.5  # a norm counts at most as this many times the limit
_QUANTILE = 0.5


class NormLimits:
    """The greatest norm of a difference, by part. At most `most` neighbours are remembered for each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._norms: dict[Hashable, dict[str, deque[float]]] = {}
        self._first: dict[Hashable, float] = {}

    def start(self, part: Hashable, norm: float) -> None:
        """The norm to begin with: how far the own training has moved the part since the common start."""
        self._first[part] = norm

    def limit(self, part: Hashable) -> float:
        """The greatest norm that is allowed; unlimited before anything is known."""
        medians = [_quantile(norms) for norms in self._norms.get(part, {}).values()]
        if part in self._first:
            medians.append(self._first[part])  # the own one is a voice like the others
        return _quantile(medians) if medians else float("inf")

    def seen(self, part: Hashable, source: str, norm: float) -> None:
        """The norm of a difference of a neighbour that passed the gate of losses."""
        limit = self.limit(part)
        by_source = self._norms.setdefault(part, {})
        norms = by_source.pop(source, deque(maxlen=_KEPT))
        norms.append(min(norm, _GROWTH * limit) if np.isfinite(limit) else norm)
        by_source[source] = norms  # the newest is the last
        while len(by_source) > self._most:
            del by_source[next(iter(by_source))]

    def forget(self, source: str) -> None:
        """A neighbour has left."""
        for by_source in self._norms.values():
            by_source.pop(source, None)


def _quantile(values: "deque[float] | list[float]") -> float:
    return float(np.quantile(values, _QUANTILE, method="lower"))
