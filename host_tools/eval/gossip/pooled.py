"""Pooled training: all data in one place, which no gossip can do. A node begins with networks and counts of
everybody's last week, in shares of its own scale, and then lives on its own days."""

import random

import numpy as np

from edge.terms import DAY_MIN

from .buildings import Building
from .links import Links
from .members import member_of, span_of, start_line
from .microgrid import Member, run
from .past import Start
from .plan import Plan


def pooled(
    plan: Plan, of: Building, others: list[Building], begins: Start, own_days: int, seed: int
) -> Member:
    """The node after the judged days, with its predictions."""
    until = start_line(of, plan)
    foreign = []
    for each in others:
        lines = each.record.powers_w[max(until - 7 * DAY_MIN, 0) : until]
        foreign.append((lines * np.float32(of.max_power_w / each.max_power_w)).astype(np.float32))
    member = member_of(plan, of, begins, seed, own_days, None, tuple(foreign))
    run([member], Links([set()], random.Random(0)), *span_of(plan, of))
    return member
