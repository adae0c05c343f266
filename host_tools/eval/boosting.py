"""The reference from a PC: gradient boosting, one classifier for each variable and horizon, trained again at
the beginning of each scored day on all minutes before it.

It uses what a node cannot afford: all variables at many earlier minutes as inputs. It shows how much can be
predicted from the data. Its number of trees is chosen on the last tenth of its training minutes.
"""

import numpy as np
from numpy.typing import NDArray

from edge.learn.calendar import QUARTER_MIN, weekday_of
from edge.learn.terms import HORIZONS_MIN, STATES, Array
from edge.terms import DAY_MIN, VARIABLES

from .replay import Progress, Task

_LAGS_MIN = (1, 2, 5, 10, 15, 30, 60)
_MEANS_MIN = (15, 60, 240)
_CHECKED = 0.1  # the last part of the training minutes, to find when to stop


def boosting(task: Task, seed: int, progress: Progress) -> Array:
    """Probabilities (n, 6, 4, 7) of the origins of a task."""
    inputs = _inputs(task)
    states = task.scale.of(task.record.powers_w)
    first = task.record.step_min - 1
    day = (task.origins - task.start) // DAY_MIN
    days = [(day == each, task.start + int(each) * DAY_MIN) for each in np.unique(day)]
    predicted = np.zeros((len(task.origins), len(VARIABLES), len(HORIZONS_MIN), STATES), np.float32)
    done: dict[tuple[bytes, int], tuple[int, int]] = {}
    for variable in range(len(VARIABLES)):
        for number, horizon_min in enumerate(HORIZONS_MIN):
            key = states[:, variable].tobytes(), number
            if key in done:  # consumed and supplied may be the same
                predicted[:, variable, number] = predicted[:, done[key][0], done[key][1]]
                continue
            done[key] = variable, number
            for of_day, start in days:
                lines = np.arange(first, start - horizon_min, task.record.step_min)
                targets = states[lines + horizon_min, variable]
                lines, targets = lines[targets >= 0], targets[targets >= 0]
                origins = inputs[task.origins[of_day]]
                predicted[of_day, variable, number] = _one(inputs[lines], targets, origins, seed)
            progress(int((variable * len(HORIZONS_MIN) + number + 1) / 24 * len(task.origins)))
    return predicted


def _one(inputs: Array, targets: NDArray[np.int8], origins: Array, seed: int) -> Array:
    from sklearn.ensemble import HistGradientBoostingClassifier

    found = np.full((len(origins), STATES), 1e-4, np.float32)
    classes, counts = np.unique(targets, return_counts=True)
    if len(classes) == 1:
        found[:, classes[0]] = 1.0
    else:
        sizes = {
            "learning_rate": 0.08,
            "max_leaf_nodes": 15,
            "min_samples_leaf": 40,
            "l2_regularization": 1.0,
        }
        cut = int(len(targets) * (1 - _CHECKED))
        model = HistGradientBoostingClassifier(
            max_iter=80, early_stopping=counts.min() > 20, n_iter_no_change=8, random_state=seed, **sizes
        )
        known = np.isin(targets[cut:], np.unique(targets[:cut]))
        if counts.min() > 20 and len(np.unique(targets[:cut])) == len(classes) and known.any():
            model.fit(inputs[:cut], targets[:cut], X_val=inputs[cut:][known], y_val=targets[cut:][known])
        else:
            model.set_params(early_stopping=False, max_iter=40).fit(inputs, targets)
        found[:, model.classes_] += model.predict_proba(origins).astype(np.float32)
    found /= found.sum(-1, keepdims=True)
    return found


def _inputs(task: Task) -> Array:
    """The inputs of each line (lines, columns)."""
    record, steps = task.record, task.scale.position(task.record.powers_w)
    lines = np.arange(len(steps))
    columns = [steps]
    for lag_min in _LAGS_MIN:
        if lag_min % record.step_min == 0 or record.step_min == 1:
            columns.append(
                np.where((lines >= lag_min)[:, None], steps[np.maximum(lines - lag_min, 0)], np.nan)
            )
    summed = np.concatenate((np.zeros((1, len(VARIABLES))), np.nancumsum(steps, axis=0, dtype=np.float64)))
    for span_min in _MEANS_MIN:
        since = np.maximum(lines + 1 - span_min, 0)
        columns.append((summed[lines + 1] - summed[since]) / (lines + 1 - since)[:, None])
    for ahead_min in HORIZONS_MIN:  # the day before, at the minute that is predicted
        before = lines + ahead_min - DAY_MIN
        columns.append(np.where((before >= 0)[:, None], steps[np.maximum(before, 0)], np.nan))
    minutes = record.minutes
    columns.append(np.stack((minutes % DAY_MIN, minutes % QUARTER_MIN, weekday_of(minutes)), -1))
    found: Array = np.concatenate(columns, axis=1).astype(np.float32)
    return found
