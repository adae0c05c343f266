"""Markov chains: how often each state was followed by each other a minute later (thesis 4.3.2).

There is one chain for each variable and slot of the day. Transitions are counted by day, and days older than
the window are dropped. A state seldom or never observed in its slot is completed by what followed it over
the whole day: `prior` is the number of observations that this counts for. With the option `context`, weekdays
and weekends (`weekday`) or four classes of irradiance (`weather`) have separate chains.
"""

import random
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import DAY_MIN, VARIABLES
from .calendar import SLOTS, UTC, Calendar, is_weekend, slot_of
from .checkpoint import checked, pack, unpack
from .choice import WORTHS, Choice, limited
from .contents import Chains, Contents, Day
from .log_codes import coded, decoded
from .model import Training, no_training
from .parts import COUNTS, Adoption, Losses, Part, Values, checked_parts, key_of
from .probabilities import log_losses
from .series import Series
from .states import StateScale
from .terms import HORIZONS_MIN, STATES, Array, States
from .weather import Weather

_IRRADIANCE_W_M2 = (50.0, 250.0, 600.0)  # limits between the classes
_CONTEXTS = {"none": 1, "weekday": 2, "weather": 1 + len(_IRRADIANCE_W_M2)}
_JUDGED_HOURS, _JUDGE_EVERY_MIN = 16, 10  # when foreign chains are compared with the own ones
_HOUR_MIN = 60
_KNOWN_STAY = 1e-6  # of an observation: a state never observed at all is expected to stay


class Markov:
    """Counts transitions; predicts by going minute by minute from the present state."""

    name = "markov"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
        *,
        window_days: int = 100,
        context: str = "none",
        prior: float = 1.0,
    ) -> None:
        if context not in _CONTEXTS or (context == "weather" and weather is None):
            raise ValueError(f"markov: context {context!r} is unknown, or needs a source of weather")
        if not (1 <= window_days <= 1000 and 0 < prior <= 1e6):
            raise ValueError(f"markov: window_days {window_days} or prior {prior} is out of range")
        self._scale, self._weather, self._context, self._prior = scale, weather, context, prior
        self._calendar = calendar
        shape = (_CONTEXTS[context], len(VARIABLES), SLOTS, STATES, STATES)
        self._by_day = np.zeros((window_days, *shape), np.uint16)  # days that are not used cost no memory
        self._days = np.full(window_days, -1, np.int32)
        self._counts = np.zeros(shape, np.int32)
        self._overall = np.zeros((len(VARIABLES), STATES, STATES), np.int32)
        self._states = np.full(len(VARIABLES), -1, np.int8)
        self._minute = -2
        self._learnt_minute = -1
        self._foreign: NDArray[np.uint8] | None = None  # counts of neighbours, as `log_codes`
        self._completions: tuple[Array, Array] | None = None  # they, by worth; and over the whole day
        self.worth: Choice | None = None  # among WORTHS, once there are foreign counts

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        states = self._scale.of(powers_w)
        known = np.flatnonzero((states >= 0) & (self._states >= 0))
        if minute == self._minute + 1 and minute > self._learnt_minute and len(known):
            self._count(minute, known, self._states[known], states[known])
            if self.worth is not None:
                self.worth.learn(minute, states)
        self._states, self._minute = states, minute
        self._learnt_minute = max(self._learnt_minute, minute)

    def _count(self, minute: int, variables: NDArray[Any], before: NDArray[Any], now: NDArray[Any]) -> None:
        civil = self._calendar.civil(minute)
        row = self._row_of(civil // DAY_MIN)
        place = (self._context_of(minute), variables, slot_of(civil), before, now)
        self._by_day[row][place] += 1
        self._counts[place] += 1
        self._overall[variables, before, now] += 1

    def _row_of(self, day: int) -> int:
        """The row of a day; days that have left the window are forgotten."""
        row = day % len(self._days)
        if self._days[row] != day:
            old = np.flatnonzero((self._days >= 0) & (self._days <= day - len(self._days)))
            for each in old:
                self._forget(int(each))
            self._days[row] = day
        return row

    def _forget(self, row: int) -> None:
        self._counts -= self._by_day[row]
        self._overall -= self._by_day[row].sum((0, 2), dtype=np.int32)
        self._by_day[row] = 0
        self._days[row] = -1

    def _context_of(self, minute: int) -> int:
        if self._context == "weekday":
            return int(is_weekend(self._calendar.civil(minute)))
        if self._context == "weather" and self._weather:
            irradiance = self._weather.at(np.array([minute]))[0, 0]
            return int(np.searchsorted(_IRRADIANCE_W_M2, irradiance)) if irradiance == irradiance else 0
        return 0

    def predict(self) -> Array | None:
        """See `Model`."""
        if (self._states < 0).any() or not self._overall.any():
            return None
        if self._completions is None or self.worth is None:
            return self._chained(self._counts, self._overall, self._minute, self._states)
        counts, overall = self._completions
        completed = self._counts + counts, self._overall + overall
        candidates = self._chained(*completed, self._minute, self._states)
        choice = self.worth.predicted(self._minute, candidates)
        found: Array = candidates[choice, *np.indices(choice.shape)]
        return found

    def _chained(self, counts: NDArray[Any], overall: NDArray[Any], minute: int, states: States) -> Array:
        """Probabilities (..., 6, 4, 7) after a minute with these states, by chains of counts (..., contexts,
        6, slots, 7, 7), which over the whole day are `overall` (..., 6, 7, 7)."""
        spread = np.eye(STATES)[states][:, None]
        found = np.empty((*overall.shape[:-2], len(HORIZONS_MIN), STATES), np.float32)
        places = [
            (self._context_of(each), slot_of(self._calendar.civil(each)))
            for each in range(minute + 1, minute + 1 + HORIZONS_MIN[-1])
        ]
        matrices = {place: self._matrices(counts, overall, *place) for place in set(places)}
        done = 0
        for horizon, until in enumerate(HORIZONS_MIN):
            for place, steps in groupby(places[done:until]):
                spread = spread @ np.linalg.matrix_power(matrices[place], len(list(steps)))
            found[..., horizon, :], done = spread[..., 0, :], until
        return found

    def matrices(self, context: int, slot: int) -> NDArray[np.float64]:
        """The chains (6, 7, 7) of a context and a slot: rows are present states, columns the next ones."""
        return self._matrices(self._counts, self._overall, context, slot)

    def _matrices(
        self, counts: NDArray[Any], overall: NDArray[Any], context: int, slot: int
    ) -> NDArray[np.float64]:
        overall = overall + _KNOWN_STAY * np.eye(STATES)
        overall /= overall.sum(-1, keepdims=True)
        completed = counts[..., context, :, slot, :, :] + self._prior * overall
        rows: NDArray[np.float64] = completed / completed.sum(-1, keepdims=True)
        return rows

    def contents(self, variable: int, slot: int | None = None) -> Contents:
        """See `ShowsContents`."""
        chances = [
            self.matrices(context, each) for context in range(len(self._counts)) for each in range(SLOTS)
        ]
        used = np.flatnonzero(self._days >= 0)
        used = used[np.argsort(self._days[used])]
        by_day = []
        for row in used if slot is not None else ():
            counts = self._by_day[row, :, variable, slot]
            if counts.any():
                by_day.append(Day(int(self._days[row]), counts.copy()))
        return Contents(
            Chains(
                contexts=len(self._counts),
                window_days=len(self._days),
                days=self._days[used].tolist(),
                counts=self._counts[:, variable].copy(),
                chances=np.stack(chances)[:, variable].reshape(self._counts[:, variable].shape),
                foreign=None if self._foreign is None else decoded(self._foreign)[:, variable],
                by_day=by_day,
            )
        )

    def parts(self, variable: int) -> dict[str, Part]:
        """See `Model`: the own transitions of all days (`chains`)."""
        counts = self._counts[:, variable].astype(np.float32)
        key = key_of("chains", variable, (counts.shape, self._context), self._scale)
        return {"chains": Part(COUNTS, key, counts.reshape(-1), ready=bool(counts.any()))}

    def check_parts(self, parts: Mapping[int, Values]) -> None:
        """Raises ValueError for parts that `adopt` would refuse."""
        for variable, given in parts.items():
            checked_parts(self.parts(variable), given)

    def _with(self, parts: Mapping[int, Values]) -> Array:
        """The foreign counts with these in place. Raises ValueError."""
        self.check_parts(parts)
        kept = self._foreign
        foreign = np.zeros(self._counts.shape, np.float32) if kept is None else decoded(kept)
        for variable, given in parts.items():
            for values in given.values():
                foreign[:, variable] = values.reshape(foreign[:, variable].shape)
        return foreign

    def adopt(self, parts: Mapping[int, Values]) -> Adoption:
        """See `Model`."""
        foreign = self._with(parts)
        self._foreign, self.worth = coded(foreign), self.worth or Choice(len(WORTHS))
        completions = np.stack([limited(decoded(self._foreign), worth) for worth in WORTHS])
        self._completions = completions, completions.sum((1, 3))
        return
        yield

    def losses_with(self, parts: Mapping[int, Values], history: Series) -> Losses:
        """See `Model`: each hour is judged without the own counts of its day; foreign ones count fully."""
        foreign = self._with(parts)
        newest = history.last_minute
        if newest is None:
            return np.full((0, len(VARIABLES)), np.nan)
        span, ahead = _HOUR_MIN, HORIZONS_MIN[-1]
        hours = range(
            newest // span * span - ahead - (_JUDGED_HOURS - 1) * span, newest - ahead - span + 2, span
        )
        found = []
        for hour in hours:
            if hour + span + ahead <= history.first_minute:
                found.append(np.full(len(VARIABLES), np.nan))
                continue
            yield
            row = np.flatnonzero(self._days == self._calendar.civil(hour) // DAY_MIN)
            counts = self._counts + foreign
            if len(row):
                counts -= self._by_day[row[0]]
            found.append(self._hour_losses(counts, hour, history))
        return np.array(found)

    def _hour_losses(self, counts: Array, hour: int, history: Series) -> NDArray[np.float64]:
        """The mean losses (6,) of origins in an hour; NaN where no state is known."""
        states = self._scale.of(history.at(hour, _HOUR_MIN + HORIZONS_MIN[-1]))
        found, overall = [], counts.sum((0, 2))
        for at in range(0, _HOUR_MIN, _JUDGE_EVERY_MIN):
            now, actual = states[at], states[at + np.array(HORIZONS_MIN)].T
            predicted = self._chained(counts, overall, hour + at, np.maximum(now, 0))
            losses = log_losses(predicted, actual)
            found.append(np.where((actual >= 0) & (now >= 0)[:, None], losses, np.nan))
        sums, known = np.nansum(found, (0, 2)), (~np.isnan(found)).sum((0, 2))
        return np.where(known > 0, sums / np.maximum(known, 1), np.nan)

    def train(self, history: Series) -> Training:
        """Nothing to do."""
        return no_training()

    def save(self) -> bytes:
        """See `Model`."""
        facts = {"context": self._context, "learnt_minute": self._learnt_minute}
        return pack(self.name, facts, self._arrays(), level=1)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        used = self._days >= 0
        return {"days": self._days[used], "by_day": self._by_day[used], "limits": self._scale.limits_w}

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(self.name, data, self._calendar, now)
        days, window = arrays.get("days", self._days), len(self._days)
        if days.ndim != 1 or len(set((days % window).tolist())) != len(days) or (days < 0).any():
            raise ValueError(f"markov: the saved days do not fit a window of {window} days")
        expected: dict[str, NDArray[Any]] = {
            "days": np.zeros(len(days), self._days.dtype),
            "by_day": np.zeros((len(days), *self._counts.shape), self._by_day.dtype),
            "limits": self._scale.limits_w,
        }
        checked(self.name, arrays, expected)
        self._scale.check(arrays["limits"])
        learnt_minute = facts.get("learnt_minute")
        if facts.get("context") != self._context or not isinstance(learnt_minute, int):
            raise ValueError(f"markov: learnt with context {facts.get('context')!r}, not {self._context!r}")
        self._by_day[self._days >= 0] = 0
        self._days[:], self._learnt_minute = -1, learnt_minute
        self._days[days % window], self._by_day[days % window] = days, arrays["by_day"]
        self._counts = arrays["by_day"].sum(0, dtype=np.int32)
        self._overall = self._counts.sum((0, 2), dtype=np.int32)
