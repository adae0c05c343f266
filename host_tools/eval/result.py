"""The scores of predictions, with confidence intervals.

The intervals come from a block bootstrap: days are drawn with replacement, since the minutes of one day are
not independent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge.learn.probabilities import briers, hits, log_losses
from edge.learn.scores import Scores
from edge.learn.terms import HORIZONS_MIN, Array
from edge.terms import DAY_MIN, VARIABLES

from .replay import Task

_DRAWS = 2_000
_MIN_BLOCKS = 3  # fewer give no interval
MEASURES = ("accuracy", "log_loss", "brier", "persistence_accuracy", "majority_accuracy")
Interval = tuple[float, float] | None
Which = slice | int | list[int]  # variables, or horizons


@dataclass(frozen=True)
class Result:
    """The scores of one model on one task. Sums (1 + 5, blocks, 6, 4): the number, then the measures."""

    task: Task
    model: str
    predicted: Array
    sums: NDArray[np.float64]

    @cached_property
    def varying(self) -> list[int]:
        """The variables whose state changed at all. Every model predicts the others; all, if none changed."""
        states = np.concatenate((self.task.now[..., None], self.task.actual), -1)
        first = [states[:, at][states[:, at] >= 0] for at in range(len(VARIABLES))]
        changed = [at for at, known in enumerate(first) if len(known) and (known != known[0]).any()]
        return changed or list(range(len(VARIABLES)))

    def means(self, variables: Which, horizons: Which) -> dict[str, float]:
        """The mean measures, with the same weight for each variable and horizon."""
        sums = self.sums.sum(1)[:, variables, horizons]
        return dict(zip(MEASURES, _means(sums.reshape(len(sums), -1)).tolist(), strict=True))

    def count(self, variables: Which, horizons: Which) -> int:
        """The number of predictions."""
        return int(self.sums[0].sum(0)[variables, horizons].sum())

    def intervals(self, variables: Which, horizons: Which, seed: int) -> dict[str, Interval]:
        """95 % intervals of accuracy, its lead over persistence, and log loss; None for too few days."""
        names = ("accuracy", "lead", "log_loss")
        blocks = self.sums.shape[1]
        if blocks < _MIN_BLOCKS:
            return dict.fromkeys(names)
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), _DRAWS).astype(np.float64)
        part = self.sums[:, :, variables, horizons].reshape(len(self.sums), blocks, -1)
        drawn = _means(np.einsum("db,mbc->mdc", weights, part))
        found = (drawn[0], drawn[0] - drawn[3], drawn[1])
        limits = [np.quantile(each, (0.025, 0.975)).tolist() for each in found]
        return {name: (low, high) for name, (low, high) in zip(names, limits, strict=True)}

    def report(self) -> dict[str, object]:
        """The report that a node gives of its own predictions."""
        scores = Scores()
        scores.seen(self.task.scale.of(self.task.record.powers_w[: self.task.start]))
        scores.add(self.predicted, self.task.now, self.task.actual, self.task.minutes)
        return scores.report()


def _means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean measures (5, ...) of sums (1 + 5, ..., cells), over cells that have predictions."""
    there = sums[0] > 0
    each = sums[1:] / np.maximum(sums[0], 1)
    found: NDArray[np.float64] = (each * there).sum(-1) / np.maximum(there.sum(-1), 1)
    return found


def scored(task: Task, model: str, predicted: Array) -> Result:
    """Compare predictions (n, 6, 4, 7) with the actual states."""
    now, actual = task.now[..., None], task.actual
    known = (actual >= 0) & (now >= 0)
    each = np.stack(
        [
            np.ones(actual.shape),
            hits(predicted, actual),
            log_losses(predicted, actual),
            briers(predicted, actual),
            now == actual,
            task.most_frequent[..., None] == actual,
        ]
    )
    days = (task.origins - task.start) // DAY_MIN
    each *= known
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    return Result(task, model, predicted, np.add.reduceat(each, starts, axis=1))


def cells() -> Iterator[tuple[str, int, int, int]]:
    """Each variable and horizon in minutes, and their indices."""
    for variable, name in enumerate(VARIABLES):
        for number, horizon_min in enumerate(HORIZONS_MIN):
            yield name, horizon_min, variable, number
