"""Linear regressions predict each power; their past errors give the probability of each state.

Counts and networks see states; regressions also see that a power is just below a limit and rises. There is
one for each variable and horizon. Its inputs are the last hours, the same time a day before, the time of the
day and of the quarter of an hour, and the other variables. The sums of least squares are kept, with less
weight for older days, and are solved every ten minutes; where little is known, the power is expected to stay.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..calendar import QUARTER_MIN, UTC, Calendar
from ..quantiles import LEVEL
from ..terms import HORIZONS_MIN, STATES, Array
from .running_sums import Float64, RunningSums

_HALF_LIFE_MIN = 14 * DAY_MIN
_SOLVE_EVERY_MIN = 10
_RIDGE = 1.0  # in observations of 1: holds the weights near 0 while little is known
_FURTHEST = float(STATES)  # in steps: greater powers count as this
_KEPT_MIN = 64  # minutes whose predictions wait for the actual powers

_AHEAD_MIN = np.array(HORIZONS_MIN)
_LAGS_MIN = (0, 1, 2, 5, 10, 15, 30)
_MEANS_MIN = (15, 60, 240)
_AROUND_MIN = 7  # minutes before and after the same time of the day before
_SPANS = [  # inputs are means of these: for each horizon how long ago they end, and how long they are
    *((np.full_like(_AHEAD_MIN, lag_min), 1) for lag_min in _LAGS_MIN),
    *((np.zeros_like(_AHEAD_MIN), mean_min) for mean_min in _MEANS_MIN),
    (DAY_MIN - _AHEAD_MIN, 1),
    (DAY_MIN - _AHEAD_MIN - _AROUND_MIN, 2 * _AROUND_MIN + 1),
    (np.full_like(_AHEAD_MIN, DAY_MIN), 1),
]
_AGES_MIN = np.stack([age_min for age_min, _ in _SPANS], -1)  # (4, spans)
_LENGTHS_MIN = np.array([length_min for _, length_min in _SPANS])
_WAVES = np.arange(1, 4)  # of the day
_IN_QUARTER_MIN = np.array((0, 5, 10))
_SAME_MINUTE = [_LAGS_MIN.index(at_min) for at_min in _IN_QUARTER_MIN]  # lags to the beginning of the quarter
_TIMES = 2 + 2 * len(_WAVES) + len(_IN_QUARTER_MIN)
_INPUTS = _TIMES + len(_SPANS) + len(_IN_QUARTER_MIN) + len(VARIABLES)

_BINS, _WIDEST = 40, 6.0  # of errors, in typical errors
_PER_UNIT = _BINS / (2 * _WIDEST)
_ERROR_MEMORY, _TYPICAL_MEMORY = 0.9998, 0.95  # what remains a minute later
_FIRST_TYPICAL, _MIN_TYPICAL = 0.3, 0.02
_FIRST_ERRORS = 2.0 * np.exp(-np.abs(np.arange(_BINS + 2) - (_BINS + 1) / 2) / _PER_UNIT)

_SHAPE = len(VARIABLES), len(HORIZONS_MIN)
_EACH = tuple(np.indices(_SHAPE))  # indexes one bin of each
_UPPER = np.triu_indices(_INPUTS)


class Regressions:
    """The regressions of all variables and horizons. Powers are in steps (`StateScale.position`)."""

    def __init__(self, calendar: Calendar = UTC) -> None:
        self._calendar = calendar
        self._past = RunningSums()
        self._squares = np.zeros((*_SHAPE, _INPUTS, _INPUTS))  # inputs with inputs
        self._products = np.zeros((*_SHAPE, _INPUTS))  # inputs with the change of the power
        self._weights = np.zeros((*_SHAPE, _INPUTS))
        self._errors = np.tile(_FIRST_ERRORS, (*_SHAPE, 1))  # counts, by error divided by the typical error
        self._typical = np.full(_SHAPE, _FIRST_TYPICAL)  # typical error
        self._predicted = np.zeros((_KEPT_MIN, 2, *_SHAPE))  # power, typical error
        self._predicted_minutes = np.full(_KEPT_MIN, -1)

    def observe(self, minute: int, steps: Array) -> None:
        """Add the powers (6,) of a minute, NaN where unknown."""
        self._past.add(minute, np.minimum(steps, _FURTHEST))

    def learn(self, minute: int, known: NDArray[np.bool_]) -> None:
        """Learn from the newest minute; `known` (6, 4): known both now and at the origin."""
        origins = minute - _AHEAD_MIN
        power, typical = self._predicted[origins % _KEPT_MIN, :, :, np.arange(len(origins))].transpose(
            1, 2, 0
        )
        known = known & (self._predicted_minutes[origins % _KEPT_MIN] == origins)
        actual = self._past.means(np.array([minute]), 1).T
        inputs = self._inputs(origins) * known[..., None]
        moved = actual - self._past.means(origins, 1).T
        keep = 0.5 ** (1 / _HALF_LIFE_MIN)
        self._squares *= keep
        self._squares += inputs[..., None] * inputs[..., None, :]
        self._products *= keep
        self._products += inputs * moved[..., None]
        if minute % _SOLVE_EVERY_MIN == 0:
            self._solve()
        error = np.where(known, actual - power, 0.0)
        bins = 1 + np.floor((error / np.where(known, typical, 1.0) + _WIDEST) * _PER_UNIT).astype(int)
        self._errors *= _ERROR_MEMORY
        self._errors[(*_EACH, np.clip(bins, 0, _BINS + 1))] += known
        self._typical += (1 - _TYPICAL_MEMORY) * (np.abs(error) - self._typical) * known

    def _solve(self) -> None:
        squares = self._squares + _RIDGE * np.eye(_INPUTS)
        self._weights = np.linalg.solve(squares, self._products[..., None])[..., 0]

    def predict(self, minute: int, zero: Array) -> Array:
        """Probabilities (6, 4, 7) of the states after the newest minute. `zero` (6, 4) are those of state 0,
        which a regression cannot give."""
        now = np.full(len(_AHEAD_MIN), minute)
        power = self._past.means(now, 1).T + (self._weights * self._inputs(now)).sum(-1)
        typical = self._typical + _MIN_TYPICAL
        self._predicted[minute % _KEPT_MIN], self._predicted_minutes[minute % _KEPT_MIN] = (
            (power, typical),
            minute,
        )
        below = np.cumsum(self._errors, -1)
        below /= below[..., -1:]
        limits = (np.arange(STATES - 1) - power[..., None]) / typical[..., None]  # in typical errors
        at = np.clip((limits + _WIDEST) * _PER_UNIT, 0.0, _BINS - 1e-9)
        low = at.astype(int)
        under = np.take_along_axis(below, low, -1)
        under += (np.take_along_axis(below, low + 1, -1) - under) * (at - low)
        found = np.empty((*_SHAPE, STATES), np.float32)
        found[..., 0] = zero
        found[..., 1:-1] = np.diff(under)
        found[..., -1] = 1.0 - under[..., -1]
        found[..., 1:] += 1e-6
        found[..., 1:] *= ((1.0 - zero) / found[..., 1:].sum(-1))[..., None]
        return found

    def quantiles(self, minute: int, zero: Array) -> Array:
        """Quantiles (6, 4, levels) of the powers that `predict` expected after a minute; `zero` as there."""
        power, typical = self._predicted[minute % _KEPT_MIN][..., None]
        below = np.cumsum(self._errors, -1)
        below /= below[..., -1:]
        levels = np.clip((LEVEL - zero[..., None]) / np.maximum(1.0 - zero[..., None], 1e-6), 0.0, 1.0)
        at = np.minimum((below[..., None, :] < levels[..., None]).sum(-1), _BINS)  # the bin of each level
        high = np.take_along_axis(below, at, -1)
        low = np.where(at > 0, np.take_along_axis(below, np.maximum(at - 1, 0), -1), 0.0)
        share = np.clip((levels - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        error = (at - 1 + share) / _PER_UNIT - _WIDEST
        found: Array = np.where(levels > 0, power + typical * error, 0.0)
        return found

    def _inputs(self, origins: NDArray[np.int64]) -> Float64:
        """The inputs (6, 4, inputs) of the minutes (4,) from which the horizons are predicted."""
        civil = self._calendar.civil_minutes(origins)
        quarter = civil % QUARTER_MIN
        marks = (quarter[:, None] == _IN_QUARTER_MIN).astype(float)
        angles = 2 * np.pi / DAY_MIN * (civil % DAY_MIN)[:, None] * _WAVES
        ones, part = np.ones((len(origins), 1)), quarter[:, None] / QUARTER_MIN
        spans = self._past.means(origins[:, None] - _AGES_MIN, _LENGTHS_MIN)  # (4, spans, 6)
        began = marks[..., None] * spans[:, _SAME_MINUTE]
        found = np.empty((*_SHAPE, _INPUTS))
        found[..., :_TIMES] = np.concatenate((ones, np.sin(angles), np.cos(angles), part, marks), -1)
        found[..., _TIMES : -len(VARIABLES)] = np.concatenate((spans, began), 1).transpose(2, 0, 1)
        found[..., -len(VARIABLES) :] = spans[:, 0]
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learnt, by name."""
        return {
            "squares_of_inputs": self._squares[:, :, *_UPPER].astype(np.float32),
            "products": self._products.astype(np.float32),
            "regressions": self._weights.astype(np.float32),
            "errors": self._errors.astype(np.float32),
            "usual_errors": self._typical.astype(np.float32),
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Restore what `arrays` returned; the shapes must be the same."""
        self._squares[:, :, *_UPPER] = arrays["squares_of_inputs"]
        self._squares[:, :, _UPPER[1], _UPPER[0]] = arrays["squares_of_inputs"]
        self._products[:], self._weights[:] = arrays["products"], arrays["regressions"]
        self._errors[:] = np.maximum(arrays["errors"], 0.0)
        self._typical[:] = np.maximum(arrays["usual_errors"], 0.0)
