"""Weights through the codec of the nodes against float32: plain means, same seeds."""

import random
from typing import Any

from .links import Links, neighbours
from .members import judged, member_of, span_of, told
from .microgrid import run
from .plain import Mean
from .plan import SETS, Made, Plan, Work


def codec(plan: Plan, seed: int) -> Made:
    """Each data set alone, with float32, and with the codec."""
    for each in plan.sets:
        for variant in ("local", "float32", "codec"):
            yield f"{each}/{variant}", _codec_job(plan, each, variant, seed)


def _codec_job(plan: Plan, data: str, variant: str, seed: int) -> Work:
    def work() -> dict[str, Any]:
        members = []
        for name in SETS[data][:4]:
            of = plan.building(f"{data}/{name}")
            member = member_of(plan, of, plan.begins("lstm", True, plan.updates), seed, plan.past_days)
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
