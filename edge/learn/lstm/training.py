"""Training on the device, in pieces of a few milliseconds.

A sequence is two hours long: in the first the network builds up its state, in the second there is a loss at
every minute, which is many times cheaper than one loss for each window. An update takes some sequences of the
newest hours and others from the whole history, since a network that sees only new data forgets the old. One
hour in eight is held back for validation: a network that got worse on it keeps its old weights.
"""

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..model import TrainingReport
from ..series import Series
from .adam import Adam
from .features import Features
from .objectives import Objective
from .stack import Real, Shape, Stack

_HOLD_ONE_IN = 8  # hours
_HEAD_PIECE = 20  # outputs between two yields

Pieces: TypeAlias = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How long and how fast to train. Times are in minutes, rates are those of a step of Adam."""

    burn_min: int = 60  # of a sequence, before its first loss
    span_min: int = 60  # of a sequence, with a loss at every minute
    batch: int = 8  # sequences in a step
    together: int = 2  # networks at a time: more are a little faster and take more memory
    first_steps: int = 660  # of a first training, at most
    least_steps: int = 120  # of a first training, however short the history
    first_epochs: float = 10.0  # over the history
    first_rate: float = 1e-2  # falls to `rate`
    steps: int = 5  # of an update
    recent: int = 2  # sequences of the newest hours in each step of an update
    rate: float = 3e-4
    decay: float = 0.0
    judged: int = 16  # hours held back that are used for validation


class Trainer:
    """Improves weights with a history."""

    def __init__(
        self, shape: Shape, features: Features, objective: Objective, options: TrainingOptions, rng: Random
    ) -> None:
        self._shape, self._features, self._objective = shape, features, objective
        self._options, self._rng = options, rng

    def run(
        self, weights: Real, history: Series, first: bool
    ) -> Generator[None, None, tuple[Real, TrainingReport]]:
        """New weights and a report; the given weights do not change."""
        found, before, after = weights.copy(), [], []
        steps = self._steps(len(history), first)
        for start in range(0, len(weights), self._options.together):
            part = slice(start, start + self._options.together)
            work = _Part(self, history, np.arange(len(weights))[part] % len(VARIABLES))
            losses = yield from work.improve(found[part], steps, first)
            before.append(losses[0])
            after.append(losses[1])
        was, now = np.concatenate(before), np.concatenate(after)
        worse = now > was  # a loss of NaN is never worse
        found[worse] = weights[worse]
        report = TrainingReport(steps, not worse.all(), _mean(was), _mean(np.where(worse, was, now)))
        return found, report

    def losses(self, weights: Real, history: Series) -> Generator[None, None, NDArray[np.float64]]:
        """The losses (M, hours) over the newest hours held back, oldest first; NaN where unknown."""
        found = []
        for start in range(0, len(weights), self._options.together):
            part = slice(start, start + self._options.together)
            work = _Part(self, history, np.arange(len(weights))[part] % len(VARIABLES))
            sums, counts = yield from work.judge(self._shape.views(weights[part]), work.newest_held_back())
            found.append(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
        return np.concatenate(found)

    def _steps(self, minutes: int, first: bool) -> int:
        each = self._options.batch * self._options.span_min
        wanted = int(self._options.first_epochs * minutes / each)
        if not first:
            return self._options.steps
        return min(self._options.first_steps, max(self._options.least_steps, wanted))


def _mean(losses: Real) -> float:
    known = losses[~np.isnan(losses)]
    return float(known.mean()) if len(known) else float("nan")


def held_back(minute: int, span_min: int) -> bool:
    """Whether the hour of a minute is held back for validation: one in eight, not always at the same time."""
    return (minute // span_min * 2654435761 >> 13) % _HOLD_ONE_IN == 0


class _Part:
    """The training of some of the networks, one variable each."""

    def __init__(self, trainer: Trainer, history: Series, variables: NDArray[np.intp]) -> None:
        self._inputs, self._objective, self._rng = trainer._features, trainer._objective, trainer._rng
        self._options, self._shape = trainer._options, trainer._shape
        self._history, self._variables = history, variables
        self._length = self._options.burn_min + self._options.span_min
        self._stack = Stack(self._shape, len(variables), self._length, self._options.batch)
        self._span = slice(self._options.burn_min, self._length)
        self._targets: list[Any] = [None] * self._options.batch
        self._first, self._last = history.first_minute, history.last_minute or 0

    def improve(self, weights: Real, steps: int, first: bool) -> Generator[None, None, tuple[Real, Real]]:
        """Improve the weights in place; the losses (M,) before and after."""
        options, adam = self._options, Adam(weights, decay=self._options.decay)
        views, gradients = self._shape.views(weights), np.empty_like(weights)
        hours = self._validation_hours()
        before = yield from self._validate(views, hours)
        for step in range(steps):
            yield from self._fill(self._sequences(first), validation=False)
            yield from self._gradients(views, gradients)
            share = step / steps
            adam.step(
                weights,
                gradients,
                options.first_rate * (1 - share) + options.rate * share if first else options.rate,
            )
            yield
        after = yield from self._validate(views, hours)
        return before, after

    def _sequences(self, first: bool) -> list[int]:
        """The first minutes of the sequences of a step; some begin before the history does."""
        options, end = self._options, self._last + 1 - self._length
        recent = 0 if first else options.recent
        newest = [end - number * options.span_min for number in range(recent)]
        oldest = self._first - options.burn_min
        replayed = [self._rng.randint(min(oldest, end), end) for _ in range(options.batch - recent)]
        return newest + replayed

    def _held_back(self) -> list[int]:
        """The first minutes of the hours held back."""
        span, latest = self._options.span_min, self._last - self._objective.ahead
        return [
            minute
            for minute in range(self._first // span * span + span, latest - span, span)
            if held_back(minute, span)
        ]

    def newest_held_back(self) -> list[int]:
        """The newest hours held back, as many as are used for validation."""
        return self._held_back()[-self._options.judged :]

    def _validation_hours(self) -> list[int]:
        """The first minutes of hours held back: the newest ones, and some from the whole history."""
        hours = self._held_back()
        newest = hours[-self._options.judged // 2 :]
        older = hours[: -len(newest)] if newest else []
        return newest + self._rng.sample(older, min(len(older), self._options.judged // 2))

    def _fill(self, starts: list[int], validation: bool) -> Pieces:
        """Fill in the inputs and targets of a batch; a place without a sequence has no known targets."""
        for place in range(self._options.batch):
            minute = starts[place] if place < len(starts) else self._first - 10 * self._length
            lead, ahead = self._inputs.lead_min, self._objective.ahead
            lines = self._history.at(minute - lead, lead + self._length + ahead)
            self._inputs.fill(self._stack.inputs[:, :, place], self._variables, minute, lines[:-ahead])
            targets = self._objective.targets(lines[lead + self._options.burn_min :], self._variables)
            minutes = range(minute + self._options.burn_min, minute + self._length)
            wanted = [held_back(each, self._options.span_min) == validation for each in minutes]
            known = self._objective.known(targets) & np.array(wanted)[:, None]
            self._targets[place] = targets, known
            yield

    def _batch_targets(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return (
            np.stack([targets for targets, _ in self._targets], 2),
            np.stack([known for _, known in self._targets], 2),
        )

    def _gradients(self, views: dict[str, Real], gradients: Real) -> Pieces:
        """The gradients of the mean loss of the batch."""
        gradients[:] = 0.0
        gradient_views = self._shape.views(gradients)
        self._stack.errors[:] = 0.0
        targets, known = self._batch_targets()
        counts = np.maximum(known.sum((1, 2, 3), keepdims=True), 1).astype(np.float32)
        yield from self._stack.forward(views)
        for start in range(0, self._options.span_min, _HEAD_PIECE):
            part = slice(start, start + _HEAD_PIECE)
            piece = slice(self._span.start + start, min(self._span.start + part.stop, self._span.stop))
            error = self._stack.outputs(views, piece)
            self._objective.losses(error, targets[:, part], known[:, part])
            error /= counts
            self._stack.head_backward(views, gradient_views, piece, error)
            yield
        yield from self._stack.backward(views, gradient_views)

    def _validate(self, views: dict[str, Real], hours: list[int]) -> Generator[None, None, Real]:
        """The mean losses (M,) over hours held back; NaN without any."""
        sums, counts = yield from self.judge(views, hours)
        total = counts.sum(1)
        return np.where(total > 0, sums.sum(1) / np.maximum(total, 1), np.nan)

    def judge(
        self, views: dict[str, Real], hours: list[int]
    ) -> Generator[None, None, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """The sums of the losses in hours held back, and the number of targets: (M, hours) each."""
        sums, counts = np.zeros((2, len(self._variables), len(hours)))
        for at in range(0, len(hours), self._options.batch):
            starts = [hour - self._options.burn_min for hour in hours[at : at + self._options.batch]]
            places = slice(at, at + len(starts))
            yield from self._fill(starts, validation=True)
            yield from self._stack.forward(views)
            targets, known = self._batch_targets()
            for start in range(0, self._options.span_min, _HEAD_PIECE):
                part = slice(start, start + _HEAD_PIECE)
                piece = slice(self._span.start + start, min(self._span.start + part.stop, self._span.stop))
                losses = self._objective.losses(
                    self._stack.outputs(views, piece), targets[:, part], known[:, part]
                )
                sums[:, places] += losses.sum((1, 3))[:, : len(starts)]
                yield
            counts[:, places] += known.sum((1, 3))[:, : len(starts)]
        return sums, counts
