"""The baseline of persistence: every state stays as it is."""

import random

import numpy as np

from ..terms import VARIABLES
from .calendar import UTC, Calendar
from .model import Training, no_training
from .parts import Apart
from .series import Series
from .states import StateScale
from .terms import HORIZONS_MIN, STATES, Array
from .weather import Weather


class Persistence(Apart):
    """Predicts the last known state with certainty."""

    name = "persistence"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
    ) -> None:
        self._scale = scale
        self._states = np.full(len(VARIABLES), -1, np.int8)

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        states = self._scale.of(powers_w)
        np.copyto(self._states, states, where=states >= 0)

    def predict(self) -> Array | None:
        """See `Model`."""
        if (self._states < 0).any():
            return None
        rows = np.eye(STATES, dtype=np.float32)[self._states]
        return np.repeat(rows[:, None], len(HORIZONS_MIN), axis=1)

    def train(self, history: Series) -> Training:
        """Nothing to do."""
        return no_training()

    def save(self) -> bytes:
        """Nothing is learnt."""
        return b""

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        if data:
            raise ValueError("persistence: there is nothing to restore")
