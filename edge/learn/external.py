"""Powers that others forecast, such as a service for photovoltaics (thesis 5.6.5): an input of forecasts."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .terms import Array


class PowerForecast(Protocol):
    """A source of such powers."""

    def at(self, minutes: NDArray[np.int64]) -> Array:
        """Powers (n, 6) in W at minutes (n,), NaN where unknown."""


class PowerTable:
    """A power is a mean: it holds from its minute to the next one given, for an hour at most."""

    longest_min = 60

    def __init__(self, minutes: NDArray[np.int64], powers_w: Array) -> None:
        """Raises ValueError."""
        self.minutes = np.asarray(minutes, np.int64)
        self.values = np.asarray(powers_w, np.float32)
        rising = (np.diff(self.minutes) > 0).all()
        if self.values.shape != (len(self.minutes), len(VARIABLES)) or not rising:
            raise ValueError("a forecast needs rising minutes with six powers for each")

    def at(self, minutes: NDArray[np.int64]) -> Array:
        """See `PowerForecast`."""
        found = np.full((len(minutes), len(VARIABLES)), np.nan, np.float32)
        if len(self.minutes):
            place = np.searchsorted(self.minutes, minutes, "right") - 1
            known = (place >= 0) & (minutes - self.minutes[place] < self.longest_min)
            found[known] = self.values[place[known]]
        return found
