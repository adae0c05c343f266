"""A forecast of the next day for its market: what a node will draw less what it will give, with quantiles.

Past days are samples, as in `outlook`. What is drawn and what the sun gives have little to do with each
other, so the load of each past day is taken with the production of each: of few days that makes many samples
of the difference, whose quantiles are smoother. Days count by their age, those of loads by their kind, too,
and more if the weather then was like that of the day ahead, where a forecast of it is known. One quarter-hour
is a piece of work of about a millisecond.
"""

from collections.abc import Iterator

import numpy as np

from ..terms import VARIABLES
from .calendar import QUARTER_MIN, UTC, Calendar
from .past_days import PastDays, Samples
from .quantiles import weighted
from .series import Series
from .terms import LEVELS, Array
from .weather import Weather

STEPS = 96
_DRAWN, _GIVEN = VARIABLES.index("requested"), VARIABLES.index("produced")
_SHIFTS_MIN = (-30, -15, 0, 15, 30)


class NextDay:
    """The quantiles (96, levels) in W of the quarter-hours of a day, NaN where nothing is known."""

    def __init__(self, calendar: Calendar = UTC, weather: Weather | None = None) -> None:
        self.begin: int | None = None  # the minute of UTC at which the day begins; None: not known yet
        self.needs_w: Array = np.full((STEPS, len(LEVELS)), np.nan, np.float32)
        self._calendar, self._weather = calendar, weather

    def work(self, minute: int, begin: int, series: Series) -> Iterator[None]:
        """Forecast the day that begins with the minute `begin`, from what is known after `minute`."""
        days = PastDays(series, minute, self._calendar, self._weather)
        found = np.full_like(self.needs_w, np.nan)
        for step in range(STEPS):
            lead = begin + (step + 1) * QUARTER_MIN - 1 - minute
            samples = days.samples(lead, QUARTER_MIN, _SHIFTS_MIN)
            if samples.ahead_w.shape[1]:
                found[step] = _needs_w(samples)
            yield
        self.needs_w, self.begin = found, begin


def _needs_w(samples: Samples) -> Array:
    """The quantiles (levels,) of what is drawn less what is given. The sun knows no days of the week."""
    drawn_w, given_w = samples.ahead_w[_DRAWN], samples.ahead_w[_GIVEN]
    weights = samples.weights if samples.weather is None else samples.weather
    if not np.nanmax(given_w, initial=0.0) > 0.0:
        return weighted(drawn_w - given_w, weights)[0]
    ages = samples.ages
    if samples.weather is not None:
        ages = ages * samples.weather / np.where(samples.weights > 0, samples.weights, 1.0)
    some = slice(None, None, 2)  # of the production, shifts of half an hour are enough
    needs_w = drawn_w[:, None] - given_w[some]
    return weighted(needs_w.ravel(), (weights[:, None] * ages[some]).ravel())[0]
