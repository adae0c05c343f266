"""The gate: for each variable, which of several candidates serves; judged by losses on local data.

Candidates are the own parts, the merged ones and the previous ones, or shares of neighbours. All are judged
on the same hours, so their differences can be compared. Another candidate is chosen only if it is better than
the present one beyond the noise of these differences, so that chance does not make the choice swing.
"""

import numpy as np
from numpy.typing import NDArray

_ERRORS = 2.0  # standard errors of the mean difference
_LEAST_HOURS = 3
_ABSURD = 100.0  # nats: the loss of what has none
_MOST_WORSE = 0.05  # nats: a share that is worse by more is not merged at all


def better(losses: NDArray[np.float64], present: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether losses (hours, 6) are lower than those of the present parts beyond the noise: (6,)."""
    mean, error, enough = _difference(losses, present)
    found: NDArray[np.bool_] = enough & (mean < -_ERRORS * error) & (mean < 0.0)
    return found


def harmless(losses: NDArray[np.float64], present: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether losses (hours, 6) are not much worse than those of the present parts: (6,). Where too little is
    known to tell, they pass: then the clipping alone keeps harm away."""
    mean, error, enough = _difference(losses, present)
    found: NDArray[np.bool_] = ~enough | (mean <= np.maximum(_MOST_WORSE, error))
    return found


def _difference(
    losses: NDArray[np.float64], present: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """The mean difference (6,), its standard error, and whether there are enough hours."""
    known = np.isfinite(present)
    counts = known.sum(0)
    losses = np.nan_to_num(losses, nan=_ABSURD, posinf=_ABSURD, neginf=_ABSURD)
    apart = np.where(known, losses - np.where(known, present, 0.0), 0.0)
    mean = apart.sum(0) / np.maximum(counts, 1)
    squares = (np.square(apart - mean) * known).sum(0)
    error = np.sqrt(squares / np.maximum(counts * (counts - 1), 1))
    return mean, error, counts >= _LEAST_HOURS


class Gate:
    """The choice (6,) among named candidates; the first is the own one, which serves at first."""

    def __init__(self, candidates: tuple[str, ...], variables: int = 6) -> None:
        self.candidates = candidates
        self.choice = [candidates[0]] * variables

    def judge(self, losses: dict[str, NDArray[np.float64]]) -> list[str]:
        """Choose by the losses (hours, 6) of each candidate; one that has none is not chosen."""
        for variable, present in enumerate(self.choice):
            if present not in losses:
                present = self.candidates[0]
            best, lowest = present, 0.0
            for name in self.candidates:
                if name == present or name not in losses:
                    continue
                one, other = (losses[each][:, variable : variable + 1] for each in (name, present))
                mean = float(_difference(one, other)[0][0])
                if better(one, other)[0] and mean < lowest:
                    best, lowest = name, mean
            self.choice[variable] = best
        return self.choice
