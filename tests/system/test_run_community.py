"""`make run COMMUNITY=1`: real nodes with prices, credits, a storage, and a limit that is obeyed."""

import json

from host_tools.__main__ import main


def test_run_shows_a_community_and_a_limit_that_is_obeyed(tmp_path, capsys):
    arguments = ["run", "--community", "1", "--duration", "18", "--seed", "3", "--out", str(tmp_path)]
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 0, printed
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["invariants_broken"] == 0
    found = report["community"]
    [limit] = [each for each in found["orders"] if each["kind"] == "limit_consume"]
    assert (limit["node"], limit["subject"], limit["limit_w"]) == ("underground", "connection", 4200.0)
    assert limit["start_w"] > 4200.0
    assert limit["after_w"] <= limit["highest_w"] <= 4200.0
    assert limit["finished_s"] > limit["created_s"]
    assert [each["subject"] for each in found["orders"] if each["kind"] == "limit"] == ["wallbox"]
    nodes = found["nodes"]
    assert sum(each["received_wh"] for each in nodes["gym"]["prosumers"]) > 0
    assert any(each["sharing"] for each in nodes.values())
    assert {each["supplier"] for each in nodes["underground"]["suppliers"]} >= {"primary.grid", "gym.pv_roof"}
    assert found["storages"]["afterschool.storage"]["level"] is not None
    assert "limit_consume of underground connection by api:operator" in printed.out
    assert "afterschool.storage: level" in printed.out
