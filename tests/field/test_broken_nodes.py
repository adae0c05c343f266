"""The field test can fail: each node here has one defect that real ones had, and the judge finds it."""

import pytest

from edge.meter.polled import PolledMeter
from edge.meter.registers import Register
from edge.net.hearing import Hearing
from edge.recent import Recent
from edge.space.tuplespace import TupleSpace
from edge.twins.device import Device
from host_tools.field.command import report
from host_tools.field.draw import Field, Site, Trial, draw
from host_tools.field.play import play

SITES = (
    Site("n1", ("n2",), {5: "sdm120"}, {5: "load"}, 10.0),
    Site("n2", ("n1",), {7: "sdm630"}, {7: "pv"}, 10.0),
)
HOUR = Field(
    1,
    SITES,
    [
        Trial("not_a_number", "n1", 100.0, 400.0, 5, float("nan")),
        Trial("wrong_sign", "n2", 500.0, 700.0, 7),
        Trial("dropped", "n1", 800.0, 1100.0, peer="n2"),
        Trial("flapping_dropped", "n2", 1200.0, 1400.0, value=12.0, peer="n1"),
        Trial("unlisted", "n1", 1500.0, 1600.0, peer="n2"),
        Trial("lapsed", "n1", 1700.0, 1900.0, 5),
        Trial("unsubscribed", "n2", 2000.0, 2030.0),
    ],
)
decode, came, poll = Register.decode, Hearing.came, PolledMeter.poll


def _not_a_number_is_zero(self, data):
    value = decode(self, data)
    return 0.0 if value is None else value


def _came_is_heard(self, peer):
    came(self, peer)
    self.heard(peer)


def _poll_without_a_word(self, master, now_s):
    readings = poll(self, master, now_s)
    self.undefined_powers = []
    return readings


def _crash(self, *_):
    raise ZeroDivisionError


def test_a_node_without_these_defects_is_well():
    outcome = play(HOUR)
    assert outcome.violations == []
    assert outcome.good > 500
    assert outcome.undefined > 20


@pytest.mark.parametrize(
    ("owner", "name", "defect", "complaint"),
    [
        (Register, "decode", _not_a_number_is_zero, "m5.total gives 0.0 W, not nan W"),
        (PolledMeter, "poll", _poll_without_a_word, "m5.total is silent"),
        (TupleSpace, "part", lambda self, origin: None, "n1 knows n2 though nothing of them can"),
        (Device, "known", lambda self, now_s: True, "d5 counts"),
        (Device, "signs_against", lambda self: [], "m7.total has the wrong sign, and health"),
        (Hearing, "silent", property(lambda self: []), "n2 does not name n1"),
        (Hearing, "deaf", property(lambda self: []), "n1 does not name n2"),
        (Hearing, "strangers", property(lambda self: []), "n2 does not say that n1 is no neighbour"),
        (Hearing, "came", _came_is_heard, "n1 does not name n2"),
        (Hearing, "to_renew", lambda self: [], "the link from n1 to n2 never got a new connection"),
        (Recent, "note", _crash, "ZeroDivisionError"),
    ],
)
def test_the_judge_finds_a_defect(monkeypatch, owner, name, defect, complaint):
    monkeypatch.setattr(owner, name, defect)
    violations = play(HOUR).violations
    assert any(complaint in each for each in violations), violations


def test_the_judge_finds_a_twin_that_is_lost_again_and_again_unnoticed(monkeypatch):
    monkeypatch.setattr("edge.api.troubles._MANY_LAPSES", 10**6)
    assert any("d5 is lost again and again" in each for each in play(HOUR).violations)


def test_a_failing_hour_prints_its_seed_and_its_faults(monkeypatch):
    seed = next(each for each in range(100) if any(t.kind == "not_a_number" for t in draw(each).trials))
    monkeypatch.setattr(Register, "decode", _not_a_number_is_zero)
    lines = report(play(draw(seed)))
    assert lines[0] == f"seed {seed}:"
    assert any("not_a_number" in each for each in lines)
    assert any("not nan W" in each for each in lines)
    assert lines[-1] == f"again: python -m host_tools fieldtest --seeds 1 --first {seed}"
