"""Replays measured minutes in order through the learning code of a node, and keeps the predictions.

A learner is given the history, is trained on it, and then goes through the scored minutes as a node does: it
observes each minute, predicts, and trains every 20 minutes. It never learns from minutes after the one that
it predicts from.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.external import PowerForecast
from edge.learn.learner import Learner, LearnerSettings
from edge.learn.model import finish
from edge.learn.scores import MostFrequentStates
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN, STATES, Array, States
from edge.learn.weather import Weather
from edge.terms import DAY_MIN, VARIABLES
from edge.twins.learning_settings import LearningSettings

from .data import DataError, Record
from .rivals import Rival, rivals
from .watts import Watts

MIN_HISTORY_DAYS = 1.0
_PROGRESS_EVERY_MIN = 20

Progress = Callable[[int], None]  # is told how many minutes are done


@dataclass(frozen=True)
class Task:
    """What is to be predicted: origins, present and actual states; -1 if unknown or after the end."""

    record: Record
    scale: StateScale
    start: int  # line of the first origin; the lines before it are the history
    origins: NDArray[np.int64]  # lines
    now: States  # (n, 6)
    actual: States  # (n, 6, 4)
    most_frequent: States  # (n, 6) up to each origin

    @cached_property
    def rivals(self) -> dict[str, Rival]:
        """Simple predictions of the same."""
        return rivals(self)

    @property
    def minutes(self) -> NDArray[np.int64]:
        """The minutes of the origins."""
        return self.record.minutes[self.origins]


def task_of(record: Record, start: int, end: int, scale: StateScale) -> Task:
    """Origins from line `start` on, targets before line `end`. Raises DataError for a short history."""
    if start < MIN_HISTORY_DAYS * DAY_MIN or end <= start:
        raise DataError(f"{record.data} {record.node}: {record.days:.1f} days are too few to train and score")
    states = scale.of(record.powers_w)
    held = record.step_min - 1
    origins = np.arange(start, end, dtype=np.int64)
    origins = origins[origins % record.step_min == held]
    actual = np.full((len(origins), len(VARIABLES), len(HORIZONS_MIN)), -1, np.int8)
    for number, horizon_min in enumerate(HORIZONS_MIN):
        there = origins + horizon_min < end
        actual[there, :, number] = states[origins[there] + horizon_min]
    most_frequent = MostFrequentStates().update(states)[origins]
    return Task(record, scale, start, origins, states[origins], actual, most_frequent)


def trained(
    task: Task,
    model: str,
    options: Mapping[str, Any],
    seed: int,
    train_every_min: int,
    weather: Weather | None = None,
    watts: bool = False,
    others: PowerForecast | None = None,
) -> Learner:
    """A learner that was trained on the history, with `watts` also to forecast powers. Raises ValueError for
    an invalid model or option."""
    record = task.record
    settings = LearnerSettings(
        scale=task.scale,
        model=model,
        memory_min=len(record.powers_w),
        train_every_min=train_every_min,
        first_training_min=LearningSettings().first_training_min,
        weather=weather,
        others=others,
        options=options,
    )
    learner = Learner(settings, random.Random(seed))
    for line in range(task.start):
        learner.observe(record.first_minute + line, record.powers_w[line])
        if watts:
            deque(learner.forecasting_past(record.first_minute + task.start), 0)
    finish(learner.training())
    return learner


def replay(
    task: Task, learner: Learner, progress: Progress, training: bool = True, watts: Watts | None = None
) -> Array:
    """Probabilities (n, 6, 4, 7) for the origins of a task, by a learner that was trained on its history.
    `watts` is told its forecasts of powers."""
    record = task.record
    predicted = np.full((len(task.origins), *task.actual.shape[1:], STATES), 1.0 / STATES, np.float32)
    place = {int(line): at for at, line in enumerate(task.origins)}
    for line in range(task.start, int(task.origins[-1]) + 1):
        learner.observe(record.first_minute + line, record.powers_w[line])
        if watts is not None:
            deque(learner.forecasting(), 0)
            watts.note(learner.outlook.forecast)
        if training and learner.training_due:
            finish(learner.training())
        if line in place:
            probabilities = learner.predict()
            if probabilities is not None:
                predicted[place[line]] = probabilities
        if line % _PROGRESS_EVERY_MIN == 0:
            progress(line - task.start)
    return predicted
