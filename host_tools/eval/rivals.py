"""Simple predictions that a model must beat, each with a state and with probabilities.

    persistence   the state stays as it is         time_of_day  the state of that half-hour of the day
    majority      the most frequent state          yesterday    the state a day before
                                                   last_week    the state a week before

Their probabilities are how often each state followed such a state (or half-hour) before, counted again at the
beginning of each scored day.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.learn.probabilities import log_losses
from edge.learn.terms import HORIZONS_MIN, STATES, Array, States
from edge.terms import DAY_MIN, VARIABLES

if TYPE_CHECKING:
    from .replay import Task

RIVALS = ("persistence", "majority", "time_of_day", "yesterday", "last_week")
_SLOT_MIN = 30
_SLOTS = DAY_MIN // _SLOT_MIN
_GENERAL, _EACH = 2.0, 0.1  # observations that the general frequencies, and each state, count for


class Rival(NamedTuple):
    """Of each origin, variable and horizon (n, 6, 4): whether its state was right, and the log loss."""

    right: NDArray[np.bool_]
    log_loss: Array


def rivals(task: "Task") -> dict[str, Rival]:
    """All of them on one task."""
    states = task.scale.of(task.record.powers_w)
    step_min = task.record.step_min
    lines = np.arange(step_min - 1, int(task.origins[-1]) + 1, step_min)
    scored = np.searchsorted(lines, task.origins)
    points = {name: np.empty(task.actual.shape, np.int8) for name in RIVALS}
    odds = {name: np.empty((*task.actual.shape, STATES), np.float32) for name in RIVALS}
    for number, horizon_min in enumerate(HORIZONS_MIN):
        targets = lines + horizon_min
        actual = _at(states, targets)
        keys = _keys(task, states, lines, targets)
        for name in RIVALS:
            found = _odds(keys[name], actual, targets, task, scored)
            odds[name][:, :, number] = found
            key = keys[name][scored]
            if name == "majority":
                points[name][:, :, number] = task.most_frequent
            elif name == "time_of_day":
                points[name][:, :, number] = found.argmax(-1)
            else:
                points[name][:, :, number] = np.where(key < STATES, key, task.now)
    return {name: Rival(points[name] == task.actual, log_losses(odds[name], task.actual)) for name in RIVALS}


def _at(states: States, lines: NDArray[np.int64]) -> States:
    """The states (n, 6) at lines (n,), -1 outside."""
    found = np.full((len(lines), len(VARIABLES)), -1, np.int8)
    inside = (lines >= 0) & (lines < len(states))
    found[inside] = states[lines[inside]]
    return found


def _keys(
    task: "Task", states: States, lines: NDArray[np.int64], targets: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """What each rival goes by (n, 6): a state, with `STATES` for an unknown one, or a slot of the day."""
    yesterday, last_week = (_at(states, targets - days * DAY_MIN) for days in (1, 7))
    slots = (task.record.first_minute + targets) % DAY_MIN // _SLOT_MIN
    found = {
        "persistence": _at(states, lines),
        "majority": np.zeros((len(lines), len(VARIABLES)), np.int8),
        "time_of_day": np.repeat(slots[:, None], len(VARIABLES), 1),
        "yesterday": yesterday,
        "last_week": np.where(last_week >= 0, last_week, yesterday),
    }
    return {name: np.where(key < 0, STATES, key).astype(np.int64) for name, key in found.items()}


def _odds(
    keys: NDArray[np.int64],
    actual: States,
    targets: NDArray[np.int64],
    task: "Task",
    scored: NDArray[np.intp],
) -> Array:
    """Probabilities (scored, 6, 7) from what followed each key before the day of each origin began."""
    rows = max(_SLOTS, STATES + 1)
    found = np.empty((len(scored), len(VARIABLES), STATES), np.float32)
    days = (task.origins - task.start) // DAY_MIN
    for day in np.unique(days):
        of_day = days == day
        known = targets < task.start + day * DAY_MIN
        for variable in range(len(VARIABLES)):
            seen = known & (actual[:, variable] >= 0)
            places = keys[seen, variable] * STATES + actual[seen, variable]
            counts = np.bincount(places, minlength=rows * STATES).reshape(rows, STATES)
            general = counts.sum(0) + _EACH
            table = counts + _GENERAL * general / general.sum()
            table /= table.sum(1, keepdims=True)
            found[of_day, variable] = table[keys[scored[of_day], variable]]
    return found
