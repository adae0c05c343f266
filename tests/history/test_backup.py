"""Copies of the history are whole and can be put back, while the node writes."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from repository import REPOSITORY

from edge.clock import Zone
from edge.history.backup import BEFORE, BackupError, backup, restore
from edge.history.store import Store
from host_tools.world import VirtualClock

NOW = 28_000_000
POWERS = (1.0, 2.0, 3.0, 4.0, 5.0, None)


def filled(path, minutes=range(NOW, NOW + 500)):
    store = Store(path, VirtualClock())
    for minute in minutes:
        store.note_minute("node", minute, POWERS)
    store.keep("node/learnt", b"model")
    assert store.write()
    return store


def minutes(store):
    return [row[0] for rows in store.minutes("node", 0, 2**40) for row in rows]


def test_a_copy_of_a_history_that_is_being_written_is_whole(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    stop, counted = threading.Event(), []

    def write():
        for minute in range(NOW + 500, NOW + 10**6):
            if stop.is_set():
                return
            store.note_minute("node", minute, POWERS)
            store.keep("node/learnt", os.urandom(200_000))
            counted.append(store.write())

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            copied = backup(store.path, tmp_path / "copy")
    finally:
        stop.set()
        thread.join()
    assert all(counted)
    assert len(counted) > 5
    found = Store(tmp_path / "copy", VirtualClock())
    assert minutes(found) == list(range(NOW, NOW + copied.minutes))
    assert copied.minutes > 500
    assert sorted(each.name for each in tmp_path.iterdir() if "copy" in each.name) == ["copy"]


def test_what_is_restored_replaces_the_history_of_a_running_node(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    backup(store.path, tmp_path / "copy")
    for minute in range(NOW + 500, NOW + 700):
        store.note_minute("node", minute, POWERS)
    store.write()
    copied, before = restore(tmp_path / "copy", store.path, Zone())  # its connection is still open
    assert copied.minutes == 500
    assert minutes(store) == list(range(NOW, NOW + 500))
    store.note_minute("node", NOW + 800, POWERS)
    store.note_energy(NOW // 15 * 15, "n1.lamp", "n1.roof", 1.0, 0.0, 900.0)
    assert store.write()
    assert minutes(store)[-1] == NOW + 800
    assert store.failures == 0
    assert before == tmp_path / BEFORE
    assert len(minutes(Store(before, VirtualClock()))) == 700


def test_a_history_can_be_restored_where_there_is_none(tmp_path):
    backup(filled(tmp_path / "history.sqlite").path, tmp_path / "copy")
    copied, before = restore(tmp_path / "copy", tmp_path / "new" / "history.sqlite", Zone())
    assert (copied.minutes, before) == (500, None)
    store = Store(tmp_path / "new" / "history.sqlite", VirtualClock())
    assert store.kept("node/learnt") == b"model"
    assert len(minutes(store)) == 500


def test_a_damaged_history_is_set_aside_when_a_copy_is_restored(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    backup(store.path, tmp_path / "copy")
    store.close()
    store.path.write_bytes(b"no database" * 100)
    restore(tmp_path / "copy", store.path, Zone())
    assert len(minutes(Store(store.path, VirtualClock()))) == 500
    assert (tmp_path / "history.unreadable").read_bytes() == b"no database" * 100


def test_a_copy_of_an_earlier_release_is_migrated(tmp_path):
    with closing(sqlite3.connect(tmp_path / "copy")) as made:
        made.executescript((Path(__file__).parent / "version1.sql").read_text())
    before = (tmp_path / "copy").read_bytes()
    store = filled(tmp_path / "history.sqlite")
    restore(tmp_path / "copy", store.path, Zone("Europe/Zurich"))
    assert len(minutes(store)) == 132
    assert (tmp_path / "copy").read_bytes() == before
    assert store.write()


@pytest.mark.parametrize(
    "content", [b"", b"no database at all" * 300, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_what_is_no_copy_is_refused_and_changes_nothing(tmp_path, content):
    store = filled(tmp_path / "history.sqlite")
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(BackupError, match="copy: "):
        restore(tmp_path / "copy", store.path, Zone())
    assert len(minutes(store)) == 500
    assert not (tmp_path / BEFORE).exists()


def test_a_damaged_copy_is_refused(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    backup(store.path, tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    content[4096:20_000] = b"\xa5" * (20_000 - 4096)
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        restore(tmp_path / "copy", store.path, Zone())
    assert len(minutes(store)) == 500


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    with pytest.raises(BackupError, match="is the history itself"):
        backup(store.path, store.path)
    with pytest.raises(BackupError, match="No such file"):
        backup(tmp_path / "nowhere.sqlite", tmp_path / "copy")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BackupError, match="not a regular file"):
        backup(store.path, tmp_path / "folder")
    with pytest.raises(BackupError, match="nowhere"):
        backup(store.path, tmp_path / "nowhere" / "copy")
    assert not list(tmp_path.glob("*.part*"))


def test_the_command_line_copies_and_restores(tmp_path):
    config = tmp_path / "node.toml"
    config.write_text(f'[node]\nname = "n1"\nstate_dir = "{tmp_path}/state"\n')
    store = filled(tmp_path / "state" / "history.sqlite")

    def run(command, file):
        line = [sys.executable, "-m", "edge", command, "--config", str(config), str(file)]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=REPOSITORY)

    made = run("backup", tmp_path / "copy")
    assert (made.returncode, made.stderr) == (0, "")
    assert "500 minutes, 2023" in made.stdout
    store.note_minute("node", NOW + 900, POWERS)
    store.write()
    restored = run("restore", tmp_path / "copy")
    assert (restored.returncode, restored.stderr) == (0, "")
    assert BEFORE in restored.stdout
    assert len(minutes(store)) == 500
    failed = run("restore", tmp_path / "nothing")
    assert failed.returncode == 1
    assert failed.stderr == f"{tmp_path}/nothing: No such file or directory\n"


def test_a_copy_replaces_an_earlier_one_and_no_other_file(tmp_path):
    store = filled(tmp_path / "history.sqlite")
    target = tmp_path / "copy"
    target.touch()
    assert backup(store.path, target).minutes == backup(store.path, target).minutes == 500
    config = tmp_path / "node.toml"
    config.write_text("[node]")
    with pytest.raises(BackupError, match=r"node\.toml: exists and is no copy of a history"):
        backup(store.path, config)
    assert config.read_text() == "[node]"
    with pytest.raises(BackupError, match=r"the folder .*nowhere does not exist"):
        backup(store.path, tmp_path / "nowhere" / "copy")
