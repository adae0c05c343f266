"""How good predictions were: accuracy beside persistence and the most frequent state, and proper scores.

Predictions are gathered for the hour of their target, since triviality, entropy and vector difference
are said of hours (thesis 4.5.3, behaviour c.5); then they become sums by variable, horizon, hour of the day
and triviality. Whatever the number of predictions, the memory is the same.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .terms import HORIZONS_MIN, STATES, Array, States

LEAST = 1e-6  # below it a probability counts as this much: certainty that fails costs 13.8 nats
BINS = 10  # of calibration
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


def right(probabilities: Array, came: States) -> NDArray[np.bool_]:
    """Whether the likeliest state came: (..., 7) and (...) to (...)."""
    found: NDArray[np.bool_] = probabilities.argmax(-1) == came
    return found


def log_losses(probabilities: Array, came: States) -> Array:
    """- ln p of the state that came, in nats."""
    of_came = np.take_along_axis(probabilities, np.maximum(came, 0)[..., None].astype(np.intp), -1)[..., 0]
    found: Array = -np.log(np.maximum(of_came, LEAST))
    return found


def briers(probabilities: Array, came: States) -> Array:
    """Sum over the states of (p - came)^2: 0 to 2."""
    happened = came[..., None] == np.arange(STATES)
    found: Array = np.square(probabilities - happened).sum(-1)
    return found


class Majority:
    """The most frequent state of each variable so far, as a rival that knows the past only."""

    def __init__(self) -> None:
        self._counts = np.zeros((len(VARIABLES), STATES), np.int64)

    def seen(self, states: States) -> States:
        """Take in states (n, 6), -1 unknown; the most frequent ones after each of them (n, 6)."""
        counts = (states[..., None] == np.arange(STATES)).cumsum(0) + self._counts
        if len(counts):
            self._counts = counts[-1]
        found: States = counts.argmax(-1).astype(np.int8)
        return found


class Scores:
    """Running scores of one model in one scope."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(_SUMS), len(VARIABLES), len(HORIZONS_MIN), _HOURS, 2))
        self._bins = np.zeros((3, len(VARIABLES), len(HORIZONS_MIN), BINS))  # n, promised, happened
        self._majority = Majority()
        self._hours = [_Hour() for _ in HORIZONS_MIN]

    def seen(self, states: States) -> None:
        """States (n, 6) of earlier minutes that nothing was foretold from: for the most frequent state."""
        self._majority.seen(states)

    def add(self, probabilities: Array, states_now: States, came: States, minutes: NDArray[np.int64]) -> None:
        """Take in predictions (n, 6, 4, 7) of `minutes` (n,), oldest first, the states they were made from
        (n, 6) and those that came (n, 6, 4); -1 where unknown: left out."""
        usual = self._majority.seen(states_now)
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
                        probabilities[part, :, horizon], states_now[part], came[part, :, horizon], usual[part]
                    )

    @staticmethod
    def _close(horizon: int, hour: "_Hour", sums: Sums, bins: Sums) -> None:
        """Add up an hour."""
        if not hour.count:
            return
        probabilities, now, came, usual = hour.lines()
        known = (came >= 0) & (now >= 0)
        counts = known.sum(0)
        happened = ((came[..., None] == np.arange(STATES)) & known[..., None]).sum(0)
        shares = happened / np.maximum(counts, 1)[:, None]
        logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
        each = np.stack(
            [
                np.ones(came.shape),
                right(probabilities, came),
                log_losses(probabilities, came),
                briers(probabilities, came),
                now == came,
                usual == came,
                0.5 * np.abs(probabilities - shares).sum(-1),
                np.broadcast_to(-(shares * logs).sum(-1), came.shape),
                np.broadcast_to((shares * (1 - shares)).sum(-1), came.shape),
            ]
        )
        trivial = (happened[:, 0] == counts).astype(np.intp)
        variables = np.arange(len(VARIABLES))
        sums[:, variables, horizon, hour.number % _HOURS, trivial] += (each * known).sum(1)
        place = np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)
        hits = came[..., None] == np.arange(STATES)
        for variable in variables:
            which = known[:, variable]
            at = place[which, variable].ravel()
            for row, weights in enumerate((None, probabilities, hits)):
                chosen = None if weights is None else weights[which, variable].ravel()
                bins[row, variable, horizon] += np.bincount(at, chosen, BINS)

    def report(self) -> dict[str, Any]:
        """All as JSON can take it: for each variable and horizon the scores, those without trivial hours,
        accuracy by hour, and calibration; None where nothing was foretold."""
        sums, bins = self._sums.copy(), self._bins.copy()
        for horizon, hour in enumerate(self._hours):
            self._close(horizon, hour, sums, bins)
        return {
            variable: {
                str(horizon_min): _said(sums[:, at, number], bins[:, at, number])
                for number, horizon_min in enumerate(HORIZONS_MIN)
            }
            for at, variable in enumerate(VARIABLES)
        }


def _said(sums: Sums, bins: Sums) -> dict[str, Any]:
    """Of sums (9, 24, 2) and bins (3, 10) of a variable and horizon."""
    by_hour = sums.sum(-1)
    return {
        **_means(sums.sum((1, 2))),
        "calibration_error": _ratio(np.abs(bins[1] - bins[2]).sum(), bins[0].sum()),
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
            for n, promised, happened in bins.T
        ],
    }


def _means(sums: Sums) -> dict[str, Any]:
    found: dict[str, Any] = {"n": int(sums[0])}
    for name, total in zip(_SUMS[1:], sums[1:], strict=True):
        found[name] = _ratio(total, sums[0])
    found["skill"] = None
    if sums[0] and sums[0] > sums[4]:  # the share of persistence's errors that is avoided
        found["skill"] = round(float((sums[1] - sums[4]) / (sums[0] - sums[4])), 6)
    return found


def _ratio(total: float, n: float) -> float | None:
    return round(float(total / n), 6) if n else None


class _Hour:
    """Predictions with their target in one hour."""

    def __init__(self) -> None:
        self.number, self.count = -1, 0
        self._probabilities = np.zeros((_HOUR_MIN, len(VARIABLES), STATES), np.float32)
        self._states = np.zeros((3, _HOUR_MIN, len(VARIABLES)), np.int8)  # now, came, most frequent

    def begin(self, number: int) -> None:
        """Of another hour since 1970."""
        self.number, self.count = number, 0

    def add(self, probabilities: Array, now: States, came: States, usual: States) -> None:
        """Up to 60 lines in all."""
        part = slice(self.count, self.count + len(now))
        self._probabilities[part] = probabilities
        self._states[:, part] = now, came, usual
        self.count = part.stop

    def lines(self) -> tuple[Array, States, States, States]:
        """Probabilities, states now, those that came, most frequent ones."""
        now, came, usual = self._states[:, : self.count]
        return self._probabilities[: self.count], now, came, usual
