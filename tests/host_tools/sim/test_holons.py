"""The scenario with microgrids below a parent: its shape, and what a run of it reports."""

import pytest

from host_tools.sim.job import Job
from host_tools.sim.report import summarise
from host_tools.sim.scenario import ScenarioError
from host_tools.sim.topology import parts
from host_tools.sim.virtual import Simulation

SMALL = {"holons": 2, "members": 2, "twins": 3, "fill_min": 0.1, "scarcity": 0.5, "uneven": 1.0}


def shape(**values):
    return {plan.name: plan.neighbours for plan in Job("holons", values=SMALL | values).plans()}


def test_holons_are_microgrids_of_their_own_below_one_parent():
    found = parts(shape(holons=3))
    assert len(set(found.values())) == 4
    assert found["h1-n1"] == found["h1-n2"] != found["h2-n1"]
    assert found["g-h1g1"] == found["g-h3g2"]


def test_three_levels_have_a_parent_of_parents():
    found = parts(shape(parents=2))
    assert len(set(found.values())) == 4 + 2 + 1
    assert found["p1-h1g1"] == found["p1-h2g1"] != found["p2-h1g1"]
    assert found["g-p1g1"] == found["g-p2g2"]


def test_it_has_its_own_topology_and_no_more_gates_than_members():
    with pytest.raises(ScenarioError, match="nodes"):
        Job("holons", nodes="chain:3").plans()
    with pytest.raises(ScenarioError, match="gates = 3"):
        shape(gates=3)


def test_what_is_missing_in_one_holon_comes_from_another_even_when_a_gate_fails():
    simulation = Simulation(Job("holons", hours=45 / 3600, values=SMALL | {"kill_s": 25.0}))
    outcome = simulation.run()
    simulation.close()
    assert outcome.broken == 0, outcome.violations
    rows = {figure.name: figure.ours for figure in outcome.figures}
    assert rows["supplied 1 levels up"] > 0
    assert rows["h2-n1.up: bought in"] == rows["h2-n1.up: sold in"] == 0.0
    assert rows["h2-n1.up: bought out"] > 0.0
    assert 0 < rows["consumers that a failed gate served"] == rows[" of them served again"]
    assert rows[" the last after"] <= 15.0
    energy_wh = summarise(outcome)["energy_wh"]
    assert energy_wh["from_other"] == 0.0, "what gates pass on is made by others"
    assert energy_wh["from_pv"] == energy_wh["supplied"] <= energy_wh["produced"]
    assert energy_wh["consumed"] > 0.0
