"""What networks for states and those for powers have in common: weights, running state, training.

The master weights are float and are trained in numpy; after a training they are written as int8 into a
.tflite file, which takes the place of the one in the interpreter. Each minute is one step of the running
networks, which remember; they start anew with the last hour after a gap or a change of weights.
"""

import random
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from ...terms import VARIABLES
from ..checkpoint import checked, pack, unpack
from ..model import Training
from ..series import Series
from ..terms import Array
from .features import Features
from .goals import Goal
from .interpreter import interpreter
from .network import Real, Shape
from .runners import RUNNERS, Runner, finished
from .shipped import read_model
from .tflite_file import model_file, read_weights
from .training import Trainer, TrainingOptions

WINDOW_MIN = 60  # that the networks are fed with when they start
_FEED_MIN = 10  # of it between two yields
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
        self._shape, self._inputs, self._kind = shape, inputs, RUNNERS[runner]
        self._trainer = Trainer(shape, inputs, goal, TrainingOptions(**training), rng)
        self._weights: Real = shape.drawn(models, rng)
        self._recent = Series(WINDOW_MIN + inputs.lead_min)
        self._running: _Running | None = None  # while untrained
        self._run(self._weights)  # a node without a runtime shall say so when it starts
        if start:
            self._weights = read_weights(interpreter(read_model(start)), shape, models)
            self._running = self._run(self._weights)

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        self._recent.append(minute, powers_w)

    @property
    def trained(self) -> bool:
        """Whether there is anything to foretell with."""
        return self._running is not None

    def _run(self, weights: Real) -> "_Running":
        """Networks at rest. Raises NoRuntime."""
        return _Running(finished(self._kind(self._shape, weights)), self._inputs, len(weights))

    def _current(self) -> "tuple[Runner, Array] | None":
        """The networks after the newest minute, and their outputs; None while there is nothing to go on."""
        running = self._running
        if running is None:
            return None
        for _ in running.feed(self._recent):
            pass
        return None if running.outputs is None else (running.runner, running.outputs)

    def train(self, history: Series) -> Training:
        """See `Model`."""
        weights, report = yield from self._trainer.run(self._weights, history, first=not self.trained)
        if report.accepted:
            runner = yield from self._kind(self._shape, weights)
            yield
            running = _Running(runner, self._inputs, len(weights))
            yield from running.feed(self._recent)
            self._weights, self._running = weights, running
        return report

    @property
    def file(self) -> bytes:
        """The networks as a .tflite file; its input is named by what goes in."""
        return finished(model_file(self._shape, self._weights, " ".join(self._inputs.blocks)))

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
        running = self._run(arrays["weights"]) if facts.get("trained") else None
        self._weights, self._running = arrays["weights"], running


class _Running:
    """Networks that are fed minute by minute."""

    def __init__(self, runner: Runner, inputs: Features, models: int) -> None:
        self.runner = runner
        self.outputs: Array | None = None
        self._inputs, self._variables = inputs, np.arange(models) % len(VARIABLES)
        self._fed_minute: int | None = None

    def feed(self, recent: Series) -> Iterator[None]:
        """Take in the minutes that came, in pieces; from rest with the whole window if too many."""
        newest, fed = recent.last_minute, self._fed_minute
        if newest is None:
            return
        if fed is None or not 0 <= newest - fed < WINDOW_MIN:
            self.runner.rest()
            fed = max(recent.first_minute, newest - WINDOW_MIN + 1) - 1
        while fed < newest:
            count = min(_FEED_MIN, newest - fed)
            seen = np.empty((len(self._variables), count, self._inputs.size), np.float32)
            lead = self._inputs.lead_min
            self._inputs.fill(seen, self._variables, fed + 1, recent.at(fed + 1 - lead, lead + count))
            for at in range(count):
                self.outputs = self.runner.step(seen[:, at])
            self._fed_minute = fed = fed + count
            yield
            newest = recent.last_minute or newest
