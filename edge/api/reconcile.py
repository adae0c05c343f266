"""Predictions reconciled with what was measured later, both read from the history (thesis 4.5.3).

This is done on request, in the thread of the request, a few hours at a time, so that a year takes no more
memory than a day. Only imported where learning is on, since it needs numpy.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..history.predictions import Forecast
from ..history.store import Store
from ..learn.calendar import Calendar
from ..learn.scores import Hours, Judged, Scores
from ..learn.states import StateScale
from ..learn.terms import HORIZONS_MIN, STATES, Array, States
from ..terms import DAY_MIN, VARIABLES

_SHAPE = (len(VARIABLES), len(HORIZONS_MIN), STATES)
_BEFORE_MIN = 7 * DAY_MIN  # before the first prediction: gives the most frequent state to begin with


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive predictions of one model, `n` of them; states are 0 to 6, -1 where unknown."""

    model: str
    scale: StateScale
    minutes: NDArray[np.int64]  # (n,), each made after this minute
    probabilities: Array  # (n, 6, 4, 7)
    now: States  # (n, 6), when they were made
    actual: States  # (n, 6, 4), measured at the horizons


def reconciled(store: Store, scope: str, first: int, last: int) -> Iterator[Batch]:
    """All predictions made after the minutes `first` to `last`, oldest first."""
    for forecasts in store.predictions(scope, first, last):
        for (model, limits_w), group in groupby(forecasts, lambda each: (each.model, each.limits_w)):
            valid = [each for each in group if len(each.probabilities) == 2 * np.prod(_SHAPE)]
            try:
                scale = StateScale.of_limits([row[1:] for row in limits_w])
            except ValueError:  # no limits of states: somebody else has written that row
                continue
            if valid:
                yield _batch(store, scope, model, scale, valid)


def _batch(store: Store, scope: str, model: str, scale: StateScale, forecasts: list[Forecast]) -> Batch:
    minutes = np.array([each.minute for each in forecasts], np.int64)
    packed = np.frombuffer(b"".join(each.probabilities for each in forecasts), "<f2")
    first, last = int(minutes[0]), int(minutes[-1]) + HORIZONS_MIN[-1]
    known: dict[int, States] = {}
    for rows in store.minutes(scope, first, last):
        known.update((row[0], states) for row, states in zip(rows, _states(scale, rows), strict=True))
    unknown = np.full(len(VARIABLES), -1, np.int8)
    now = np.array([known.get(minute, unknown) for minute in minutes.tolist()])
    actual = np.array(
        [[known.get(minute + each, unknown) for each in HORIZONS_MIN] for minute in minutes.tolist()]
    )
    probabilities = packed.reshape(-1, *_SHAPE).astype(np.float32)
    return Batch(model, scale, minutes, probabilities, now, actual.swapaxes(1, 2))


def measured(store: Store, scope: str, first: int, last: int) -> Generator[None, None, Array]:
    """The powers (n, 6) in W of the minutes `first` to `last`, NaN where unknown; in pieces."""
    powers_w = np.full((last - first + 1, len(VARIABLES)), np.nan, np.float32)
    for rows in store.minutes(scope, first, last):
        powers_w[[row[0] - first for row in rows]] = np.array([row[1:] for row in rows], np.float32)
        yield
    return powers_w


def scores(
    store: Store, scope: str, first: int, last: int, offset_min: Callable[[int], int] | None = None
) -> Generator[None, None, dict[str, Any]]:
    """How good each model was from minute `first` to `last`: its scores and the limits of its states (W).

    In pieces, so that the work can be ended. Hours of the day are civil, by the offset from UTC in minutes;
    without one they are those of UTC.
    """
    calendar = Calendar(offset_min)
    found: dict[tuple[str, StateScale], Scores] = {}
    for batch in reconciled(store, scope, first, last):
        key = batch.model, batch.scale
        if key not in found:
            found[key] = Scores()
            for states in _before(store, scope, first, batch):
                found[key].seen(states)
                yield
        minutes = calendar.civil_minutes(batch.minutes)
        found[key].add(batch.probabilities, batch.now, batch.actual, minutes)
        yield
    return {
        model: {"limits_w": _limits(scale), "scores": each.report()} for (model, scale), each in found.items()
    }


def judged(
    store: Store,
    scope: str,
    first: int,
    last: int,
    offset_min: Callable[[int], int] | None,
    count: Callable[[str, Judged], None],
) -> Iterator[None]:
    """Give each hour of each model to `count`, in pieces; see `scores`."""
    calendar = Calendar(offset_min)
    found: dict[tuple[str, StateScale], Hours] = {}
    for batch in reconciled(store, scope, first, last):
        key = batch.model, batch.scale
        if key not in found:
            found[key] = Hours()
            for states in _before(store, scope, first, batch):
                found[key].seen(states)
                yield
        minutes = calendar.civil_minutes(batch.minutes)
        for each in found[key].add(batch.probabilities, batch.now, batch.actual, minutes):
            count(batch.model, each)
        yield
    for (model, _), hours in found.items():
        for each in hours.current():
            count(model, each)


def _before(store: Store, scope: str, first: int, batch: Batch) -> Iterator[States]:
    """The states of the week before, some at a time."""
    for rows in store.minutes(scope, first - _BEFORE_MIN, int(batch.minutes[0]) - 1):
        yield _states(batch.scale, rows)


def _states(scale: StateScale, rows: list[tuple[Any, ...]]) -> States:
    return scale.of(np.array([row[1:] for row in rows], np.float32))


def _limits(scale: StateScale) -> list[list[float]]:
    return [[round(each, 3) for each in row] for row in scale.limits_w.tolist()]
