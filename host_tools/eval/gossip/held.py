"""The networks of a node with the shared layers (trunks) that a neighbour holds of them, judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.learn.learner import Learner
from edge.learn.model import finish
from edge.learn.terms import Array
from edge.terms import DAY_MIN, VARIABLES

from .buildings import Building
from .judge import result
from .past import fresh, restore
from .plan import Plan

Trunks = Sequence[Array]  # by variable


def trunks_of(made: Learner) -> list[Array]:
    """Those that the node has."""
    return [made.model.parts(variable)["trunk"].values for variable in range(len(VARIABLES))]


def distances(held: Trunks, exact: Trunks) -> list[float]:
    """How far what is held is from the weights, in shares of them."""
    return [_norm(h - e) / _norm(e) for h, e in zip(held, exact, strict=True)]


def losses(made: Learner, trunks: Trunks) -> list[float]:
    """The mean losses (6,) of the networks with these trunks, over hours held back."""
    given = {variable: {"trunk": values} for variable, values in enumerate(trunks)}
    found: list[float] = np.nanmean(finish(made.model.losses_with(given, made.series)), 0).tolist()
    return found


def accuracy(of: Building, plan: Plan, seed: int, made: Learner, trunks: Trunks, learnt: int) -> float:
    """The accuracy of the demand on the day from line `learnt` on, with these trunks."""
    copy = fresh(of, plan.begins("lstm", False), seed, len(of.record.powers_w))
    restore(copy, of, 0, learnt, made.save())
    finish(copy.model.adopt({variable: {"trunk": values} for variable, values in enumerate(trunks)}))
    predicted: list[Any] = []
    for line in range(learnt, learnt + DAY_MIN):
        copy.observe(of.record.first_minute + line, of.record.powers_w[line])
        predicted.append(copy.predict())
    scores = result(of, 0, learnt, learnt + DAY_MIN, np.stack(predicted), "lstm")
    return scores.means(0, scores.horizons)["accuracy"]


def _norm(values: Array) -> float:
    return float(np.linalg.norm(values))
