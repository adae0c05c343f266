"""Storms: they are reproducible, can fail, and are reduced to the faults that matter."""

import json
from dataclasses import replace

import pytest

from edge.space.digest import Digest
from host_tools import __main__ as tools
from host_tools.storm import judge
from host_tools.storm.draw import draw
from host_tools.storm.plan import Fault, Storm, StormBuilding
from host_tools.storm.play import play
from host_tools.storm.shrink import Shrinker
from host_tools.storm.stage import Stage

LOAD = {"name": "load", "kind": "load", "power_w": 40.0}
SUN = {"name": "sun", "kind": "pv", "input": "m.total"}


def storm(*faults, trouble_s=30.0, **more):
    buildings = (
        StormBuilding("n1", ("n2",), (SUN,), {"m.total": 100.0}),
        StormBuilding("n2", ("n1",), (LOAD,), {}),
    )
    return Storm(7, buildings, tuple(Fault(i, *fault) for i, fault in enumerate(faults)), trouble_s, **more)


@pytest.fixture
def stage(request):
    stage = Stage(getattr(request, "param", storm()))
    yield stage
    stage.world.close()


@pytest.fixture
def greedy(monkeypatch):
    """Suppliers that keep their promises although their production drops."""
    monkeypatch.setattr("edge.energy.yielding.fewest", lambda candidates, short_w: [])


def test_a_seed_is_always_the_same_storm_with_the_same_outcome():
    assert draw(12) == draw(12) != draw(13)
    assert play(draw(19)) == play(draw(19))


def test_storms_differ_in_shape_and_faults():
    storms = [draw(seed) for seed in range(200)]
    assert {len(each.buildings) for each in storms if not each.gates} == {2, 3, 4, 5, 6}
    assert {len(each.gates) for each in storms} == {0, 2}
    kinds = {fault.kind for each in storms for fault in each.faults}
    assert kinds == {
        "quality",
        "cut",
        "heal",
        "partition",
        "mend",
        "kill",
        "stop",
        "drift",
        "wall",
        "power",
        "meter",
        "lie",
        "limit",
    }
    assert all(each.connected() for each in storms if not each.gates)
    assert any(each.calm for each in storms)
    assert any(each.steady and not each.calm for each in storms)


def test_a_reduced_storm_names_what_is_not_there():
    whole = storm((9.0, "cut", ("n1", "n2")), (12.0, "mend", ()))
    assert [fault.number for fault in whole.reduced([1]).faults] == [1]
    assert [each.name for each in whole.reduced(None, ["n2"]).buildings] == ["n1"]
    assert whole.reduced(None, ["n2.load"]).buildings[1].twins == ()
    with pytest.raises(ValueError, match="--keep 5"):
        whole.reduced([5])
    with pytest.raises(ValueError, match="moon"):
        whole.reduced(None, ["n1.moon"])


def test_a_microgrid_in_two_parts_is_not_connected():
    assert storm().connected()
    one_way = (StormBuilding("n1", ("n2",), (), {}), StormBuilding("n2", (), (), {}))
    assert not Storm(1, one_way, (), 10.0).connected()


# ---- it can fail -----------------------------------------------------------------------------------


def test_a_supplier_that_promises_what_it_lost_breaks_i1(greedy):
    outcome = play(storm((9.0, "power", ("n1", "m.total", 10.0))))
    assert [line.split()[0] for line in outcome.violations] == ["I1"]
    assert outcome.at_s == 9.0


def test_lost_frames_that_nobody_asks_for_are_noticed(monkeypatch):
    monkeypatch.setattr(Digest, "_ask", lambda self, number: None)
    deaf = (9.0, "quality", ("n1", "n2", 1.0, 0.0, 0.0, 0.0, 0.2))
    outcome = play(storm(deaf, (10.0, "power", ("n1", "m.total", 10.0)), trouble_s=12.0))
    assert "space n2 holds an old n1.sun" in outcome.violations


def test_an_error_that_escapes_a_node_is_a_violation(monkeypatch):
    def burst(self, peer, beat):
        raise RuntimeError("burst")

    monkeypatch.setattr(Digest, "heard", burst)
    assert play(storm()).violations == ("RuntimeError: burst",)


def test_a_need_beside_free_power_is_starving(stage):
    world = stage.world
    for way in (("n1", "n2"), ("n2", "n1")):
        world.network.cut(*way)
    world.run(5)
    assert judge.starving(world) == {"n2.load"}
    assert {line.split()[0] for line in judge.unsettled(world, judge.shown(world))} == {"reach", "space"}
    stage.heal()
    world.run(10)
    assert judge.starving(world) == judge.unsettled(world, judge.shown(world)) == set()


def test_what_fails_is_cut_down_to_what_matters(greedy):
    noise = [(1.0 + i, "wall", ("n1", 3600.0)) for i in range(9)]
    buildings = (*storm().buildings, StormBuilding("n3", ("n2",), (LOAD,), {}))
    whole = replace(storm(*noise, (12.0, "power", ("n1", "m.total", 10.0))), buildings=buildings)
    shrinker = Shrinker(whole, play(whole))
    shrinker.run()
    assert shrinker.keep == [9]
    assert "--replay 7 --keep 9" in shrinker.command
    assert shrinker.outcome.violations


# ---- the command -------------------------------------------------------------------------------------


def test_the_command_sums_up(tmp_path, capsys):
    assert tools.main(["storm", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "storm.json").read_text())
    assert figures["seeds"] == 2
    assert figures["invariants_broken"] == 0
    assert figures["invariants_checked"] > 500
    assert "2 seeds" in capsys.readouterr().out
    assert tools.main(["storm", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path)]) == 0
    again = json.loads((tmp_path / "storm.json").read_text())
    assert again == figures | {"seeds_per_minute": None}
    assert "2 storms, 2 of them done before" in capsys.readouterr().out


def test_a_shard_reports_nothing(tmp_path, capsys):
    command = ["storm", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path)]
    assert tools.main([*command, "--shard", "1/2"]) == 0
    told = capsys.readouterr().out
    assert "1 of 1 storms of this shard are done" in told
    assert "storm.json" not in told
    assert not (tmp_path / "storm.json").exists()


def test_a_failing_seed_leaves_a_trace_that_replays(greedy, monkeypatch, tmp_path, capsys):
    failing = storm((9.0, "power", ("n1", "m.total", 10.0)), (10.0, "mend", ()))
    monkeypatch.setattr("host_tools.storm.report.draw", lambda seed: failing)
    monkeypatch.setattr("host_tools.storm.command.draw", lambda seed: failing)
    assert tools.main(["storm", "--seeds", "1", "--jobs", "1", "--out", str(tmp_path)]) == 1
    command = (tmp_path / "seed-7.txt").read_text().strip().splitlines()[-1]
    assert command == "python -m host_tools storm --replay 7 --keep 0"
    capsys.readouterr()
    assert tools.main(command.split()[3:]) == 1
    assert "broken at 9.00 s: I1 n1.sun" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--seeds", "0"],
        ["--replay", "1", "--keep", "x"],
        ["--replay", "1", "--without", "n99"],
        ["--keep", "1"],
        ["--reach", "0:1"],
    ],
)
def test_wrong_usage_is_reported(wrong, capsys):
    assert tools.main(["storm", *wrong]) == 2
    assert capsys.readouterr().err
