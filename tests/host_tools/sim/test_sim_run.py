"""The simulator as a whole: small microgrids from the command line, and their output files."""

import csv
import json
import re
import struct

import pytest

import host_tools.sim.virtual as virtual
from host_tools.__main__ import main
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series, grid_connection
from host_tools.sim.job import Job
from host_tools.sim.real import look
from host_tools.sim.report import summarise
from host_tools.sim.scenario import Parameter, Scenario
from host_tools.sim.scenarios import SCENARIOS
from host_tools.sim.virtual import Simulation

KEYS = {
    "scenario",
    "seed",
    "nodes",
    "hours",
    "policy",
    "requests",
    "satisfied",
    "response_s",
    "failure_rate",
    "energy_wh",
    "self_sufficiency",
    "self_consumption",
    "contracts",
    "messages",
    "bytes",
    "invariants_checked",
    "invariants_broken",
    "wall_s",
    "fairness",
    "sim_s_per_s",
}


def village(setting):
    """A roof at the first node, a load at each that doubles after 20 s, and perhaps a grid connection."""
    plans = []
    for i, name in enumerate(setting.nodes):
        load = DevicePlan("load", "load", Series([0.0, 20.0], [100.0, 200.0 + i]))
        roof = DevicePlan("roof", "pv", Series([0.0], [setting.values["pv_w"]]))
        plans.append(BuildingPlan(name, [load, roof] if i == 0 else [load]))
    if setting.values["grid_w"]:
        plans[0].extra.append(grid_connection(setting.values["grid_w"]))
    return plans


@pytest.fixture(autouse=True)
def scenario(monkeypatch):
    parameters = (Parameter("pv_w", 1000.0, 0.0, 1e4), Parameter("grid_w", 0.0, 0.0, 1e4))
    made = Scenario("village", "for tests", village, 60 / 3600, "chain:2", parameters, 2.0)
    monkeypatch.setitem(SCENARIOS, "village", made)


def play(**asked):
    simulation = Simulation(Job("village", **asked))
    try:
        return simulation.run()
    finally:
        simulation.close()


def summary_of(**asked):
    return summarise(play(**asked))


def test_enough_power_serves_every_request_at_once():
    found = summary_of()
    assert found.keys() >= KEYS
    assert (found["nodes"], found["twins"], found["requests"], found["satisfied"]) == (2, 3, 4, 4)
    assert 0.0 <= found["response_s"]["max"] < 1.0
    assert found["failure_rate"] < 0.01
    energy = found["energy_wh"]
    assert energy["consumed"] == pytest.approx(energy["supplied"], rel=1e-3)
    assert energy["requested"] == pytest.approx((20 * 200 + 40 * 401) / 3600, rel=0.05)
    assert found["self_sufficiency"] == 1.0
    assert found["invariants_broken"] == 0 < found["invariants_checked"]
    assert found["messages"] > 0 < found["bytes"]


def test_too_little_power_is_missing_but_no_failure():
    found = summary_of(values={"pv_w": 90.0})
    assert (found["satisfied"], found["unservable"]) == (0, 2)
    assert found["failure_rate"] == 0.0
    assert found["energy_wh"]["missing"] == pytest.approx(found["energy_wh"]["requested"], rel=0.05)


def test_what_the_grid_gives_is_not_self_sufficient():
    found = summary_of(values={"pv_w": 0.0, "grid_w": 1000.0})
    assert found["satisfied"] == found["requests"] > 0
    assert found["self_sufficiency"] == pytest.approx(0.0)
    assert found["self_consumption"] is None
    energy = found["energy_wh"]
    assert energy["produced"] == 0.0
    assert energy["imported"] == energy["supplied"] > 0.0
    assert energy["ready"] > energy["imported"]


def test_power_flows_from_the_node_that_has_it():
    flow_wh = play().recorder.flow_wh
    assert flow_wh[0, 0] > 0 < flow_wh[1, 0]
    assert flow_wh[0, 1] == flow_wh[1, 1] == 0


def test_a_seed_gives_the_same_run_again_and_another_seed_another():
    def facts(seed):
        found = summary_of(seed=seed, nodes="random:4:2")
        return {key: value for key, value in found.items() if key not in ("wall_s", "sim_s_per_s", "seed")}

    assert facts(3) == facts(3)
    assert facts(3) != facts(4)


def test_policies_reach_the_twins():
    found = summary_of(policy="random", consumer_policy="first_fit", hours=0.001)
    assert (found["policy"], found["consumer_policy"]) == ("random", "first_fit")


def test_latency_shows_in_response_times():
    slow = summary_of(latency_ms=500)["response_s"]["max"]
    assert slow > summary_of(latency_ms=1)["response_s"]["max"] + 1.0


def test_a_run_leaves_its_summary_tables_and_plots(tmp_path, capsys):
    assert main(["sim", "village", "--nodes", "ring:3", "--seed", "2", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("failure rate", "energy served", "production used", "imported"))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["topology"], summary["seed"]) == ("ring:3", 2)
    with (tmp_path / "timeseries.csv").open() as file:
        series = list(csv.DictReader(file))
    assert len(series) == 60 * 3
    assert series[-1]["requested_w"] == "202.0"
    assert series[-1].keys() >= {"imported_w", "exported_w", "offered_w"}
    with (tmp_path / "requests.csv").open() as file:
        requests = list(csv.DictReader(file))
    assert len(requests) == summary["requests"]
    assert max(float(each["response_s"]) for each in requests) == pytest.approx(
        summary["response_s"]["max"], abs=0.001
    )
    for name in ("six_variables", "responses", "supply"):
        head = (tmp_path / f"{name}.png").read_bytes()[:24]
        assert struct.unpack(">I", head[16:20]) == (1200,)


def test_broken_invariants_are_told_with_time_and_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(virtual, "broken", lambda world, **_: ["I1 somebody promised too much"])
    code = main(["sim", "village", "--seed", "5", "--hours", "0.01", "--no-plots", "--out", str(tmp_path)])
    lines = capsys.readouterr().err.splitlines()
    assert code == 1
    assert len(lines) == 10
    assert "s, seed 5: I1" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nothing"], "'nothing'"),
        ([], "SCENARIO"),
        (["village", "--nodes", "tree:3"], "'tree:3'"),
        (["village", "--policy", "best"], "'best'"),
        (["village", "--hours", "0"], "hours = 0"),
        (["village", "--latency-ms", "-1"], "latency_ms = -1"),
        (["village", "--set", "pv_w=much"], "pv_w = 'much'"),
        (["village", "--set", "pv_w=1e9"], "pv_w = 1000000000.0"),
        (["village", "--set", "sun=1"], "sun = '1'"),
        (["village", "--set", "pv_w"], "'pv_w'"),
        (["village", "--compare", "sun=1,2"], "sun"),
        (["village", "--compare", "pv_w=1,x"], "pv_w = 'x'"),
        (["village", "--compare", "latency_ms=1,x"], "latency_ms = 'x'"),
        (["village", "--compare", "pv_w=90,90.0"], "90 and 90.0 are the same"),
        (["village", "--compare", "policy=random,random"], "random and random are the same"),
        (["village", "--compare", "pv_w=1,2", "--compare", "pv_w=3"], "pv_w: is there 2 times"),
        (["village", "--compare", "pv_w=1,2", "--set", "pv_w=3"], "pv_w is also given by --set"),
        (["village", "--compare", "latency_ms=1,2", "--latency-ms", "3"], "also given by --latency-ms"),
        (["village", "--set", "pv_w=1", "--set", "pv_w=3"], "pv_w is given twice"),
        (["village", "--reach", "65:1"], "requests = 65: must be between 0 and 64"),
        (["village", "--reach", "1:-1"], "beats = -1: must be between 0 and 64"),
        (["village", "--reach", "0:1"], "needs requests between 1 and 64; 0:0: everywhere"),
        (["village", "--reach", "near"], "must be REQUESTS:BEATS"),
        (["village", "--nodes", "random:5:99"], "the mean degree must be between 1 and 4"),
        (["village", "--seeds", "0"], "seeds = 0"),
        (["village", "--seeds", "2", "--shard", "3/2"], "--shard '3/2'"),
        (["village", "--shard", "1/2"], "--shard"),
        (["village", "--data", "/nowhere"], "data = '/nowhere': is not for scenario village"),
        (["market", "--data", "/nowhere"], "/nowhere: lacks uci_house_1min/*.csv.gz, "),
        (["village", "--start", "2024-01-01"], "start = '2024-01-01': is not for scenario village"),
    ],
)
def test_bad_values_are_refused_by_name_and_value(arguments, named, tmp_path, capsys):
    assert main(["sim", *arguments, "--out", str(tmp_path)]) == 2
    assert named in capsys.readouterr().err


def test_scenarios_are_listed(capsys):
    assert main(["sim", "--list"]) == 0
    assert "village" in capsys.readouterr().out


def test_ways_to_run_are_compared_over_seeds(tmp_path, capsys):
    command = ["sim", "village", "--compare", "nodes=chain:2,chain:3", "--compare", "pv_w=90,1000"]
    command += ["--seeds", "2", "--hours", "0.005", "--jobs", "1", "--out", str(tmp_path)]
    assert main([*command, "--shard", "2/3"]) == 0
    assert "3 of 3 runs of this shard are done" in capsys.readouterr().out
    assert not (tmp_path / "compare.json").exists()
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "8 runs, 3 of them done before" in told
    assert "chain:3, 1000" in told
    results = json.loads((tmp_path / "compare.json").read_text())
    assert list(results) == ["chain:2, 90", "chain:2, 1000", "chain:3, 90", "chain:3, 1000"]
    assert [each["seed"] for each in results["chain:3, 90"]] == [1, 2]
    assert all(each["satisfied"] == 0 for each in results["chain:2, 90"])
    assert all(each["satisfied"] == each["requests"] for each in results["chain:2, 1000"])
    with (tmp_path / "compare.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 8
    assert (tmp_path / "compare.png").exists()


def test_near_is_compared_with_everywhere_and_no_column_is_cut(tmp_path, capsys):
    command = ["sim", "village", "--compare", "reach=1:1,0:0", "--hours", "0.005", "--jobs", "1"]
    assert main([*command, "--no-plots", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "served %" in told
    assert all(re.search(rf"^ *{name} .*\d\.\d *$", told, re.M) for name in ("1:1", "0:0"))
    assert list(json.loads((tmp_path / "compare.json").read_text())) == ["1:1", "0:0"]


def test_all_keys_of_a_comparison_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["sim", "--help"])
    assert "policy, consumer_policy, nodes, latency_ms, reach" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            "random --hours 0.003 --set twins=2 --nodes grid:3x4",
            "hours = 0.00306: no producer among 24 twins",
        ),
        ("holons --hours 0.01 --set members=3 --set twins=4", "hours = 0.01: no producer among 48 twins"),
        ("random --set twins=2 --nodes chain:1 --seed 5", "seed = 5: no producer among 2 twins"),
    ],
)
def test_a_run_without_producers_or_consumers_says_why(arguments, reason, capsys, tmp_path):
    assert main(["sim", *arguments.split(), "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(reason)
    assert ("fill_min = 5" in told) == ("hours" in told)


def test_real_nodes_fill_the_same_board():
    class Seen:
        twins = [
            {
                "name": "n2.load",
                "known": True,
                "requested_w": 50.0,
                "consumed_w": 40.0,
                "produced_w": 0.0,
                "supplied_w": 0.0,
                "reserved_w": 0.0,
                "validated": 2,
                "waiting_s": 1.5,
                "response_s": None,
                "unserved_w": 10.0,
            },
        ]
        contracts = {
            "consumed": [{"valid": True, "parts": [{"supplier": "n1.roof", "power_w": 40.0}]}],
            "supplied": [],
        }

    simulation = Simulation(Job("village"))
    simulation.close()
    board = simulation.board
    look(board, 1, Seen(), 10.0)
    i = board.cast.names.index("n2.load")
    assert (board.need_w[i], board.taken_w[i], board.asked_s[i], board.validated[i]) == (50, 40, 8.5, 2)
    assert board.flow_w[1].tolist() == [40.0, 0.0]
