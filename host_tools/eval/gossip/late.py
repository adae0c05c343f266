"""A newcomer with few days of own data among established neighbours, and its next week.

Neighbours are not changed by the newcomer. So those that send models are computed up to its first day and
send what they have then; those that send predictions are recorded.
"""

import random
from typing import Any

from edge.terms import DAY_MIN

from .links import Links
from .members import (
    established,
    frozen,
    judged,
    member_of,
    named,
    recorded,
    replayed,
    span_of,
    told,
    with_persistence,
)
from .microgrid import Member, run
from .past import Start, fresh
from .plan import NETWORKS, Made, Plan, Work
from .pooled import pooled
from .spy import Spy


def late(plan: Plan, seed: int) -> Made:
    """Each newcomer, with each number of days and each variant."""
    names = named(plan)
    for own_days in plan.own_days:
        for name in names:
            if plan.newcomers and name.split("/")[1] not in plan.newcomers:
                continue
            others = tuple(
                other for other in names if other != name and other.split("/")[0] == name.split("/")[0]
            )
            place = f"{plan.model}/{name}/{own_days}d"
            networks = plan.model in NETWORKS
            for variant in (
                "scratch",
                *(("shipped",) if networks else ()),
                "predictions",
                "both",
                *plan.operators,
                "pooled",
                *(("pooled_shipped",) if networks else ()),
            ):
                yield f"{place}/{variant}", _late_job(plan, name, others, own_days, variant, seed)


def _late_job(plan: Plan, name: str, others: tuple[str, ...], own_days: int, variant: str, seed: int) -> Work:
    def work() -> dict[str, Any]:
        of, *rest = plan.buildings([name, *others])
        updates = 6 * own_days
        if variant in ("scratch", "shipped"):
            started = variant == "shipped"
            begins = plan.begins(plan.model, started, updates)
            kept = recorded(plan, of, begins, seed, own_days)
            member = Member(of, fresh(of, Start("persistence"), seed, DAY_MIN), own=kept.predicted)
            found = {variant: member.own}
            if variant == "scratch":
                found["persistence_added"] = with_persistence(member, span_of(plan, of)[0])
            return {"nodes": {of.name: {key: judged(plan, member, own_days, p) for key, p in found.items()}}}
        if variant in ("pooled", "pooled_shipped"):
            begins = plan.begins(plan.model, variant == "pooled_shipped", updates)
            member = pooled(plan, of, rest, begins, own_days, seed)
            return {"nodes": {of.name: {variant: judged(plan, member, own_days, member.own)}}}
        models, both = variant != "predictions", variant == "both"
        settings = plan.settings(
            models=models,
            operator=variant if models and not both else "auto",
            predictions=both or not models,
            prediction_operator="experts" if both else "equal" if models else "auto",
            most_neighbours=len(others),
        )
        begins = plan.begins(plan.model, plan.shipped, updates)
        if models:
            member = member_of(plan, of, begins, seed, own_days, settings)
        else:
            kept = recorded(plan, of, begins, seed, own_days)
            member = replayed(plan, of, kept, seed, settings, own_days)
        spy = Spy.on(member.exchange)
        members = [member]
        quiet = plan.settings(
            models=models, predictions=both or not models, prediction_operator="equal", operator="equal"
        )
        for theirs in rest:
            alone = models and not both
            recording = frozen(plan, theirs, seed) if alone else established(plan, theirs, seed)
            members.append(replayed(plan, theirs, recording, seed, quiet, plan.neighbour_days))
        links = Links([set(), *({0} for _ in others)], random.Random(seed))  # they need nothing of a newcomer
        run(members, links, *span_of(plan, of))
        found = spy.heard(span_of(plan, of)[0], member.own)
        if both:
            found |= {"models": member.own, "both": member.combined}
        else:
            found |= {variant: member.own} if models else {"auto_predictions": member.combined}
        scores = {key: judged(plan, member, own_days, each) for key, each in found.items()}
        return {"nodes": {of.name: scores}, **told(members, links)}

    return work
