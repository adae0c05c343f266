"""Established buildings of one data set: alone, with predictions or models of neighbours, with the oracle."""

import random
from typing import Any

from .links import Links, neighbours
from .members import established, judged, member_of, replayed, span_of, told
from .microgrid import run
from .plain import Mean
from .plan import SETS, Made, Plan, Work
from .spy import Spy


def nodes(plan: Plan, seed: int) -> Made:
    """Each data set is a microgrid."""
    for each in plan.sets:
        names = [f"{each}/{name}" for name in SETS[each]]
        yield f"{each}/{plan.model}/predictions", _nodes_predictions(plan, names, seed)
        for variant in (*plan.operators, "local", "oracle"):
            yield f"{each}/{plan.model}/{variant}", _nodes_models(plan, names, variant, seed)


def _nodes_predictions(plan: Plan, names: list[str], seed: int) -> Work:
    """Every operator of predictions from one run, over recordings of the nodes alone."""

    def work() -> dict[str, Any]:
        settings = plan.settings(models=False, prediction_operator="auto", level="minutes")
        members = []
        for name in names:
            of = plan.building(name)
            recording = established(plan, of, seed)
            members.append(replayed(plan, of, recording, seed, settings, plan.past_days))
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        spies = [Spy.on(member.exchange) for member in members]
        run(members, links, *span_of(plan, members[0].of))
        found = {}
        for member, spy in zip(members, spies, strict=True):
            each = {"local": member.own, "auto_predictions": member.combined}
            each |= spy.heard(span_of(plan, member.of)[0], member.own)
            found[member.name] = {key: judged(plan, member, plan.past_days, p) for key, p in each.items()}
        return {"nodes": found, **told(members, links)}

    return work


def _nodes_models(plan: Plan, names: list[str], variant: str, seed: int) -> Work:
    """Living nodes that exchange models."""

    def work() -> dict[str, Any]:
        members = []
        for name in names:
            of = plan.building(name)
            settings = plan.settings(operator=variant, predictions=False)
            living = variant not in ("local", "oracle")
            member = member_of(
                plan,
                of,
                plan.begins(plan.model, plan.shipped, plan.updates),
                seed,
                plan.past_days,
                settings if living else None,
            )
            if variant == "oracle":
                member.exchange = Mean(of.name, member.learner, plan.train_every_min, private=True)
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *span_of(plan, members[0].of))
        found = {m.name: {variant: judged(plan, m, plan.past_days, m.own)} for m in members}
        return {"nodes": found, **told(members, links)}

    return work
