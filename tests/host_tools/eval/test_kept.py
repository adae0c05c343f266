"""Files of a cache that two jobs compute at the same time."""

import pytest

from host_tools.eval.gossip.kept import written


def test_two_jobs_that_write_the_same_file_do_not_disturb_each_other(tmp_path):
    file = tmp_path / "cache" / "one.npz"
    with written(file) as first:
        first.write(b"the first ")
        with written(file) as second:
            second.write(b"the second")
        assert file.read_bytes() == b"the second"
        first.write(b"is whole")
    assert file.read_bytes() == b"the first is whole"
    assert list(file.parent.iterdir()) == [file]


def test_a_job_that_fails_leaves_what_was_there(tmp_path):
    file = tmp_path / "one.npz"
    file.write_bytes(b"before")

    def fail():
        with written(file) as unfinished:
            unfinished.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == b"before"
