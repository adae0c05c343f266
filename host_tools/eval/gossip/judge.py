"""The scores of a job as numbers by day, and what is computed from them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.terms import DAY_MIN

from ..replay import task_of
from ..result import MEASURES, Result, scored
from .buildings import Building

SUMS = ("n", *MEASURES)
Floats = NDArray[np.float64]


def result(of: Building, begin: int, start: int, end: int, predicted: NDArray[Any], model: str) -> Result:
    """The result of predictions (end - start, 6, 4, 7) from line `start` on; the past is from `begin` on."""
    task = task_of(of.part(begin, end), start - begin, end - begin, of.scale)
    return scored(task, model, predicted[task.origins - (start - begin)].astype(np.float32))


def summary(of: Building, begin: int, start: int, end: int, predicted: NDArray[Any]) -> dict[str, Any]:
    """What a job file keeps of one node: sums (measures, days, 6, 4), the variables that change, horizons."""
    found = result(of, begin, start, end, predicted, "")
    return {
        "sums": np.round(found.sums, 4).tolist(),
        "varying": found.varying,
        "horizons": found.horizons,
        "days": (end - start) // DAY_MIN,
    }
