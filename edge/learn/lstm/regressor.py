"""The model `lstm_thesis`: two layers of 50 cells predict the power of the next ten minutes (thesis 5.2.3).

Longer horizons are reached by feeding the predictions back as inputs; the state of the predicted power is
given with certainty. In contrast to the author's implementation, each output learns its own minute, and
predictions are fed back in the scale of the inputs. There is no dropout, and the learning rate falls from
1e-2 to 3e-4; see deviation 13 of docs/thesis.md.
"""

import random
from typing import Any

import numpy as np

from ...terms import VARIABLES
from ..calendar import UTC, Calendar
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather
from .features import Features
from .networks import Networks
from .objectives import PowersObjective
from .stack import Shape

_ZERO = 0.01  # in steps: a smaller predicted power counts as 0


class LstmThesis(Networks):
    """See the module. The options are layers, cells, and those of `Networks`."""

    name = "lstm_thesis"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
        *,
        layers: int = 2,
        cells: int = 50,
        **options: Any,
    ) -> None:
        objective = PowersObjective(scale)
        shape = Shape(1, cells, layers, objective.outputs, skip=False)
        options.setdefault(
            "together", 1
        )  # four times the weights of `lstm`: train one network at a time to save memory
        super().__init__(shape, Features("power", scale, weather, calendar), objective, rng, **options)

    def predict(self) -> Array | None:
        """See `Model`."""
        current = self._current()
        if current is None:
            return None
        runner, outputs = current
        kept, steps = runner.state(), [outputs * PowersObjective.unit]
        for _ in range(PowersObjective.ahead, HORIZONS_MIN[-1], PowersObjective.ahead):
            for predicted in steps[-1].T:
                outputs = runner.step(predicted[:, None])
            steps.append(outputs * PowersObjective.unit)
        runner.restore(kept)
        path = np.concatenate(steps, axis=1)[:, np.array(HORIZONS_MIN) - 1]
        states = np.where(path < _ZERO, 0, np.clip(path.astype(np.intp) + 1, 1, STATES - 1))
        rows: Array = np.eye(STATES, dtype=np.float32)[states]
        assert rows.shape == (len(VARIABLES), len(HORIZONS_MIN), STATES)
        return rows
