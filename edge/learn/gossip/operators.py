"""Operators: what weight each contribution gets, for each variable (thesis 6.3.2, equations 6.44 to 6.53).

    sampling_nb      the number of observations that it was learnt from
    power_loss       10 ^ -loss on local data
    min_loss         1 for the least loss on local data, 0 for the others
    dist_power_hist  10 ^ -distance of the power profiles of two hours, in sevenths of the maximum power
    dist_power_last  10 ^ -distance of the newest powers, in the same unit; for predictions
    skill            recent score x similarity of the power profiles x exp(-age)
    equal            the same for all
    metropolis       by the number of neighbours of both nodes: repeated, all nodes reach the plain mean,
                     which equal weights do not

Weights are not negative and add up to 1 for each variable; where all are 0 or unknown, they are equal. What a
neighbour claims is bounded: samples by what a memory can hold, a score by the own one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..terms import STATES
from .profile import NO_PROFILE, Profile

Weights: TypeAlias = NDArray[np.float64]  # (contributions, 6)

_AGE_MIN = 360.0  # after this time the skill of a share has fallen to 1 / e
_MOST_SAMPLES = 100 * DAY_MIN
_FAR = 0.5  # distance of a profile that is not told, in units
_NO_SCORE = float(np.log(STATES))  # log loss of knowing nothing


def _unknown() -> NDArray[np.float64]:
    return np.full(len(VARIABLES), np.nan)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What an operator may know of the own model, or of one of a neighbour. Arrays (6,), NaN if unknown."""

    source: str
    samples: NDArray[np.float64] = field(default_factory=_unknown)
    claimed_loss: NDArray[np.float64] = field(default_factory=_unknown)  # recent log loss, by its own account
    local_loss: NDArray[np.float64] = field(default_factory=_unknown)  # on the data of this node
    age_min: float = 0.0
    neighbours: int = 1
    profile: Profile = NO_PROFILE


Contributions: TypeAlias = Sequence[Contribution]  # the own one is the first
Operator: TypeAlias = Callable[[Contributions, float], Weights]  # is given the unit of distances in W


def weights(operator: str, contributions: Contributions, max_power_w: float) -> Weights:
    """The weights. Raises ValueError for an unknown operator."""
    if operator not in OPERATORS:
        raise ValueError(f"operator {operator!r} is not one of {', '.join(OPERATORS)}")
    found = OPERATORS[operator](contributions, max_power_w / STATES)
    found = np.where(np.isfinite(found), np.maximum(found, 0.0), 0.0)
    total = found.sum(0)
    equal = 1.0 / len(contributions)
    result: Weights = np.where(total > 0, found / np.where(total > 0, total, 1.0), equal)
    return result


def _sampling_nb(contributions: Contributions, unit_w: float) -> Weights:
    return np.minimum([each.samples for each in contributions], float(_MOST_SAMPLES))


def _power_loss(contributions: Contributions, unit_w: float) -> Weights:
    return _tenths(np.maximum([each.local_loss for each in contributions], 0.0))


def _min_loss(contributions: Contributions, unit_w: float) -> Weights:
    losses = np.array([each.local_loss for each in contributions])
    losses[np.isnan(losses)] = np.inf
    best = losses.argmin(0) == np.arange(len(losses))[:, None]
    return np.where(np.isfinite(losses), best, 0.0)


def _dist_power_hist(contributions: Contributions, unit_w: float) -> Weights:
    return _tenths(_distances(contributions, unit_w)[0])


def _dist_power_last(contributions: Contributions, unit_w: float) -> Weights:
    return _tenths(_distances(contributions, unit_w)[1])


def _skill(contributions: Contributions, unit_w: float) -> Weights:
    """A loss measured here is believed; a claimed one counts as the own one if it is better."""
    local = np.array([each.local_loss for each in contributions])
    claimed = np.array([each.claimed_loss for each in contributions])
    own = np.where(np.isnan(local[0]), claimed[0], local[0])
    losses = np.where(np.isnan(local), np.fmax(claimed, own), local)
    losses = np.maximum(np.nan_to_num(losses, nan=_NO_SCORE), 0.0)
    far = np.nan_to_num(_distances(contributions, unit_w)[0], nan=_FAR)
    ages = np.array([[max(each.age_min, 0.0)] for each in contributions])
    found: Weights = _tenths(losses + far) * np.exp(-ages / _AGE_MIN)
    return found


def _equal(contributions: Contributions, unit_w: float) -> Weights:
    return np.ones((len(contributions), len(VARIABLES)))


def _metropolis(contributions: Contributions, unit_w: float) -> Weights:
    return np.repeat(metropolis([each.neighbours for each in contributions])[:, None], len(VARIABLES), 1)


def metropolis(neighbours: Sequence[int]) -> NDArray[np.float64]:
    """The weights of a node, which is the first, and its neighbours, by the number of neighbours of each."""
    own = max(neighbours[0], len(neighbours) - 1)
    others = [1.0 / (1 + max(own, each)) for each in neighbours[1:]]
    return np.array([1.0 - sum(others), *others])


def _tenths(values: NDArray[np.float64]) -> Weights:
    found: Weights = 10.0**-values
    return found


def _distances(contributions: Contributions, unit_w: float) -> Weights:
    """The mean and the latest distances (2, contributions, 6) from the own profile, in units."""
    own = contributions[0].profile
    others = [own.distances(each.profile) for each in contributions[1:]]
    zero = np.zeros(len(VARIABLES))
    return np.array([(zero, zero), *others]).transpose(1, 0, 2) / unit_w


OPERATORS: dict[str, Operator] = {
    "sampling_nb": _sampling_nb,
    "power_loss": _power_loss,
    "min_loss": _min_loss,
    "dist_power_hist": _dist_power_hist,
    "dist_power_last": _dist_power_last,
    "skill": _skill,
    "equal": _equal,
    "metropolis": _metropolis,
}
