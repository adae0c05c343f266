"""The LSTM of the thesis: two layers of 50 cells foretell the power of the next ten minutes (thesis 5.2.3).

Longer horizons are reached by feeding what was foretold; the state of the power at a horizon is given
with certainty. What the reference got wrong is right here: each output learns its own minute, and what is
fed back has the scale of what was learnt.
"""

import random
from typing import Any

import numpy as np

from ...terms import VARIABLES
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather
from .features import Features
from .goals import PowersGoal
from .network import Shape
from .networks import Networks

_ZERO = 0.01  # of the first state above zero: what is foretold below it counts as nothing


class LstmThesis(Networks):
    """See the module."""

    name = "lstm_thesis"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        *,
        layers: int = 2,
        cells: int = 50,
        **options: Any,
    ) -> None:
        goal = PowersGoal(scale)
        shape = Shape(1, cells, layers, goal.outputs, skip=False)
        options.setdefault("together", 1)  # four times the weights: take no more memory than needed
        super().__init__(shape, Features("power", scale, weather), goal, rng, **options)

    def predict(self) -> Array | None:
        """See `Model`."""
        current = self._current()
        if current is None:
            return None
        runner, outputs = current
        kept, steps = runner.state(), [outputs * PowersGoal.unit]
        for _ in range(PowersGoal.ahead, HORIZONS_MIN[-1], PowersGoal.ahead):
            for foretold in steps[-1].T:
                outputs = runner.step(foretold[:, None])
            steps.append(outputs * PowersGoal.unit)
        runner.come_back(kept)
        path = np.concatenate(steps, axis=1)[:, np.array(HORIZONS_MIN) - 1]
        states = np.where(path < _ZERO, 0, np.clip(path.astype(np.intp) + 1, 1, STATES - 1))
        rows: Array = np.eye(STATES, dtype=np.float32)[states]
        assert rows.shape == (len(VARIABLES), len(HORIZONS_MIN), STATES)
        return rows
