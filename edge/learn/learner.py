"""Learning in one scope, as a node runs it and as the evaluation replays it.

It keeps the minutes, feeds the model, and knows when training is due. It has no clock: its caller gives the
minutes and decides when a training goes on.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..terms import DAY_MIN
from .calendar import UTC, Calendar
from .checkpoint import pack, unpack
from .external import PowerForecast
from .model import KnowsPowers, Model, Training
from .outlook import Outlook, is_whole
from .registry import create
from .series import Series
from .states import StateScale
from .terms import Array
from .weather import Weather

_KIND = "learner"
_PAST_FORECAST_MIN = 7 * DAY_MIN  # of a history are forecast, to learn how good each expert is


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """The settings of a learner. Times are in minutes."""

    scale: StateScale
    model: str
    memory_min: int
    train_every_min: int
    first_training_min: int  # length of the history before the first training
    weather: Weather | None = None
    others: PowerForecast | None = None  # powers that others forecast
    calendar: Calendar = UTC
    options: Mapping[str, Any] = field(default_factory=dict)  # options of the model


class Learner:
    """The series and the model of one scope."""

    def __init__(self, settings: LearnerSettings, rng: random.Random) -> None:
        self.settings = settings
        self.series = Series(settings.memory_min)
        self.model: Model = create(
            settings.model, settings.scale, rng, settings.weather, settings.calendar, **dict(settings.options)
        )
        self.outlook = Outlook(settings.calendar, settings.weather, settings.others)  # forecasts in watts
        self._trained_minute: int | None = None  # the newest minute of the last training
        self._soon = False  # training is due before its time

    def observe(self, minute: int, powers_w: Array) -> bool:
        """Learn a minute. False for a minute that is already past: it changes nothing."""
        if not self.series.append(minute, powers_w):
            return False
        self.model.observe(minute, powers_w)
        return True

    def predict(self) -> Array | None:
        """Probabilities (6, 4, 7) after the last minute; None while the model knows too little."""
        return self.model.predict()

    def forecasting(self) -> Iterator[None]:
        """Forecast powers after the last minute, in pieces; most minutes have nothing to do."""
        minute, model = self.series.last_minute, self.model
        if minute is None or not self.outlook.due(minute):
            return iter(())
        powers_w = (
            model.quantiles_w() if isinstance(model, KnowsPowers) else None
        )  # of now, not of later pieces
        return self.outlook.work(minute, self.series, powers_w)

    def forecast_now(self) -> Array | None:
        """Forecast powers after the last minute at once: quantiles (6, 9, 7) in W. For replays."""
        minute, model = self.series.last_minute, self.model
        if minute is None:
            return None
        powers_w = model.quantiles_w() if isinstance(model, KnowsPowers) else None
        for _ in self.outlook.work(minute, self.series, powers_w):
            pass
        made = self.outlook.forecast
        return None if made is None else made.powers_w

    def forecasting_past(self, before: int) -> Iterator[None]:
        """The same while the minutes before `before` are loaded: only what something is learnt from."""
        minute = self.series.last_minute
        if minute is None or minute < before - _PAST_FORECAST_MIN or not is_whole(minute):
            return iter(())
        return self.forecasting()

    @property
    def training_due(self) -> bool:
        """Whether enough minutes have passed since the last training."""
        newest = self.series.last_minute
        if newest is None or len(self.series) < self.settings.first_training_min:
            return False
        return (
            self._soon
            or self._trained_minute is None
            or abs(newest - self._trained_minute) >= self.settings.train_every_min
        )

    @property
    def age_min(self) -> int:
        """Minutes since the last training; 0 before the first one."""
        newest = self.series.last_minute
        if newest is None or self._trained_minute is None:
            return 0
        return max(0, newest - self._trained_minute)

    def train_soon(self) -> None:
        """The weights were changed from outside: training is due."""
        self._soon = True

    def training(self) -> Training:
        """Train the model, in pieces. A training that is not finished stays due."""
        newest = self.series.last_minute
        self._soon = False
        report = yield from self.model.train(self.series)
        self._trained_minute = newest
        return report

    def initialise(self, history: Series) -> None:
        """Learn the minutes of a history, oldest first. After `load`, so that nothing is learnt twice."""
        minute = history.first_minute
        before = minute + len(history)
        for line in history.last(len(history)):
            if self.observe(minute, line):
                for _ in self.forecasting_past(before):
                    pass
            minute += 1

    def save(self) -> bytes:
        """What was learnt, without the minutes: those are in the history."""
        import numpy as np

        model = np.frombuffer(self.model.save(), np.int8)
        facts = {"model": self.model.name, "trained_minute": self._trained_minute}
        return pack(_KIND, facts, {"model": model})

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(_KIND, data, self.settings.calendar, now)
        trained = facts.get("trained_minute")
        if facts.get("model") != self.model.name or arrays.keys() != {"model"}:
            raise ValueError(f"{_KIND}: saved by model {facts.get('model')}, not {self.model.name}")
        if trained is not None and not isinstance(trained, int):
            raise ValueError(f"{_KIND}: {trained!r} is not a minute of training")
        self.model.load(arrays["model"].tobytes(), now)
        self._trained_minute = trained
