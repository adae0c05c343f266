"""Two altruists and a free rider: what credits do to them."""

import pytest

from host_tools.sim.job import Job
from host_tools.sim.virtual import Simulation


def served(**values):
    """The share of its need that each prosumer was served, and what it paid per kWh."""
    simulation = Simulation(Job("awards", hours=0.16, values=values, check_s=60))
    try:
        outcome = simulation.run()
    finally:
        simulation.close()
    assert outcome.broken == 0
    found = {each.name: each.ours for each in outcome.figures}
    return {
        name: (found[f"{name}: served of its need"] / 100, found[f"{name}: price"])
        for name in ("rider", "altruist1", "altruist2")
    }


def test_a_free_rider_is_excluded_and_the_others_are_not_worse_off():
    without, excluded = served(response="none"), served(response="exclude")
    assert without["rider"][0] > 0.8
    assert excluded["rider"][0] < 0.15  # its first supply, before it is known
    for name in ("altruist1", "altruist2"):
        assert excluded[name][0] >= without[name][0] - 0.001


def test_a_free_rider_pays_more_and_those_who_give_pay_less():
    paid = served(response="price")
    assert paid["rider"][1] > 1.1
    assert paid["altruist1"][1] < 0.9
    assert paid["altruist2"][1] < 0.9
    assert paid["rider"][0] == pytest.approx(served(response="none")["rider"][0], abs=0.02)
