"""How far a long run is, where nobody sees a bar."""

import io

from rich.console import Console

from host_tools.progress import seconds_of


def test_a_long_run_says_in_a_file_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr("host_tools.progress.SAY_SECONDS_EVERY_S", 0.0)
    with seconds_of("random", 3600, Console(file=io.StringIO())) as reached:
        reached(600.0)
    assert capsys.readouterr().out == "600 of 3600 s of random, 0 s\n"


def test_a_short_one_says_nothing(capsys):
    with seconds_of("random", 60, Console(file=io.StringIO())) as reached:
        reached(60.0)
    assert capsys.readouterr().out == ""
