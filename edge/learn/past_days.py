"""Past days as samples of what may follow: at the same time of the day, the power after the same lead.

Each past day gives its power now, and its power after the lead. Only weekdays count fully for a weekday, and
days whose last hours were like those of today count more for the second kind of weights. The time of the day
is civil.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..terms import DAY_MIN, VARIABLES
from .calendar import QUARTER_MIN, UTC, Calendar, is_weekend
from .quantiles import Floats
from .series import Series
from .weather import Weather

_DAYS = 28
_HALF_LIFE_DAYS = 21.0
_OTHER_KIND = 0.3  # weight of a weekday for a day of the weekend, and the other way round
_LOOKS_MIN = ((15, 5), (60, 5), (240, 15))  # spans whose means are compared, and every how many minutes
_WIDTH = 0.5  # of the kernel, in the usual distance between days
_LEAST, _FURTHEST = 1e-3, 5.0  # weight of a day that is not alike, distance in usual ones
_RECENT_MIN = 2 * DAY_MIN
_USUAL_WEATHER = np.array((75.0, 3.0), np.float32)  # W/m2 and degrees apart that make days less alike


class Samples(NamedTuple):
    """Of n past origins: the power then and after the lead, in W, NaN where unknown; kinds of weights."""

    then_w: Floats  # (6, n)
    ahead_w: Floats  # (6, n)
    weights: Floats  # (n,): by the day
    alike: Floats  # (6, n): by the day and the hours before
    weather: Floats | None  # (n,): by the day and the weather after the lead; None where that is unknown
    ages: Floats  # (n,): by the age of the day alone, not by its kind


class PastDays:
    """Reads a series, which may grow meanwhile; `minute` is the present one."""

    def __init__(
        self, series: Series, minute: int, calendar: Calendar = UTC, weather: Weather | None = None
    ) -> None:
        self._series, self._minute, self._calendar, self._weather = series, minute, calendar, weather
        self._days = np.arange(1, min(_DAYS, (minute - series.first_minute) // DAY_MIN) + 1)
        self._origins: dict[tuple[int, ...], tuple[NDArray[np.int64], Floats]] = {}  # and how alike they are

    def samples(self, lead_min: int, mean_min: int, shifts_min: tuple[int, ...]) -> Samples:
        """For one lead. Powers are means of the `mean_min` minutes that end with a minute; the shifts give
        several origins a day."""
        if shifts_min not in self._origins:
            days = self._minute - DAY_MIN * self._days + self._moved(self._days)
            every = (days[:, None] + np.array(shifts_min)).ravel()
            self._origins[shifts_min] = every, self._alike(every)
        origins, alike = self._origins[shifts_min]
        ahead = origins + lead_min
        ages = (0.5 ** (self._days / _HALF_LIFE_DAYS)).repeat(len(shifts_min)) * (ahead <= self._minute)
        weights = ages * self._kinds(self._days, lead_min).repeat(len(shifts_min))
        return Samples(
            self._means(origins, mean_min),
            self._means(ahead, mean_min),
            weights,
            weights * alike,
            self._same_weather(ahead - mean_min // 2, self._minute + lead_min - mean_min // 2, weights),
            ages,
        )

    def changes(self, lead_min: int, mean_min: int) -> Floats:
        """The changes (6, n) over a lead in the last two days, at any time of the day. Each begins at the
        same minute of the quarter of an hour as now, since meters and markets count by quarters."""
        first_min = -(-lead_min // QUARTER_MIN) * QUARTER_MIN
        origins = self._minute - np.arange(first_min, first_min + _RECENT_MIN, QUARTER_MIN)
        found: Floats = self._means(origins + lead_min, mean_min) - self._means(origins, mean_min)
        return found

    def recent(self, mean_min: int) -> tuple[NDArray[np.int64], Floats]:
        """Minutes (n,) of the last two days, one a quarter of an hour, and the mean powers (6, n) then."""
        minutes = self._minute - np.arange(0, _RECENT_MIN, QUARTER_MIN)
        return minutes, self._means(minutes, mean_min)

    def mean(self, minute: int, mean_min: int) -> Floats:
        """The mean powers (6,) of the minutes that end with a minute; NaN where unknown."""
        found: Floats = self._means(np.array([minute]), mean_min)[:, 0]
        return found

    def _moved(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """By how much the same civil time of past days is off the same time of UTC."""
        now = self._calendar.civil(self._minute)
        befores = [(day, self._minute - DAY_MIN * day) for day in days.tolist()]
        return np.array([now - DAY_MIN * day - self._calendar.civil(before) for day, before in befores], int)

    def _kinds(self, days: NDArray[np.int64], lead_min: int) -> Floats:
        """1 for days of the kind (weekday or weekend) of the day that is predicted."""
        target = self._calendar.civil(self._minute) + lead_min
        kind = is_weekend(target)
        same = [is_weekend(target - DAY_MIN * day) == kind for day in days.tolist()]
        return np.where(np.array(same, bool), 1.0, _OTHER_KIND)

    def _alike(self, origins: NDArray[np.int64]) -> Floats:
        """Weights (6, n): 1 where the hours before were the same as now."""
        far = np.zeros((len(VARIABLES), len(origins)))
        if not len(origins):
            return far
        for span_min, every_min in _LOOKS_MIN:
            now = self._means(np.array([self._minute]), span_min, every_min)
            apart = np.abs(self._means(origins, span_min, every_min) - now)
            known = ~np.isnan(apart)
            usual = np.where(known, apart, 0.0).sum(-1) / np.maximum(known.sum(-1), 1)
            apart /= np.maximum(usual, 1.0)[:, None]
            far += np.minimum(np.where(known, apart, _FURTHEST), _FURTHEST) / len(_LOOKS_MIN)
        found: Floats = np.exp(-0.5 * np.square(far / _WIDTH)) + _LEAST
        return found

    def _same_weather(self, ahead: NDArray[np.int64], target: int, weights: Floats) -> Floats | None:
        """These weights (n,), greater where the weather was like that of the target."""
        if self._weather is None or not len(ahead):
            return None
        values = self._weather.at(np.append(ahead, target))
        known = ~np.isnan(values[-1])
        if not known.any():
            return None
        apart = np.abs(values[:-1, known] - values[-1, known]) / _USUAL_WEATHER[known]
        far = np.minimum(np.nan_to_num(apart, nan=_FURTHEST), _FURTHEST)
        found: Floats = weights * (np.exp(-0.5 * np.square(far).sum(-1)) + _LEAST)
        return found

    def _means(self, minutes: NDArray[np.int64], mean_min: int, every_min: int = 1) -> Floats:
        """The means (6, n) of the lines that end with these minutes (n,), of every so many of them; NaN where
        half of them is unknown."""
        lines, first = self._series.last(len(self._series)), self._series.first_minute
        places = minutes - np.arange(0, mean_min, every_min)[:, None] - first
        inside = (places >= 0) & (places < len(lines))
        values = lines[np.where(inside, places, 0)]
        if not inside.all():
            values[~inside] = np.nan
        found: Floats = values.sum(0) / np.float32(len(places))
        unknown = np.isnan(found)
        if unknown.any() and len(places) > 1:
            known = ~np.isnan(values)
            count = known.sum(0)
            sums = np.where(known, values, np.float32(0.0)).sum(0)
            found = np.where(2 * count >= len(places), sums / np.maximum(count, 1), np.nan)
        return found.T
