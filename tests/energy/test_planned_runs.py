"""When a flexible load starts: by a contract for later, by its hour, and when its day is over."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from later_spans import HOUR, MIDNIGHT, later, sunny_day
from market import Table, make_consumer, make_supplier

from edge.clock import Zone
from edge.energy.daily_run import RunSettings, Stage
from edge.energy.forecast import FreePower
from edge.energy.invariants import violations
from edge.energy.messages import Answer, Offer
from edge.energy.planner import Planner
from edge.energy.plans import Plan
from edge.energy.rules import LATE_S, REPLAN_S, SLOT_S


def planner(within_s=8 * HOUR):
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=6.0))
    made.step(0.0, MIDNIGHT, False, None)
    made.step(6 * HOUR, MIDNIGHT + 6 * HOUR, False, None)
    assert made.stage is Stage.PLANNING
    return made


def test_a_run_waits_for_the_begin_of_its_contract():
    plan = planner()
    assert plan.plan == Plan(800.0, HOUR, 6 * HOUR, 14 * HOUR)
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    assert plan.stage is Stage.BOOKED
    plan.step(7 * HOUR - 1, MIDNIGHT, False, 7 * HOUR)
    assert plan.need_w == 0.0
    plan.step(7 * HOUR, MIDNIGHT, False, 7 * HOUR)
    assert (plan.need_w, plan.plan) == (800.0, None)


def test_a_run_whose_power_did_not_come_is_planned_again_while_there_is_time():
    plan = planner()
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    plan.step(7 * HOUR, MIDNIGHT, False, 7 * HOUR)
    plan.step(7 * HOUR + REPLAN_S - 1, MIDNIGHT, False, None)
    assert plan.need_w == 800.0
    plan.step(7 * HOUR + REPLAN_S, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.PLANNING, 0.0)
    assert plan.plan.latest_s == 14 * HOUR
    plan.step(14 * HOUR, MIDNIGHT, False, None)
    plan.step(14 * HOUR + 2 * REPLAN_S, MIDNIGHT, False, None)
    assert plan.need_w == 800.0  # no time is left


def test_a_run_whose_contract_was_lost_waits_for_another():
    plan = planner()
    plan.step(6 * HOUR + 2, MIDNIGHT, False, 7 * HOUR)
    plan.step(6 * HOUR + 3, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.PLANNING, 0.0)
    plan.step(14 * HOUR - 1, MIDNIGHT, False, None)
    assert plan.plan is not None
    plan.step(14 * HOUR, MIDNIGHT, False, None)
    assert (plan.stage, plan.need_w) == (Stage.DUE, 800.0)


def planning(now_s=0.0, latest_s=20 * HOUR, **settings):
    consumer = make_consumer(**settings)
    consumer.planned = Plan(50.0, HOUR, now_s, latest_s)
    consumer.step(now_s)
    return consumer


def test_the_earliest_begin_is_taken_and_kept():
    consumer = planning()
    number = consumer.request.id
    for name, in_s, hops in (("n.far", 3600.0, 3), ("n.near", 3600.0, 0), ("n.late", 7200.0, 0)):
        consumer.see_offer(name, Offer(number, 50.0, 52.5, 3, in_s=in_s), hops, 0.0)
    consumer.see_offer("n.stale", Offer(number - 1, 50.0, 52.5, 3), 0, 0.0)
    consumer.see_offer("n.small", Offer(number, 49.0, 51.0, 3), 0, 0.0)
    consumer.step(1.0)
    assert consumer.main is None  # others may still answer
    consumer.see_offer("n.near", Offer(number, 50.0, 52.5, 3, in_s=3600.0), 0, 1.5)  # the same again
    consumer.step(2.0)
    assert [part.supplier for part in consumer.main.parts] == ["n.near"]
    consumer.see_answers("n.near", (Answer(consumer.main.id, True),))
    consumer.step(2.5)
    assert consumer.begins_s == 3600.0
    assert (consumer.active, consumer.request) == ([], None)


def test_a_request_for_later_is_published_again_until_it_is_answered():
    consumer = planning()
    number = consumer.request.id
    consumer.step(59.0)
    assert consumer.request.id == number
    consumer.step(60.0)
    assert consumer.request.id != number
    assert (consumer.request.begin_in_s, consumer.request.latest_in_s) == (0.0, 20 * HOUR - 60.0)
    consumer.planned = None
    consumer.step(61.0)
    assert consumer.request is None


def test_a_run_is_supplied_from_the_moment_at_which_its_contract_begins():
    consumer, supplier = planning(), make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    supplier.capacity_w, told = 60.0, []
    table = Table({"n.c": consumer}, {"n.p": supplier})
    later_offers = supplier.step
    supplier.step = lambda now_s: later_offers(now_s, MIDNIGHT + now_s)
    for _ in range(4):
        table.talk(1.0)
    assert consumer.begins_s is not None
    consumer.planned = None
    consumer.set_need(50.0)
    consumer.step(table.now_s)
    assert consumer.satisfied
    table.talk(0.1)
    told.append(consumer.main.id)
    for _ in range(100):
        table.talk(60.0)
        assert consumer.satisfied
        assert violations("n", consumer, supplier, table.now_s) == []
    assert supplier.supplied_w == 50.0
    assert told == [consumer.main.id]


def begun_without_power():
    """A run has a contract and begins, but its supplier has too little power by now."""
    consumer, supplier = planning(), make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    table = Table({"n.c": consumer}, {"n.p": supplier})
    plain = supplier.step
    supplier.step = lambda now_s: plain(now_s, MIDNIGHT + now_s)
    table.talk(1.0)
    supplier.set_capacity(30.0)
    for _ in range(5):
        table.talk(1.0)
    assert consumer.begins_s is not None
    consumer.planned = None
    consumer.set_need(50.0)
    return consumer, supplier, table


def test_a_run_waits_at_its_begin_until_its_supplier_has_the_power():
    """The run before it takes a bit longer than was planned."""
    consumer, supplier, table = begun_without_power()
    for _ in range(5):
        table.talk(1.0)
    assert (consumer.active, consumer.request) == ([], None)
    number = consumer.main.id
    supplier.set_capacity(60.0)
    table.talk(0.1)
    table.talk(0.1)
    assert [each.id for each in consumer.active] == [number]


def test_a_run_whose_power_does_not_come_is_soon_requested_from_all():
    consumer, _, table = begun_without_power()
    for _ in range(int(LATE_S) + 2):
        table.talk(1.0)
    assert consumer.main is None
    assert consumer.request.power_w == 50.0
    assert consumer.request.run_s == 0.0


def test_a_run_is_not_promised_where_its_margin_does_not_fit():
    supplier = make_supplier(capacity_w=100.0)
    supplier.note_free(MIDNIGHT)
    assert later(supplier, "n.whole", 1, 100.0, HOUR, 8 * HOUR) is None
    assert later(supplier, "n.less", 1, 95.0, HOUR, 8 * HOUR).in_s == 0.0


def test_a_promise_counts_on_a_part_of_what_was_free_on_other_days():
    supplier = make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    for power_w, found_h in ((800.0, 10), (900.0, None)):
        offer = later(supplier, f"n.{power_w:g}", 1, power_w, HOUR, 20 * HOUR, civil_s=MIDNIGHT + 24 * HOUR)
        assert (offer and offer.in_s) == (found_h and found_h * HOUR)


def test_a_load_that_may_wait_takes_the_greenest_offer_and_of_those_the_first():
    consumer = planning()
    number = consumer.request.id
    for name, in_s, impact in (("n.grid", 0.0, 3), ("n.roof", 7200.0, 2), ("n.sun", 3600.0, 2)):
        consumer.see_offer(name, Offer(number, 50.0, 52.5, impact, in_s=in_s), 0, 0.0)
    consumer.step(2.0)
    assert [part.supplier for part in consumer.main.parts] == ["n.sun"]


def test_a_run_that_is_no_longer_planned_gives_its_contract_back():
    consumer, supplier = planning(), make_supplier(capacity_w=0.0)
    sunny_day(supplier.ahead)
    table = Table({"n.c": consumer}, {"n.p": supplier})
    later_offers = supplier.step
    supplier.step = lambda now_s: later_offers(now_s, MIDNIGHT + 24 * HOUR + now_s)
    for _ in range(4):
        table.talk(1.0)
    assert consumer.begins_s == pytest.approx(10 * HOUR, abs=SLOT_S)
    consumer.planned = None
    for _ in range(2):
        table.talk(1.0)
    assert (consumer.main, len(supplier.ahead)) == (None, 0)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 400.0), st.booleans(), st.booleans(), st.sampled_from([40.0, 60.0, 100.0])),
        min_size=4,
        max_size=40,
    )
)
def test_whatever_is_lost_a_contract_for_later_keeps_the_rules(course):
    """A consumer with a plan, one that asks for what is free, a supplier whose capacity changes."""
    consumer, other = planning(contract_s=600.0, latest_s=1e9), make_consumer(contract_s=600.0)
    supplier = make_supplier(capacity_w=60.0)
    supplier.note_free(MIDNIGHT)
    table = Table({"n.c": consumer, "n.d": other}, {"n.p": supplier})
    plain = supplier.step
    supplier.step = lambda now_s: plain(now_s, MIDNIGHT + now_s)
    for seconds, said, answered, capacity_w in course:
        supplier.set_capacity(capacity_w)
        other.set_need(40.0 if said else 0.0)
        if consumer.begins_s is not None and table.now_s >= consumer.begins_s:
            consumer.planned = None
            consumer.set_need(50.0)
        table.pass_time(seconds)
        for name in table.consumers:
            if said:
                table.consumer_is_heard(name, "n.p")
            if answered:
                table.supplier_is_heard(name, "n.p")
        for each in table.consumers.values():
            assert violations("n", each, supplier, table.now_s) == []
    supplier.set_capacity(200.0)
    for _ in range(80):
        if consumer.begins_s is not None and table.now_s >= consumer.begins_s:
            consumer.planned = None
            consumer.set_need(50.0)
        table.talk(1.0)
    held = [(each.consumer, each.key) for each in (*supplier.book, *supplier.ahead) if each.committed]
    shown = [(name, each.id) for name, one in table.consumers.items() for each in one.contracts]
    assert sorted(held) == sorted(shown)


def test_a_run_counts_only_the_time_it_is_served():
    plan = planner(within_s=0.0)
    now_s = 6 * HOUR
    served_s = 0
    while plan.stage is not Stage.IDLE:
        now_s += 1.0
        served = now_s % 1000 < 900
        plan.step(now_s, MIDNIGHT, served, None)
        served_s += served
        assert now_s < 8 * HOUR
    assert plan.runs == 1
    assert 3600 <= served_s <= 3610


def test_an_unserved_load_misses_its_day_and_is_ready_on_the_next():
    plan = planner(within_s=HOUR)
    for minute in range(6 * 60, 9 * 60):
        plan.step(minute * 60.0, MIDNIGHT + minute * 60.0, False, None)
    assert (plan.stage, plan.missed) == (Stage.IDLE, 1)
    plan.step(30 * HOUR, MIDNIGHT + 30 * HOUR, False, None)
    assert plan.stage is Stage.PLANNING


def test_an_unfinished_run_goes_on_after_a_restart():
    plan = planner(within_s=0.0)
    for second in range(1, 1000):
        plan.step(6 * HOUR + second, MIDNIGHT, True, None)
    again = Planner(plan.settings)
    again.recall(plan.memory(6 * HOUR + 999), 50.0)
    assert again.need_w == 800.0
    second = 50
    while again.stage is not Stage.IDLE:
        second += 1
        again.step(float(second), MIDNIGHT, True, None)
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
        made.step(now_s, MIDNIGHT + hour * HOUR, False, None)
        began.append(made.stage is Stage.PLANNING)
    assert began == [False, True, False, False, False, True]


DAY = 24 * HOUR


def behind(days, hour=3.0, within_s=8 * HOUR, ready_hour=13.0):
    """A load on a board whose date is some days behind, at a time of day."""
    made = Planner(RunSettings(power_w=800.0, run_s=HOUR, within_s=within_s, ready_hour=ready_hour))
    made.step(0.0, MIDNIGHT + hour * HOUR - days * DAY, False, None)
    return made


def ready_at(made, now_s, wall_s, hours):
    """Step a load for some hours; when it becomes ready, in hours from `now_s`."""
    found = []
    for step in range(int(hours * HOUR / 5)):
        before = made.stage
        made.step(now_s + 5.0 * step, wall_s + 5.0 * step, True, None)
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
    made.step(600.0, MIDNIGHT + 15 * HOUR, False, None)
    assert made.stage is Stage.PLANNING
    assert made.plan.latest_s - 600.0 == pytest.approx(6 * HOUR)


def test_what_was_planned_by_a_wrong_date_is_planned_anew_by_the_right_one():
    made = behind(3, hour=12.99)
    made.step(60.0, MIDNIGHT + 13 * HOUR - 3 * DAY, False, None)
    assert made.stage is Stage.PLANNING
    made.date_jumped()  # in truth it is ten past three
    assert ready_at(made, 600.0, MIDNIGHT + 3 * HOUR + 600.0, 20) == [round(10 - 600 / HOUR, 2)]


def test_a_run_that_began_by_a_wrong_date_is_the_one_of_the_day():
    made = behind(3, hour=12.99, within_s=0.0)
    for second in range(60, 660):
        made.step(float(second), MIDNIGHT + 12.99 * HOUR - 3 * DAY + second, True, None)
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
