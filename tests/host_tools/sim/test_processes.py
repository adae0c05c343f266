"""A microgrid in several processes: what comes out is the same in any number of them."""

import csv
import json

import pytest

from host_tools.sim import report
from host_tools.sim.job import Job
from host_tools.sim.scenario import ScenarioError
from host_tools.sim.virtual import Simulation
from host_tools.world import World, chain
from host_tools.world.areas import areas_of, in_areas

CLOCKS = ("wall_s", "sim_s_per_s")
BUSY = {"twins": 3, "scarcity": 0.8, "fill_min": 0.2}


def result(folder, processes, scenario="random", **asked):
    asked = {"values": BUSY, "hours": 12 / 3600} | asked
    simulation = Simulation(Job(scenario, processes=processes, **asked))
    try:
        outcome = simulation.run()
    finally:
        simulation.close()
    summary = report.summarise(outcome)
    report.write(outcome, summary, folder)
    read = json.loads((folder / "summary.json").read_text())
    rows = [list(csv.reader((folder / f"{name}.csv").open())) for name in ("timeseries", "requests")]
    return {key: value for key, value in read.items() if key not in CLOCKS}, rows


@pytest.mark.parametrize("nodes", ["grid:3x3", "random:8:3"])
def test_the_same_seed_gives_the_same_result_in_any_number_of_processes(tmp_path, nodes):
    alone = result(tmp_path / "1", 1, nodes=nodes)
    assert alone[0]["contracts"] > 5
    assert alone[0]["invariants_broken"] == 0
    for processes in (2, 4):
        assert result(tmp_path / str(processes), processes, nodes=nodes) == alone


def test_gates_are_in_one_area_and_the_result_of_holons_is_the_same_in_all_numbers(tmp_path):
    values = {"holons": 2, "members": 2, "twins": 3, "fill_min": 0.1, "scarcity": 0.5, "uneven": 1.0}
    asked = {"scenario": "holons", "values": values | {"kill_s": 25.0}, "hours": 40 / 3600, "reach": "1:1"}
    alone = result(tmp_path / "1", 1, **asked)
    assert alone[0]["figures"]["supplied 1 levels up"]["ours"] > 0
    assert alone[0]["figures"]["consumers that a failed gate served"]["ours"] > 0
    assert alone[0]["invariants_broken"] == 0
    for processes in (2, 3):
        assert result(tmp_path / str(processes), processes, **asked) == alone


def test_a_machine_has_the_nodes_of_all_its_gates():
    simulation = Simulation(Job("holons", values={"parents": 2, "holons": 2, "members": 2, "gates": 1}))
    found = simulation.world.machines()
    simulation.close()
    assert ["p1-h1-n1", "p1-h1g1", "g-p1g1"] in found
    assert ["p2-h2-n1", "p2-h2g1"] in found
    assert ["p1-h1-n2"] in found
    assert sum(map(len, found)) == 14
    areas = areas_of(found, 2)
    assert sorted(map(len, areas)) == [7, 7]
    assert all(machine[-1] in area for machine in found for area in areas if machine[0] in area)


def test_more_processes_than_nodes_are_not_started(tmp_path):
    assert areas_of([["a"], ["b"], ["c"]], 8) == [["a"], ["b"], ["c"]]
    assert areas_of([[each] for each in "abcde"], 2) == [["a", "b", "c"], ["d", "e"]]
    assert result(tmp_path / "1", 1, nodes="chain:2") == result(tmp_path / "8", 8, nodes="chain:2")


def test_an_error_in_another_area_ends_the_run():
    world = World(seed=1)
    for name, neighbours in chain(["a", "b"]).items():
        world.add(name, neighbours, [])

    def play(team):
        world.keep_to(team)
        world.boot()
        if team.index:
            raise SystemExit(3)
        world.run(60.0)

    with pytest.raises((EOFError, ConnectionError)):
        in_areas([["a"], ["b"]], 2, play)
    world.close()


@pytest.mark.parametrize("asked", [{"learn": "markov"}, {"latency_ms": 0.0}, {"processes": 0}])
def test_what_needs_one_process_is_refused_in_several(asked):
    with pytest.raises(ScenarioError, match="processes"):
        Simulation(Job("random", **({"processes": 2} | asked)))
    with pytest.raises(ScenarioError, match="processes"):
        Simulation(Job("limit", processes=2))
