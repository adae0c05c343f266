"""The base of both LSTM models: weights, the state of the running networks, training.

The master weights are float and are trained in numpy. After a training they are written as int8 into a
.tflite file, which replaces the one in the interpreter. Each minute is one step of the running networks,
which keep their state; after a gap or a change of weights they start again with the last hour.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..checkpoint import checked, pack, unpack
from ..contents import Contents, Network
from ..model import Training, finish
from ..parts import WEIGHTS, Adoption, Losses, Part, Values, checked_parts, key_of
from ..series import Series
from ..terms import Array
from .features import Features
from .objectives import Objective
from .runners import RUNNERS, Runner
from .runtime import interpreter
from .shipped import read_model
from .stack import Real, Shape
from .tflite_file import model_file, read_weights
from .training import Trainer, TrainingOptions

_WINDOW_MIN = 60  # minutes that the networks are fed with when they start
_FEED_MIN = 10  # minutes between two yields
_TRAINING = {option.name for option in fields(TrainingOptions)}


class Networks:
    """A stack of networks: one for each variable, or several."""

    name = ""

    def __init__(
        self,
        shape: Shape,
        inputs: Features,
        objective: Objective,
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
        self._trainer = Trainer(shape, inputs, objective, TrainingOptions(**training), rng)
        self._weights: Real = shape.random_weights(models, rng)
        self._recent = Series(_WINDOW_MIN + inputs.lead_min)
        self._running: _Running | None = None  # None while untrained
        self._fitted = False  # whether the first training is over; weights of others need one, too
        self._foreign = bool(start)
        self._run(self._weights)  # fail at the start if there is no runtime
        if start:
            self._weights = read_weights(interpreter(read_model(start)), shape, models)
            self._running = self._run(self._weights)

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        self._recent.append(minute, powers_w)

    @property
    def trained(self) -> bool:
        """Whether the networks are trained."""
        return self._running is not None

    @property
    def looks_back_min(self) -> int:
        """How far its inputs look back."""
        return self._recent.capacity

    def _run(self, weights: Real) -> "_Running":
        """Networks in a state of zero. Raises NoRuntime."""
        return _Running(finish(self._kind(self._shape, weights)), self._inputs, len(weights))

    def _current(self) -> "tuple[Runner, Array] | None":
        """The networks after the newest minute, and their outputs; None while untrained or without data."""
        running = self._running
        if running is None:
            return None
        for _ in running.feed(self._recent):
            pass
        return None if running.outputs is None else (running.runner, running.outputs)

    def train(self, history: Series) -> Training:
        """See `Model`."""
        weights, report = yield from self._trainer.run(self._weights, history, first=not self._fitted)
        self._fitted = True
        if report.accepted:
            runner = yield from self._kind(self._shape, weights)
            yield
            running = _Running(runner, self._inputs, len(weights))
            yield from running.feed(self._recent)
            self._weights, self._running = weights, running
        return report

    def contents(self, variable: int, slot: int | None = None) -> Contents:
        """See `ShowsContents`."""
        rows = self._weights[variable :: len(VARIABLES)]
        inputs = tuple(self._inputs.blocks)
        networks = [Network(inputs, self.trained, self._shape.layers_of(row[None])) for row in rows]
        return Contents(networks=tuple(networks))

    def parts(self, variable: int) -> dict[str, Part]:
        """See `Model`: the layers that are shared (`trunk`) and those that give the outputs (`head`)."""
        rows = self._weights[variable :: len(VARIABLES)]
        cut = self._shape.trunk
        shapes = self._shape.parts(), self._inputs.blocks, len(rows)
        found = {}
        for name, values in (("trunk", rows[:, :cut]), ("head", rows[:, cut:])):
            key = key_of(name, variable, shapes, self._inputs.scale)
            found[name] = Part(WEIGHTS, key, values.flatten(), private=name == "head", ready=self.trained)
        return found

    def check_parts(self, parts: Mapping[int, Values]) -> None:
        """Raises ValueError for parts that `adopt` would refuse: untrained networks need all of them."""
        for variable, given in parts.items():
            checked_parts(self.parts(variable), given)
        whole = len(parts) == len(VARIABLES) and all(len(given) == 2 for given in parts.values())
        if not self.trained and not whole:
            raise ValueError(f"{self.name}: it is untrained, and needs all parts of all variables")

    def _with(self, parts: Mapping[int, Values]) -> Real:
        """The weights with these parts in place. Raises ValueError."""
        self.check_parts(parts)
        weights, cut = self._weights.copy(), self._shape.trunk
        for variable, given in parts.items():
            rows = weights[variable :: len(VARIABLES)]
            for name, values in given.items():
                place = rows[:, :cut] if name == "trunk" else rows[:, cut:]
                place[:] = values.reshape(place.shape)
        return weights

    def adopt(self, parts: Mapping[int, Values]) -> Adoption:
        """See `Model`."""
        weights = self._with(parts)
        runner = yield from self._kind(self._shape, weights)
        yield
        running = _Running(runner, self._inputs, len(weights))
        yield from running.feed(self._recent)
        self._weights, self._running = weights, running

    def losses_with(self, parts: Mapping[int, Values], history: Series) -> Losses:
        """See `Model`: over hours held back from training."""
        if not parts and not self.trained:
            return np.full((0, len(VARIABLES)), np.nan)
        each = yield from self._trainer.losses(self._with(parts), history)
        members, hours = len(each) // len(VARIABLES), each.shape[1]
        losses: NDArray[np.float64] = each.reshape(members, len(VARIABLES), hours).mean(0).T
        return losses

    @property
    def file(self) -> bytes:
        """The networks as a .tflite file; the name of its input lists the blocks of inputs."""
        return finish(model_file(self._shape, self._weights, " ".join(self._inputs.blocks)))

    def _facts(self) -> dict[str, Any]:
        inputs = " ".join(self._inputs.blocks)
        return {"inputs": inputs, "trained": self.trained, "fitted": self._fitted}

    def save(self) -> bytes:
        """See `Model`."""
        arrays = {"weights": self._weights, "limits": self._inputs.scale.limits_w}
        return pack(self.name, self._facts(), arrays)

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(self.name, data)
        checked(self.name, arrays, {"weights": self._weights, "limits": self._inputs.scale.limits_w})
        self._inputs.scale.check(arrays["limits"])
        if facts.get("inputs") != self._facts()["inputs"]:
            raise ValueError(f"{self.name}: it was learnt with inputs {facts.get('inputs')!r}")
        running = self._run(arrays["weights"]) if facts.get("trained") else None
        self._weights, self._running = arrays["weights"], running
        self._fitted = facts.get("fitted", self.trained and not self._foreign) is True


class _Running:
    """Networks that run minute by minute."""

    def __init__(self, runner: Runner, inputs: Features, models: int) -> None:
        self.runner = runner
        self.outputs: Array | None = None
        self._inputs, self._variables = inputs, np.arange(models) % len(VARIABLES)
        self._fed_minute: int | None = None

    def feed(self, recent: Series) -> Iterator[None]:
        """Feed the minutes not yet fed, in pieces; start again with the last window if they are too many."""
        newest, fed = recent.last_minute, self._fed_minute
        if newest is None:
            return
        if fed is None or not 0 <= newest - fed < _WINDOW_MIN:
            self.runner.reset()
            fed = max(recent.first_minute, newest - _WINDOW_MIN + 1) - 1
        while fed < newest:
            count = min(_FEED_MIN, newest - fed)
            inputs = np.empty((len(self._variables), count, self._inputs.size), np.float32)
            lead = self._inputs.lead_min
            self._inputs.fill(inputs, self._variables, fed + 1, recent.at(fed + 1 - lead, lead + count))
            for at in range(count):
                self.outputs = self.runner.step(inputs[:, at])
            self._fed_minute = fed = fed + count
            yield
            newest = recent.last_minute or newest
