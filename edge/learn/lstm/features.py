"""The inputs of a network for each minute and variable: one block of columns for each kind of input.

    power     the variable in steps of its scale          state     its state, one of seven columns
    powers    all six variables in steps                  states    all six states
    time      sine and cosine of the time of day          quarter   the minute of the quarter of an hour
    day       the day of the week, one of seven columns   weather   irradiance now and in an hour, temperature
    level     the variable, its means of 4 and of 24 hours
    yesterday, week: the variable a day or a week before each horizon, its mean of a quarter of an hour

An unknown power is 0 and has no state. Meters and markets count by quarters of an hour, which shows in
measured data, so each minute of the quarter has its own column.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..calendar import QUARTER_MIN, UTC, Calendar, weekday_of
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather

_IRRADIANCE_W_M2 = 500.0
_TEMPERATURE_C = 20.0
_WIDTHS = {
    "power": 1,
    "state": STATES,
    "powers": len(VARIABLES),
    "states": len(VARIABLES) * STATES,
    "time": 2,
    "quarter": QUARTER_MIN,
    "day": 7,
    "weather": 4,
    "level": 2,
    "yesterday": len(HORIZONS_MIN),
    "week": len(HORIZONS_MIN),
}
_LEVELS_MIN = (240, DAY_MIN)
_BEFORE_MIN = {"yesterday": DAY_MIN, "week": 7 * DAY_MIN}
DEFAULT = "powers state time quarter"


class Features:
    """Some blocks of inputs, in order. Raises ValueError for unknown or repeated ones."""

    def __init__(
        self, blocks: str, scale: StateScale, weather: Weather | None = None, calendar: Calendar = UTC
    ) -> None:
        self.blocks = blocks.split()
        unknown = [block for block in self.blocks if block not in _WIDTHS]
        if unknown or not self.blocks or len(set(self.blocks)) != len(self.blocks):
            raise ValueError(f"inputs {blocks!r}: expected names, each once, of {', '.join(_WIDTHS)}")
        if "weather" in self.blocks and weather is None:
            raise ValueError("inputs: weather needs a source of weather")
        self.scale, self._weather, self.calendar = scale, weather, calendar
        self.size = sum(_WIDTHS[block] for block in self.blocks)
        leads = {"level": DAY_MIN, **{block: before + QUARTER_MIN for block, before in _BEFORE_MIN.items()}}
        self.lead_min = max(leads.get(block, 0) for block in self.blocks)

    def fill(self, out: Array, variables: NDArray[np.intp], first_minute: int, lines_w: Array) -> None:
        """Write the inputs of n lines from a minute on into `out` (variables, n, size).

        `lines_w` (lead_min + n, 6) are those lines and the ones before them.
        """
        out[:] = 0.0
        powers_w = lines_w[self.lead_min :]
        minutes = first_minute + np.arange(len(powers_w))
        civil = self.calendar.civil_minutes(minutes)
        steps = np.nan_to_num(self.scale.position(powers_w))
        states = self.scale.of(powers_w)
        at = 0
        for block in self.blocks:
            columns = out[:, :, at : at + _WIDTHS[block]]
            at += _WIDTHS[block]
            if block == "power":
                columns[:, :, 0] = steps.T[variables]
            elif block == "powers":
                columns[:] = steps
            elif block == "state":
                _mark(columns, states.T[variables])
            elif block == "states":
                for variable in range(len(VARIABLES)):
                    _mark(
                        columns[:, :, variable * STATES : (variable + 1) * STATES], states[None, :, variable]
                    )
            elif block == "time":
                angle = (2 * math.pi / DAY_MIN) * (civil % DAY_MIN)
                columns[:, :, 0], columns[:, :, 1] = np.sin(angle), np.cos(angle)
            elif block == "quarter":
                _mark(columns, civil[None] % QUARTER_MIN)
            elif block == "day":
                _mark(columns, weekday_of(civil[None]))
            elif block == "level":
                self._levels(columns, variables, lines_w)
            elif block in _BEFORE_MIN:
                self._before(columns, variables, lines_w, _BEFORE_MIN[block])
            elif self._weather is not None:
                columns[:] = self._forecast(minutes, self._weather)

    def _levels(self, columns: Array, variables: NDArray[np.intp], lines_w: Array) -> None:
        count = columns.shape[1]
        for column, span in enumerate(_LEVELS_MIN):
            means = self._means(lines_w[self.lead_min - span + 1 :][: span + count - 1], span)
            columns[:, :, column] = means.T[variables]

    def _before(self, columns: Array, variables: NDArray[np.intp], lines_w: Array, before: int) -> None:
        count, reach = columns.shape[1], QUARTER_MIN // 2
        first = (
            self.lead_min - before - reach
        )  # half a quarter before the line that is `before` minutes older than the first
        for column, horizon in enumerate(HORIZONS_MIN):
            part = lines_w[first + horizon :][: count + 2 * reach]
            columns[:, :, column] = self._means(part, 2 * reach + 1).T[variables]

    def _means(self, lines_w: Array, span: int) -> Array:
        """Means in steps (n, 6) of each `span` consecutive lines of n + span - 1; 0 where unknown."""
        steps = self.scale.position(lines_w).astype(np.float64)
        known = ~np.isnan(steps)
        sums, counts = (
            np.cumsum(np.concatenate((np.zeros((1, len(VARIABLES))), each)), axis=0)
            for each in (np.where(known, steps, 0.0), known)
        )
        found: Array = (sums[span:] - sums[:-span]) / np.maximum(counts[span:] - counts[:-span], 1)
        return found

    @staticmethod
    def _forecast(minutes: NDArray[np.int64], weather: Weather) -> Array:
        now, later = weather.at(minutes), weather.at(minutes + HORIZONS_MIN[-1])
        known = ~np.isnan(now).any(-1)
        columns = np.stack((now[:, 0], later[:, 0], now[:, 1], known), -1)
        columns /= (_IRRADIANCE_W_M2, _IRRADIANCE_W_M2, _TEMPERATURE_C, 1.0)
        found: Array = np.nan_to_num(columns).astype(np.float32)
        return found


def _mark(columns: Array, which: NDArray[np.integer[Any]]) -> None:
    """Set one column of each line to 1, or none where `which` is negative."""
    known = which[..., None] == np.arange(columns.shape[-1])
    columns[:] = known
