"""What a battery does for its own device, and the common one for all, without a microgrid."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.battery import Battery, BatteryLimits
from edge.energy.book import Promise, State
from edge.energy.messages import Priority, Request
from edge.energy.storage import AGAIN_S, RESERVED_S, SHORTEST_S, UNMET_S, CommonStorage, OwnStorage


def battery(level_wh, capacity_wh=100.0, **limits):
    return Battery(BatteryLimits(capacity_wh=capacity_wh, **limits), level_wh)


def seconds(own, count, surplus_w=0.0, missing_w=0.0, start_s=0.0):
    for second in range(count + 1):
        own.step(surplus_w, missing_w, start_s + second)
    return start_s + count


# ---- for its own device ---------------------------------------------------------------------------


def test_the_surplus_charges_the_battery_until_it_is_full():
    own = OwnStorage(battery(0.0, 1.0))
    now_s = seconds(own, 30, surplus_w=100.0)
    assert own.charging_w == 100.0
    assert own.battery.level_wh == pytest.approx(100 * 30 / 3600)
    seconds(own, 30, surplus_w=100.0, start_s=now_s)
    assert own.battery.level_wh == pytest.approx(1.0)
    assert own.charging_w == 0.0


def test_a_need_is_met_after_three_seconds_and_then_followed():
    own = OwnStorage(battery(50.0))
    now_s = seconds(own, int(UNMET_S) - 1, missing_w=100.0)
    assert own.giving_w == 0.0
    own.step(0.0, 100.0, now_s + 1)
    assert own.giving_w == 100.0
    own.step(0.0, 180.0, now_s + 2)
    assert own.giving_w == 180.0
    own.step(0.0, 40.0, now_s + 3)
    assert own.giving_w == 40.0
    own.step(0.0, 0.0, now_s + 4)
    assert own.giving_w == 0.0


def test_after_a_supply_it_waits_ten_seconds_before_the_next():
    own = OwnStorage(battery(50.0))
    now_s = seconds(own, 5, missing_w=100.0)
    own.step(0.0, 0.0, now_s)
    seconds(own, int(AGAIN_S) - 1, missing_w=100.0, start_s=now_s)
    assert own.giving_w == 0.0
    own.step(0.0, 100.0, now_s + AGAIN_S)
    assert own.giving_w == 100.0


def test_it_does_not_begin_with_half_a_watt_hour_but_uses_all_once_begun():
    own = OwnStorage(battery(0.5))
    seconds(own, 60, missing_w=100.0)
    assert own.battery.level_wh == 0.5
    own = OwnStorage(battery(0.6))
    seconds(own, 60, missing_w=100.0)
    assert own.battery.level_wh == pytest.approx(0.0)


@pytest.mark.parametrize(("critical", "left_wh"), [(False, 30.0), (True, 0.0)])
def test_the_reserve_is_for_critical_needs(critical, left_wh):
    own = OwnStorage(battery(50.0, reserve_wh=30.0), critical=critical)
    seconds(own, 3600, missing_w=100.0)
    assert own.battery.level_wh == pytest.approx(left_wh)


POWERS_W = st.one_of(st.just(0.0), st.floats(0.0, 2_000.0))


@given(
    st.floats(0.0, 20.0), st.floats(0.6, 1.0), st.lists(st.tuples(POWERS_W, POWERS_W, st.floats(0.0, 90.0)))
)
def test_it_never_charges_and_gives_at_once_and_counts_what_flowed(level_wh, efficiency, spans):
    own = OwnStorage(battery(level_wh, 20.0, efficiency=efficiency, charge_w=800.0, discharge_w=900.0))
    now_s = 0.0
    for surplus_w, missing_w, span_s in spans:
        own.step(surplus_w, missing_w, now_s)
        assert not (own.charging_w and own.giving_w)
        assert own.charging_w <= min(surplus_w, 800.0)
        assert own.giving_w <= min(missing_w, 900.0)
        now_s += span_s
    assert 0.0 <= own.battery.level_wh <= 20.0
    assert abs(own.battery.imbalance_wh) < 1e-6


# ---- for all --------------------------------------------------------------------------------------


def request(number, power_w, priority=Priority.LOW):
    return Request(number, power_w, priority)


def promise(consumer, power_w, state=State.VALID, priority=Priority.LOW):
    return Promise(consumer, 1, state, power_w, 1.05 * power_w, math.inf, priority, 0)


def granted(storage, now_s, promises=()):
    return [consumer for consumer, *_ in storage.grant(promises, now_s)]


def test_a_request_is_answered_when_it_is_older_than_five_seconds_with_five_percent_more():
    storage = CommonStorage(battery(50.0))
    storage.see("n.c", request(1, 200.0), 0, 0.0)
    assert storage.capacity_w((), 4.9) == 0.0
    assert granted(storage, 4.9) == []
    assert storage.due_s((), 1.0) == 5.0
    assert granted(storage, 5.0) == ["n.c"]
    assert storage.capacity_w((), 5.0) == pytest.approx(210.0)


def test_power_is_reserved_once_and_for_fifteen_seconds():
    storage = CommonStorage(battery(50.0), wait_s=0.0)
    storage.see("n.c", request(1, 200.0), 0, 0.0)
    assert granted(storage, 0.0) == ["n.c"]
    storage.see("n.c", request(1, 200.0), 0, 1.0)  # repeated
    assert granted(storage, 1.0) == []
    assert storage.expired(RESERVED_S - 1) == []
    assert storage.expired(RESERVED_S) == ["n.c"]
    assert storage.capacity_w((), RESERVED_S) == 0.0
    assert granted(storage, RESERVED_S + 1) == ["n.c"]


def test_supplies_are_added_and_must_last_twenty_seconds_together():
    level_wh = 300.0 * SHORTEST_S / 3600
    storage = CommonStorage(battery(level_wh), wait_s=0.0)
    storage.see("n.a", request(1, 200.0), 0, 0.0)
    storage.see("n.b", request(2, 120.0), 0, 0.0)
    storage.see("n.c", request(3, 90.0), 0, 0.0)
    assert granted(storage, 0.0) == ["n.a", "n.c"]
    assert storage.capacity_w((), 0.0) == pytest.approx(1.05 * 290.0)
    assert granted(CommonStorage(battery(0.0), wait_s=0.0), 0.0) == []


def test_high_priority_comes_first_and_alone_gets_the_reserve():
    storage = CommonStorage(battery(10.0, reserve_wh=10.0), wait_s=0.0)
    storage.see("n.a", request(1, 100.0), 0, 0.0)
    storage.see("n.z", request(2, 100.0, Priority.HIGH), 0, 0.0)
    assert granted(storage, 0.0) == ["n.z"]
    promises = [promise("n.a", 50.0), promise("n.z", 80.0, priority=Priority.HIGH)]
    assert storage.capacity_w(promises, 20.0) == pytest.approx(84.0)


def test_what_it_gives_comes_out_of_its_battery_until_the_moment_it_is_empty():
    storage = CommonStorage(battery(1.0))
    promises = [promise("n.c", 720.0)]
    storage.count(0.0)
    storage.use(promises)
    assert storage.due_s(promises, 0.0) == storage.due_s(promises, 1.0) == pytest.approx(5.0)
    storage.count(2.0)
    assert storage.battery.level_wh == pytest.approx(0.6)
    storage.count(5.0)
    assert storage.battery.level_wh == pytest.approx(0.0)
    assert storage.capacity_w(promises, 5.0) == 0.0


def test_it_gives_no_more_than_its_battery_can():
    storage = CommonStorage(battery(100.0, discharge_w=250.0), wait_s=0.0)
    storage.see("n.a", request(1, 200.0), 0, 0.0)
    storage.see("n.b", request(2, 200.0), 0, 0.0)
    assert granted(storage, 0.0) == ["n.a"]


def test_a_request_that_accepts_a_part_is_granted_one():
    storage = CommonStorage(battery(100.0, discharge_w=210.0), wait_s=0.0)
    storage.see("n.a", Request(1, 500.0, Priority.LOW, partial=True), 0, 0.0)
    assert granted(storage, 0.0) == ["n.a"]
    assert storage.capacity_w((), 0.0) == pytest.approx(210.0)


def test_an_offer_stands_though_its_request_has_become_a_contract():
    storage = CommonStorage(battery(50.0), wait_s=0.0)
    storage.see("n.c", request(1, 200.0), 0, 0.0)
    granted(storage, 0.0)
    storage.see("n.c", None, 0, 0.1)
    assert storage.capacity_w([promise("n.c", 200.0, State.OFFERED)], 0.1) == pytest.approx(210.0)


def test_it_watches_a_bounded_number_of_requests():
    storage = CommonStorage(battery(50.0), wait_s=0.0)
    for number in range(2000):
        storage.see(f"n.{number}", request(1, 0.01), 0, 0.0)
    assert len(granted(storage, 0.0)) <= 256


def test_a_supply_is_given_back_after_a_while_since_others_may_serve_it_again():
    lasting = promise("n.c", 200.0)
    storage = CommonStorage(battery(50.0), retry_s=100.0)
    assert storage.to_retry([lasting], 99.0) == []
    assert storage.to_retry([lasting, promise("n.d", 9.0, State.OFFERED)], 100.0) == [lasting]
    assert CommonStorage(battery(50.0), retry_s=0.0).to_retry([lasting], 1e9) == []
