"""What networks for states and those for powers have in common: weights, running state, training.

The master weights are float and are trained in numpy; after a training they are written as int8 into a
.tflite file, which takes the place of the one in the interpreter. Each minute is one step of the running
networks, which remember; they start anew with the last hour after a gap or a change of weights.
"""

import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint import checked, pack, unpack
from .features import Features
from .goals import Goal
from .interpreter import interpreter
from .model import Training
from .network import Real, Shape
from .runners import RUNNERS, Runner
from .series import Series
from .terms import VARIABLES, Array
from .tflite_file import model_file, read_weights
from .training import Trainer, TrainingOptions

WINDOW_MIN = 60  # that the networks are fed with when they start
_TRAINING = {option.name for option in fields(TrainingOptions)}


class Networks:
    """A stack of networks, one for each variable, or several."""

    name = ""

    def __init__(
        self,
        shape: Shape,
        inputs: Features,
        goal: Goal,
        rng: random.Random,
        models: int = len(VARIABLES),
        runner: str = "tflite",
        start: str = "",
        **training: Any,
    ) -> None:
        unknown = training.keys() - _TRAINING
        if unknown or runner not in RUNNERS:
            raise ValueError(
                f"{self.name}: unknown option {', '.join(sorted(unknown)) or f'runner={runner}'}"
            )
        self._shape, self._inputs, self._make_runner = shape, inputs, RUNNERS[runner]
        self._trainer = Trainer(shape, inputs, goal, TrainingOptions(**training), rng)
        self._weights: Real = shape.drawn(models, rng)
        self._variables = np.arange(models) % len(VARIABLES)
        self._recent = Series(WINDOW_MIN)
        self._runner: Runner | None = None  # while untrained
        self._fed_minute: int | None = None
        self._outputs: Array | None = None
        if start:
            weights = read_weights(interpreter(Path(start).read_bytes()), shape, models)
            self._take_up(weights, self._make_runner(shape, weights))

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        self._recent.append(minute, powers_w)

    @property
    def trained(self) -> bool:
        """Whether there is anything to foretell with."""
        return self._runner is not None

    def _current(self) -> Runner | None:
        """The networks after the newest minute, with `_outputs`; None while there is nothing to go on."""
        newest, runner = self._recent.last_minute, self._runner
        if newest is None or runner is None:
            return None
        fed = self._fed_minute
        if fed is None or not 0 <= newest - fed < len(self._recent):
            runner.rest()
            fed = self._recent.first_minute - 1
        if newest > fed:
            seen = np.empty((len(self._weights), newest - fed, self._inputs.size), np.float32)
            self._inputs.fill(seen, self._variables, fed + 1, self._recent.last(newest - fed))
            for at in range(newest - fed):
                self._outputs = runner.step(seen[:, at])
            self._fed_minute = newest
        return runner

    def train(self, history: Series) -> Training:
        """See `Model`."""
        weights, report = yield from self._trainer.run(self._weights, history, first=not self.trained)
        if not report.accepted:
            return report
        runner = self._make_runner(self._shape, weights)
        yield
        self._take_up(weights, runner)
        return report

    def _take_up(self, weights: Real, runner: Runner | None) -> None:
        self._weights, self._runner, self._fed_minute = weights, runner, None

    @property
    def file(self) -> bytes:
        """The networks as a .tflite file; its input is named by what goes in."""
        return model_file(self._shape, self._weights, " ".join(self._inputs.blocks))

    def _facts(self) -> dict[str, Any]:
        return {"inputs": " ".join(self._inputs.blocks), "trained": self.trained}

    def save(self) -> bytes:
        """See `Model`."""
        arrays = {"weights": self._weights, "limits": self._inputs.scale.limits_w}
        return pack(self.name, self._facts(), arrays)

    def load(self, data: bytes) -> None:
        """See `Model`."""
        facts, arrays = unpack(self.name, data)
        checked(self.name, arrays, {"weights": self._weights, "limits": self._inputs.scale.limits_w})
        self._inputs.scale.check(arrays["limits"])
        if facts.get("inputs") != self._facts()["inputs"]:
            raise ValueError(f"{self.name}: learnt with inputs {facts.get('inputs')!r}")
        runner = self._make_runner(self._shape, arrays["weights"]) if facts.get("trained") else None
        self._take_up(arrays["weights"], runner)
