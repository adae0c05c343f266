"""The fault table: after any fault the value is undefined, the fault is counted, and the meter recovers."""

import itertools
import random

import pytest

from host_tools.meter import MeterFault
from host_tools.meter.installation import Installation

KINDS = {
    MeterFault.SILENT: "no_answer",
    MeterFault.BAD_CRC: "bad_crc",
    MeterFault.WRONG_SLAVE: "wrong_slave",
    MeterFault.WRONG_FUNCTION: "wrong_function",
    MeterFault.EXCEPTION: "exception_4",
    MeterFault.SHORT: "short_frame",
    MeterFault.LONG: "long_frame",
    MeterFault.LATE: "no_answer",
    MeterFault.GARBAGE: "long_frame",
}


PHASES_AND_TOTAL = ["power_w", "l1.power_w", "l2.power_w", "l3.power_w"]


def test_every_fault_is_in_the_table():
    assert {*KINDS, MeterFault.UNPLUG} == {*MeterFault}


@pytest.mark.parametrize(("fault", "kind"), KINDS.items())
@pytest.mark.parametrize("profile", ["sdm120", "sdm630"])
def test_a_fault_makes_the_value_undefined_and_passes(bench, meter, fault, kind, profile):
    table = bench([meter(profile=profile)])
    inputs = 1 if profile == "sdm120" else 4
    good = table.run(15)
    assert all(each.power_w is not None for each in good)
    table.faults.inject(1, fault, count=1)
    bad = table.run(6)
    assert [each.power_w for each in bad] == [None] * inputs
    assert all(each.record is None for each in bad)
    stats = table.stats("m1")
    assert stats["errors"] == {kind: 1}
    assert stats["failures_in_a_row"] == 1
    again = table.run(10)
    assert [each.device for each in again if each.power_w is not None][:1] == ["m1.total"]
    assert all(each.power_w is not None for each in again)
    assert table.stats("m1")["failures_in_a_row"] == 0
    assert table.stats("m1")["errors"] == {kind: 1}


@pytest.mark.parametrize(("fault", "kind"), KINDS.items())
def test_a_device_with_a_lasting_fault_is_polled_less_and_less_often(bench, meter, fault, kind):
    table = bench([meter(power_period_s=1.0)])
    table.run(5)
    table.faults.inject(1, fault)
    before = table.adapter.line.asked[1]
    tries = [each.at_s for each in table.run(100) if each.power_w is None]
    assert [round(b - a) for a, b in itertools.pairwise(tries)] == pytest.approx(
        [2 * n for n in range(1, len(tries))], abs=1
    )
    assert table.adapter.line.asked[1] - before <= len(tries) <= 10
    assert table.stats("m1")["failures_in_a_row"] == len(tries)
    assert sum(table.stats("m1")["errors"].values()) == len(tries)
    assert table.stats("m1")["retry_in_s"] <= 2 * len(tries)


def test_waiting_is_bounded_and_ends_with_the_fault(bench, meter):
    table = bench([meter()])
    table.faults.inject(1, MeterFault.SILENT)
    tries = [each.at_s for each in table.run(60_000)]
    waits = [b - a for a, b in itertools.pairwise(tries)]
    assert max(waits) == pytest.approx(300, abs=2)
    table.faults.clear(1)
    recovered = table.run(302)
    assert recovered[0].power_w == pytest.approx(1200)
    assert table.stats("m1")["failures_in_a_row"] == 0


@pytest.mark.parametrize("profile", ["sdm120", "b23"])
@pytest.mark.parametrize("power_w", [float("nan"), float("inf"), -1e9])
def test_an_implausible_power_is_undefined_but_not_a_failure(bench, meter, power_w, profile):
    table = bench([meter(profile=profile)], power_w=lambda address, now_s: 500.0 if now_s < 15 else power_w)
    assert all(each.power_w is not None for each in table.run(15))
    assert {each.power_w for each in table.run(10)} == {None}
    stats = table.stats("m1")
    assert stats["failures_in_a_row"] == 0
    assert list(stats["errors"]) == ["implausible"]
    assert stats["undefined_powers"] == (["power_w"] if profile == "sdm120" else PHASES_AND_TOTAL)


def test_one_phase_without_a_value_is_undefined_alone_and_named(bench, meter, monkeypatch):
    measure = Installation.measure

    def without_l2(self, now_s):
        return measure(self, now_s) | {("l2", "power_w"): float("nan")}

    table = bench([meter(profile="sdm630")])
    table.run(5)
    assert table.stats("m1")["undefined_powers"] == []
    monkeypatch.setattr(Installation, "measure", without_l2)
    last = {each.device: each.power_w for each in table.run(10)}
    assert last["m1.l2"] is None
    assert None not in (last["m1.total"], last["m1.l1"], last["m1.l3"])
    assert table.stats("m1")["undefined_powers"] == ["l2.power_w"]
    assert table.stats("m1")["failures_in_a_row"] == 0
    monkeypatch.undo()
    table.run(10)
    assert table.stats("m1")["undefined_powers"] == []


def test_a_late_answer_is_never_the_next_value(bench, meter):
    """Two meters, each showing the time of its measurement: a stale value would show."""
    table = bench(
        [meter("m1", 1, power_period_s=0.9), meter("m2", 2, power_period_s=0.7)],
        power_w=lambda address, now_s: 100.0 * address + now_s / 1000,
    )
    table.faults.inject(1, MeterFault.LATE, probability=0.5)
    readings = table.run(3000)
    for each in readings:
        if each.power_w is not None:
            address = int(each.device[1])
            measured_s = (each.power_w - 100 * address) * 1000
            assert measured_s == pytest.approx(each.at_s, abs=0.6)
    assert table.bus.stats()["late_answers"] > 100
    # A late answer may run into the question to another meter; its reading is lost then, never wrong.
    assert table.stats("m2")["good"] > 0.9 * table.stats("m2")["reads"]


def test_ten_thousand_random_faults_yield_no_wrong_value(bench, meter):
    table = bench(
        [meter(f"m{n}", n, power_period_s=0.5, record_period_s=5.0) for n in (1, 2, 3, 4)],
        power_w=lambda address, now_s: 1000.0 * address + now_s / 1000,
        seed=7,
    )
    rng = random.Random(11)
    faults = [each for each in MeterFault if each is not MeterFault.UNPLUG]
    while table.faults.injected < 10_000:
        for address in (1, 2, 3, 4):
            table.faults.inject(address, rng.choice(faults), probability=rng.choice((0.3, 1.0)), count=2)
        began_s = table.clock.now_s()
        for each in table.run(4):
            if each.power_w is not None:
                address = int(each.device[1])
                assert each.power_w == pytest.approx(1000 * address + each.at_s / 1000, abs=2e-3)
        assert table.clock.now_s() - began_s < 4 + 2 * 0.5 + 0.3  # no transaction outlives its deadline
    counted = sum(sum(table.stats(f"m{n}")["errors"].values()) for n in (1, 2, 3, 4))
    assert counted >= 10_000
