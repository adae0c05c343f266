"""LSTM networks that give the states at all horizons at once, one for each variable (thesis 5.2.3).

Six small classifiers do better than the regressors of the thesis at a third of their size. With several
`members` that many networks, drawn apart, learn each variable, and their probabilities are averaged.
"""

import random
from typing import Any

from ...terms import VARIABLES
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather
from . import features
from .goals import StatesGoal, softmax
from .network import Shape
from .networks import Networks


class Lstm(Networks):
    """See the module. Options: layers, cells, inputs, members, and those of `Networks`."""

    name = "lstm"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        *,
        layers: int = 1,
        cells: int = 32,
        inputs: str = features.DEFAULT,
        members: int = 1,
        **options: Any,
    ) -> None:
        seen, goal = features.Features(inputs, scale, weather), StatesGoal(scale)
        shape = Shape(seen.size, cells, layers, goal.outputs)
        super().__init__(shape, seen, goal, rng, members * len(VARIABLES), **options)

    def predict(self) -> Array | None:
        """See `Model`."""
        current = self._current()
        if current is None:
            return None
        members = current[1].reshape(-1, len(VARIABLES), len(HORIZONS_MIN), STATES)
        found: Array = softmax(members.copy()).mean(0)
        return found
