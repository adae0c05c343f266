"""The recording of the demo is made up, is the same each time, and can be played."""

from datetime import timedelta

from host_tools.__main__ import main
from host_tools.microgrid import demo
from host_tools.microgrid.demo import FIRST, write_days
from host_tools.microgrid.replay import files_of, replayed
from host_tools.run import plan


def test_the_recording_can_be_played_and_is_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        write_days(tmp_path / name, days=1)
    files = files_of(tmp_path / "one")
    assert [file.name for file in files] == [file.name for file in files_of(tmp_path / "two")]
    assert all(file.read_bytes() == (tmp_path / "two" / file.name).read_bytes() for file in files)
    plans = replayed(files, FIRST + timedelta(hours=6), 600.0, 60.0)
    assert {plan.name for plan in plans} == {"primary", "afterschool", "gym", "underground"}
    assert {device.kind for plan in plans for device in plan.devices} == {"pv", "load"}
    noon_w = sum(device.power_w(6 * 60.0) for plan in plans for device in plan.devices if device.kind == "pv")
    assert noon_w > 1000.0


def test_the_demo_has_all_options_of_a_run(tmp_path, monkeypatch):
    planned = []
    monkeypatch.setattr(demo, "run", lambda options: planned.append(plan(options)) or 0)
    assert main(["demo", "--duration", "5", "--out", str(tmp_path)]) == 0
    ((plans, title, _),) = planned
    assert len(plans) == 4
    assert "speed 60" in title
    assert plans[0].learning["node_model"] == "markov"
