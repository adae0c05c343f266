"""How good predictions were: accuracy beside persistence and the most frequent state, and proper scores.

Predictions are collected for the hour of their target, since triviality, entropy and vector difference are
defined for hours (thesis 4.5.3). The vector difference compares the mean of the probabilities of an hour with
the shares of the states that happened in it, the state difference each single prediction with its state
(thesis 5.5.5). Hours are added to sums by variable, horizon, hour of the day and triviality. The memory does
not depend on the number of predictions.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .probabilities import briers, hits, log_losses
from .terms import HORIZONS_MIN, STATES, Array, States

BINS = 10  # of the calibration
_HOUR_MIN = 60
_HOURS = 24

Sums = NDArray[np.float64]

SUMS = (
    "n",
    "accuracy",
    "log_loss",
    "brier",
    "persistence_accuracy",
    "majority_accuracy",
    "vector_difference",
    "shannon_entropy",
    "gini",
    "state_difference",
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


class Judged(NamedTuple):
    """What the predictions of a horizon with their target in one hour were worth."""

    horizon: int  # its number
    hour: int  # of the targets, since 1970 of civil time
    sums: Sums  # (SUMS, 6)
    trivial: NDArray[np.bool_]  # (6,): it was without power all the time
    promised: Sums  # (6, 7): sums of the probabilities
    happened: NDArray[np.int64]  # (6, 7): how often each state followed
    probabilities: Array  # (n, 6, 7), valid until the next hour begins
    actual: States  # (n, 6)
    known: NDArray[np.bool_]  # (n, 6)


class Hours:
    """Collects predictions for the hour of their target, and judges hours that are over."""

    def __init__(self) -> None:
        self._most_frequent = MostFrequentStates()
        self._hours = [_Hour() for _ in HORIZONS_MIN]

    def seen(self, states: States) -> None:
        """Count the states (n, 6) of earlier minutes, without predictions, for the most frequent state."""
        self._most_frequent.update(states)

    def add(
        self, probabilities: Array, states_now: States, actual: States, minutes: NDArray[np.int64]
    ) -> Iterator[Judged]:
        """Add predictions (n, 6, 4, 7) made after civil `minutes` (n,), oldest first, with the states at
        that time (n, 6) and the actual states at the horizons (n, 6, 4). States are -1 where unknown; those
        do not count. The hours that are over."""
        frequent = self._most_frequent.update(states_now)
        for horizon, hour in enumerate(self._hours):
            targets = (minutes + HORIZONS_MIN[horizon]) // _HOUR_MIN
            edges = [0, *(np.flatnonzero(np.diff(targets)) + 1).tolist(), len(minutes)]
            for start, end in pairwise(edges):
                for first in range(start, end, _HOUR_MIN):
                    part = slice(first, min(first + _HOUR_MIN, end))
                    if hour.number != targets[first] or hour.count + part.stop - first > _HOUR_MIN:
                        if hour.count:
                            yield _judged(horizon, hour)
                        hour.begin(int(targets[first]))
                    hour.add(
                        probabilities[part, :, horizon],
                        states_now[part],
                        actual[part, :, horizon],
                        frequent[part],
                    )

    def current(self) -> Iterator[Judged]:
        """The hours that are not over, as far as they are known."""
        for horizon, hour in enumerate(self._hours):
            if hour.count:
                yield _judged(horizon, hour)


def _judged(horizon: int, hour: "_Hour") -> Judged:
    probabilities, now, actual, frequent = hour.lines()
    known = (actual >= 0) & (now >= 0)
    counts = known.sum(0)
    occurred = (actual[..., None] == np.arange(STATES)) & known[..., None]
    happened, promised = occurred.sum(0), (probabilities * known[..., None]).sum(0)
    shares = happened / np.maximum(counts, 1)[:, None]
    means = promised / np.maximum(counts, 1)[:, None]
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    each = np.stack(
        [
            np.ones(actual.shape),
            hits(probabilities, actual),
            log_losses(probabilities, actual),
            briers(probabilities, actual),
            now == actual,
            frequent == actual,
            np.broadcast_to(0.5 * np.abs(means - shares).sum(-1), actual.shape),
            np.broadcast_to(-(shares * logs).sum(-1), actual.shape),
            np.broadcast_to((shares * (1 - shares)).sum(-1), actual.shape),
            0.5 * np.abs(probabilities - occurred).sum(-1),
        ]
    )
    sums, trivial = (each * known).sum(1), happened[:, 0] == counts
    return Judged(horizon, hour.number, sums, trivial, promised, happened, probabilities, actual, known)


class Scores:
    """Running scores of one model in one scope."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(SUMS), len(VARIABLES), len(HORIZONS_MIN), _HOURS, 2))
        self._bins = np.zeros((6, len(VARIABLES), len(HORIZONS_MIN), BINS))  # n, promised, happened: of all
        # states, and of the likeliest ones
        self._hours = Hours()

    def seen(self, states: States) -> None:
        """See `Hours`."""
        self._hours.seen(states)

    def add(
        self, probabilities: Array, states_now: States, actual: States, minutes: NDArray[np.int64]
    ) -> None:
        """See `Hours`."""
        for judged in self._hours.add(probabilities, states_now, actual, minutes):
            self._count(judged, self._sums, self._bins)

    @staticmethod
    def _count(judged: Judged, sums: Sums, bins: Sums) -> None:
        """Add an hour to the sums."""
        variables, horizon = np.arange(len(VARIABLES)), judged.horizon
        sums[:, variables, horizon, judged.hour % _HOURS, judged.trivial.astype(np.intp)] += judged.sums
        probabilities, actual = judged.probabilities, judged.actual
        top, right = probabilities.max(-1, keepdims=True), hits(probabilities, actual)[..., None]
        occurred = actual[..., None] == np.arange(STATES)
        for first, promised_each, happened_each in ((0, probabilities, occurred), (3, top, right)):
            place = np.minimum((promised_each * BINS).astype(np.intp), BINS - 1)
            for variable in variables:
                which = judged.known[:, variable]
                at = place[which, variable].ravel()
                for row, weights in enumerate((None, promised_each, happened_each), first):
                    chosen = None if weights is None else weights[which, variable].ravel()
                    bins[row, variable, horizon] += np.bincount(at, chosen, BINS)

    def report(self) -> dict[str, Any]:
        """All scores in JSON types, by variable and horizon, with and without trivial hours; the accuracy by
        hour, and the calibration. None where there are no predictions."""
        sums, bins = self._sums.copy(), self._bins.copy()
        for judged in self._hours.current():
            self._count(judged, sums, bins)
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
        **means(sums.sum((1, 2))),
        "calibration_error": _ratio(np.abs(bins[4] - bins[5]).sum(), bins[3].sum()),
        "not_trivial": means(sums[..., 0].sum(1)),
        "by_hour": [
            {
                key: means(by_hour[:, hour])[key]
                for key in ("n", "accuracy", "persistence_accuracy", "majority_accuracy", "log_loss")
            }
            for hour in range(_HOURS)
        ],
        "calibration": [
            {"n": int(n), "promised": _ratio(promised, n), "happened": _ratio(happened, n)}
            for n, promised, happened in bins[:3].T
        ],
    }


def means(sums: Sums) -> dict[str, Any]:
    """The means of sums (SUMS,), None without predictions, and the skill."""
    found: dict[str, Any] = {"n": int(sums[0])}
    for name, total in zip(SUMS[1:], sums[1:], strict=True):
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
