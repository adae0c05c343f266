"""Weather as an input of models, measured and forecast, where a source is configured."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .terms import Array


class Weather(Protocol):
    """A source of weather."""

    def at(self, minutes: NDArray[np.int64]) -> Array:
        """Irradiance in W/m2 and temperature in degrees Celsius (n, 2) at minutes (n,); NaN where unknown."""


class WeatherTable:
    """Weather interpolated between given points; unknown outside of them and in long gaps."""

    def __init__(self, minutes: NDArray[np.int64], values: Array, longest_gap_min: int = 180) -> None:
        self.minutes = np.asarray(minutes, np.int64)
        self.values = np.asarray(values, np.float32)
        if self.values.shape != (len(self.minutes), 2) or not (np.diff(self.minutes) > 0).all():
            raise ValueError("weather needs rising minutes with an irradiance and a temperature for each")
        self._longest_gap_min = longest_gap_min

    def at(self, minutes: NDArray[np.int64]) -> Array:
        """See `Weather`."""
        found = np.full((len(minutes), 2), np.nan, np.float32)
        if not len(self.minutes):
            return found
        right = np.searchsorted(self.minutes, minutes).clip(0, len(self.minutes) - 1)
        left = (right - (self.minutes[right] > minutes)).clip(0)
        known = (self.minutes[left] <= minutes) & (self.minutes[right] >= minutes)
        known &= self.minutes[right] - self.minutes[left] <= self._longest_gap_min
        for column in range(2):
            values = np.interp(minutes, self.minutes, self.values[:, column])
            found[known, column] = values[known]
        return found
