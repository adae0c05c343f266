"""`make attack`: what holds is said to hold, and what does not is found."""

import argparse
import json
from dataclasses import replace
from math import inf

import pytest

from host_tools.attack import command, judge
from host_tools.attack.cases import CASES, KINDS
from host_tools.attack.measure import Figures

QUIET = Figures(
    unserved={"n1": 0.01, "n3": 0.0},
    peak_mb=32.0,
    cpu=0.02,
    http_ms=3.0,
    sent_kb_s=0.3,
    received_kb_s=0.3,
    said=["need_unserved (n1)"],
)
NAMED = replace(QUIET, said=[*QUIET.said, "frames_refused (n3)"])
CASE = next(each for each in CASES if each.name == "tombstone")


def attack(folder, *arguments):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    code = command.run(parser.parse_args(["attack", *arguments, "--out", str(folder)]))
    return code, json.loads((folder / "attack.json").read_text())


def test_an_attack_that_costs_nothing_and_is_named_has_held():
    assert judge.failures(CASE, QUIET, NAMED) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"unserved": {"n1": 0.01, "n3": 0.03}}, "n3 loses 3.0 % of its energy"),
        ({"peak_mb": 37.0}, "37.0 MB, at most 36.0 MB"),
        ({"cpu": 0.6}, "CPU 60 %"),
        ({"http_ms": 600.0}, "HTTP median 600 ms"),
        ({"http_ms": inf}, "HTTP median inf ms"),
        ({"answered": 0.5}, "50 % of the requests for /health answered"),
        ({"ticks": 0.5}, "50 % of the seconds had a tick"),
        ({"sent_kb_s": 6.0, "received_kb_s": 1.0}, "sends 6.0 kB/s, at most 4.4 kB/s"),
        ({"said": QUIET.said}, "no honest node names it"),
        ({"broken": ["n3 died"]}, "n3 died"),
    ],
)
def test_each_limit_that_is_passed_is_named(found, words):
    (failure,) = judge.failures(CASE, QUIET, replace(NAMED, **found))
    assert words in failure


def test_a_learning_node_may_use_its_limit_and_no_more():
    case = replace(CASE, learning=True)
    assert judge.failures(case, QUIET, replace(NAMED, peak_mb=63.0)) == []
    assert "at most 64.0 MB" in judge.failures(case, QUIET, replace(NAMED, peak_mb=65.0))[0]


def test_a_member_that_is_locked_out_is_found():
    case = next(each for each in CASES if each.name == "idle-tls")
    assert judge.failures(case, Figures(), Figures(in_after_s=0.4)) == []
    assert judge.failures(case, Figures(), Figures(in_after_s=inf))


def test_a_quiet_run_in_which_nobody_is_served_is_no_measure():
    assert judge.not_quiet(QUIET) == []
    assert "n1 is not served 100 %" in judge.not_quiet(replace(QUIET, unserved={"n1": 1.0}))[0]


def test_names_of_attacks_are_unique_and_no_kinds():
    names = [each.name for each in CASES]
    assert len({*names, *KINDS}) == len(names) + len(KINDS)
    assert {each.kind for each in CASES if each.quick} >= {"taken", "ended"}


@pytest.mark.system
@pytest.mark.timeout(400)
def test_a_lie_in_the_name_of_others_fails_and_succeeds_without_keys(tmp_path):
    code, (held,) = attack(tmp_path / "keys", "--quick", "--only", "tombstone")
    assert (code, held["failures"]) == (0, [])
    code, (succeeded,) = attack(tmp_path / "open", "--quick", "--only", "tombstone", "--trust", "0")
    assert code == 1
    assert succeeded["lost"] > judge.MOST_LOST


@pytest.mark.system
@pytest.mark.timeout(200)
def test_a_node_gets_in_though_its_list_of_revoked_ones_is_empty(tmp_path):
    code, (held,) = attack(tmp_path, "--only", "empty-list")
    assert (code, held["failures"]) == (0, [])
