"""One scope of learning, as a node runs it and as the evaluation replays it.

Keeps the minutes, feeds the model, says when training is due. It has no clock of its own: whoever drives
it says the minute, and decides when a training goes on.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..terms import DAY_MIN
from .checkpoint import pack, unpack
from .model import Model, Training
from .registry import create
from .series import Series
from .states import StateScale
from .terms import Array
from .weather import Weather

_KIND = "learner"


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What a learner is made from. Times in minutes."""

    scale: StateScale
    model: str = "mixture"
    memory_min: int = 30 * DAY_MIN
    train_every_min: int = 20  # thesis table 6.57
    first_training_min: int = 180  # of history, before the first training
    weather: Weather | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # of the model


class Learner:
    """Series and model of one scope."""

    def __init__(self, settings: LearnerSettings, rng: random.Random) -> None:
        self.settings = settings
        self.series = Series(settings.memory_min)
        self.model: Model = create(
            settings.model, settings.scale, rng, settings.weather, **dict(settings.options)
        )
        self._trained_minute: int | None = None  # until which minute the model was trained

    def observe(self, minute: int, powers_w: Array) -> bool:
        """Take in a minute. False for one that is past already: it changes nothing."""
        if not self.series.append(minute, powers_w):
            return False
        self.model.observe(minute, powers_w)
        return True

    def predict(self) -> Array | None:
        """Probabilities (6, 4, 7) from the last minute on; None while the model knows too little."""
        return self.model.predict()

    @property
    def training_due(self) -> bool:
        """Whether enough minutes came since the last training."""
        newest = self.series.last_minute
        if newest is None or len(self.series) < self.settings.first_training_min:
            return False
        return (
            self._trained_minute is None
            or abs(newest - self._trained_minute) >= self.settings.train_every_min
        )

    def training(self) -> Training:
        """A training of the model, in pieces. Left half-way, it is due again."""
        newest = self.series.last_minute
        report = yield from self.model.train(self.series)
        self._trained_minute = newest
        return report

    def initialise(self, history: Series) -> None:
        """Take in the minutes of a past, oldest first; after `load`, so that nothing is learnt twice."""
        minute = history.first_minute
        for line in history.last(len(history)):
            self.observe(minute, line)
            minute += 1

    def save(self) -> bytes:
        """What was learnt; the minutes themselves are kept by the history."""
        import numpy as np

        model = np.frombuffer(self.model.save(), np.int8)
        facts = {"model": self.model.name, "trained_minute": self._trained_minute}
        return pack(_KIND, facts, {"model": model})

    def load(self, data: bytes) -> None:
        """Take up what was learnt. Raises ValueError and stays as it was."""
        facts, arrays = unpack(_KIND, data)
        trained = facts.get("trained_minute")
        if facts.get("model") != self.model.name or arrays.keys() != {"model"}:
            raise ValueError(f"{_KIND}: of model {facts.get('model')}, not {self.model.name}")
        if trained is not None and not isinstance(trained, int):
            raise ValueError(f"{_KIND}: trained at {trained!r}")
        self.model.load(arrays["model"].tobytes())
        self._trained_minute = trained
