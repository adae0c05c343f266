"""Linear regressions: where each power will be, and from how far off they were, how likely each state is.

Counts and networks see states; that a power lies just below a limit and rises is seen here. For each
variable and horizon its own, on the last hours, the same time a day before, the time of the day and of the
quarter (meters and forecasts often go by quarters), and the other variables. The sums of least squares
are kept, older days weighing less, and solved from time to time; where little was seen the power stays.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..terms import HORIZONS_MIN, QUARTER_MIN, STATES, Array
from .running_sums import Real, RunningSums

_HALF_LIFE_MIN = 14 * DAY_MIN
_SOLVE_EVERY_MIN = 10
_RIDGE = 1.0  # in observations of 1: how far a weight may go before anything was seen
_FURTHEST = float(STATES)  # in steps: whatever is beyond counts as this
_KEPT_MIN = 64  # minutes whose sayings wait for what comes

_AHEAD_MIN = np.array(HORIZONS_MIN)
_LAGS_MIN = (0, 1, 2, 5, 10, 15, 30)
_MEANS_MIN = (15, 60, 240)
_AROUND_MIN = 7  # the time a day before, and so many minutes before and after
_STRETCHES = [  # that inputs are means of: for each horizon how long ago they ended, how long they are
    *((np.full_like(_AHEAD_MIN, lag_min), 1) for lag_min in _LAGS_MIN),
    *((np.zeros_like(_AHEAD_MIN), mean_min) for mean_min in _MEANS_MIN),
    (DAY_MIN - _AHEAD_MIN, 1),
    (DAY_MIN - _AHEAD_MIN - _AROUND_MIN, 2 * _AROUND_MIN + 1),
    (np.full_like(_AHEAD_MIN, DAY_MIN), 1),
]
_AGES_MIN = np.stack([age_min for age_min, _ in _STRETCHES], -1)  # (4, stretches)
_LENGTHS_MIN = np.array([length_min for _, length_min in _STRETCHES])
_WAVES = np.arange(1, 4)  # of the day
_IN_QUARTER_MIN = np.array((0, 5, 10))
_SAME_MINUTE = [_LAGS_MIN.index(at_min) for at_min in _IN_QUARTER_MIN]  # when the quarter began
_TIMES = 2 + 2 * len(_WAVES) + len(_IN_QUARTER_MIN)
_INPUTS = _TIMES + len(_STRETCHES) + len(_IN_QUARTER_MIN) + len(VARIABLES)

_BINS, _WIDEST = 40, 6.0  # of errors, in usual errors
_PER_UNIT = _BINS / (2 * _WIDEST)
_ERROR_MEMORY, _USUAL_MEMORY = 0.9998, 0.95  # what stays a minute later
_FIRST_USUAL, _LEAST_USUAL = 0.3, 0.02
_FIRST_ERRORS = 2.0 * np.exp(-np.abs(np.arange(_BINS + 2) - (_BINS + 1) / 2) / _PER_UNIT)

_SHAPE = len(VARIABLES), len(HORIZONS_MIN)
_EACH = tuple(np.indices(_SHAPE))  # for one bin of each
_UPPER = np.triu_indices(_INPUTS)


class Regressions:
    """Of all variables and horizons. Powers are in steps of the scale of states (`StateScale.position`)."""

    def __init__(self) -> None:
        self._past = RunningSums()
        self._squares = np.zeros((*_SHAPE, _INPUTS, _INPUTS))  # inputs with inputs
        self._products = np.zeros((*_SHAPE, _INPUTS))  # inputs with the way that the power went
        self._weights = np.zeros((*_SHAPE, _INPUTS))
        self._errors = np.tile(_FIRST_ERRORS, (*_SHAPE, 1))  # counts, by their share of the usual error
        self._usual = np.full(_SHAPE, _FIRST_USUAL)  # error
        self._said = np.zeros((_KEPT_MIN, 2, *_SHAPE))  # power, usual error
        self._said_minutes = np.full(_KEPT_MIN, -1)

    def take_in(self, minute: int, steps: Array) -> None:
        """The powers (6,) of a minute; NaN is unknown."""
        self._past.take_in(minute, np.minimum(steps, _FURTHEST))

    def learn(self, minute: int, known: NDArray[np.bool_]) -> None:
        """From the newest minute, for the variables and horizons (6, 4) known now and at their origins."""
        origins = minute - _AHEAD_MIN
        power, usual = self._said[origins % _KEPT_MIN, :, :, np.arange(len(origins))].transpose(1, 2, 0)
        known = known & (self._said_minutes[origins % _KEPT_MIN] == origins)
        came = self._past.means(np.array([minute]), 1).T
        inputs = self._inputs(origins) * known[..., None]
        moved = came - self._past.means(origins, 1).T
        keep = 0.5 ** (1 / _HALF_LIFE_MIN)
        self._squares *= keep
        self._squares += inputs[..., None] * inputs[..., None, :]
        self._products *= keep
        self._products += inputs * moved[..., None]
        if minute % _SOLVE_EVERY_MIN == 0:
            self._solve()
        error = np.where(known, came - power, 0.0)
        bins = 1 + np.floor((error / np.where(known, usual, 1.0) + _WIDEST) * _PER_UNIT).astype(int)
        self._errors *= _ERROR_MEMORY
        self._errors[(*_EACH, np.clip(bins, 0, _BINS + 1))] += known
        self._usual += (1 - _USUAL_MEMORY) * (np.abs(error) - self._usual) * known

    def _solve(self) -> None:
        squares = self._squares + _RIDGE * np.eye(_INPUTS)
        self._weights = np.linalg.solve(squares, self._products[..., None])[..., 0]

    def foretell(self, minute: int, nothing: Array) -> Array:
        """Probabilities (6, 4, 7) of the states after the newest minute. `nothing` (6, 4): those of state 0,
        which is no matter of more or less."""
        now = np.full(len(_AHEAD_MIN), minute)
        power = self._past.means(now, 1).T + (self._weights * self._inputs(now)).sum(-1)
        usual = self._usual + _LEAST_USUAL
        self._said[minute % _KEPT_MIN], self._said_minutes[minute % _KEPT_MIN] = (power, usual), minute
        below = np.cumsum(self._errors, -1)
        below /= below[..., -1:]
        limits = (np.arange(STATES - 1) - power[..., None]) / usual[..., None]  # in usual errors
        at = np.clip((limits + _WIDEST) * _PER_UNIT, 0.0, _BINS - 1e-9)
        low = at.astype(int)
        under = np.take_along_axis(below, low, -1)
        under += (np.take_along_axis(below, low + 1, -1) - under) * (at - low)
        found = np.empty((*_SHAPE, STATES), np.float32)
        found[..., 0] = nothing
        found[..., 1:-1] = np.diff(under)
        found[..., -1] = 1.0 - under[..., -1]
        found[..., 1:] += 1e-6
        found[..., 1:] *= ((1.0 - nothing) / found[..., 1:].sum(-1))[..., None]
        return found

    def _inputs(self, origins: NDArray[np.int64]) -> Real:
        """(6, 4, inputs) of the minutes (4,) from which the horizons are foretold."""
        quarter = origins % QUARTER_MIN
        there = (quarter[:, None] == _IN_QUARTER_MIN).astype(float)
        angles = 2 * np.pi / DAY_MIN * (origins % DAY_MIN)[:, None] * _WAVES
        ones, part = np.ones((len(origins), 1)), quarter[:, None] / QUARTER_MIN
        stretches = self._past.means(origins[:, None] - _AGES_MIN, _LENGTHS_MIN)  # (4, stretches, 6)
        began = there[..., None] * stretches[:, _SAME_MINUTE]
        found = np.empty((*_SHAPE, _INPUTS))
        found[..., :_TIMES] = np.concatenate((ones, np.sin(angles), np.cos(angles), part, there), -1)
        found[..., _TIMES : -len(VARIABLES)] = np.concatenate((stretches, began), 1).transpose(2, 0, 1)
        found[..., -len(VARIABLES) :] = stretches[:, 0]
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learnt."""
        return {
            "squares_of_inputs": self._squares[:, :, *_UPPER].astype(np.float32),
            "products": self._products.astype(np.float32),
            "regressions": self._weights.astype(np.float32),
            "errors": self._errors.astype(np.float32),
            "usual_errors": self._usual.astype(np.float32),
        }

    def take_up(self, arrays: dict[str, NDArray[Any]]) -> None:
        """What `arrays` gave, of the same shapes."""
        self._squares[:, :, *_UPPER] = arrays["squares_of_inputs"]
        self._squares[:, :, _UPPER[1], _UPPER[0]] = arrays["squares_of_inputs"]
        self._products[:], self._weights[:] = arrays["products"], arrays["regressions"]
        self._errors[:] = np.maximum(arrays["errors"], 0.0)
        self._usual[:] = np.maximum(arrays["usual_errors"], 0.0)
