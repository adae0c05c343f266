"""When power is short: a fair share serves all alike, prioritisation those who came first."""

from host_tools.sim.job import Job
from host_tools.sim.metrics import of_energy
from host_tools.sim.virtual import Simulation


def played(policy):
    simulation = Simulation(Job("scarcity", hours=0.1, policy=policy, check_s=60))
    try:
        outcome = simulation.run()
    finally:
        simulation.close()
    assert outcome.broken == 0
    return of_energy(outcome.recorder)["fairness"], [each.ours for each in outcome.figures]


def test_fair_shares_serve_all_and_take_nothing_from_the_sum():
    jain, (worst, best, starved) = played("fair_share")
    assert jain > 0.98
    assert worst > 40.0
    assert starved == 0
    jain_before, (worst_before, best_before, starved_before) = played("prioritisation")
    assert jain_before < 0.75
    assert worst_before < 5.0 < 90.0 < best_before
    assert best < best_before
    assert starved_before >= 3
