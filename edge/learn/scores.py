"""How good predictions were: accuracy beside persistence and the most frequent state, and proper scores.

Predictions are collected for the hour of their target, since triviality, entropy and vector difference are
defined for hours (thesis 4.5.3). The vector difference compares the mean of the probabilities of an hour with
the shares of the states that happened in it (thesis 5.5.5). Hours are added to sums by variable, horizon,
hour of the day and triviality. The memory does not depend on the number of predictions.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .probabilities import briers, hits, log_losses
from .terms import HORIZONS_MIN, STATES, Array, States

BINS = 10  # of the calibration
_HOUR_MIN = 60
_HOURS = 24

Sums = NDArray[np.float64]

_SUMS = (
    "n",
    "accuracy",
    "log_loss",
    "brier",
    "persistence_accuracy",
    "majority_accuracy",
    "vector_difference",
    "shannon_entropy",
    "gini",
)


class MostFrequentStates:
    """The most frequent state of each variable so far: a baseline that knows only the past."""

    def __init__(self) -> None:
        self._counts = np.zeros((len(VARIABLES), STATES), np.int64)

    def update(self, states: States) -> States:
        """Count states (n, 6), -1 where unknown. The most frequent states (n, 6) after each line."""
        counts = (states[..., None] == np.arange(STATES)).cumsum(0) + self._counts
        if len(counts):
            self._counts = counts[-1]
        found: States = counts.argmax(-1).astype(np.int8)
        return found


class Scores:
    """Running scores of one model in one scope."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(_SUMS), len(VARIABLES), len(HORIZONS_MIN), _HOURS, 2))
        self._bins = np.zeros((6, len(VARIABLES), len(HORIZONS_MIN), BINS))  # n, promised, happened: of all
        # states, and of the likeliest ones
        self._most_frequent = MostFrequentStates()
        self._hours = [_Hour() for _ in HORIZONS_MIN]

    def seen(self, states: States) -> None:
        """Count the states (n, 6) of earlier minutes, without predictions, for the most frequent state."""
        self._most_frequent.update(states)

    def add(
        self, probabilities: Array, states_now: States, actual: States, minutes: NDArray[np.int64]
    ) -> None:
        """Add predictions (n, 6, 4, 7) made after civil `minutes` (n,), oldest first, with the states at
        that time (n, 6) and the actual states at the horizons (n, 6, 4). States are -1 where unknown; those
        do not count."""
        frequent = self._most_frequent.update(states_now)
        for horizon, hour in enumerate(self._hours):
            targets = (minutes + HORIZONS_MIN[horizon]) // _HOUR_MIN
            edges = [0, *(np.flatnonzero(np.diff(targets)) + 1).tolist(), len(minutes)]
            for start, end in pairwise(edges):
                for first in range(start, end, _HOUR_MIN):
                    part = slice(first, min(first + _HOUR_MIN, end))
                    if hour.number != targets[first] or hour.count + part.stop - first > _HOUR_MIN:
                        self._close(horizon, hour, self._sums, self._bins)
                        hour.begin(int(targets[first]))
                    hour.add(
                        probabilities[part, :, horizon],
                        states_now[part],
                        actual[part, :, horizon],
                        frequent[part],
                    )

    @staticmethod
    def _close(horizon: int, hour: "_Hour", sums: Sums, bins: Sums) -> None:
        """Add an hour to the sums."""
        if not hour.count:
            return
        probabilities, now, actual, frequent = hour.lines()
        known = (actual >= 0) & (now >= 0)
        counts = known.sum(0)
        happened = ((actual[..., None] == np.arange(STATES)) & known[..., None]).sum(0)
        shares = happened / np.maximum(counts, 1)[:, None]
        promised = (probabilities * known[..., None]).sum(0) / np.maximum(counts, 1)[:, None]
        logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
        each = np.stack(
            [
                np.ones(actual.shape),
                hits(probabilities, actual),
                log_losses(probabilities, actual),
                briers(probabilities, actual),
                now == actual,
                frequent == actual,
                np.broadcast_to(0.5 * np.abs(promised - shares).sum(-1), actual.shape),
                np.broadcast_to(-(shares * logs).sum(-1), actual.shape),
                np.broadcast_to((shares * (1 - shares)).sum(-1), actual.shape),
            ]
        )
        trivial = (happened[:, 0] == counts).astype(np.intp)
        variables = np.arange(len(VARIABLES))
        sums[:, variables, horizon, hour.number % _HOURS, trivial] += (each * known).sum(1)
        top, right = probabilities.max(-1, keepdims=True), hits(probabilities, actual)[..., None]
        occurred = actual[..., None] == np.arange(STATES)
        for first, promised_each, happened_each in ((0, probabilities, occurred), (3, top, right)):
            place = np.minimum((promised_each * BINS).astype(np.intp), BINS - 1)
            for variable in variables:
                which = known[:, variable]
                at = place[which, variable].ravel()
                for row, weights in enumerate((None, promised_each, happened_each), first):
                    chosen = None if weights is None else weights[which, variable].ravel()
                    bins[row, variable, horizon] += np.bincount(at, chosen, BINS)

    def report(self) -> dict[str, Any]:
        """All scores in JSON types, by variable and horizon, with and without trivial hours; the accuracy by
        hour, and the calibration. None where there are no predictions."""
        sums, bins = self._sums.copy(), self._bins.copy()
        for horizon, hour in enumerate(self._hours):
            self._close(horizon, hour, sums, bins)
        return {
            variable: {
                str(horizon_min): _summary(sums[:, at, number], bins[:, at, number])
                for number, horizon_min in enumerate(HORIZONS_MIN)
            }
            for at, variable in enumerate(VARIABLES)
        }


def _summary(sums: Sums, bins: Sums) -> dict[str, Any]:
    """From sums (9, 24, 2) and bins (6, 10): the report of one variable and horizon. The error of calibration
    is that of the likeliest state: how far its probability is from how often it was right."""
    by_hour = sums.sum(-1)
    return {
        **_means(sums.sum((1, 2))),
        "calibration_error": _ratio(np.abs(bins[4] - bins[5]).sum(), bins[3].sum()),
        "not_trivial": _means(sums[..., 0].sum(1)),
        "by_hour": [
            {
                key: _means(by_hour[:, hour])[key]
                for key in ("n", "accuracy", "persistence_accuracy", "majority_accuracy", "log_loss")
            }
            for hour in range(_HOURS)
        ],
        "calibration": [
            {"n": int(n), "promised": _ratio(promised, n), "happened": _ratio(happened, n)}
            for n, promised, happened in bins[:3].T
        ],
    }


def _means(sums: Sums) -> dict[str, Any]:
    found: dict[str, Any] = {"n": int(sums[0])}
    for name, total in zip(_SUMS[1:], sums[1:], strict=True):
        found[name] = _ratio(total, sums[0])
    found["skill"] = None
    if sums[0] and sums[0] > sums[4]:  # the share of the errors of persistence that is avoided
        found["skill"] = round(float((sums[1] - sums[4]) / (sums[0] - sums[4])), 6)
    return found


def _ratio(total: float, n: float) -> float | None:
    return round(float(total / n), 6) if n else None


class _Hour:
    """The predictions with their target in one hour."""

    def __init__(self) -> None:
        self.number, self.count = -1, 0
        self._probabilities = np.zeros((_HOUR_MIN, len(VARIABLES), STATES), np.float32)
        self._states = np.zeros((3, _HOUR_MIN, len(VARIABLES)), np.int8)  # present, actual, most frequent

    def begin(self, number: int) -> None:
        """Start with another hour, counted from 1970."""
        self.number, self.count = number, 0

    def add(self, probabilities: Array, now: States, actual: States, frequent: States) -> None:
        """Add lines, up to 60 in all."""
        part = slice(self.count, self.count + len(now))
        self._probabilities[part] = probabilities
        self._states[:, part] = now, actual, frequent
        self.count = part.stop

    def lines(self) -> tuple[Array, States, States, States]:
        """Probabilities; present, actual and most frequent states."""
        now, actual, frequent = self._states[:, : self.count]
        return self._probabilities[: self.count], now, actual, frequent
