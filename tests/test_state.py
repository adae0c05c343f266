"""What a node remembers: whole or not at all, and never at the price of the node."""

import os
from pathlib import Path

import pytest

from edge.clock import VirtualClock
from edge.state import StateFile


@pytest.fixture
def clock():
    return VirtualClock()


def test_memory_comes_back(tmp_path, clock):
    StateFile(tmp_path, clock).save({"incarnation": 3, "twins": {}})
    assert StateFile(tmp_path, clock).load()["incarnation"] == 3


def test_writes_are_spared(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    assert state.due
    state.save({"incarnation": 2})
    assert not state.due
    clock.advance_to(clock.now_s() + 5)
    assert state.due
    before = os.stat(tmp_path / "state.json").st_mtime_ns
    state.save({"incarnation": 2})  # nothing new
    assert os.stat(tmp_path / "state.json").st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 99}', b"\x00" * 100])
def test_an_unreadable_file_is_set_aside(tmp_path, clock, content):
    (tmp_path / "state.json").write_bytes(content)
    assert StateFile(tmp_path, clock).load() == {}
    assert (tmp_path / "state.unreadable").read_bytes() == content


def test_a_partial_write_leaves_the_old_memory(tmp_path, clock):
    StateFile(tmp_path, clock).save({"incarnation": 1})
    (tmp_path / "state.partial").write_bytes(b'{"version":1,"incarn')
    assert StateFile(tmp_path, clock).load()["incarnation"] == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which every Linux has")
def test_a_full_disk_is_counted_and_complained_of_once_an_hour(tmp_path, clock, caplog):
    (tmp_path / "state.partial").symlink_to("/dev/full")
    state = StateFile(tmp_path, clock)
    for second in range(0, 3700, 10):
        clock.advance_to(second)
        state.save({"incarnation": second})
    assert state.failures == 370
    assert sum("cannot be written" in record.message for record in caplog.records) == 2
    assert "No space left" in caplog.text


def test_a_read_only_folder_does_not_stop_the_node(clock, caplog):
    state = StateFile(Path("/proc/nowhere"), clock)
    state.save({"incarnation": 1})
    assert state.failures == 1
    assert "cannot be written" in caplog.text
