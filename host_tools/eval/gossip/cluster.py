"""All nodes forecast the same sum (thesis 6.4): that of the living lab, else the sum of the buildings."""

import random
from dataclasses import replace
from typing import Any

import numpy as np

from edge.terms import DAY_MIN

from .buildings import Named, building, total
from .links import Links, neighbours
from .members import judged, member_of, named, span_of, told, with_persistence
from .microgrid import run
from .plan import HALF, LAB, Made, Plan, Work
from .spy import Spy

_JOIN_DAYS = (21, 10, 5, 2)  # days of history of the four nodes; another seed gives them to others
_KINDS = ("markov", "lstm", "mixture", HALF)


def cluster(plan: Plan, seed: int) -> Made:
    """Chains, networks, the mixture, and half of each of the first two."""
    for kind in _KINDS:
        for variant in ("consensus", "predictions"):
            yield f"{kind}/{variant}", _cluster_job(plan, kind, variant, seed)
        if kind in ("markov", "lstm"):
            for operator in (*plan.operators, "metropolis"):
                yield f"{kind}/{operator}", _cluster_job(plan, kind, operator, seed)


def _cluster_job(plan: Plan, kind: str, variant: str, seed: int) -> Work:
    """Four nodes of a chain forecast the same sum. Each has known it for another time, and has a seed of its
    own; so they differ as nodes do that joined one after the other."""

    def work() -> dict[str, Any]:
        lab = plan.data / f"{LAB}.csv.gz"
        if lab.exists():
            whole = building(plan.data, plan.reading, LAB, plan.past_days, plan.cache)
        else:
            whole = total([plan.building(each) for each in named(plan)], plan.past_days * DAY_MIN)
        models = variant not in ("predictions", "consensus")
        settings = plan.settings(
            models=models,
            operator=variant if models else "auto",
            predictions=not models,
            prediction_operator="consensus" if variant == "consensus" else "auto",
            level="minutes",
        )
        members, spies = [], []
        for number in range(len(_JOIN_DAYS)):
            days = min(_JOIN_DAYS[(number + seed - 1) % len(_JOIN_DAYS)], plan.past_days)
            of = Named(whole.record, whole.known, f"node{number + 1}")
            mine = replace(plan, model=kind).of_node(number)
            begins = mine.begins(mine.model, mine.model == "lstm", 10)
            member = member_of(mine, of, begins, seed * 100 + number, days, settings)
            members.append(member)
            spies.append(Spy.on(member.exchange))
        links = Links(neighbours("chain", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *span_of(plan, whole))
        found: dict[str, Any] = {}
        by_variant: dict[str, list[Any]] = {}
        for member, spy in zip(members, spies, strict=True):
            each = {variant: member.own}
            if not models:
                name = "auto_predictions" if variant == "predictions" else variant
                each = {"local": member.own, name: member.combined}
            if variant == "consensus":
                each["persistence_added"] = with_persistence(member, span_of(plan, member.of)[0])
            each |= spy.heard(span_of(plan, member.of)[0], member.own)
            found[member.name] = {key: judged(plan, member, plan.past_days, p) for key, p in each.items()}
            for key, p in each.items():
                by_variant.setdefault(key, []).append(p)
        apart = {key: _disagreement(each) for key, each in by_variant.items()}
        return {"nodes": found, "disagreement": apart, **told(members, links)}

    return work


def _disagreement(predicted: list[Any]) -> dict[str, float]:
    """How far the forecasts of nodes are from their mean: half the sum of absolute differences, as a mean;
    and the share of forecasts in which not all nodes name the same state."""
    each = np.stack([p.astype(np.float32) for p in predicted])
    apart = 0.5 * np.abs(each - each.mean(0)).sum(-1)
    tops = each.argmax(-1)
    return {"distance": float(apart.mean()), "other_state": float((tops != tops[:1]).any(0).mean())}
