"""One scope of the learning twin, the node or the microgrid: its minutes, its learner, its predictions.

Loading the past and training take long, so each is a job in small pieces, and the driver of the node decides
when the next piece runs. A job may be interrupted after any piece, even by a kill: the model is always whole.

Minutes are those of UTC. A minute that does not follow those before (the date was set) may be a wrong one,
and a model that is told it forgets or ignores what it should not. Such minutes wait until the date has held.
"""

import json
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..learn.calendar import Calendar
from ..learn.external import PowerForecast
from ..learn.heap import forget_code, trim
from ..learn.learner import Learner, LearnerSettings
from ..learn.model import DamagedFile, TrainingReport
from ..learn.outlook import Forecast
from ..learn.states import StateScale
from ..learn.weather import Weather
from ..terms import DAY_MIN, VARIABLES
from .learning_settings import ScopeSettings
from .past import PastError, minutes_of
from .prediction import Prediction
from .twin import Home

if TYPE_CHECKING:
    from ..learn.gossip import Exchange

log = logging.getLogger("edge.learning")

_WEEK_MIN = 7 * DAY_MIN
_FIT_FROM_MIN = DAY_MIN  # quantiles of less than a day would miss half of what happens
_KEEP_EVERY_MIN = DAY_MIN  # writes wear out a card; what follows is learnt again from the history
_PIECE_S = 0.003  # of loading the past
_LEAP_MIN = DAY_MIN  # a minute that is further ahead of the last one waits until the date has held
_PATIENCE_MIN = 60  # if the clock was set back by less, its minutes are new again after that time
_LOCKED_S = 5.0  # between two looks at a history that another process has locked
_INVALID = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
_WARM_MIN = 8 * DAY_MIN  # of the past are observed by a model that was kept: its inputs go back a week


class Scope:
    """The minutes, the model and the predictions of one scope, and what it exchanges with neighbours."""

    def __init__(
        self,
        settings: ScopeSettings,
        home: Home,
        weather: Weather | None,
        seed: int,
        others: PowerForecast | None = None,
        exchange_of: "Callable[[Learner], Exchange] | None" = None,
    ) -> None:
        """Raises ValueError for options that the model does not know."""
        self.settings = settings
        self.name = settings.scope
        self.prediction: Prediction | None = None
        self.forecast: Forecast | None = None  # the newest, in watts
        self.report: TrainingReport | None = None
        self.trainings = self.rejected = self.faults = 0
        self.trouble = ""
        self.model_trouble = ""  # why the file that the model should start from is not used
        self.past_trouble = ""  # why the file of past minutes is not used
        self.ready = False  # the past has been loaded
        self._keeper, self._clock, self._date, self._zone = home.history, home.clock, home.date, home.zone
        self._weather, self._seed, self._others = weather, seed, others
        self._before, self._believed = 0, False  # the minute up to which the past is loaded, and how
        self._wait_until_s = 0.0  # the history is locked until then, or longer
        self._waiting: deque[tuple[int, Sequence[float]]] = deque(maxlen=DAY_MIN)  # minutes while not ready
        self._doubtful: deque[tuple[int, Sequence[float]]] = deque(maxlen=DAY_MIN)  # of a date that jumped
        self._newest: int | None = None  # minute that the learner or the history knows
        self._job: Iterator[None] | None = None
        self._forecasting: Iterator[None] | None = None
        self._kept_minute = -_KEEP_EVERY_MIN
        self._again_minute = 0  # after a failure
        self._fitted = False  # the states were fitted
        self._exchange_of = exchange_of
        self._start_with(_scale(settings))

    @property
    def scale(self) -> StateScale:
        """Its states."""
        return self.learner.settings.scale

    # ---- minutes ------------------------------------------------------------------------------

    def begin(self, minute: int, believed: bool = False) -> None:
        """Load the past before that minute, and the model that was kept. `believed`: it may be earlier, or
        much later, than what the history has."""
        self._before, self._believed = minute, believed
        self._job = self._load_past()

    def observe(self, minute: int, powers_w: Sequence[float]) -> bool:
        """Tell the model the means of a minute that is over, in W; returns whether it predicted."""
        if not self.ready:
            self._waiting.append((minute, powers_w))
            return False
        if self._follows(minute):
            self._doubtful.clear()
            return self._observe(minute, powers_w)
        self.prediction = self.forecast = None
        self._doubtful.append((minute, powers_w))
        if self._date.held and len(self._doubtful) >= _PATIENCE_MIN:
            self._believe()
        return False

    def _follows(self, minute: int) -> bool:
        """Whether a minute follows the last one, or comes after a gap that no jump of the date made."""
        newest = self._newest
        if newest is None or newest < minute <= newest + _LEAP_MIN:
            return True
        return minute > newest and self._date.held and not self._doubtful

    def _believe(self) -> None:
        """The date has held: go on from it, with what the history knows of the time before."""
        self.keep()
        self._start_with(self.scale)
        self.ready = False
        self._waiting.extendleft(reversed(self._doubtful))
        self._doubtful.clear()
        self._kept_minute, self._again_minute = self._waiting[0][0], 0
        self.begin(self._waiting[0][0], believed=True)

    def _observe(self, minute: int, powers_w: Sequence[float]) -> bool:
        observed_w = np.array(powers_w, np.float32)
        if not self.learner.observe(minute, observed_w):
            self.prediction = None
            return False
        self._newest = minute
        if self.exchange is not None:
            self.exchange.observe(minute, observed_w)
        if self.learner.outlook.due(minute):
            self._forecasting = self.learner.forecasting()
        if self._fit_when_known(minute):
            self._waiting.appendleft((minute, powers_w))
            return False
        own = self.learner.predict()
        if own is None:
            self.prediction = None
            return False
        probabilities = own if self.exchange is None else self.exchange.predict(minute, own)
        self._predict(Prediction(minute, probabilities, own))
        return True

    @property
    def settled(self) -> bool:
        """Whether nothing that neighbours say will change the prediction of this minute."""
        return self.prediction is None or self.exchange is None or self.exchange.settled

    def settle(self) -> bool:
        """Take what neighbours have told of this minute into its prediction; whether that has changed it."""
        made = self.prediction
        found = None if made is None or self.exchange is None else self.exchange.settle(made.minute)
        if made is None or found is None:
            return False
        self._predict(Prediction(made.minute, found, made.own))
        return True

    def _predict(self, made: Prediction) -> None:
        self.prediction = made
        packed = made.probabilities.astype("<f2").tobytes()
        limits_w = self.scale.limits_w.tolist()
        self._keeper.note_prediction(self.name, made.minute, self.settings.model, limits_w, packed)

    # ---- work ---------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether a job is running or due."""
        if self._clock.now_s() < self._wait_until_s:
            return False
        return self.forecasting or self._job is not None or self.merge_due or self._training_due

    @property
    def forecasting(self) -> bool:
        """Whether a forecast is due or under way."""
        return self.ready and self._forecasting is not None

    @property
    def at_work(self) -> bool:
        """Whether a job is running."""
        return self._job is not None

    def work(self) -> None:
        """Do one small piece of a job. A failure is counted, and the job is retried later."""
        if self.forecasting:
            self._forecast()
            return
        job = self._job = self._job or (self._merge() if self.merge_due else self._train())
        try:
            next(job)
        except StopIteration:
            if self._job is job:  # else it has started another one
                self._job = None
        except BlockingIOError as error:  # the history is locked: to begin without it would overwrite it
            self._wait_until_s = self._clock.now_s() + _LOCKED_S
            self.trouble = str(error)
            self._start_with(self.scale)
            self.begin(self._before, self._believed)
        except Exception as error:  # a model that fails must not stop the node
            self.faults += 1
            self.trouble = f"{type(error).__name__}: {error}"
            self._again_minute = (self.learner.series.last_minute or 0) + self.settings.train_every_min
            self._job = None
            self._catch_up()

    def _forecast(self) -> None:
        """One piece; the last one keeps the forecast."""
        try:
            if self._forecasting is not None:
                next(self._forecasting)
        except StopIteration:
            self._forecasting = None
            made = self.forecast = self.learner.outlook.forecast
            if made is not None and made.whole:
                self._keeper.note_forecast(self.name, made.minute, made.packed)
        except Exception as error:  # nothing else depends on it
            self._forecasting = None
            self.faults += 1
            self.trouble = f"{type(error).__name__}: {error}"

    @property
    def merge_due(self) -> bool:
        """Whether models of neighbours wait to be merged."""
        newest = self.learner.series.last_minute or 0
        return self.ready and self.exchange is not None and newest >= self._again_minute and self.exchange.due

    def _merge(self) -> Iterator[None]:
        if self.exchange is not None:
            yield from self.exchange.merging()
        trim()

    @property
    def _training_due(self) -> bool:
        newest = self.learner.series.last_minute or 0
        return self.ready and newest >= self._again_minute and self.learner.training_due

    def _train(self) -> Iterator[None]:
        trim()
        report = yield from self.learner.training()
        trim()
        self.report = report
        self.trainings += 1
        self.rejected += not report.accepted
        if (self.learner.series.last_minute or 0) - self._kept_minute >= _KEEP_EVERY_MIN:
            self.keep()

    def keep(self) -> None:
        """Save the model so that it survives a restart."""
        if self.ready:
            self._kept_minute = self.learner.series.last_minute or 0
            self._keeper.keep(f"{self.name}/learnt", self.learner.save())
            self._keeper.keep(f"{self.name}/outlook", self.learner.outlook.save())

    # ---- the past -----------------------------------------------------------------------------

    def _load_past(self) -> Iterator[None]:
        before = self._before
        self._newest = None if self._believed else self._keeper.last_minute(self.name, before)
        self._restore_limits()
        kept = self._keeper.kept(f"{self.name}/learnt")
        loaded = self._load_model(kept, before) if kept else False
        self._load_outlook(before)
        first = before - self.settings.memory_days * DAY_MIN if loaded else 0
        until_s = self._clock.now_s() + _PIECE_S
        warm = before - _WARM_MIN if loaded else 0
        for line in self._past(first, before):
            if line and line[0] >= warm:
                self.learner.observe(line[0], np.array(line[1], np.float32))
                yield from self.learner.forecasting_past(before)
            elif line:  # for trainings only
                self.learner.series.append(line[0], np.array(line[1], np.float32))
            if self._clock.now_s() >= until_s:
                yield
                until_s = self._clock.now_s() + _PIECE_S
        yield
        forget_code()
        yield
        self._catch_up()
        self._fit_when_known(before)

    def _restore_limits(self) -> None:
        """The states that were fitted earlier; they are fitted again if they cannot be used."""
        kept = self._keeper.kept(f"{self.name}/limits") if self.settings.fitted and not self._fitted else None
        if kept is None:
            return
        try:
            scale = StateScale.of_limits(json.loads(kept))
        except _INVALID as error:
            self._note(f"the limits of states that were kept are invalid; they are fitted again: {error}")
        else:
            self._fitted = True
            self._start_with(scale)

    def _load_model(self, kept: bytes, now: int) -> bool:
        try:
            self.learner.load(kept, now)
            if self.exchange is not None:
                self.exchange.restored()
        except (
            _INVALID
        ) as error:  # damaged, of another model or of other states: learning starts from nothing
            self._note(f"the model that was kept is not used: {error}")
            self._start_with(self.scale)
            return False
        return True

    def _load_outlook(self, now: int) -> None:
        kept = self._keeper.kept(f"{self.name}/outlook")
        try:
            if kept is not None:
                self.learner.outlook.load(kept, now)
        except _INVALID as error:
            self._note(f"what forecasts had learnt is not used: {error}")

    def _note(self, trouble: str) -> None:
        self.trouble = trouble
        log.warning("learning of the %s: %s", self.name, trouble)

    def _catch_up(self) -> None:
        """Observe the minutes that have passed meanwhile; from now on each is observed at once."""
        self.ready = True
        while self._waiting and self.ready:
            self.observe(*self._waiting.popleft())

    def _past(self, first: int, before: int) -> Iterator[tuple[int, list[float]] | None]:
        """Minutes of the file, then those of the history; None for a line that is skipped."""
        oldest = self._keeper.first_minute(self.name)
        oldest = before if oldest is None else min(oldest, before)
        if self.settings.history_file and oldest > before - self.settings.memory_days * DAY_MIN:
            yield from self._of_file(self.settings.history_file, oldest)
        for rows in self._keeper.minutes(self.name, first, before - 1):
            for minute, *powers_w in rows:
                yield minute, [float("nan") if each is None else each for each in powers_w]

    def _of_file(self, path: Path, before: int) -> Iterator[tuple[int, list[float]] | None]:
        """An old file is shifted by whole weeks, so that it ends where the history begins; the time of day
        stays the same."""
        zone, last = self._zone, before
        try:
            for time_s, _ in minutes_of(path, zone.tzinfo, log.warning):
                last = time_s // 60
                yield None
            weeks_min = max(0, (before - 1 - last) // _WEEK_MIN * _WEEK_MIN)
            last = -1
            for time_s, powers_w in minutes_of(path, zone.tzinfo):
                minute = time_s // 60
                shifted = zone.utc(zone.civil(minute) + weeks_min, after=last) if weeks_min else minute
                last = last if shifted is None else shifted
                yield (shifted, list(powers_w)) if shifted is not None and shifted < before else None
        except PastError as error:
            self.past_trouble = str(error)
            self._note(self.past_trouble)

    def _fit_when_known(self, minute: int) -> bool:
        """Once, when enough is known: fit the states to it and start a new learner with them."""
        series = self.learner.series
        if not self.settings.fitted or self._fitted or len(series) < _FIT_FROM_MIN:
            return False
        scale = StateScale.fitted(series.last(len(series)))
        self._keeper.keep(f"{self.name}/limits", json.dumps(scale.limits_w[:, 1:].tolist()).encode())
        self._keeper.keep(f"{self.name}/learnt", b"")  # with other limits it is of no use any more
        self._fitted = True
        self._start_with(scale)
        self.ready = False
        self.begin(minute)
        return True

    def _start_with(self, scale: StateScale) -> None:
        """A new learner, and a new exchange."""
        self.learner = self._make(scale)
        self.exchange = self._exchange_of(self.learner) if self._exchange_of else None

    def _make(self, scale: StateScale) -> Learner:
        """A new learner. If the file that it should start from is damaged, it starts without."""
        try:
            return self._learner(scale, self.settings.options)
        except DamagedFile as error:
            self.model_trouble = str(error)
            self._note(self.model_trouble)
        others = {name: value for name, value in self.settings.options.items() if name != "start"}
        return self._learner(scale, others)

    def _learner(self, scale: StateScale, options: Mapping[str, object]) -> Learner:
        asked = self.settings
        settings = LearnerSettings(
            scale=scale,
            model=asked.model,
            memory_min=asked.memory_days * DAY_MIN,
            train_every_min=asked.train_every_min,
            first_training_min=asked.first_training_min,
            weather=self._weather,
            others=self._others,
            calendar=Calendar(self._zone.offset_min),
            options=options,
        )
        return Learner(settings, random.Random(self._seed))


def _scale(settings: ScopeSettings) -> StateScale:
    fifths_w = tuple(settings.max_power_w * step / 5 for step in range(1, 6))
    return StateScale.of_limits([settings.boundaries.get(each, fifths_w) for each in VARIABLES])
