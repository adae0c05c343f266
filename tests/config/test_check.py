"""The command `check`: what it finds beyond the tables, and the memory that it prints."""

import os

import pytest
from configurations import GYM, raw
from repository import REPOSITORY

from edge.__main__ import main
from edge.config.budget import Measured, budget
from edge.config.check import build, load
from edge.service.measure import measured


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[node", "is not valid TOML"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
        (None, "cannot be read"),
        (b"a = " + b"9" * 5000, "a number is too long"),
        (b"a = " + b"[" * 50_000, "nested too deep"),
        (b"a = 2024-02-31", "Invalid date"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, capsys, content, message):
    path = tmp_path / "node.toml"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", "--config", str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error


def test_check_finds_a_model_that_does_not_know_its_option(tmp_path, capsys):
    path = tmp_path / "node.toml"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path}"', "[learning]", 'node_model = "markov"']
    path.write_text("\n".join([*lines, 'node_options = "cells = 9"']))
    assert main(["check", "--config", str(path)]) == 1
    assert "cells" in capsys.readouterr().err


def test_check_finds_a_missing_runtime(tmp_path, capsys, monkeypatch):
    path, missing = tmp_path / "node.toml", tmp_path / "missing"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path}"', "[learning]", 'node_model = "lstm"']
    path.write_text("\n".join(lines))
    for name in ("tflite_runtime", "ai_edge_litert"):
        (missing / name).mkdir(parents=True)
        (missing / name / "__init__.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", f"{missing}:{os.environ.get('PYTHONPATH', '')}:{REPOSITORY}")
    assert main(["check", "--config", str(path)]) == 1
    assert "no TFLite runtime works on this machine" in capsys.readouterr().err


def test_check_measures_this_interpreter(tmp_path):
    path = tmp_path / "node.toml"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path / "state"}"']
    path.write_text("\n".join(lines))
    plain = measured(load(path), path)
    assert 15 < plain.libraries_mb < 60
    assert plain.learning_mb == 0.0
    assert not (tmp_path / "state").exists()
    path.write_text("\n".join([*lines, "[learning]", 'node_model = "lstm"']))
    learns = measured(load(path), path)
    assert 5 < learns.learning_mb < 60
    assert abs(learns.libraries_mb - plain.libraries_mb) < 3


def test_check_prints_the_budget(capsys):
    assert main(["check", "--config", str(GYM)]) == 0
    printed = capsys.readouterr().out
    assert "LSA slots" in printed
    assert "total" in printed


def total_kb(learning_mb=20.0, **sections):
    return sum(line.kb for line in budget(build(raw(**sections), "f"), Measured(30.0, learning_mb)))


def test_learning_shows_in_the_budget():
    with_it = total_kb(learning={"node_model": "lstm"})
    twice = total_kb(learning={"node_model": "lstm", "memory_days": 60})
    without = total_kb()
    assert 20 * 1024 < with_it - without < 34 * 1024
    assert twice - with_it == 30 * 1440 * 24 * 9 / 8 / 1024


def test_the_budget_contains_what_was_measured():
    learns = {"node_model": "lstm"}
    assert total_kb(25.0, learning=learns) - total_kb(20.0, learning=learns) == 5 * 1024
    assert total_kb(25.0) == total_kb(20.0)
