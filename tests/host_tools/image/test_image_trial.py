"""The trial of an image: one check that fails does not keep the others from running."""

import pytest

from host_tools.image import proofs
from host_tools.image.cuts import until_minutes_are_owed_s
from host_tools.image.guest import GuestError
from host_tools.image.trial_command import run_all


def fails():
    raise GuestError("31.5 MB a day")


def test_a_check_that_fails_is_reported_and_the_rest_still_runs(capsys):
    ran = []
    steps = {"boot": lambda: "booted", "wear": fails, "update": lambda: ran.append("update")}
    assert run_all(steps, lambda: True) == {"wear": "31.5 MB a day"}
    assert ran == ["update"]
    assert "FAILED  wear: 31.5 MB a day" in capsys.readouterr().out


@pytest.mark.parametrize(("steps", "runs"), [({"boot": fails}, True), ({"boot": str, "wear": fails}, False)])
def test_without_a_machine_the_trial_ends_and_says_what_was_not_run(steps, runs):
    with pytest.raises(GuestError, match="not run: update"):
        run_all({**steps, "update": str}, lambda: runs)


class Written:
    """A guest that writes in bursts, each 15 minutes, and what was held back when it is synced."""

    def __init__(self):
        self.now_s = self.synced_s = 0.0
        self.held_sectors = 0

    def run(self, command):
        if command == "sync":
            self.held_sectors += round((self.now_s - self.synced_s) / 10)
            self.synced_s = self.now_s
        return f"0 0 0 0 0 0 {int(self.now_s // 900) * 300 + self.held_sectors}"


def test_wear_is_measured_over_whole_intervals_and_with_what_the_kernel_holds_back(monkeypatch):
    guest = Written()
    monkeypatch.setattr(proofs.time, "sleep", lambda seconds: setattr(guest, "now_s", guest.now_s + seconds))
    trial = type("Trial", (), {"guest": guest, "swing_w": 0.0, "report": {}})()
    proofs.writes_little(trial, None)
    per_day = 300 * 512 / 1e6 * 96 + 8_640 * 512 / 1e6
    assert trial.report["written_mb_a_day"]["at rest"] == pytest.approx(per_day, abs=0.1)
    assert trial.report["samples_mb_a_day"]["at rest"][0] == 0.0, "one short sample would have said nothing"


@pytest.mark.parametrize(
    ("up_s", "now_s", "waits_s"), [(0.0, 20.0, 291.0), (139.0, 150.0, 161.0), (0.0, 400.0, 0.0)]
)
def test_the_first_power_cut_waits_until_minutes_are_owed(up_s, now_s, waits_s):
    """They are written five at a time, and are owed 10 s later."""
    assert until_minutes_are_owed_s(up_s, now_s) == waits_s
