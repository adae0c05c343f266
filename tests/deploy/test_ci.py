"""The workflow for a public CI service: it is valid, and calls only what exists."""

import re

import pytest
import yaml
from repository import REPOSITORY

from host_tools.__main__ import main

WORKFLOW = REPOSITORY / "deploy/ci/github-actions.yml"


@pytest.fixture(scope="module")
def jobs():
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]


def steps(jobs):
    return [step for job in jobs.values() for step in job["steps"]]


def test_every_job_is_bounded_and_every_step_does_one_thing(jobs):
    assert all(job["runs-on"] and job["timeout-minutes"] <= 60 for job in jobs.values())
    assert all(("run" in step) != ("uses" in step) for step in steps(jobs))


def test_actions_are_pinned_by_major_version(jobs):
    used = [step["uses"] for step in steps(jobs) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", each) for each in used)


def test_make_targets_exist(jobs):
    known = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    called = [step["run"].split()[1] for step in steps(jobs) if step.get("run", "").startswith("make ")]
    assert {"lint", "test", "long-test"} <= set(called) <= known


def test_both_checks_try_the_package_in_an_empty_environment(jobs):
    assert "make package-test" in [step.get("run") for step in steps(jobs)]
    assert "make package-test" in (REPOSITORY / ".ci/run").read_text().splitlines()


def test_the_memory_test_is_that_of_our_own_checks_and_cannot_fall_back(jobs, capsys):
    commands = [step["run"] for step in jobs["memory"]["steps"] if "memtest" in step.get("run", "")]
    assert commands
    for command in commands:
        words = command.split(" -m host_tools ")[1].split()
        assert words[:4] == ["memtest", "--limit-mb", "64", "--require-cgroup"]
        assert "systemd-run --scope" in command
        with pytest.raises(SystemExit) as ended:  # its options are known
            main([*words, "--help"])
        assert ended.value.code == 0
    assert (REPOSITORY / ".ci/run").read_text().splitlines()[-1] == "make memtest LIMIT_MB=64"
