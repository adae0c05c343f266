"""Free power by time of day, and runs for which contracts for later are asked and promised."""

from dataclasses import replace

from market import contract, show

from edge.energy.messages import Answer, Priority, Request
from edge.energy.rules import MIN_POWER_W

MIDNIGHT = 1_699_920_000.0


HOUR = 3600.0


def sunny_day(ahead, peak_w=1000.0):
    """A day on which power is free from 10:00 to 14:00."""
    for minute in range(24 * 60):
        hour = minute / 60
        ahead.note(peak_w if 10 <= hour < 14 else 0.0, MIDNIGHT + minute * 60)


def later(supplier, name, number, power_w, run_s, latest_in_s, now_s=0.0, civil_s=MIDNIGHT):
    """A consumer asks for a run that begins later; what it is offered."""
    request = Request(number, power_w, Priority.LOW, run_s=run_s, latest_in_s=latest_in_s)
    supplier.see_request(name, request, 0, now_s)
    supplier.step(now_s, civil_s)
    return supplier.offers().get(name)


def accept(supplier, name, number, power_w, in_s, now_s=0.0):
    """Its contract over that, confirmed and valid."""
    supplier.see_request(name, None, 0, now_s)
    proposed = replace(contract(number, power_w), in_s=max(1, round(in_s)))
    show(supplier, name, proposed, now_s=now_s)
    assert supplier.answers()[name] == (Answer(number, True, MIN_POWER_W),)  # it cannot begin yet
    valid = replace(proposed, revision=1, valid=True)
    show(supplier, name, valid, now_s=now_s)
    return valid
