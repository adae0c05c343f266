"""Established buildings of one data set: alone, with predictions or models of neighbours, with the oracle."""

import random
from typing import Any

from edge.terms import DAY_MIN

from .links import Links, neighbours
from .members import established, judged, member_of, replayed, span_of, told, with_persistence
from .microgrid import Member, run
from .past import Start, fresh
from .plain import Mean
from .plan import SETS, Made, Plan, Work
from .spy import Spy


def nodes(plan: Plan, seed: int) -> Made:
    """Each data set is a microgrid."""
    for each in plan.sets:
        names = [f"{each}/{name}" for name in SETS[each]]
        yield f"{each}/{plan.model}/local", _nodes_local(plan, names, seed)
        yield f"{each}/{plan.model}/predictions", _nodes_predictions(plan, names, seed)
        for variant in ("both", *plan.operators, "oracle"):
            yield f"{each}/{plan.model}/{variant}", _nodes_models(plan, names, variant, seed)


def _nodes_local(plan: Plan, names: list[str], seed: int) -> Work:
    """Each node alone, and what its predictions would be if they were only pooled with persistence."""

    def work() -> dict[str, Any]:
        found = {}
        for of in plan.buildings(names):
            kept = established(plan, of, seed).predicted
            member = Member(of, fresh(of, Start("persistence"), seed, DAY_MIN), own=kept)
            each = {"local": kept, "persistence_added": with_persistence(member, span_of(plan, of)[0])}
            found[of.name] = {key: judged(plan, member, plan.past_days, p) for key, p in each.items()}
        return {"nodes": found}

    return work


def _nodes_predictions(plan: Plan, names: list[str], seed: int) -> Work:
    """Every operator of predictions from one run, over recordings of the nodes alone."""

    def work() -> dict[str, Any]:
        settings = plan.settings(
            models=False, prediction_operator="auto", level="minutes", most_neighbours=len(names) - 1
        )
        members = []
        for of in plan.buildings(names):
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
    """Living nodes that exchange models; with `both` also predictions, as nodes do by default."""

    def work() -> dict[str, Any]:
        members = []
        for of in plan.buildings(names):
            both = variant == "both"
            settings = plan.settings(
                operator="auto" if both else variant,
                predictions=both,
                most_neighbours=len(names) - 1,
            )
            living = variant != "oracle"
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
        found = {}
        for m in members:
            each = {"models": m.own, "both": m.combined} if variant == "both" else {variant: m.own}
            found[m.name] = {key: judged(plan, m, plan.past_days, p) for key, p in each.items()}
        return {"nodes": found, **told(members, links)}

    return work
