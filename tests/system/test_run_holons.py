"""`make run HOLONS=2`: two microgrids and their parent as processes; what one lacks the other one gives."""

import json

import pytest

from host_tools.__main__ import main


def test_run_shows_contracts_that_cross_gates_and_their_books_balance(tmp_path, capsys):
    code = main(["run", "--holons", "2", "--duration", "4", "--out", str(tmp_path)])
    printed = capsys.readouterr()
    assert code == 0, printed
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["invariants_broken"] == 0
    gates = {each["name"]: each for each in report["holons"]["gates"]}
    assert report["holons"]["contracts_across_gates"] > 0
    assert sum(gates[name]["out_w"] for name in ("h1-primary.up", "h1-afterschool.up")) > 0.0
    assert sum(gates[name]["in_w"] for name in ("h2-primary.up", "h2-afterschool.up")) > 0.0
    processes = {node["name"]: node["process"] for node in report["nodes"]}
    assert len(processes) == 10
    assert processes["q-h2-primary"] == "h2-primary"
    assert "contracts of devices crossed gates" in printed.out


@pytest.mark.parametrize("others", [["--data", "x"], ["--community", "1"]])
def test_options_that_are_not_for_holons_are_refused(others, capsys):
    assert main(["run", "--holons", "2", *others]) == 2
    assert f"{others[0]} is not for it" in capsys.readouterr().err
