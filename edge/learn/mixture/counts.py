"""Counting models: the states that followed a context after 5, 10, 30 and 60 minutes; older days count less.

They are Markov chains that go directly to a horizon instead of minute by minute (compare thesis 4.3.2). Each
counts in its own context. Rows seldom observed are completed by what followed the state in general, and a
state never observed is expected to stay. They learn from the first hour on.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..choice import WORTHS, Choice, limited
from ..log_codes import coded, decoded
from ..pool import STAY
from ..terms import HORIZONS_MIN, STATES, Array, States
from .contexts import CONTEXTS, ROWS, Rows

_HALF_LIFE_MIN = 10 * DAY_MIN
_GENERAL, _STAY = 5.0, 0.5  # the number of observations that a completion counts for
_MOST_SCALE = 1e30  # a year and more
_GROW = 256  # rows of counts, 28 kB

_VARIABLES, _HORIZONS = np.arange(len(VARIABLES)), np.arange(len(HORIZONS_MIN))
_EACH = len(HORIZONS_MIN), STATES
_SHAPE = ROWS, len(VARIABLES), *_EACH


class _Codes:
    """Counts of one variable as `log_codes`, without the many rows that nobody has observed."""

    def __init__(self, counts: Array) -> None:
        codes = coded(counts).reshape(ROWS, *_EACH)
        used = np.flatnonzero(codes.any((1, 2)))
        self._places = np.zeros(ROWS, np.uint16)  # 0: a row without counts
        self._places[used] = np.arange(1, len(used) + 1)
        self._codes = np.concatenate((np.zeros((1, *_EACH), np.uint8), codes[used]))

    def of(self, rows: NDArray[Any]) -> Array:
        """The counts (rows, 4, 7) of some rows."""
        return decoded(self._codes[self._places[rows]])


class Counts:
    """Weights of the states that followed, by row, variable, horizon, state. Memory is taken for a row of a
    variable when it is first observed: two thirds of them after 30 days of the living lab of the thesis."""

    def __init__(self) -> None:
        self._places = np.zeros((ROWS, len(VARIABLES)), np.uint16)  # among the counts; 0: none yet
        self._counts = np.zeros((_GROW, *_EACH), np.float32)
        self._used = 1  # the first one stays empty
        self._foreign: dict[int, _Codes] = {}  # of neighbours, by variable
        self.worth: Choice | None = None  # among WORTHS, once there are foreign counts
        self._scale = 1.0  # weight of a new observation: it grows, so that the old ones need not shrink

    def learn(self, rows: Rows, actual: States) -> None:
        """Count the actual states (6,) after the rows (4, contexts, 6) of their origins; -1 is unknown."""
        self._scale *= 2.0 ** (1 / _HALF_LIFE_MIN)
        if self._scale > _MOST_SCALE:
            self._counts /= self._scale
            self._scale = 1.0
        known = (rows >= 0) & (actual >= 0)
        horizon, context, variable = np.nonzero(known)
        row = rows[horizon, context, variable]
        self._add_places(row, variable)
        self._counts[self._places[row, variable], horizon, actual[variable]] += self._scale

    def _add_places(self, rows: NDArray[Any], variables: NDArray[Any]) -> None:
        """For rows of variables that have none."""
        new = self._places[rows, variables] == 0
        if not new.any():
            return
        each = np.unique(np.ravel_multi_index((rows[new], variables[new]), self._places.shape))
        end = self._used + len(each)
        if end > len(self._counts):
            self._counts.resize((-(-end // _GROW) * _GROW, *_EACH), refcheck=False)  # nothing is copied
        self._places.reshape(-1)[each] = np.arange(self._used, end)
        self._used = end

    def predict(self, rows: Rows, states: NDArray[Any], minute: int = -1) -> Array:
        """Probabilities (contexts, 6, 4, 7) after rows (contexts, 6), with the present `states` (6,)."""
        seen = self._counts[self._places[rows, _VARIABLES]] * np.float32(1 / self._scale)
        if self.worth is None:
            return self._completed(seen, states)
        foreign = np.zeros_like(seen)
        for variable, codes in self._foreign.items():
            foreign[:, variable] = codes.of(rows[:, variable])
        candidates = np.stack([self._completed(seen + limited(foreign, worth), states) for worth in WORTHS])
        choice = self.worth.predicted(minute, candidates.mean(1))
        found: Array = candidates[choice, :, _VARIABLES[:, None], _HORIZONS].transpose(2, 0, 1, 3)
        return found

    @staticmethod
    def _completed(seen: Array, states: NDArray[Any]) -> Array:
        """Probabilities from counts (contexts, 6, 4, 7), which may be overwritten."""
        general = seen[0] + _STAY * STAY[states][:, None]
        general /= general.sum(-1, keepdims=True)
        seen += _GENERAL * general
        seen[0] = general
        seen /= seen.sum(-1, keepdims=True)
        return seen

    def of_variable(self, variable: int) -> Array:
        """The own counts of a variable (rows * 4 * 7,)."""
        found: Array = (self._counts[self._places[:, variable]] / np.float32(self._scale)).reshape(-1)
        return found

    def adopt(self, variable: int, counts: Array) -> None:
        """Complete the own counts of a variable with these of neighbours, in place of earlier ones."""
        self.worth = self.worth or Choice(len(WORTHS))
        self._foreign[variable] = _Codes(counts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The counts, without the many places that are empty."""
        rows = np.flatnonzero(self._places)
        counts = self._counts[self._places.reshape(-1)[rows]].reshape(len(rows), math.prod(_EACH))
        row, place = np.nonzero(counts)
        places = rows[row] * counts.shape[1] + place
        return {
            "places": places.astype(np.uint32),
            "weights": counts[row, place] / np.float32(self._scale),
        }

    @staticmethod
    def of(arrays: dict[str, NDArray[Any]]) -> "Counts":
        """Counts from the arrays that `arrays` returned. Raises ValueError."""
        found = Counts()
        places, weights = arrays["places"], arrays["weights"]
        if places.dtype != np.uint32 or weights.dtype != np.float32 or places.shape != weights.shape:
            raise ValueError("counts: places and weights do not fit together")
        outside = len(places) and places.max() >= math.prod(_SHAPE)
        if outside or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError("counts: a place or a weight is out of range")
        row, variable, horizon, state = np.unravel_index(places, _SHAPE)
        found._add_places(row, variable)
        found._counts[found._places[row, variable], horizon, state] = weights
        return found


assert CONTEXTS[0] == "plain"
