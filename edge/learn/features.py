"""What a network sees of each minute, for each variable: its inputs, one block of columns each.

    power     the variable in steps of its scale          state     its state, one of seven
    powers    all six variables in steps                  states    all six states
    time      time of day on a circle                     quarter   minute of the quarter of an hour
    day       day of the week, one of seven               weather   irradiance now and in an hour, temperature

An unknown power is 0 and has no state. Meters and markets count by quarters of an hour, which shows in
measured data; so the minute within it is worth a column each.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .states import StateScale
from .terms import DAY_MIN, HORIZONS_MIN, STATES, VARIABLES, Array
from .weather import Weather

_QUARTER_MIN = 15
_WEEKDAY_1970 = 3  # a Thursday, when Monday is 0
_IRRADIANCE_W_M2 = 500.0
_TEMPERATURE_C = 20.0
_WIDTHS = {
    "power": 1,
    "state": STATES,
    "powers": len(VARIABLES),
    "states": len(VARIABLES) * STATES,
    "time": 2,
    "quarter": _QUARTER_MIN,
    "day": 7,
    "weather": 4,
}
DEFAULT = "power state time quarter"


class Features:
    """The inputs of a network."""

    def __init__(self, blocks: str, scale: StateScale, weather: Weather | None = None) -> None:
        self.blocks = blocks.split()
        unknown = [block for block in self.blocks if block not in _WIDTHS]
        if unknown or not self.blocks or len(set(self.blocks)) != len(self.blocks):
            raise ValueError(f"inputs {blocks!r}: each once, of {', '.join(_WIDTHS)}")
        if "weather" in self.blocks and weather is None:
            raise ValueError("inputs: weather without a source of weather")
        self.scale, self._weather = scale, weather
        self.size = sum(_WIDTHS[block] for block in self.blocks)

    def fill(self, out: Array, variables: NDArray[np.intp], first_minute: int, powers_w: Array) -> None:
        """Write the inputs of lines (n, 6) from a minute on into `out` (variables, n, size)."""
        out[:] = 0.0
        minutes = first_minute + np.arange(len(powers_w))
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
                angle = (2 * math.pi / DAY_MIN) * (minutes % DAY_MIN)
                columns[:, :, 0], columns[:, :, 1] = np.sin(angle), np.cos(angle)
            elif block == "quarter":
                _mark(columns, minutes[None] % _QUARTER_MIN)
            elif block == "day":
                _mark(columns, (minutes[None] // DAY_MIN + _WEEKDAY_1970) % 7)
            elif self._weather is not None:
                columns[:] = self._seen(minutes, self._weather)

    @staticmethod
    def _seen(minutes: NDArray[np.int64], weather: Weather) -> Array:
        now, later = weather.at(minutes), weather.at(minutes + HORIZONS_MIN[-1])
        known = ~np.isnan(now).any(-1)
        columns = np.stack((now[:, 0], later[:, 0], now[:, 1], known), -1)
        columns /= (_IRRADIANCE_W_M2, _IRRADIANCE_W_M2, _TEMPERATURE_C, 1.0)
        found: Array = np.nan_to_num(columns).astype(np.float32)
        return found


def _mark(columns: Array, which: NDArray[np.integer]) -> None:  # type: ignore[type-arg]
    """Set one column of each line to 1; none where `which` is negative."""
    known = which[..., None] == np.arange(columns.shape[-1])
    columns[:] = known
