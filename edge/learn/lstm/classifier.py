"""The model `lstm`: networks that predict the states at all horizons at once, one for each variable.

Six small classifiers are more accurate than the regressors of the thesis (5.2.3), at a third of their size.
With the option `members`, several networks with different first weights learn each variable, and their
probabilities are averaged.
"""

import random
from typing import Any

from ...terms import VARIABLES
from ..calendar import UTC, Calendar
from ..probabilities import softmax
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather
from . import features
from .networks import Networks
from .objectives import StatesObjective
from .stack import Shape


class Lstm(Networks):
    """See the module. The options are layers, cells, inputs, members, and those of `Networks`."""

    name = "lstm"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
        *,
        layers: int = 1,
        cells: int = 32,
        inputs: str = features.DEFAULT,
        members: int = 1,
        **options: Any,
    ) -> None:
        columns, objective = features.Features(inputs, scale, weather, calendar), StatesObjective(scale)
        shape = Shape(columns.size, cells, layers, objective.outputs)
        super().__init__(shape, columns, objective, rng, members * len(VARIABLES), **options)

    def predict(self) -> Array | None:
        """See `Model`."""
        current = self._current()
        if current is None:
            return None
        members = current[1].reshape(-1, len(VARIABLES), len(HORIZONS_MIN), STATES)
        found: Array = softmax(members.copy()).mean(0)
        return found
