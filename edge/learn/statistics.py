"""Statistics of predictions by day, variable, horizon and hour of the target, merged as asked (thesis 5.5.5).

An hour is trivial for a variable that was without power all the time. Sums are kept by group, so that the
memory depends on the number of groups and not on that of the predictions.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..terms import VARIABLES
from .scores import SUMS, Judged, means
from .terms import HORIZONS_MIN, STATES

_HOURS_OF_DAY = 24


class Group(NamedTuple):
    """Which predictions a line is about; None where it is about all."""

    model: str
    day: int | None  # of the target, since 1970 of civil time
    variable: int | None
    horizon: int | None  # its number
    hour: int | None  # of the day


@dataclass(frozen=True, slots=True)
class Asked:
    """The predictions that count, and how they are grouped."""

    variables: Collection[int]
    horizons: Collection[int]
    hours: Collection[int]  # of the day
    trivial: bool  # whether hours without power count
    merged: Collection[str]  # of "days", "variables", "horizons" and "hours"


class Statistics:
    """Adds up hours."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._groups: dict[Group, NDArray[np.float64]] = {}
        self._totals: dict[Group, NDArray[np.float64]] = {}

    def add(self, model: str, judged: Judged) -> None:
        """Count an hour of a model, as far as it was asked for."""
        asked = self._asked
        day, hour = divmod(judged.hour, _HOURS_OF_DAY)
        if judged.horizon not in asked.horizons or hour not in asked.hours:
            return
        for variable in asked.variables:
            if judged.trivial[variable] and not asked.trivial:
                continue
            counted = np.concatenate(
                (judged.sums[:, variable], judged.promised[variable], judged.happened[variable])
            )
            group = Group(
                model,
                None if "days" in asked.merged else day,
                None if "variables" in asked.merged else variable,
                None if "horizons" in asked.merged else judged.horizon,
                None if "hours" in asked.merged else hour,
            )
            total = Group(model, None, None, None, None)
            for groups, key in ((self._groups, group), (self._totals, total)):
                if key in groups:
                    groups[key] += counted
                else:
                    groups[key] = counted.copy()

    def rows(self, least: int) -> Iterator[tuple[Group, dict[str, Any]]]:
        """The groups with at least that many predictions, in order."""
        for group in sorted(self._groups, key=_order):
            if self._groups[group][0] >= least:
                yield group, _shown(self._groups[group])

    def totals(self) -> Iterator[tuple[Group, dict[str, Any]]]:
        """All that counts, by model."""
        return ((group, _shown(self._totals[group])) for group in sorted(self._totals, key=_order))


def _order(group: Group) -> tuple[str, list[int]]:
    return group.model, [-1 if each is None else each for each in group[1:]]


def _shown(counted: NDArray[np.float64]) -> dict[str, Any]:
    n = counted[0]
    promised, happened = counted[len(SUMS) : -STATES] / max(n, 1), counted[-STATES:] / max(n, 1)
    return {
        **means(counted[: len(SUMS)]),
        "promised": promised.round(4).tolist(),
        "happened": happened.round(4).tolist(),
    }


def named(group: Group) -> dict[str, Any]:
    """Variable and horizon as people know them."""
    return {
        "model": group.model,
        "variable": None if group.variable is None else VARIABLES[group.variable],
        "horizon_min": None if group.horizon is None else HORIZONS_MIN[group.horizon],
        "hour": group.hour,
    }
