"""One node of four sends what does harm."""

import random
from typing import Any

from .buildings import Oversized
from .links import Links, neighbours
from .members import judged, member_of, span_of, told
from .microgrid import run
from .plain import ATTACKS, Hostile, Mean
from .plan import SETS, Made, Plan, Work


def hostile(plan: Plan, seed: int) -> Made:
    """Each attack, against gossip and against a plain mean."""
    for attack in ("none", *ATTACKS):
        for defence in ("gossip", "mean"):
            yield f"{attack}/{defence}", _hostile_job(plan, attack, defence, seed)


def _hostile_job(plan: Plan, attack: str, defence: str, seed: int) -> Work:
    """Four nodes, all neighbours of each other; the last one attacks. `mean`: a plain mean of weights."""

    def work() -> dict[str, Any]:
        members = []
        names = [f"{plan.sets[0]}/{name}" for name in SETS[plan.sets[0]][:4]]
        for number, of in enumerate(plan.buildings(names)):
            bad = number == len(names) - 1 and attack != "none"
            if bad and attack == "other_scale":
                of = Oversized(of.record, of.known)
            ours = defence == "gossip"
            settings = plan.settings(prediction_operator="experts")
            begins = plan.begins(plan.model, plan.shipped, plan.updates)
            member = member_of(plan, of, begins, seed, plan.past_days, settings if ours else None)
            if not ours:
                member.exchange = Mean(of.name, member.learner, plan.train_every_min)
            if bad:
                member.exchange = Hostile(attack, member.exchange, member.learner, random.Random(seed))
            member.judged = number < len(names) - 1
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *span_of(plan, members[0].of))
        found = {m.name: {defence: judged(plan, m, plan.past_days, m.combined)} for m in members if m.judged}
        return {"nodes": found, **told(members, links)}

    return work
