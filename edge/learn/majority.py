"""The baseline of the most frequent state: predicts what a variable does most of the time."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .calendar import UTC, Calendar
from .checkpoint import checked, pack, unpack
from .contents import Contents
from .model import Training, no_training
from .parts import Apart
from .series import Series
from .states import StateScale
from .terms import HORIZONS_MIN, STATES, Array
from .weather import Weather


class Majority(Apart):
    """Predicts each state with the share of minutes in which it was observed."""

    name = "majority"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
    ) -> None:
        self._scale, self._calendar = scale, calendar
        self._counts = np.zeros((len(VARIABLES), STATES), np.uint32)
        self._learnt_minute = -1

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        if minute <= self._learnt_minute:
            return
        self._learnt_minute = minute
        states = self._scale.of(powers_w)
        known = states >= 0
        self._counts[known, states[known]] += 1

    def predict(self) -> Array | None:
        """See `Model`."""
        totals = self._counts.sum(1, keepdims=True)
        if not totals.all():
            return None
        rows = (self._counts / totals).astype(np.float32)
        return np.repeat(rows[:, None], len(HORIZONS_MIN), axis=1)

    def contents(self, variable: int, slot: int | None = None) -> Contents:
        """See `ShowsContents`."""
        return Contents(shares=self._counts[variable] / max(1, self._counts[variable].sum()))

    def train(self, history: Series) -> Training:
        """Nothing to do."""
        return no_training()

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"counts": self._counts, "limits": self._scale.limits_w}

    def save(self) -> bytes:
        """See `Model`."""
        return pack(self.name, {"learnt_minute": self._learnt_minute}, self._arrays())

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(self.name, data, self._calendar, now)
        checked(self.name, arrays, self._arrays())
        self._scale.check(arrays["limits"])
        self._counts, self._learnt_minute = arrays["counts"], int(facts["learnt_minute"])
