"""The scores of predictions, with confidence intervals.

Accuracy and log loss stand beside those of simple rivals, which see the same past. Data with a longer step
are held over their interval, so horizons that end in the same interval are one prediction: only the first
counts in means.
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

from .intervals import Interval, by_days
from .replay import Task
from .rivals import RIVALS

_OURS = ("accuracy", "log_loss", "brier")
MEASURES = (*_OURS, *(f"{rival}_{each}" for rival in RIVALS for each in ("accuracy", "log_loss")))
_HOUR_MIN = 60
Which = slice | int | list[int]  # variables, or horizons


@dataclass(frozen=True)
class Result:
    """The scores of one model on one task. Sums (1 + measures, days, 6, 4): the number, then the measures."""

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

    @property
    def horizons(self) -> list[int]:
        """The numbers of the horizons that count in means."""
        steps = [-(-horizon_min // self.task.record.step_min) for horizon_min in HORIZONS_MIN]
        return [number for number, step in enumerate(steps) if step not in steps[:number]]

    def means(self, variables: Which, horizons: Which) -> dict[str, float]:
        """The mean measures, with the same weight for each variable and horizon."""
        sums = self.sums.sum(1)[:, variables][..., horizons]
        return dict(zip(MEASURES, _means(sums.reshape(len(sums), -1)).tolist(), strict=True))

    def count(self, variables: Which, horizons: Which) -> int:
        """The number of predictions."""
        return int(self.sums[0].sum(0)[variables][..., horizons].sum())

    def intervals(self, variables: Which, horizons: Which) -> dict[str, Interval]:
        """95 % intervals of accuracy and log loss, and of how much better both are than those of each rival;
        `lead` is that of accuracy over persistence. None for too few days."""
        part = self.sums[:, :, variables][..., horizons].reshape(*self.sums.shape[:2], -1)
        of = dict(zip(("n", *MEASURES), part, strict=True))
        found = {name: by_days(of[name], of["n"])[1] for name in ("accuracy", "log_loss")}
        for rival in RIVALS:
            accuracy, log_loss = of[f"{rival}_accuracy"], of[f"{rival}_log_loss"]
            found[f"lead_{rival}"] = by_days(of["accuracy"] - accuracy, of["n"])[1]
            found[f"log_loss_lead_{rival}"] = by_days(log_loss - of["log_loss"], of["n"])[1]
        return {**found, "lead": found["lead_persistence"]}

    def report(self) -> dict[str, object]:
        """The report that a node gives of its own predictions."""
        scores = Scores()
        scores.seen(self.task.scale.of(self.task.record.powers_w[: self.task.start]))
        scores.add(self.predicted, self.task.now, self.task.actual, self.task.minutes)
        return scores.report()


def _means(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean measures (m, ...) of sums (1 + m, ..., cells), over cells that have predictions."""
    there = sums[0] > 0
    each = sums[1:] / np.maximum(sums[0], 1)
    found: NDArray[np.float64] = (each * there).sum(-1) / np.maximum(there.sum(-1), 1)
    return found


def _known(task: Task) -> NDArray[np.bool_]:
    """Which predictions (n, 6, 4) can be judged."""
    found: NDArray[np.bool_] = (task.actual >= 0) & (task.now[..., None] >= 0)
    return found


def not_trivial(task: Task) -> NDArray[np.bool_]:
    """Which predictions (n, 6, 4) have their target in an hour in which the variable had power at all, as a
    node tells them apart (edge/learn/scores.py)."""
    power = _known(task) & (task.actual > 0)
    for number, horizon_min in enumerate(HORIZONS_MIN):
        hours = (task.minutes + horizon_min) // _HOUR_MIN
        starts = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
        of_hour = np.logical_or.reduceat(power[:, :, number], starts)
        power[:, :, number] = np.repeat(of_hour, np.diff(starts, append=len(hours)), axis=0)
    return power


def scored(task: Task, model: str, predicted: Array, counted: NDArray[np.bool_] | None = None) -> Result:
    """Compare predictions (n, 6, 4, 7) with the actual states; only those `counted` (n, 6, 4), if given."""
    actual, known = task.actual, _known(task)
    each: NDArray[np.float64] = np.stack(
        [
            np.ones(actual.shape),
            hits(predicted, actual),
            log_losses(predicted, actual),
            briers(predicted, actual),
            *(np.asarray(part, np.float64) for rival in task.rivals.values() for part in rival),
        ]
    )
    days = (task.origins - task.start) // DAY_MIN
    each *= known if counted is None else known & counted
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    return Result(task, model, predicted, np.add.reduceat(each, starts, axis=1))


def cells() -> Iterator[tuple[str, int, int, int]]:
    """Each variable and horizon in minutes, and their indices."""
    for variable, name in enumerate(VARIABLES):
        for number, horizon_min in enumerate(HORIZONS_MIN):
            yield name, horizon_min, variable, number
