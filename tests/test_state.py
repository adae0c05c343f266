"""The memory of a node is restored whole or not at all, and a failing disk does not stop the node."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.state import SLOTS, StateFile
from host_tools.world import VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_memory_is_restored(tmp_path, clock):
    StateFile(tmp_path, clock).save({"incarnation": 3, "twins": {}})
    assert StateFile(tmp_path, clock).load()["incarnation"] == 3


def test_the_memory_is_written_only_if_it_has_changed_and_every_5_s_at_most(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    assert state.due
    state.save({"incarnation": 2})
    assert not state.due
    clock.advance_to(clock.now_s() + 5)
    assert state.due
    before = files(tmp_path)
    state.save({"incarnation": 2})  # unchanged
    assert files(tmp_path) == before


def test_two_files_are_overwritten_in_turn(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    for incarnation in range(1, 20):
        state.save({"incarnation": incarnation, "twins": {"t": "x" * (incarnation % 7)}})
    assert {name: len(data) for name, data in files(tmp_path).items()} == dict.fromkeys(SLOTS, 4096)
    assert StateFile(tmp_path, clock).load()["incarnation"] == 19


def test_the_numbers_of_saves_continue_after_a_restart(tmp_path, clock):
    for incarnation in range(1, 6):
        state = StateFile(tmp_path, clock)
        assert state.load().get("incarnation", 0) == incarnation - 1
        state.save({"incarnation": incarnation})


def test_the_rest_of_a_longer_save_is_ignored(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    for length in (3000, 2000, 10, 20, 0):
        state.save({"twins": "z" * length})
        assert StateFile(tmp_path, clock).load() == {"twins": "z" * length}


@given(st.integers(0, 8191), st.integers(0, 255), st.integers(1, 5000))
def test_after_a_write_that_was_cut_off_the_save_before_is_restored(tmp_path_factory, cut, byte, size):
    """Whichever part of the newer file was not written."""
    folder, clock = tmp_path_factory.mktemp("state"), VirtualClock()
    state = StateFile(folder, clock)
    for number in (1, 2, 3):
        state.save({"incarnation": number, "twins": {"t": "y" * size}})
    newest = folder / SLOTS[3 % 2]
    data = newest.read_bytes()
    newest.write_bytes(data[:cut] + bytes([byte]) * len(data[cut:]))
    found = StateFile(folder, clock).load()["incarnation"]
    untouched = newest.read_bytes().startswith(data.rstrip(b"\n") + b"\n")
    assert found == (3 if untouched else 2)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 99}', b"\x00" * 100, b"00000000 {}"])
def test_unreadable_files_are_set_aside(tmp_path, clock, content):
    for slot in SLOTS:
        (tmp_path / slot).write_bytes(content)
    assert StateFile(tmp_path, clock).load() == {}
    assert files(tmp_path) == {f"{slot}.unreadable": content for slot in SLOTS}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which every Linux has")
def test_failures_on_a_full_disk_are_counted_and_logged_once_an_hour(tmp_path, clock, caplog):
    for slot in SLOTS:
        (tmp_path / slot).symlink_to("/dev/full")
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
