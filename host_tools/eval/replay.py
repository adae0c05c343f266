"""Replays measured minutes in order through the learning of a node, and keeps what it foretold.

A learner is given the past, is trained on it, and then goes through the minutes that are judged as a node
would: each minute is observed, a prediction is made, and every 20 minutes a training follows. Nothing it
learns from lies after the minute it foretells from.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.learner import Learner, LearnerSettings
from edge.learn.scores import Majority
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN, STATES, Array, States
from edge.terms import DAY_MIN, VARIABLES

from .data import DataError, Record

LEAST_PAST_DAYS = 1.0
_QUIET_MIN = 20  # between two words about progress

Told = Callable[[int], None]  # how many minutes are done


@dataclass(frozen=True)
class Task:
    """What is foretold: the origins, and the states now and to come; -1 unknown, or after the end."""

    record: Record
    scale: StateScale
    start: int  # line of the first origin: what lies before it is the past
    origins: NDArray[np.int64]  # lines
    now: States  # (n, 6)
    came: States  # (n, 6, 4)
    majority: States  # (n, 6) most frequent of the past of each origin

    @property
    def minutes(self) -> NDArray[np.int64]:
        """Of the origins."""
        return self.record.minutes[self.origins]


def task_of(record: Record, start: int, end: int, scale: StateScale) -> Task:
    """Origins from line `start` on with targets before line `end`. Raises DataError if the past is short."""
    if start < LEAST_PAST_DAYS * DAY_MIN or end <= start:
        raise DataError(f"{record.data} {record.node}: {record.days:.1f} days are too few to learn and judge")
    states = scale.of(record.powers_w)
    held = record.step_min - 1
    origins = np.arange(start, end, dtype=np.int64)
    origins = origins[origins % record.step_min == held]
    came = np.full((len(origins), len(VARIABLES), len(HORIZONS_MIN)), -1, np.int8)
    for number, horizon_min in enumerate(HORIZONS_MIN):
        there = origins + horizon_min < end
        came[there, :, number] = states[origins[there] + horizon_min]
    majority = Majority().seen(states)[origins]
    return Task(record, scale, start, origins, states[origins], came, majority)


def learned(
    task: Task, model: str, options: Mapping[str, Any], seed: int, train_every_min: int = 20
) -> Learner:
    """A learner that was given the past and trained on it. Raises ValueError for a wrong model or option."""
    record = task.record
    settings = LearnerSettings(
        task.scale, model, memory_min=len(record.powers_w), train_every_min=train_every_min, options=options
    )
    learner = Learner(settings, random.Random(seed))
    for line in range(task.start):
        learner.observe(record.first_minute + line, record.powers_w[line])
    _train(learner)
    return learner


def replay(task: Task, learner: Learner, told: Told, training: bool = True) -> Array:
    """Probabilities (n, 6, 4, 7) of the origins of a task, by a learner that knows its past."""
    record = task.record
    foretold = np.full((len(task.origins), *task.came.shape[1:], STATES), 1.0 / STATES, np.float32)
    place = {int(line): at for at, line in enumerate(task.origins)}
    for line in range(task.start, int(task.origins[-1]) + 1):
        learner.observe(record.first_minute + line, record.powers_w[line])
        if training and learner.training_due:
            _train(learner)
        if line in place:
            probabilities = learner.predict()
            if probabilities is not None:
                foretold[place[line]] = probabilities
        if line % _QUIET_MIN == 0:
            told(line - task.start)
    return foretold


def _train(learner: Learner) -> None:
    for _ in learner.training():
        pass
