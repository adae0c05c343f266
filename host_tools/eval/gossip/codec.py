"""Weights through the codec of the nodes against float32.

Of one node, after each training: the loss of its networks with what a neighbour holds of them, and their
accuracy on the next day; and other ways to bring weights to neighbours, for a day of trainings. Of four
nodes: plain means of weights, with the same seeds; small differences grow there by chance with each training.
"""

import random
from typing import Any

from edge.learn.gossip.deltas import delta_piece
from edge.learn.model import finish
from edge.terms import DAY_MIN, VARIABLES

from .held import accuracy, distances, losses, trunks_of
from .links import Links, neighbours
from .members import judged, member_of, named, span_of, told
from .microgrid import run
from .past import fresh
from .plain import Mean
from .plan import SETS, Made, Plan, Work
from .rivals import rivals_job

_DAYS, _TRAININGS = 4, 4


def codec(plan: Plan, seed: int) -> Made:
    """Each building by itself; each data set alone, with float32, and with the codec."""
    for name in named(plan):
        for started in (True, False):
            place = f"{name}/{'shipped' if started else 'scratch'}"
            yield place, _rounding_job(plan, name, started, seed)
            yield f"{place}/rivals", rivals_job(plan, name, started, seed)
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
        held = trunks_of(made)
        rows = []
        for _ in range(_TRAININGS):
            finish(made.training())
            exact = trunks_of(made)
            pieces = [delta_piece(v, b"", exact[v], held[v]) for v in range(len(VARIABLES))]
            held = [after for _, after in pieces]
            both = [losses(made, weights) for weights in (exact, held)]
            next_day = [accuracy(of, plan, seed, made, weights, _DAYS * DAY_MIN) for weights in (exact, held)]
            rows.append(
                {
                    "bytes": sum(len(piece.data) for piece, _ in pieces),
                    "distance": distances(held, exact),
                    "exact": both[0],
                    "received": both[1],
                    "exact_accuracy": next_day[0],
                    "received_accuracy": next_day[1],
                }
            )
        return {"nodes": {}, "rounding": {of.name: rows}}

    return work


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
