"""A real node, killed and started again, and a database that is away for a while."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from database import Database

from edge.clock import SystemClock
from edge.history.store import Store
from host_tools.broker import die_with_parent, free_port

pytestmark = pytest.mark.system
ROWS = 500


def wait_until(condition, timeout_s=30.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.02)


class Node:
    """The process of a node without a broker, and with a past."""

    def __init__(self, folder, more):
        self.folder, self.process = folder, None
        self.config = folder / "gym.toml"
        self.config.write_text(
            f'[node]\nname = "gym"\nstate_dir = "{folder / "state"}"\n'
            f"[mqtt]\nport = {free_port()}\n[api]\nport = 0\n{more}"
        )
        (folder / "state").mkdir()
        self.first = int(time.time() // 60) - 2 * ROWS
        self.live(self.first, ROWS)

    def live(self, first, count):
        """As if it had run then."""
        store = Store(self.folder / "state/history.sqlite", SystemClock())
        for minute in range(first, first + count):
            store.note_minute("node", minute, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
        store.close()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.config)],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
        )

    def end(self, how):
        self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def database():
    database = Database()
    yield database
    database.close()


def point(minute):
    return "microgrid_power,node=gym,scope=node", minute * 60 * 10**9


def test_a_node_that_is_killed_sends_all_and_after_a_stop_nothing_twice(tmp_path, database):
    node = Node(tmp_path, f'[push]\nurl = "{database.url}"\nbatch = 100\nevery_s = 5\n')
    last = node.first + ROWS
    try:
        database.faults += ["500"]
        node.start()
        wait_until(lambda: len(database.requests) >= 3)
        node.end(signal.SIGKILL)
        database.faults += ["lost"]
        node.start()
        wait_until(lambda: point(last - 2) in database.points)
        assert node.end(signal.SIGTERM) == 0
        copies = database.copies
        node.live(last, 10)
        node.start()
        wait_until(lambda: point(last + 8) in database.points)
        assert node.end(signal.SIGTERM) == 0
        assert database.copies == copies
        assert {point(minute) for minute in range(node.first, last + 9)} <= database.points.keys()
    finally:
        node.process.kill()


@pytest.mark.parametrize("more", ['ca = "{0}/none"\n', 'username = "u"\npassword_file = "{0}/none"\n'])
def test_files_that_are_missing_are_named_at_the_start(tmp_path, more):
    table = '[home_assistant]\nscope = "read"\nhost = "localhost"\n'
    node = Node(tmp_path, table + more.format(tmp_path))
    node.start()
    assert node.process.wait(20) != 0
    text = (tmp_path / "log").read_text()
    assert "home_assistant: " in text
    assert "none" in text
    assert "No such file" in text
    assert "Traceback" not in text
