"""What a model shares with the models of neighbours: its parts, and how those of several models are merged.

A part belongs to one variable and has a rule (thesis 6.3.1):
- `weights` are averaged. All nodes begin with the same ones, else a mean of two networks means nothing. The
  layers that lead to the outputs are private by default: they are fitted to the habits of one building;
- `counts` of neighbours stand apart from the own ones and complete them. The thesis replaces the own counts
  with a mean, day by day; then a node can no longer tell what it has observed itself, and what went around
  comes back as if it were new. Apart, each observation is counted once, and a bad neighbour can be dropped.

Two models can exchange a part if its key is the same. It is a hash of the variable, of the layers and their
inputs, and of the limits of the states in shares of the maximum power. So nodes of different size can share,
and nodes whose states mean different things cannot.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .series import Series
from .states import StateScale
from .terms import Array

WEIGHTS, COUNTS = "weights", "counts"
KEY_BYTES = 8
_DIGITS = 4  # of a limit in shares: float32 limits of the same fractions differ in the seventh

Values: TypeAlias = Mapping[str, Array]  # name of a part to its values (n,)
Losses: TypeAlias = Generator[None, None, NDArray[np.float64]]
Adoption: TypeAlias = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of one variable: float32 values (n,). It is `ready` to be shared once something is learnt."""

    rule: str
    key: bytes
    values: Array
    private: bool = False
    ready: bool = True


class Apart:
    """The methods of a model that shares nothing. Models that share override them (`Model`)."""

    def parts(self, variable: int) -> dict[str, Part]:
        """See `Model`."""
        return {}

    def adopt(self, parts: Mapping[int, Values]) -> Adoption:
        """See `Model`."""
        if any(parts.values()):
            raise ValueError("this model has no parts")
        return
        yield

    def losses_with(self, parts: Mapping[int, Values], history: Series) -> Losses:
        """See `Model`."""
        return np.full((0, len(VARIABLES)), np.nan)
        yield


def key_of(kind: str, variable: int, shapes: object, scale: StateScale) -> bytes:
    """The key of a part; `shapes` is anything whose representation tells its layers and inputs."""
    limits = scale.limits_w[variable, 1:].astype(np.float64)
    shares = [round(float(each), _DIGITS) for each in limits / limits[-1]]
    told = repr((kind, VARIABLES[variable], shapes, shares)).encode()
    return hashlib.blake2b(told, digest_size=KEY_BYTES).digest()


def checked_parts(own: Mapping[str, Part], given: Values) -> Values:
    """The values, if each belongs to a part and is finite. Raises ValueError if not."""
    for name, values in given.items():
        if name not in own:
            raise ValueError(f"{name!r} is not a part of this model")
        if values.shape != own[name].values.shape or not np.isfinite(values).all():
            raise ValueError(f"part {name!r}: not {own[name].values.shape} finite numbers")
        if own[name].rule == COUNTS and (values < 0).any():
            raise ValueError(f"part {name!r}: a count is negative")
    return given


def clipped(difference: Array, limit: float) -> Array:
    """The difference, shortened to a norm of `limit`."""
    norm = float(np.linalg.norm(difference))
    return difference if norm <= limit else difference * np.float32(limit / norm)


def merged(
    own: Mapping[str, Part],
    shares: Sequence[Values],
    weights: NDArray[np.float64],
    limits: Mapping[str, float] | None = None,
) -> dict[str, Array]:
    """The parts of one variable after merging, by name; only those that some share has.

    `weights` (1 + shares,) are not negative and add up to 1; the first is that of the own model. What is
    missing in a share counts as equal to the own part. `limits` hold the greatest norm of a difference.
    Weights become a mean, without the own ones if they are not ready. Counts become the mean of the foreign
    ones, for `Model.adopt` to keep apart.
    """
    found: dict[str, Array] = {}
    for name, part in own.items():
        there = [
            (share[name], float(weight))
            for share, weight in zip(shares, weights[1:], strict=True)
            if name in share and weight > 0.0
        ]
        if not there:
            continue
        if part.rule == COUNTS or not part.ready:
            total = sum(weight for _, weight in there)
            found[name] = np.sum([values * np.float32(weight / total) for values, weight in there], axis=0)
            continue
        limit = (limits or {}).get(name, np.inf)
        result = part.values.copy()
        for values, weight in there:
            result += np.float32(weight) * clipped(values - part.values, limit)
        found[name] = result
    return found
