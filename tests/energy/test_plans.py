"""Planned runs: the forecast of suppliers, the start times they offer, and when a flexible load starts."""

from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import Zone
from edge.energy.bookings import Bookings
from edge.energy.forecast import FreePower
from edge.energy.parsing import lenient
from edge.energy.planner import Planner, RunSettings, Stage
from edge.energy.plans import Plan, Start, encode_starts, parse_plan, parse_starts

MIDNIGHT = 1_699_920_000.0
HOUR = 3600.0


def nothing(consumer):
    """The power that each consumer has under contract."""
    return 0.0


def sunny_day(bookings, peak_w=1000.0):
    """A day on which power is free from 10:00 to 14:00."""
    for minute in range(24 * 60):
        hour = minute / 60
        bookings.note(peak_w if 10 <= hour < 14 else 0.0, MIDNIGHT + minute * 60)


@given(st.floats(0.1, 1e5), st.floats(1, 86400), st.floats(0, 86400), st.sampled_from(["", "n1.p"]))
def test_a_plan_survives_encoding(power_w, run_s, latest_in_s, supplier):
    plan = Plan(7, power_w, run_s, latest_in_s, supplier)
    assert parse_plan(plan.encode()) == plan


@given(st.dictionaries(st.text(max_size=5), st.builds(Start, st.integers(0, 2**53), st.floats(0, 86400))))
def test_starts_survive_encoding(starts):
    assert parse_starts(encode_starts(starts)) == starts


@pytest.mark.parametrize("row", [[1], [1, -1], [1.5, 0], ["x", 0], [1, 1e6], 3, [True, 0, 0]])
def test_bad_starts_are_refused(row):
    assert lenient(parse_starts)(orjson.dumps({"n.c": row})) is None


@pytest.mark.parametrize(
    "change", [{"w": 0}, {"run_s": 0}, {"latest_in_s": -1}, {"supplier": 3}, {"id": None}]
)
def test_a_bad_plan_is_refused(change):
    fields = {"id": 1, "w": 5.0, "run_s": 60, "latest_in_s": 60, "supplier": ""} | change
    assert lenient(parse_plan)(orjson.dumps(fields)) is None


def test_free_power_is_forecast_by_time_of_day():
    free = FreePower()
    free.note(300.0, MIDNIGHT)
    assert free.expect(MIDNIGHT + 12 * HOUR, 12 * HOUR) == 300.0  # nothing known yet: as now
    for minute in range(24 * 60):
        free.note(float(minute // 60), MIDNIGHT + minute * 60)
    assert free.expect(MIDNIGHT + 31.5 * HOUR, 7.5 * HOUR) == pytest.approx(7.0)
    free.note(50.0, MIDNIGHT + 24 * HOUR)
    assert free.expect(MIDNIGHT + 31 * HOUR, 7 * HOUR) == pytest.approx(7.0)
    assert free.expect(MIDNIGHT + 24.5 * HOUR, 0.5 * HOUR) == 50.0  # the next hour is as now


def test_a_run_is_placed_at_the_earliest_time_at_which_it_fits():
    bookings = Bookings("n.p")
    sunny_day(bookings)
    bookings.see("n.c", Plan(1, 800.0, 2 * HOUR, 12 * HOUR), 0.0, MIDNIGHT + 30 * HOUR)
    assert bookings.starts() == {"n.c": Start(1, 4 * HOUR)}
    bookings.see("n.late", Plan(1, 800.0, 2 * HOUR, 3 * HOUR), 0.0, MIDNIGHT + 30 * HOUR)
    assert "n.late" not in bookings.starts()


def test_runs_that_do_not_fit_together_are_booked_one_after_the_other():
    bookings = Bookings("n.p")
    sunny_day(bookings)
    for i in range(4):
        name, plan = f"n.c{i}", Plan(i, 400.0, HOUR, 14 * HOUR)
        bookings.see(name, plan, 0.0, MIDNIGHT + 24 * HOUR)
        bookings.see(name, Plan(i, 400.0, HOUR, 14 * HOUR, "n.p"), 0.0, MIDNIGHT + 24 * HOUR)
    assert [start.in_s / HOUR for start in bookings.starts().values()] == [10, 10, 11, 11]


def test_only_booked_power_is_set_aside_and_only_for_its_consumer():
    bookings = Bookings("n.p")
    bookings.note(1000.0, MIDNIGHT)
    bookings.see("n.a", Plan(1, 100.0, HOUR, 0.0), 0.0, MIDNIGHT)
    bookings.see("n.b", Plan(2, 200.0, HOUR, 0.0), 0.0, MIDNIGHT)
    assert bookings.set_aside_w("n.x", 1.0, nothing) == 0.0
    bookings.see("n.a", Plan(1, 100.0, HOUR, 0.0, "n.p"), 1.0, MIDNIGHT)
    bookings.see("n.b", Plan(2, 200.0, HOUR, 0.0, "n.other"), 1.0, MIDNIGHT)
    assert (bookings.set_aside_w("n.x", 1.0, nothing), bookings.set_aside_w("n.a", 1.0, nothing)) == (
        105.0,
        0.0,
    )
    assert set(bookings.starts()) == {"n.a"}
    bookings.step(HOUR, bool)
    assert len(bookings) == 0


def booked():
    bookings = Bookings("n.p")
    bookings.note(1000.0, MIDNIGHT)
    for supplier in ("", "n.p"):
        bookings.see("n.a", Plan(1, 100.0, HOUR, 0.0, supplier), 0.0, MIDNIGHT)
    return bookings


def test_power_under_contract_is_not_set_aside_again():
    bookings = booked()
    assert bookings.set_aside_w("n.x", 1.0, {"n.a": 84.0}.get) == pytest.approx(21.0)
    assert bookings.set_aside_w("n.x", 1.0, {"n.a": 105.0}.get) == 0.0


@pytest.mark.parametrize(("claims", "left"), [(False, 0), (True, 1)])
def test_a_booking_ends_when_its_run_begins_elsewhere(claims, left):
    bookings = booked()
    bookings.step(bookings.due_s - 1, lambda consumer: False)
    assert len(bookings) == 1
    bookings.step(bookings.due_s, lambda consumer: claims)
    assert len(bookings) == left
    bookings.step(HOUR, lambda consumer: True)
    assert len(bookings) == 0


def test_an_offered_start_that_is_not_booked_expires():
    bookings = Bookings("n.p")
    bookings.note(1000.0, MIDNIGHT)
    bookings.see("n.a", Plan(1, 100.0, HOUR, 0.0), 0.0, MIDNIGHT)
    bookings.step(8.0, bool)
    assert len(bookings) == 0


def planner(within_s=8 * HOUR):
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=6.0))
    made.step(0.0, MIDNIGHT, False, 1)
    made.step(6 * HOUR, MIDNIGHT + 6 * HOUR, False, 2)
    assert made.stage is Stage.PLANNING
    return made


def test_the_earliest_start_is_taken_and_kept():
    plan = planner()
    plan.hear("n.far", Start(2, 3600.0), 3, 6 * HOUR)
    plan.hear("n.near", Start(2, 3600.0), 0, 6 * HOUR)
    plan.hear("n.late", Start(2, 7200.0), 0, 6 * HOUR)
    plan.hear("n.stale", Start(1, 0.0), 0, 6 * HOUR)
    plan.step(6 * HOUR + 1, MIDNIGHT, False, 3)
    assert plan.plan.supplier == ""  # others may still answer
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 3)
    assert (plan.stage, plan.plan.supplier) == (Stage.BOOKED, "n.near")
    plan.step(7 * HOUR - 1, MIDNIGHT, False, 3)
    assert plan.need_w == 0.0
    plan.step(7 * HOUR, MIDNIGHT, False, 3)
    assert plan.need_w == 800.0


def test_a_run_counts_only_the_time_it_is_served():
    plan = planner(within_s=0.0)
    now_s = 6 * HOUR
    served_s = 0
    while plan.stage is not Stage.IDLE:
        now_s += 1.0
        served = now_s % 1000 < 900
        plan.step(now_s, MIDNIGHT, served, 9)
        served_s += served
        assert now_s < 8 * HOUR
    assert plan.runs == 1
    assert 3600 <= served_s <= 3610


def test_an_unserved_load_misses_its_day_and_is_ready_on_the_next():
    plan = planner(within_s=HOUR)
    for minute in range(6 * 60, 9 * 60):
        plan.step(minute * 60.0, MIDNIGHT + minute * 60.0, False, minute)
    assert (plan.stage, plan.missed) == (Stage.IDLE, 1)
    plan.step(30 * HOUR, MIDNIGHT + 30 * HOUR, False, 9)
    assert plan.stage is Stage.PLANNING


def test_an_unfinished_run_goes_on_after_a_restart():
    plan = planner(within_s=0.0)
    for second in range(1, 1000):
        plan.step(6 * HOUR + second, MIDNIGHT, True, 3)
    again = Planner(plan.settings)
    again.recall(plan.memory(6 * HOUR + 999), 50.0)
    assert again.need_w == 800.0
    second = 50
    while again.stage is not Stage.IDLE:
        second += 1
        again.step(float(second), MIDNIGHT, True, 3)
    assert 2590 <= second - 50 <= 2610


@pytest.mark.parametrize("memory", [{}, {"stage": "x", "left_s": 1, "latest_in_s": 1}, {"stage": "due"}])
def test_invalid_saved_data_is_refused(memory):
    with pytest.raises((KeyError, ValueError)):
        planner().recall(memory, 0.0)


def test_a_clock_that_is_set_back_does_not_repeat_the_run_of_the_day():
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=HOUR, ready_hour=6.0))
    began = []
    for now_s, hour in ((0, 5.0), (10, 7.0), (20, 4.0), (30, 6.5), (40, 29.0), (50, 31.0)):
        made.stage = Stage.IDLE  # each run is over by then
        made.step(now_s, MIDNIGHT + hour * HOUR, False, 1)
        began.append(made.stage is Stage.PLANNING)
    assert began == [False, True, False, False, False, True]


DAY = 24 * HOUR


def behind(days, hour=3.0, within_s=8 * HOUR, ready_hour=13.0):
    """A load on a board whose date is some days behind, at a time of day."""
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=ready_hour))
    made.step(0.0, MIDNIGHT + hour * HOUR - days * DAY, False, 1)
    return made


def ready_at(made, now_s, wall_s, hours):
    """Step a load for some hours; when it becomes ready, in hours from `now_s`."""
    found = []
    for step in range(int(hours * HOUR / 5)):
        before = made.stage
        made.step(now_s + 5.0 * step, wall_s + 5.0 * step, True, 9)
        if before is Stage.IDLE and made.stage is Stage.PLANNING:
            found.append(round(step * 5 / HOUR, 2))
    return found


@pytest.mark.parametrize("days", [1, 3, 400, -3])
def test_a_date_that_is_set_at_night_starts_no_run_before_its_hour(days):
    made = behind(days)
    made.date_jumped()
    assert ready_at(made, 600.0, MIDNIGHT + 3 * HOUR + 600.0, 24) == [round(10 - 600 / HOUR, 2)]
    assert made.runs == 1


def test_a_date_that_is_set_in_the_window_leaves_what_is_left_of_it():
    made = behind(3)
    made.date_jumped()
    made.step(600.0, MIDNIGHT + 15 * HOUR, False, 7)
    assert made.stage is Stage.PLANNING
    assert made.plan.latest_in_s == pytest.approx(6 * HOUR)


def test_what_was_planned_by_a_wrong_date_is_planned_anew_by_the_right_one():
    made = behind(3, hour=12.99)
    made.step(60.0, MIDNIGHT + 13 * HOUR - 3 * DAY, False, 2)
    assert made.stage is Stage.PLANNING
    made.date_jumped()  # in truth it is ten past three
    assert ready_at(made, 600.0, MIDNIGHT + 3 * HOUR + 600.0, 20) == [round(10 - 600 / HOUR, 2)]


def test_a_run_that_began_by_a_wrong_date_is_the_one_of_the_day():
    made = behind(3, hour=12.99, within_s=0.0)
    for second in range(60, 660):
        made.step(float(second), MIDNIGHT + 12.99 * HOUR - 3 * DAY + second, True, 2)
    assert made.stage is Stage.RUNNING
    made.date_jumped()
    assert ready_at(made, 660.0, MIDNIGHT + 3 * HOUR + 660.0, 15) == []
    assert made.runs == 1


@pytest.mark.parametrize(
    ("start", "hours"), [("2025-03-29T12:00", [1.0, 24.0]), ("2025-10-25T12:00", [1.0, 26.0])]
)
def test_the_hour_of_a_load_is_civil_time_in_nights_of_23_and_25_hours(start, hours):
    """Ready at 13:00 of Zurich on both days, whatever the clocks are set to in the night between them."""
    zone = Zone("Europe/Zurich")
    settings = RunSettings(power_w=800.0, run_s=HOUR, within_s=HOUR, ready_hour=13.0)
    made = Planner(settings, zone.civil_s)
    wall_s = 60.0 * zone.utc(int(datetime.fromisoformat(start + "+00:00").timestamp()) // 60)
    found = ready_at(made, 0.0, wall_s, 30)
    assert found == hours


@pytest.mark.parametrize("start", ["2025-03-30T00:00", "2025-10-26T00:00"])
def test_an_hour_that_is_skipped_or_twice_starts_one_run(start):
    zone = Zone("Europe/Zurich")
    made = Planner(RunSettings(power_w=800.0, run_s=60.0, within_s=HOUR, ready_hour=2.5), zone.civil_s)
    wall_s = 60.0 * zone.utc(int(datetime.fromisoformat(start + "+00:00").timestamp()) // 60)
    assert len(ready_at(made, 0.0, wall_s, 8)) == 1


def test_a_date_that_cannot_be_believed_teaches_the_forecast_nothing():
    free = FreePower()
    for minute in range(24 * 60):
        free.note(100.0, MIDNIGHT + minute * 60)
    for _ in range(30):
        free.note(7.0, None)
    free.note(7.0, MIDNIGHT + DAY)
    assert free.expect(MIDNIGHT + 30 * HOUR, 6 * HOUR) == 100.0
    assert free.expect(MIDNIGHT + DAY, 60.0) == 7.0
