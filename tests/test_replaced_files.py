"""A file is replaced as a whole: readers see the earlier content or the new one, never a part."""

import os
import stat

import pytest

from edge.files import replace_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "tokens"
    replace_file(path, b"first", mode=0o600)
    replace_file(path, b"second", mode=0o600)
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["tokens"]


def test_a_pipe_in_the_way_of_either_name_does_not_stop_the_writer(tmp_path):
    path = tmp_path / "crashes"
    os.mkfifo(path)
    os.mkfifo(tmp_path / ".crashes.part")
    replace_file(path, b"1")
    assert path.read_bytes() == b"1"


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "file").symlink_to(tmp_path / "other")
    replace_file(tmp_path / "file", b"new", synced=False)
    assert (tmp_path / "other").read_bytes() == b"other"


def test_a_failed_write_leaves_the_earlier_content(tmp_path):
    path = tmp_path / "file"
    replace_file(path, b"kept")
    (tmp_path / ".file.part").mkdir()  # nothing can be written in its place
    with pytest.raises(IsADirectoryError):
        replace_file(path, b"lost")
    assert path.read_bytes() == b"kept"
