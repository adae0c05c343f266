"""A kill at any instant, also on a full or failing disk, damages nothing and costs at most the last batch."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from repository import REPOSITORY
from writing import FIRST

from edge.history.store import Store
from host_tools.world import VirtualClock


def killed(path, rng, failing):
    """Write until a random instant, then kill; returns the batches that the process said were written."""
    line = [sys.executable, str(Path(__file__).parent / "writing.py"), str(path), str(int(failing))]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said = [process.stdout.readline().strip()]
        time.sleep(rng.choice([rng.uniform(0, 0.02), rng.uniform(0, 0.3)]))
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.read().split("\n")
    complete = [each for each in said[:-1] if each]
    return [int(each) for each in complete if each.isdigit()], [each for each in complete if " " in each]


def check(path, written):
    """The file is whole, and has every batch up to one, which is at least the last that was written."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = Store(path, VirtualClock())
    node = [row[0] - FIRST for rows in store.minutes("node", 0, 2**40) for row in rows]
    last = node[-1]
    assert last >= written
    assert node == list(range(node[0], last + 1))
    cluster = [row[0] - FIRST for rows in store.minutes("cluster", 0, 2**40) for row in rows]
    assert cluster == node
    (deal,) = store.deals_at(60.0 * (FIRST + last))
    assert deal.revision == last
    assert [each.revision for each in store.events(60.0 * (FIRST + last), 2**40)] == [last]
    assert store.kept("node/learnt") == b"%d" % last * 3000
    quarters = {each.minute - FIRST for each in store.energies(0, 2**40)}
    assert quarters >= {each for each in range(node[0], last + 1) if each % 15 == 0}
    assert store.series("node", FIRST - FIRST % 60, 1, 60).mean_w[0] != [None]
    assert (store.failures, store.set_aside, store.wrong_rows) == (0, 0, 0)
    return last


@pytest.mark.parametrize("failing", [False, True], ids=["sound disk", "failing disk"])
def test_a_kill_at_any_instant_damages_nothing(tmp_path, request, failing):
    rng, path, last, failures = random.Random(4), tmp_path / "history.sqlite", -1, 0
    for _ in range(request.config.getoption("kills") // 2):
        written, failed = killed(path, rng, failing)
        failures += len(failed)
        last = check(path, max(written, default=last))
    assert last > 0
    assert bool(failures) == failing
