"""`make run` refuses numbers with which no run can end."""

import pytest

from host_tools.__main__ import main


@pytest.mark.parametrize("duration", ["1e9999", "inf", "nan", "-1", "0", "1e12"])
def test_a_duration_that_is_none_is_refused(capsys, tmp_path, duration):
    assert main(["run", f"--duration={duration}", "--out", str(tmp_path)]) == 2
    assert "must be above 0, at most 31,622,400 s" in capsys.readouterr().err


def test_a_speed_that_is_none_is_refused(capsys, tmp_path):
    assert main(["run", "--speed=nan", "--out", str(tmp_path)]) == 2
    assert "--speed nan: must be between 0.1 and 600" in capsys.readouterr().err
