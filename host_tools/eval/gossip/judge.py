"""The scores of a job as numbers by day, and what is computed from them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.terms import DAY_MIN

from ..replay import Task, task_of
from ..result import MEASURES, Result, not_trivial, scored
from .buildings import Building

SUMS = ("n", *MEASURES)
Floats = NDArray[np.float64]


def result(of: Building, begin: int, start: int, end: int, predicted: NDArray[Any], model: str) -> Result:
    """The result of predictions (end - start, 6, 4, 7) from line `start` on; the past is from `begin` on."""
    task = _task(of, begin, start, end)
    return scored(task, model, _made(task, predicted))


def summary(of: Building, begin: int, start: int, end: int, predicted: NDArray[Any]) -> dict[str, Any]:
    """What a job file keeps of one node: sums (measures, days, 6, 4), those without trivial hours, the
    variables that change, horizons."""
    task = _task(of, begin, start, end)
    made = _made(task, predicted)
    found = scored(task, "", made)
    return {
        "sums": np.round(found.sums, 4).tolist(),
        "not_trivial": np.round(scored(task, "", made, not_trivial(task)).sums, 4).tolist(),
        "varying": found.varying,
        "horizons": found.horizons,
        "days": (end - start) // DAY_MIN,
    }


def _task(of: Building, begin: int, start: int, end: int) -> Task:
    return task_of(of.part(begin, end), start - begin, end - begin, of.scale)


def _made(task: Task, predicted: NDArray[Any]) -> NDArray[np.float32]:
    """Of the predictions for each minute, those of the origins."""
    found: NDArray[np.float32] = predicted[task.origins - task.start].astype(np.float32)
    return found
