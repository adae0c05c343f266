"""`memtest`: a node that works within its memory passes; one that does not, or does nothing, fails."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools import memtest
from host_tools.cgroup import DataLimit, LimitError, MemoryLimit, reserved_by_numpy

KEYS = {
    "backend",
    "limit_mb",
    "peak_mb",
    "hwm_mb",
    "rss_mb",
    "anon_mb",
    "pss_mb",
    "oom_kills",
    "numpy_loaded",
    "seconds",
    "twins",
    "contracts_validated",
    "trainings",
    "predicts",
    "merges",
    "longest_piece_ms",
    "passed",
    "failures",
}


class NoLimit(MemoryLimit):
    """Lets everything pass."""

    backend = "none"
    wrapper: list[str] = []

    def __init__(self, limit_bytes: int) -> None:
        """As a backend is made."""


def refusing(limit_bytes: int) -> MemoryLimit:
    raise LimitError("/sys/fs/cgroup: Read-only file system")


def run(*arguments: str, backends=None) -> int:
    parser = argparse.ArgumentParser()
    memtest.add_parser(parser.add_subparsers())
    options = parser.parse_args(["memtest", *arguments])
    if backends is not None:
        options.backends = backends
    return memtest.run(options)


def report(directory: Path) -> dict:
    return json.loads((directory / "memtest.json").read_text())


@pytest.mark.system
def test_a_working_node_fits_48_mb(tmp_path, capsys):
    out = ["--out", str(tmp_path)]
    assert run("--duration", "15", "--limit-mb", "48", "--prosumers", "6", "--learn", "none", *out) == 0, (
        capsys.readouterr()
    )
    found = report(tmp_path)
    assert found.keys() == KEYS
    assert found["passed"]
    assert found["failures"] == []
    assert found["twins"] == 6
    assert found["contracts_validated"] > 0
    assert 15 <= found["seconds"] < 20
    assert 10 < found["rss_mb"] <= found["hwm_mb"] <= found["limit_mb"] == 48
    assert found["pss_mb"] <= found["rss_mb"]
    assert not found["numpy_loaded"]
    if found["backend"] != "rlimit":
        assert found["oom_kills"] == 0
        assert found["anon_mb"] <= found["peak_mb"] <= 48
    printed = capsys.readouterr().out
    assert printed.count("contracts validated: ") >= 3
    assert "within the limit" in printed


@pytest.mark.proof  # `make memtest` is the same, and runs alone
@pytest.mark.timeout(400)
def test_a_node_that_learns_is_trained_within_64_mb(tmp_path, capsys):
    """The run lasts until the models of both scopes are trained and predict: longer than its 5 seconds."""
    assert run("--duration", "5", "--out", str(tmp_path)) == 0, capsys.readouterr()
    found = report(tmp_path)
    assert found["numpy_loaded"]
    assert found["trainings"] >= 2
    assert found["predicts"]
    assert 40 < found["hwm_mb"] <= 64


def test_the_weak_limit_leaves_room_for_what_numpy_reserves():
    """OpenBLAS waits for ever for buffers that it cannot reserve, so a node that learns never answered."""
    reserved = reserved_by_numpy()
    assert 0 <= reserved < 512 << 20
    limit = DataLimit(64 << 20, reserved)
    product = "import numpy as n; print((n.ones((400, 400)) @ n.ones((400, 400)))[0, 0])"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [*limit.wrapper, sys.executable, "-c", product]
    assert subprocess.check_output(command, env=environment, timeout=60) == b"400.0\n"


@pytest.mark.system
def test_a_node_that_does_not_fit_fails(tmp_path, capsys):
    assert run("--duration", "15", "--limit-mb", "12", "--learn", "none", "--out", str(tmp_path)) == 1
    found = report(tmp_path)
    assert not found["passed"]
    assert "the node died" in found["failures"][0]
    assert found["backend"] == "rlimit" or found["oom_kills"] > 0
    assert "FAILED" in capsys.readouterr().err


@pytest.mark.system
def test_a_missed_limit_and_an_idle_node_fail(tmp_path, monkeypatch):
    def without_meters(prosumers):
        plans = plans_with(prosumers)
        for plan in plans:
            plan.devices.clear()
        return plans

    plans_with = memtest._plans
    monkeypatch.setattr(memtest, "_plans", without_meters)
    arguments = ("--duration", "1", "--limit-mb", "12", "--learn", "none", "--out", str(tmp_path))
    assert run(*arguments, backends=(NoLimit,)) == 1
    failures = "\n".join(report(tmp_path)["failures"])
    assert "validated no contract" in failures
    assert "12 MB allowed" in failures


def test_the_limit_is_proved_to_stop_a_program(capsys):
    assert run("--prove", "--limit-mb", "32") == 0
    assert "stopped and detected" in capsys.readouterr().out


def test_the_proof_fails_without_a_limit(capsys):
    assert run("--prove", "--limit-mb", "32", backends=(NoLimit,)) == 1
    assert "NOT DETECTED" in capsys.readouterr().out


def test_the_weak_limit_is_announced_loudly(capsys):
    assert run("--prove", "--limit-mb", "32", backends=(refusing,)) == 0
    printed = capsys.readouterr()
    assert "WARNING" in printed.err
    assert "Read-only file system" in printed.err
    assert "rlimit" in printed.out


@pytest.mark.parametrize("what", [[], ["--prove"]])
def test_a_group_can_be_required(capsys, what):
    assert run("--require-cgroup", *what, backends=(refusing,)) == 3
    assert "Read-only file system" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--duration", "0"], ["--limit-mb", "0"], ["--prosumers", "101"]])
def test_wrong_usage_is_reported(capsys, wrong):
    assert run(*wrong) == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.fixture
def heeds_ctrl_c():
    """A shell that puts the tests into its background has them, and all they start, ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.system
@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-m", "host_tools", "memtest", "--learn", "none", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "contracts validated" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert not (tmp_path / "memtest.json").exists()
    assert not [each for each, _, _ in os.walk("/sys/fs/cgroup") if f"/memtest-{process.pid}-" in each]
