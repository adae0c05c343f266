"""Three crashes in a row, and the node starts without learning; a power cut or a stop is no crash."""

import os

import pytest

from edge.service.crashes import MOST, NAME, SETTLED_S, Crashes


@pytest.fixture
def boot(tmp_path):
    path = tmp_path / "boot_id"
    path.write_text("first\n")
    return path


def start(tmp_path, boot):
    crashes = Crashes(tmp_path, boot)
    crashes.begin()
    return crashes


def test_after_three_crashes_learning_is_off_until_a_start_has_held(tmp_path, boot):
    for _ in range(MOST):
        assert not start(tmp_path, boot).too_many
    without = start(tmp_path, boot)
    assert without.too_many
    without.look(SETTLED_S - 1)
    assert start(tmp_path, boot).too_many
    without.look(SETTLED_S)
    assert not start(tmp_path, boot).too_many


def test_a_node_that_was_stopped_has_not_crashed(tmp_path, boot):
    for _ in range(5):
        crashes = start(tmp_path, boot)
        assert crashes.count == 0
        crashes.settle()


def test_power_cuts_are_not_counted(tmp_path, boot):
    for number in range(5):
        boot.write_text(f"boot {number}")
        assert start(tmp_path, boot).count == 0


@pytest.mark.parametrize("content", [b"", b"x", b"-1 first", b"9" * 500, b"\xff\xfe", b"2 other"])
def test_a_count_that_cannot_be_read_is_none(tmp_path, boot, content):
    (tmp_path / NAME).write_bytes(content)
    assert start(tmp_path, boot).count == 0


def test_a_folder_in_place_of_the_count_stops_nothing(tmp_path, boot):
    (tmp_path / NAME).mkdir()
    assert start(tmp_path, boot).count == 0


@pytest.mark.parametrize("name", [NAME, f".{NAME}"])
def test_a_pipe_in_place_of_the_count_does_not_stop_the_node(tmp_path, boot, name):
    os.mkfifo(tmp_path / name)
    assert start(tmp_path, boot).count == 0
    assert start(tmp_path, boot).count == 1


def test_a_folder_in_place_of_the_count_is_said_and_the_node_starts(tmp_path, boot, caplog):
    (tmp_path / NAME).mkdir()
    assert start(tmp_path, boot).count == 0
    assert "cannot be written" in caplog.text
