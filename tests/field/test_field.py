"""A few hours in the field. `make fieldtest` plays many more."""

import pytest

from edge.meter.reading import Reading
from host_tools.__main__ import main
from host_tools.field.command import report
from host_tools.field.draw import CALM_S, HOUR_S, KINDS, draw
from host_tools.field.meter_judge import MeterJudge
from host_tools.field.play import Outcome, play


# 134: a node that is cut off from all that it lists knows one that it does not list, and is right.
# 257: the phases of a meter are undefined one poll longer than its total.
@pytest.mark.parametrize("seed", [0, 7, 26, 36, 134, 150, 257, 777])
def test_an_hour_is_as_it_must_be(seed):
    outcome = play(draw(seed))
    assert outcome.violations == [], "\n".join(report(outcome))
    assert outcome.good > 100


def test_a_seed_is_the_same_hour_again():
    assert draw(7) == draw(7)
    assert draw(7) != draw(6)
    assert play(draw(7)) == play(draw(7))


def test_every_kind_of_fault_is_drawn_and_the_end_is_calm():
    fields = [draw(seed) for seed in range(120)]
    assert {each.kind for field in fields for each in field.trials} == set(KINDS)
    assert all(each.to_s <= HOUR_S - CALM_S for field in fields for each in field.trials)
    assert {len(field.sites) for field in fields} == {2, 3, 4}


METER = {"device": "m1", "failures_in_a_row": 0, "undefined_powers": []}
STATS = {"open": True, "foreign_frames": 0, "meters": [METER]}


def test_the_judge_sees_a_wrong_value():
    judge = MeterJudge({"m1.total": lambda at_s: 1000.0}, 10.0)
    judge.hear(Reading("m1.total", 1000.5, 5.0))
    judge.hear(Reading("m1.total", None, 6.0))
    assert judge.violations == []
    judge.hear(Reading("m1.total", 231.0, 7.0))
    assert "231.0 W, not 1000.0 W" in judge.violations[0]


def test_the_judge_sees_silence_that_is_called_ok():
    judge = MeterJudge({"m1.total": lambda at_s: 1000.0}, 10.0)
    judge.look(80.0, STATS)
    assert judge.violations == []
    judge.look(200.0, STATS | {"meters": [METER | {"failures_in_a_row": 3}]})
    judge.look(200.0, STATS | {"meters": [METER | {"undefined_powers": ["power_w"]}]})
    judge.look(200.0, STATS | {"open": False})
    assert judge.violations == []
    judge.look(400.0, STATS)
    assert "silent for 200 s" in judge.violations[0]


def test_an_input_is_not_excused_by_another_of_its_meter():
    judge = MeterJudge({"m1.total": lambda at_s: 1000.0, "m1.l1": lambda at_s: 400.0}, 10.0)
    judge.hear(Reading("m1.l1", 400.0, 190.0))
    judge.look(200.0, STATS | {"meters": [METER | {"undefined_powers": ["l1.power_w"]}]})
    assert ["m1.total is silent" in each for each in judge.violations] == [True]
    judge.hear(Reading("m1.total", 1000.0, 290.0))
    judge.look(300.0, STATS | {"meters": [METER | {"undefined_powers": ["power_w"]}]})
    assert ["m1.l1 is silent" in each for each in judge.violations] == [False, True]


def test_the_judge_sees_what_never_recovers_and_what_nobody_shows():
    judge = MeterJudge({"m1.total": lambda at_s: 1000.0}, 10.0)
    judge.end(1000.0, 600.0, STATS, master_heard=True)
    assert len(judge.violations) == 2


def test_a_failed_seed_prints_how_to_play_it_again():
    lines = report(Outcome(3, ["m1.total has not recovered"], 1, 2, 3, 0))
    assert lines[-1] == "again: python -m host_tools fieldtest --seeds 1 --first 3"


def test_the_command(capsys, monkeypatch):
    monkeypatch.setattr("host_tools.progress.SAY_EVERY_S", 0.0)
    assert main(["fieldtest", "--seeds", "2", "--first", "4", "--jobs", "1"]) == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert first.startswith("1 of 2 hours, 0 failed, ")
    assert second.startswith("2 of 2 hours, 0 failed, ")
    assert total.startswith("2 hours of virtual time in ")
    assert " s of CPU): " in total
    assert total.endswith(" 0 hours failed")
    assert main(["fieldtest", "--seeds", "0"]) == 2
