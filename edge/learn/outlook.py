"""Forecasts in watts with bands, for the next minutes and for the next day, beside any model of states.

Up to an hour ahead it is the power of a minute, beyond it the mean of the quarter of an hour that ends then.
Experts give quantiles: past days as they were, or moved by a share of how much today differs now
(`past_days`), all days, those like today, or those with such weather; the changes of the last two days; the
model, if it knows powers; and a forecast of others with its errors of the last two days. They are averaged
with weights that are learnt from how well they did (`band_weights`).

The near leads are forecast every five minutes, the far ones every quarter of an hour, in pieces of a few
milliseconds. The minutes are in the series of the learner; here is only what waits for the actual powers.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .band_weights import BandWeights
from .calendar import QUARTER_MIN, UTC, Calendar
from .checkpoint import checked, pack, unpack
from .external import PowerForecast
from .past_days import PastDays
from .quantiles import weighted
from .series import Series
from .terms import HORIZONS_MIN, LEADS_MIN, LEVELS, Array
from .weather import Weather

_KIND = "outlook"
EVERY_MIN = 5
_SHARES = np.array((0.0, 0.3, 0.6, 1.0), np.float32)[:, None, None]
_RECENT, _MODEL, _EXPERTS = 2 * len(_SHARES), 2 * len(_SHARES) + 1, 2 * len(_SHARES) + 2
_LEAST_ERRORS = 8  # of a forecast of others, in quarters of an hour
_NEAR = len(HORIZONS_MIN)
_NEAR_SHIFTS_MIN, _FAR_SHIFTS_MIN = (-20, -10, 0, 10, 20), (-45, -30, -15, 0, 15, 30, 45)
_SHAPE = (len(VARIABLES), len(LEADS_MIN), len(LEVELS))
_MOST_KW = 65_000.0  # of a half float
_MOST_WAITING = LEADS_MIN[-1] // QUARTER_MIN + 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """Quantiles (6, 9, 7) in W of the leads after a minute, NaN where nothing is known. `whole`: the far
    leads are as new as the near ones, so it is worth keeping."""

    minute: int
    powers_w: Array
    whole: bool

    @property
    def packed(self) -> bytes:
        """For the history: half floats in kW, exact to 0.1 %."""
        return np.minimum(self.powers_w / 1000, _MOST_KW).astype("<f2").tobytes()


def unpacked(data: bytes) -> Array:
    """The powers (6, 9, 7) in W that `Forecast.packed` packed. Raises ValueError."""
    return 1000 * np.frombuffer(data, "<f2").reshape(_SHAPE).astype(np.float32)


def mean_min(lead: int) -> int:
    """Over how many minutes the power of a lead (its number) is averaged."""
    return 1 if lead < _NEAR else QUARTER_MIN


def is_whole(minute: int) -> bool:
    """Whether all leads are forecast after a minute, not only the near ones."""
    return not (minute + 1) % QUARTER_MIN


class Outlook:
    """The forecasts of one scope."""

    def __init__(
        self, calendar: Calendar = UTC, weather: Weather | None = None, others: PowerForecast | None = None
    ) -> None:
        self.forecast: Forecast | None = None
        self._calendar, self._weather, self._others = calendar, weather, others
        more = len(_SHARES) if weather is not None else 0
        self._experts_count = _EXPERTS + more + (others is not None)
        self._weights = BandWeights(self._experts_count)
        self._waiting: list[deque[tuple[int, NDArray[np.float16]]]] = [
            deque(maxlen=_MOST_WAITING) for _ in LEADS_MIN
        ]
        self._learnt_minute = -1
        self._powers_w = np.full(_SHAPE, np.nan, np.float32)

    def due(self, minute: int) -> bool:
        """Whether there is something to do after a minute."""
        return not (minute + 1) % EVERY_MIN and minute + LEADS_MIN[-1] > self._learnt_minute

    def work(self, minute: int, series: Series, model_w: Array | None) -> Iterator[None]:
        """When it is due: learn from a minute that is in the series, and forecast after it. `model_w`:
        quantiles (6, 4, 7) of the near leads by the model, None if it has none."""
        whole = is_whole(minute)
        days = PastDays(series, minute, self._calendar, self._weather)
        if whole and self._learn(days, minute):
            yield
        for lead in range(len(LEADS_MIN) if whole else _NEAR):
            made = self._experts(days, minute, lead, model_w)
            self._powers_w[:, lead] = self._weights.pooled(lead, made)
            if whole:
                self._waiting[lead].append((minute, (made / 1000).astype(np.float16)))
            yield
        self.forecast = Forecast(minute, self._powers_w.copy(), whole)

    def _experts(self, days: PastDays, minute: int, lead: int, model_w: Array | None) -> Array:
        """Quantiles (experts, 6, levels) in W."""
        lead_min, span_min = LEADS_MIN[lead], mean_min(lead)
        found = np.full((self._experts_count, len(VARIABLES), len(LEVELS)), np.nan, np.float32)
        now_w = days.mean(minute, span_min)[:, None]
        past = days.samples(lead_min, span_min, _NEAR_SHIFTS_MIN if lead < _NEAR else _FAR_SHIFTS_MIN)
        if past.ahead_w.shape[1]:
            moved_w = past.ahead_w + _SHARES * (now_w - past.then_w)
            moved_w[0] = past.ahead_w  # also if the power is unknown now
            kinds = [past.weights, past.alike] + ([] if past.weather is None else [past.weather])
            made = weighted(moved_w, *kinds)
            found[:_RECENT] = np.concatenate(made[:2])
            if past.weather is not None:
                found[_EXPERTS : _EXPERTS + len(_SHARES)] = made[2]
        found[_RECENT] = weighted(now_w + days.changes(lead_min, span_min), np.ones(1))[0]
        if model_w is not None and lead < _NEAR:
            found[_MODEL] = model_w[:, lead]
        if self._others is not None:
            found[-1] = self._of_others(self._others, days, minute, lead_min, span_min)
        return np.maximum(found, 0.0)

    @staticmethod
    def _of_others(others: PowerForecast, days: PastDays, minute: int, lead_min: int, span_min: int) -> Array:
        """Quantiles (6, levels) in W of what others forecast, by their errors of the last two days."""
        middle = span_min // 2
        expected_w = others.at(np.array([minute + lead_min - middle]))[0]
        origins, were_w = days.recent(span_min)
        errors_w = were_w - others.at(origins - middle).T
        quantiles_w = weighted(errors_w, np.ones(1))[0]
        quantiles_w[(~np.isnan(errors_w)).sum(-1) < _LEAST_ERRORS] = np.nan
        found: Array = expected_w[:, None] + quantiles_w
        return found

    def _learn(self, days: PastDays, minute: int) -> bool:
        """Compare what waited with the actual powers; whether anything did."""
        learnt = False
        for lead, waiting in enumerate(self._waiting):
            while waiting and waiting[0][0] + LEADS_MIN[lead] <= minute:
                origin, made = waiting.popleft()
                target = origin + LEADS_MIN[lead]
                if target > max(self._learnt_minute, minute - QUARTER_MIN):
                    actual_w = days.mean(target, mean_min(lead))
                    self._weights.learn(lead, 1000 * made.astype(np.float32), actual_w)
                    learnt = True
        self._learnt_minute = max(self._learnt_minute, minute)
        return learnt

    # ---- what is kept -------------------------------------------------------------------------

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"regrets": self._weights.regrets, "units": self._weights.units_w}

    def save(self) -> bytes:
        """What was learnt, as a checkpoint."""
        return pack(_KIND, {"learnt_minute": self._learnt_minute}, self._arrays())

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(_KIND, data, self._calendar, now)
        checked(_KIND, arrays, self._arrays())
        learnt = facts.get("learnt_minute")
        if not isinstance(learnt, int):
            raise ValueError(f"{_KIND}: {learnt!r} is not a minute")
        self._weights.regrets, self._weights.units_w = arrays["regrets"], arrays["units"]
        self._learnt_minute = learnt
