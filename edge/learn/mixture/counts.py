"""Counting models: what followed 5, 10, 30 and 60 minutes after a context, older days weighing less.

They are Markov chains that go straight to a horizon instead of walking there minute by minute (compare
thesis 4.3.2): each counts in a context of its own, rows seldom seen are completed by what followed the
state in general, and a state never seen is expected to stay. They learn from the first hour on.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..terms import HORIZONS_MIN, STATES, Array, States
from .contexts import CONTEXTS, ROWS, Rows

_HALF_LIFE_MIN = 10 * DAY_MIN
_GENERAL, _STAY = 5.0, 0.5  # for how many observations a completion counts
_STAYING = 0.85  # that a state never seen before stays
_MOST_SCALE = 1e30  # a year and more

_VARIABLES, _HORIZONS = np.arange(len(VARIABLES)), np.arange(len(HORIZONS_MIN))
_FIRST = (np.eye(STATES) * (_STAYING - (1 - _STAYING) / (STATES - 1)) + (1 - _STAYING) / (STATES - 1)).astype(
    np.float32
)


class Counts:
    """Weights of what came, by row, variable, horizon and state: rows never seen take no memory."""

    def __init__(self) -> None:
        self._counts = np.zeros((ROWS, len(VARIABLES), len(HORIZONS_MIN), STATES), np.float32)
        self._scale = 1.0  # of a new observation: it rises instead of the old ones falling

    def learn(self, rows: Rows, came: States) -> None:
        """`came` (6,) after the rows (4, contexts, 6) of its origins; negative ones are unknown."""
        self._scale *= 2.0 ** (1 / _HALF_LIFE_MIN)
        if self._scale > _MOST_SCALE:
            self._counts /= self._scale
            self._scale = 1.0
        known = (rows >= 0) & (came >= 0)
        horizon, context, variable = np.nonzero(known)
        self._counts[rows[horizon, context, variable], variable, horizon, came[variable]] += self._scale

    def foretell(self, rows: Rows, states: NDArray[Any]) -> Array:
        """Probabilities (contexts, 6, 4, 7) after rows (contexts, 6), whose states now are `states` (6,)."""
        seen = self._counts[rows[:, :, None], _VARIABLES[:, None], _HORIZONS] * np.float32(1 / self._scale)
        general = seen[0] + _STAY * _FIRST[states][:, None]
        general /= general.sum(-1, keepdims=True)
        seen += _GENERAL * general
        seen[0] = general
        seen /= seen.sum(-1, keepdims=True)
        found: Array = seen
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was counted, without the many places that are empty."""
        flat = self._counts.reshape(-1)
        places = np.flatnonzero(flat)
        return {"places": places.astype(np.uint32), "weights": flat[places] / np.float32(self._scale)}

    @staticmethod
    def of(arrays: dict[str, NDArray[Any]]) -> "Counts":
        """From what `arrays` gave. Raises ValueError."""
        found = Counts()
        places, weights = arrays["places"], arrays["weights"]
        flat = found._counts.reshape(-1)
        if places.dtype != np.uint32 or weights.dtype != np.float32 or places.shape != weights.shape:
            raise ValueError("counts: places and weights do not fit")
        if len(places) and (places.max() >= len(flat) or not (np.isfinite(weights) & (weights >= 0)).all()):
            raise ValueError("counts: out of range")
        flat[places] = weights
        return found


assert CONTEXTS[0] == "plain"
