"""Established buildings of one data set: alone, with predictions or models of neighbours, with the oracle."""

import random
from typing import Any

from edge.terms import DAY_MIN

from .links import Links, neighbours
from .members import established, judged, member_of, recorded, replayed, span_of, told, with_persistence
from .microgrid import Member, run
from .past import Start, fresh
from .plain import Mean
from .plan import HALF, NETWORKS, SETS, Made, Plan, Work
from .pooled import pooled
from .spy import Spy


def nodes(plan: Plan, seed: int) -> Made:
    """Each data set is a microgrid."""
    for each in plan.sets:
        names = [f"{each}/{name}" for name in SETS[each]]
        place = f"{each}/{plan.model}"
        yield f"{place}/local", _nodes_local(plan, names, seed)
        yield f"{place}/predictions", _nodes_predictions(plan, names, seed)
        if plan.model == HALF:  # a node merges only with models of its own kind, so operators say little
            yield f"{place}/both", _nodes_models(plan, names, "both", seed)
            continue
        for variant in ("both", *plan.operators, "oracle"):
            yield f"{place}/{variant}", _nodes_models(plan, names, variant, seed)
        if plan.model in NETWORKS and not plan.shipped:  # else `local` is the same
            yield f"{place}/finetune", _nodes_finetune(plan, names, seed)
        yield f"{place}/pooled", _nodes_pooled(plan, names, seed)


def _nodes_local(plan: Plan, names: list[str], seed: int) -> Work:
    """Each node alone, and what its predictions would be if they were only pooled with persistence."""

    def work() -> dict[str, Any]:
        found = {}
        for number, of in enumerate(plan.buildings(names)):
            kept = established(plan.of_node(number), of, seed).predicted
            member = Member(of, fresh(of, Start("persistence"), seed, DAY_MIN), own=kept)
            each = {"local": kept, "persistence_added": with_persistence(member, span_of(plan, of)[0])}
            found[of.name] = {key: judged(plan, member, plan.past_days, p) for key, p in each.items()}
        return {"nodes": found}

    return work


def _nodes_finetune(plan: Plan, names: list[str], seed: int) -> Work:
    """Each node alone, with shipped networks that are only fitted further."""

    def work() -> dict[str, Any]:
        found = {}
        begins = plan.begins(plan.model, True, plan.updates)
        for of in plan.buildings(names):
            kept = recorded(plan, of, begins, seed, plan.past_days).predicted
            member = Member(of, fresh(of, Start("persistence"), seed, DAY_MIN), own=kept)
            found[of.name] = {"finetune": judged(plan, member, plan.past_days, kept)}
        return {"nodes": found}

    return work


def _nodes_pooled(plan: Plan, names: list[str], seed: int) -> Work:
    """Each node alone, after a training with the last week of all others, too."""

    def work() -> dict[str, Any]:
        found = {}
        begins = plan.begins(plan.model, plan.shipped, plan.updates)
        buildings = plan.buildings(names)
        for of in buildings:
            others = [each for each in buildings if each is not of]
            member = pooled(plan, of, others, begins, plan.past_days, seed)
            found[of.name] = {"pooled": judged(plan, member, plan.past_days, member.own)}
        return {"nodes": found}

    return work


def _nodes_predictions(plan: Plan, names: list[str], seed: int) -> Work:
    """Every operator of predictions from one run, over recordings of the nodes alone."""

    def work() -> dict[str, Any]:
        settings = plan.settings(
            models=False, prediction_operator="auto", level="minutes", most_neighbours=len(names) - 1
        )
        members = []
        for number, of in enumerate(plan.buildings(names)):
            mine = plan.of_node(number)
            recording = established(mine, of, seed)
            members.append(replayed(mine, of, recording, seed, settings, plan.past_days))
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
        for number, of in enumerate(plan.buildings(names)):
            mine, both = plan.of_node(number), variant == "both"
            settings = plan.settings(
                operator="auto" if both else variant,
                predictions=both,
                most_neighbours=len(names) - 1,
            )
            living = variant != "oracle"
            begins = mine.begins(mine.model, mine.shipped, mine.updates)
            member = member_of(mine, of, begins, seed, plan.past_days, settings if living else None)
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
