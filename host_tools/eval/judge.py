"""What predictions were worth, with intervals: days are drawn with replacement, since minutes of one day
are no independent witnesses."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.learn.scores import Scores, briers, log_losses, right
from edge.learn.terms import HORIZONS_MIN, Array
from edge.terms import DAY_MIN, VARIABLES

from .replay import Task

DRAWS = 2_000
LEAST_BLOCKS = 3  # below it there is no interval
MEASURES = ("accuracy", "log_loss", "brier", "persistence_accuracy", "majority_accuracy")
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Verdict:
    """Of one model on one task. Sums (1 + 5, blocks, 6, 4): how many, then the measures."""

    task: Task
    model: str
    foretold: Array
    sums: NDArray[np.float64]

    def means(self, variables: slice | int, horizons: slice | int) -> dict[str, float]:
        """The measures, each variable and horizon weighing the same."""
        sums = self.sums.sum(1)[:, variables, horizons]
        return dict(zip(MEASURES, _means(sums.reshape(len(sums), -1)).tolist(), strict=True))

    def count(self, variables: slice | int, horizons: slice | int) -> int:
        """Of predictions."""
        return int(self.sums[0].sum(0)[variables, horizons].sum())

    def intervals(self, variables: slice | int, horizons: slice | int, seed: int) -> dict[str, Interval]:
        """95 % of accuracy, of its lead over persistence, and of the log loss; None for too few days."""
        names = ("accuracy", "lead", "log_loss")
        blocks = self.sums.shape[1]
        if blocks < LEAST_BLOCKS:
            return dict.fromkeys(names)
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(np.float64)
        part = self.sums[:, :, variables, horizons].reshape(len(self.sums), blocks, -1)
        drawn = _means(np.einsum("db,mbc->mdc", weights, part))
        found = (drawn[0], drawn[0] - drawn[3], drawn[1])
        limits = [np.quantile(each, (0.025, 0.975)).tolist() for each in found]
        return {name: (low, high) for name, (low, high) in zip(names, limits, strict=True)}

    def report(self) -> dict[str, object]:
        """All that a node says of its own predictions."""
        scores = Scores()
        scores.seen(self.task.scale.of(self.task.record.powers_w[: self.task.start]))
        scores.add(self.foretold, self.task.now, self.task.came, self.task.minutes)
        return scores.report()


def _means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (1 + 5, ..., cells) the mean measures (5, ...) over cells that have any."""
    there = sums[0] > 0
    each = sums[1:] / np.maximum(sums[0], 1)
    found: NDArray[np.float64] = (each * there).sum(-1) / np.maximum(there.sum(-1), 1)
    return found


def verdict(task: Task, model: str, foretold: Array) -> Verdict:
    """Compare what was foretold with what came."""
    now, came = task.now[..., None], task.came
    known = (came >= 0) & (now >= 0)
    each = np.stack(
        [
            np.ones(came.shape),
            right(foretold, came),
            log_losses(foretold, came),
            briers(foretold, came),
            now == came,
            task.majority[..., None] == came,
        ]
    )
    days = (task.origins - task.start) // DAY_MIN
    each *= known
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    return Verdict(task, model, foretold, np.add.reduceat(each, starts, axis=1))


def cells() -> Iterator[tuple[str, int, int, int]]:
    """Variable, horizon in minutes, and their places."""
    for variable, name in enumerate(VARIABLES):
        for number, horizon_min in enumerate(HORIZONS_MIN):
            yield name, horizon_min, variable, number
