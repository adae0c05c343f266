"""A study continues where it stopped, wherever its runs are played, and mixes nothing."""

import argparse
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from waiting_runs import square, wait_for_go

from edge.learn.states import StateScale
from edge.terms import DAY_MIN
from host_tools.broker import die_with_parent
from host_tools.eval.data import Reading, Record
from host_tools.eval.gossip.plan import Plan
from host_tools.eval.gossip.studies import jobs
from host_tools.eval.replay import task_of
from host_tools.eval.runs import runs_of
from host_tools.sim import compare
from host_tools.sim.job import Job
from host_tools.study import command, results, run
from host_tools.study.command import Study
from host_tools.study.results import Damaged, Results
from host_tools.study.run import Run, fingerprint

REPOSITORY = Path(__file__).parents[3]


def runs(*numbers, **plan):
    return [
        Run("squares", f"{number}²", {"number": number, **plan}, partial(square, number))
        for number in numbers
    ]


def study(folder, made, *options, **more):
    parser = argparse.ArgumentParser()
    command.add_options(parser.add_argument, jobs=1)
    return Study(made, folder, parser.parse_args(options), **more)


def play(folder, made, *options, **more):
    return study(folder, made, *options, **more).play(Console())


def squares(played):
    return [content["square"] for content in played.results.values()]


def files(folder):
    return sorted(folder.rglob("*.json"))


def wait_until(condition, timeout_s=60.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.02)


def test_each_run_has_a_file_and_is_not_played_twice(tmp_path, capsys):
    assert squares(play(tmp_path, runs(1, 2, 3))) == [1, 4, 9]
    before = {file: file.stat().st_mtime_ns for file in files(tmp_path)}
    assert len(before) == 3
    assert not list(tmp_path.rglob("*.part"))
    played = play(tmp_path, runs(1, 2, 3, 4))
    assert (squares(played), played.new, played.whole, played.code) == ([1, 4, 9, 16], 1, True, 0)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert "4 runs, 3 of them done before" in capsys.readouterr().out


def test_several_processes_make_the_same(tmp_path):
    played = play(tmp_path, runs(1, 2, 3, 4), "--jobs", "2")
    assert sorted(squares(played)) == [1, 4, 9, 16]
    assert os.getpid() not in {content["pid"] for content in played.results.values()}
    assert squares(play(tmp_path, runs(1, 2, 3, 4))) == [1, 4, 9, 16]


@pytest.mark.parametrize("keep", [0, 1, 40, -3])
def test_a_half_written_file_is_played_again(tmp_path, keep, capsys):
    play(tmp_path, runs(1, 2))
    damaged = files(tmp_path)[0]
    damaged.write_bytes(damaged.read_bytes()[:keep])
    assert sorted(squares(play(tmp_path, runs(1, 2)))) == [1, 4]
    assert "run again: 1 damaged" in capsys.readouterr().out
    assert play(tmp_path, runs(1, 2)).new == 0


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_damaged_byte_passes_for_a_result(tmp_path_factory, at, byte):
    folder, (made,) = tmp_path_factory.mktemp("bytes"), runs(12)
    kept = Results(folder)
    kept.write(made, made.result())
    data = bytearray(kept.file(made).read_bytes())
    data[at % len(data)] = byte
    kept.file(made).write_bytes(data)
    with suppress(Damaged):
        assert kept.read(made).content["square"] == 144  # another way to write the same


def test_other_arguments_are_not_mixed_in(tmp_path, capsys):
    play(tmp_path, runs(1, 2, hours=1))
    assert play(tmp_path, runs(1, 2, 3, hours=2)).new == 3
    assert "run again: 2 of other arguments" in capsys.readouterr().out
    with pytest.raises(ValueError, match="hours 2, not 1"):
        play(tmp_path, runs(1, hours=1), precious=True)


def test_other_code_is_run_again_kept_or_refused_as_asked(tmp_path, monkeypatch, capsys):
    play(tmp_path, runs(1, 2))
    for module in (run, results):
        monkeypatch.setattr(module, "code_version", lambda: "9.9.9+new")
    with pytest.raises(ValueError, match=r"made by the code \d"):
        play(tmp_path, runs(1), "--other-code", "refuse")
    assert play(tmp_path, runs(1, 2), "--other-code", "keep").new == 0
    assert "2 of them done before, 2 of these by other versions of the code" in capsys.readouterr().out
    assert play(tmp_path, runs(1, 2)).new == 2
    assert "run again: 2 of other code" in capsys.readouterr().out
    assert {json.loads(file.read_text())["code"] for file in files(tmp_path)} == {"9.9.9+new"}


def test_a_file_from_before_versions_is_one_of_other_code(tmp_path):
    (made,) = runs(3)
    file = Results(tmp_path).file(made)
    file.parent.mkdir()
    file.write_text(json.dumps({"study": "squares", "job": "3²", "plan": {"number": 3}, "square": 0}))
    assert squares(play(tmp_path, [made], "--other-code", "keep")) == [0]
    assert squares(play(tmp_path, [made])) == [9]


@given(st.integers(1, 40), st.integers(1, 12))
def test_shards_divide_the_runs(count, shards):
    made = runs(*range(count))
    parts = [study(Path("unused"), made, "--shard", f"{at}/{shards}").runs for at in range(1, shards + 1)]
    assert sorted(each.name for part in parts for each in part) == sorted(each.name for each in made)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shards_in_one_folder_become_the_whole(tmp_path, capsys):
    for at in (1, 2):
        played = play(tmp_path, runs(1, 2, 3), "--shard", f"{at}/2")
        assert not played.whole
    assert "1 of 1 runs of this shard are done" in capsys.readouterr().out
    played = play(tmp_path, runs(1, 2, 3))
    assert (squares(played), played.new, played.whole) == ([1, 4, 9], 0, True)


def test_names_that_no_file_can_have_do_not_collide(tmp_path):
    names = ["a:b", "a?b", "a/b", "..", "x" * 400, "x" * 401, "ä, b"]
    made = [Run("s:t", name, {}, partial(square, at)) for at, name in enumerate(names)]
    assert squares(play(tmp_path, made)) == [at * at for at in range(len(names))]
    assert play(tmp_path, made).new == 0
    assert len(files(tmp_path)) == len(names)
    assert all(file.parent.parent == tmp_path for file in files(tmp_path))
    with pytest.raises(ValueError, match="two runs have this name"):
        study(tmp_path, [made[0], made[0]])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_fails_ends_no_other_and_is_tried_again(tmp_path, jobs, capsys):
    played = play(tmp_path, runs(1, 13, 2), "--jobs", jobs)
    assert (sorted(squares(played)), played.code, played.whole) == ([1, 4], 1, False)
    assert "squares/13² failed: RuntimeError: thirteen" in capsys.readouterr().err
    assert play(tmp_path, runs(1, 13, 2)).failed
    assert play(tmp_path, runs(-1)).code == 2
    assert "number = -1" in capsys.readouterr().err


def test_a_killed_process_is_told_and_the_rest_can_continue(tmp_path, capsys):
    played = play(tmp_path, [Run("squares", "0", {}, _die), *runs(1)], "--jobs", "2")
    assert played.code == 1
    assert "killed" in capsys.readouterr().err
    assert play(tmp_path, runs(1)).whole


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_digest_follows_content_and_names_but_not_places(tmp_path):
    for name in "ab":
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x.csv").write_text("1")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    (tmp_path / "b/sub/x.csv").rename(tmp_path / "b/sub/y.csv")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")
    assert fingerprint(tmp_path / "a/sub/x.csv") != fingerprint(tmp_path / "a")


# ---- interrupted, and on a cluster --------------------------------------------------------------------


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])}


PLAY = """
import argparse, sys
from functools import partial
from pathlib import Path
from rich.console import Console
from waiting_runs import wait_for_go
from host_tools.study.command import Study, add_options
from host_tools.study.run import Run
folder, *options = sys.argv[1:]
parser = argparse.ArgumentParser()
add_options(parser.add_argument)
runs = [Run("squares", str(n), {}, partial(wait_for_go, f"{folder}/marks", n)) for n in range(6)]
sys.exit(Study(runs, Path(folder, "results"), parser.parse_args(options)).play(Console()).code)
"""


def as_on_a_terminal():
    """In a child: Ctrl-C is not ignored, as it is in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def waiting_runs(folder):
    return [Run("squares", str(n), {}, partial(wait_for_go, f"{folder}/marks", n)) for n in range(6)]


def start(folder, *options):
    """The same six runs as a command; returns its process, and who plays runs now."""
    (folder / "marks").mkdir()
    command_line = [sys.executable, "-c", PLAY, folder, *options]
    process = subprocess.Popen(
        command_line,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_on_a_terminal,  # noqa: PLW1509 - system calls, no lock
    )
    return process, lambda: {int(mark.suffix[1:]) for mark in (folder / "marks").iterdir()}


def test_ctrl_c_keeps_what_is_done_and_ends_every_process(tmp_path):
    for made in waiting_runs(tmp_path)[:2]:
        Results(tmp_path / "results").write(made, replace(made, work=partial(square, 0)).result())
    process, players = start(tmp_path, "--jobs", "2")
    wait_until(lambda: len(players()) == 2)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: 2 of 6 runs are done and kept" in complaint
    assert "Traceback" not in complaint
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in players()))
    (tmp_path / "marks/go").touch()
    assert play(tmp_path / "results", waiting_runs(tmp_path)).new == 4


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers, each in a process of its own: the address, and the workers."""
    place = tmp_path / "scheduler.json"
    shared = ["--scheduler-file", place, "--no-dashboard"]
    processes = []

    def begin(name, *options):
        program = [sys.executable, "-m", f"distributed.cli.dask_{name}", *shared, *options]
        log = (tmp_path / f"{name}{len(processes)}.log").open("wb")
        processes.append(
            subprocess.Popen(
                program,
                cwd=tmp_path,
                env=environment(),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )
        )

    begin("scheduler", "--host", "127.0.0.1", "--port", "0")
    for _ in range(2):
        begin("worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
    try:
        wait_until(lambda: place.exists() and place.read_text().rstrip().endswith("}"))
        yield json.loads(place.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_worker_of_a_cluster_is_killed_in_the_middle(tmp_path, cluster):
    address, workers = cluster
    client, players = start(tmp_path, "--cluster", address)
    wait_until(lambda: len(players()) == 2)
    workers[0].kill()
    (tmp_path / "marks/go").touch()
    assert client.wait(60) == 0
    played = play(tmp_path / "results", waiting_runs(tmp_path))
    assert (squares(played), played.new) == ([n * n for n in range(6)], 0)
    assert {content["pid"] for content in played.results.values()} == {workers[1].pid}


def test_a_cluster_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("host_tools.study.places._ANSWER_S", 0.2)
    with pytest.raises(ValueError, match=r"--cluster tcp://127\.0\.0\.1:9: no scheduler answers there"):
        play(tmp_path, runs(1), "--cluster", "tcp://127.0.0.1:9")


def test_something_that_is_no_scheduler_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("host_tools.study.places._ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"--cluster {address}: no scheduler answers there"):
            play(tmp_path, runs(1), "--cluster", address)


def test_tls_without_certificates_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"--cluster tls://127\.0\.0\.1:9: TLS"):
        play(tmp_path, runs(1), "--cluster", "tls://127.0.0.1:9")


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "http://127.0.0.1:9", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "a:70000", "tcp://::1:9"],
)
def test_what_is_no_address_of_a_scheduler_is_refused(tmp_path, address, capsys):
    with pytest.raises(SystemExit) as ended:
        play(tmp_path, runs(1), "--cluster", address)
    assert ended.value.code == 2
    assert f"--cluster: {address!r} must be HOST:PORT" in capsys.readouterr().err


def test_the_runs_of_every_tool_can_be_sent():
    tiny = Record("lab", "gym", "node", 0, np.ones((2 * DAY_MIN, 6), np.float32))
    told = argparse.Namespace(seed=1, train_every=20, frozen=False, watts=False, weather=None, forecast=None)
    plan = Plan(data=Path("data"), reading=Reading(), cache=Path("cache"))
    made = [
        *compare.runs(compare.cases(Job("urgent"), ["nodes=chain:2,chain:3"], 2)),
        *runs_of([task_of(tiny, DAY_MIN, 2 * DAY_MIN, StateScale.of_max_power(9.0))], {"markov": {}}, told),
        *jobs(plan, ("late", "topology")),
    ]
    assert {each.study for each in made} == {"sim", "eval", "late", "topology"}
    for each in made[:: max(1, len(made) // 20)]:
        sent = pickle.loads(pickle.dumps(each))
        assert (sent.key, dict(sent.plan)) == (each.key, dict(each.plan))
        assert sent.work.func is each.work.func
    assert len({each.key for each in made}) == len(made)
