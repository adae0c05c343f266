"""What was foretold beside what came: the history's predictions reconciled with its minutes (thesis 4.5.3).

Made when asked for, in the thread of who asks, a few hours at a time: it takes the same memory for a day
and for a year. Only imported where learning is on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..history.store import Forecast, Store
from ..learn.scores import Scores
from ..learn.states import StateScale
from ..learn.terms import HORIZONS_MIN, STATES, Array, States
from ..terms import DAY_MIN, VARIABLES

_SHAPE = (len(VARIABLES), len(HORIZONS_MIN), STATES)
_BEFORE_MIN = 7 * DAY_MIN  # from which the most frequent state is known at the beginning


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive predictions of one model, `n` of them; states are 0 to 6, -1 where unknown."""

    model: str
    scale: StateScale
    minutes: NDArray[np.int64]  # (n,) after which they were made
    probabilities: Array  # (n, 6, 4, 7)
    now: States  # (n, 6)
    came: States  # (n, 6, 4)


def reconciled(store: Store, scope: str, first: int, last: int) -> Iterator[Batch]:
    """All predictions made after the minutes `first` to `last`, oldest first."""
    for forecasts in store.predictions(scope, first, last):
        for (model, limits_w), some in groupby(forecasts, lambda each: (each.model, each.limits_w)):
            whole = [each for each in some if len(each.probabilities) == 2 * np.prod(_SHAPE)]
            if whole:
                yield _batch(store, scope, model, StateScale.of_limits([row[1:] for row in limits_w]), whole)


def _batch(store: Store, scope: str, model: str, scale: StateScale, forecasts: list[Forecast]) -> Batch:
    minutes = np.array([each.minute for each in forecasts], np.int64)
    packed = np.frombuffer(b"".join(each.probabilities for each in forecasts), "<f2")
    first, last = int(minutes[0]), int(minutes[-1]) + HORIZONS_MIN[-1]
    known: dict[int, States] = {}
    for rows in store.minutes(scope, first, last):
        known.update((row[0], states) for row, states in zip(rows, _states(scale, rows), strict=True))
    unknown = np.full(len(VARIABLES), -1, np.int8)
    now = np.array([known.get(minute, unknown) for minute in minutes.tolist()])
    came = np.array(
        [[known.get(minute + each, unknown) for each in HORIZONS_MIN] for minute in minutes.tolist()]
    )
    probabilities = packed.reshape(-1, *_SHAPE).astype(np.float32)
    return Batch(model, scale, minutes, probabilities, now, came.swapaxes(1, 2))


def scores(store: Store, scope: str, first: int, last: int) -> dict[str, Any]:
    """How good each model was from `first` to `last`: by model what `Scores` reports."""
    found: dict[tuple[str, StateScale], Scores] = {}
    for batch in reconciled(store, scope, first, last):
        key = batch.model, batch.scale
        if key not in found:
            found[key] = Scores()
            for rows in store.minutes(scope, first - _BEFORE_MIN, int(batch.minutes[0]) - 1):
                found[key].seen(_states(batch.scale, rows))
        found[key].add(batch.probabilities, batch.now, batch.came, batch.minutes)
    return {
        model: {"limits_w": _limits(scale), "scores": each.report()} for (model, scale), each in found.items()
    }


def _states(scale: StateScale, rows: list[tuple[Any, ...]]) -> States:
    return scale.of(np.array([row[1:] for row in rows], np.float32))


def _limits(scale: StateScale) -> list[list[float]]:
    return [[round(each, 3) for each in row] for row in scale.limits_w.tolist()]
