"""Shapes of a microgrid, loss, cuts, absent nodes, periods and budgets, with a cheap model."""

import random
from dataclasses import replace
from typing import Any

from edge.terms import DAY_MIN

from .buildings import Named
from .links import Links, neighbours
from .members import judged, member_of, span_of, told
from .microgrid import run
from .plan import SETS, Made, Plan, Work


def topology(plan: Plan, seed: int) -> Made:
    """Each change of the usual microgrid, and the usual one without gossip."""
    usual = {"topology": "chain", "nodes": 8, "period": 20, "loss": 0.0, "budget": 100}
    changes: list[dict[str, Any]] = [{"alone": True}, {}]
    changes += [
        {"topology": each, "nodes": nodes} for each in ("chain", "ring", "random") for nodes in (4, 8, 16, 36)
    ]
    changes += [{"period": each} for each in (5, 120)] + [{"loss": 0.2}, {"cut": True}, {"churn": True}]
    changes += [{"budget": each} for each in (10, 1000)]
    done = set()
    for change in changes:
        given = usual | change
        name = "-".join(f"{key}={value}" for key, value in given.items())
        if name not in done:
            done.add(name)
            yield name, _topology_job(plan, given, seed)


def _topology_job(plan: Plan, given: dict[str, Any], seed: int) -> Work:
    """Newcomers with two days of data among each other, Markov chains; their clocks are shifted by weeks."""

    def work() -> dict[str, Any]:
        names = [f"{each}/{name}" for each in SETS for name in SETS[each]]
        count = given["nodes"]
        settings = plan.settings(
            model_every_min=given["period"],
            bytes_per_hour=3600 * given["budget"],
            prediction_operator="experts",
            predictions=False,
        )
        members = []
        first = None
        for number in range(count):
            of = plan.building(names[number % len(names)])
            weeks = number // len(names)  # the same building a week later, when there are too few
            of = replace(of, record=of.part(7 * weeks * DAY_MIN, len(of.record.powers_w)))
            if number >= len(names):
                of = Named(of.record, of.known, f"{of.name}_{weeks}")
            member = member_of(
                plan, of, plan.begins("markov", False), seed, 2, None if given.get("alone") else settings
            )
            begin = span_of(plan, of)[0]
            first = begin if first is None else first
            member.shift = begin - first
            if given.get("churn") and number % 4 == 1:
                member.absent = range(first + DAY_MIN, first + 2 * DAY_MIN)
            members.append(member)
        assert first is not None
        links = Links(
            neighbours(given["topology"], count, random.Random(seed)),
            random.Random(seed),
            given["loss"],
            range(first + DAY_MIN, first + 2 * DAY_MIN) if given.get("cut") else range(0),
        )
        run(members, links, first, first + plan.days * DAY_MIN)
        found = {m.name: {"gossip": judged(plan, m, 2, m.own)} for m in members}
        return {"nodes": found, "given": given, **told(members, links)}

    return work
