"""Weights through the codec of the nodes against float32.

Of one node, after each training: the loss of its networks with what a neighbour holds of them, and their
accuracy on the next day. Of four
nodes: plain means of weights, with the same seeds; small differences grow there by chance with each training.
"""

import random
from typing import Any

import numpy as np

from edge.learn.gossip.deltas import delta_piece
from edge.learn.learner import Learner
from edge.learn.model import finish
from edge.learn.terms import Array
from edge.terms import DAY_MIN, VARIABLES

from .buildings import Building
from .judge import result
from .links import Links, neighbours
from .members import judged, member_of, named, span_of, told
from .microgrid import run
from .past import fresh, restore
from .plain import Mean
from .plan import SETS, Made, Plan, Work

_DAYS, _TRAININGS = 4, 4


def codec(plan: Plan, seed: int) -> Made:
    """Each building by itself; each data set alone, with float32, and with the codec."""
    for name in named(plan):
        for started in (True, False):
            yield f"{name}/{'shipped' if started else 'scratch'}", _rounding_job(plan, name, started, seed)
    for each in plan.sets:
        for variant in ("local", "float32", "codec"):
            yield f"{each}/{variant}", _codec_job(plan, each, variant, seed)


def _rounding_job(plan: Plan, name: str, started: bool, seed: int) -> Work:
    """Some trainings after four days; each is sent as differences to what was sent before."""

    def work() -> dict[str, Any]:
        of = plan.building(name)
        made = fresh(of, plan.begins("lstm", started), seed, len(of.record.powers_w))
        for line in range(_DAYS * DAY_MIN):
            made.observe(of.record.first_minute + line, of.record.powers_w[line])
        held = _trunks(made)
        rows = []
        for _ in range(_TRAININGS):
            finish(made.training())
            exact = _trunks(made)
            pieces = [delta_piece(v, b"", exact[v], held[v]) for v in range(len(VARIABLES))]
            held = [after for _, after in pieces]
            losses = [_losses(made, weights) for weights in (exact, held)]
            accuracies = [_accuracy(of, plan, seed, made, weights) for weights in (exact, held)]
            rows.append(
                {
                    "bytes": sum(len(piece.data) for piece, _ in pieces),
                    "distance": [_norm(h - e) / _norm(e) for h, e in zip(held, exact, strict=True)],
                    "exact": losses[0],
                    "received": losses[1],
                    "exact_accuracy": accuracies[0],
                    "received_accuracy": accuracies[1],
                }
            )
        return {"nodes": {}, "rounding": {of.name: rows}}

    return work


def _trunks(made: Learner) -> list[Array]:
    return [made.model.parts(variable)["trunk"].values for variable in range(len(VARIABLES))]


def _losses(made: Learner, trunks: list[Array]) -> list[float]:
    """The mean losses (6,) of the networks with these trunks, over hours held back."""
    given = {variable: {"trunk": values} for variable, values in enumerate(trunks)}
    found: list[float] = np.nanmean(finish(made.model.losses_with(given, made.series)), 0).tolist()
    return found


def _accuracy(of: Building, plan: Plan, seed: int, made: Learner, trunks: list[Array]) -> float:
    """The accuracy of the demand on the day after the last that was learnt, with these trunks."""
    learnt = _DAYS * DAY_MIN
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


def _codec_job(plan: Plan, data: str, variant: str, seed: int) -> Work:
    def work() -> dict[str, Any]:
        members = []
        for of in plan.buildings([f"{data}/{name}" for name in SETS[data][:4]]):
            member = member_of(
                plan, of, plan.begins("lstm", plan.shipped, plan.updates), seed, plan.past_days
            )
            if variant != "local":
                every = plan.train_every_min
                member.exchange = Mean(of.name, member.learner, every, codec=variant == "codec")
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *span_of(plan, members[0].of))
        found = {m.name: {variant: judged(plan, m, plan.past_days, m.own)} for m in members}
        paired = {m.name: m.exchange.paired.told for m in members if m.exchange and m.exchange.paired}
        return {"nodes": found, "paired": paired, **told(members, links)}

    return work
