"""Twins that request and produce between two dates only, and relays that follow the contract."""

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.api.node import twin_answer
from edge.clock import Date, Zone
from edge.journal import master_data
from edge.twins.dates import Dates
from edge.twins.following import SETTLE_S, Following
from edge.twins.settings import CivilTime, TwinSettings
from host_tools.invariants import broken
from host_tools.world import World

ROOF = {"name": "roof", "kind": "pv", "power_w": 500.0}
LAMP = {"name": "lamp", "kind": "load", "power_w": 50.0}
ROUNDING_S = 1e-9  # a sum of moments and their difference are not the same to the last bit


@pytest.fixture
def world():
    world = World(seed=4)
    yield world
    world.close()


def start_at(world, text):
    world.clock.wall_offset_s = datetime.fromisoformat(text + "+00:00").timestamp() - world.clock.now_s()


def node_with(world, *twins):
    node = world.add("n1", [], twins)
    node.boot()
    return node


def twin_of(node, name):
    return next(twin for twin in node.node.prosumers if twin.short_name == name)


# ---- dates ---------------------------------------------------------------------------------------


def test_a_request_is_supplied_from_its_begin_to_its_end(world):
    start_at(world, "2026-01-10T08:00")
    span = {"begin": "2026-01-10T09:10", "end": "2026-01-10T09:20"}  # an hour ahead of UTC
    world.timezone = "Europe/Zurich"
    node = node_with(world, ROOF, LAMP | span)
    lamp, supplied, missing = twin_of(node, "lamp").consumer, [], []

    def look():
        now_s = world.clock.now_s()
        supplied.extend([now_s] if lamp.supplied_w else [])
        missing.extend([now_s] if lamp.missing_w else [])
        assert broken(world) == []

    world.run(1500, look)
    assert supplied[0] == pytest.approx(600, abs=1.1)
    assert supplied[-1] == pytest.approx(1200, abs=1.1)
    assert missing == []
    text = twin_of(node, "lamp").events.encode().decode()
    assert '"begin"' in text
    assert '"end"' in text


def test_it_is_under_contract_before_it_begins(world):
    start_at(world, "2026-01-10T08:00")
    span = {"begin": "2026-01-10T08:30", "end": "2026-01-10T09:00"}
    node = node_with(world, ROOF, LAMP | span)
    world.run(20)
    lamp = twin_of(node, "lamp").consumer
    assert lamp.begins_s == pytest.approx(1800, abs=2)
    assert (lamp.active, lamp.need_w) == ([], 0.0)
    number = lamp.main.id
    world.run(1800)
    assert [each.id for each in lamp.active] == [number]


def test_a_production_is_offered_from_its_begin_to_its_end(world):
    start_at(world, "2026-01-10T08:00")
    roof = {**ROOF, "begin": "2026-01-10T08:05", "end": "2026-01-10T08:10"}
    node = node_with(world, roof, LAMP)
    supplied = []
    world.run(5)
    for _ in range(15):
        world.run(60)
        supplied.append(twin_of(node, "lamp").consumer.satisfied)
        assert broken(world) == []
    assert (
        supplied == [False] * 5 + [True] * 4 + [False] * 6
        or supplied == [False] * 4 + [True] * 5 + [False] * 6
    )


def test_a_request_that_nobody_serves_in_time_is_given_up(world):
    """It may be supplied from its begin until its begin and tolerance."""
    start_at(world, "2026-01-10T08:00")
    span = {"begin": "2026-01-10T08:01", "end": "2026-01-10T09:00", "tolerance_s": 120.0}
    node = node_with(world, LAMP | span)
    lamp = twin_of(node, "lamp").consumer
    world.run(90)
    assert lamp.request is not None
    world.run(120)
    assert (lamp.request, lamp.gave_up) == (None, True)


def test_while_the_clock_is_not_set_no_date_has_come(world):
    node = world.add("n1", [], [ROOF, LAMP | {"end": "2026-01-10T08:00"}])
    node.clock.wall_error_s = -1.6e9
    node.boot()
    world.run(10)
    assert twin_of(node, "lamp").consumer.need_w == 0.0


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)),
    st.integers(1, 100_000),
    st.integers(-(10**6), 10**6),
)
def test_the_dates_hold_from_the_begin_to_the_end(begin, minutes, offset_min):
    begin = begin.replace(second=0, microsecond=0)
    begin_s = begin.replace(tzinfo=UTC).timestamp()
    end = datetime.fromtimestamp(begin_s + 60 * minutes, UTC)

    class Clock:
        def now_s(self):
            return 0.0

        def wall_s(self):
            return begin_s

    dates = Dates(f"{begin:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}", Zone(), Date(Clock()))
    wall_s = begin_s + 60 * offset_min
    assert dates.hold(wall_s) is (0 <= offset_min < minutes)
    assert dates.begins_in_s(wall_s) == (-60.0 * offset_min if offset_min < 0 else None)
    assert dates.length_s == 60 * minutes


@pytest.mark.parametrize(
    "text", ["2026-02-30T08:00", "2026-01-10", "tomorrow", "2026-01-10T08:00:00", "2026-01-10 25:00"]
)
def test_what_is_no_date_is_refused(text):
    assert not CivilTime().allows(text)
    assert CivilTime().allows("")
    assert CivilTime().allows("2026-01-10T08:00")


# ---- relays --------------------------------------------------------------------------------------

PUMP = {"name": "pump", "kind": "load", "power_w": 100.0, "relay": "r1", "relay_follows": "contract"}


def test_a_relay_is_closed_while_its_device_is_supplied(world):
    pump = {**PUMP, "relay_least_on_s": 5.0, "relay_least_off_s": 5.0}
    node = node_with(world, {"name": "roof", "kind": "pv", "input": "m.total", "meter_grace_s": 3600.0}, pump)
    assert node.meters.relays == {"r1": False}  # off at the start
    world.run(10)
    assert node.meters.relays == {"r1": False}
    assert twin_of(node, "pump").consumer.need_w == 100.0
    assert twin_of(node, "pump").measured_w == (0.0, 0.0)  # it draws nothing yet
    node.meters.say("m.total", 300.0)
    world.run(3)
    assert node.meters.relays == {"r1": True}
    assert twin_of(node, "pump").measured_w == (100.0, 0.0)
    world.run(10)
    node.meters.say("m.total", 0.0)
    world.run(3)
    assert node.meters.relays == {"r1": False}
    assert twin_of(node, "pump").violations() == []


def test_a_relay_that_was_just_switched_keeps_its_state(world):
    pump = {**PUMP, "relay_least_on_s": 60.0, "relay_least_off_s": 120.0}
    node = node_with(world, {"name": "roof", "kind": "pv", "input": "m.total", "meter_grace_s": 3600.0}, pump)
    node.meters.say("m.total", 300.0)
    seen = []
    for second in range(400):
        node.meters.say("m.total", 300.0 if second % 20 < 10 else 0.0)
        world.run(1)
        seen.append(node.meters.relays["r1"])
    changes = [at for at in range(1, 400) if seen[at] != seen[at - 1]]
    assert seen[:119] == [False] * 119  # it may have been on before the start
    assert len(changes) >= 3
    for before, after in pairwise(changes):
        assert after - before >= (59 if seen[before] else 119)


def test_a_stop_order_opens_it_at_once_and_it_waits_after_that(world):
    pump = {**PUMP, "relay_least_on_s": 600.0, "relay_least_off_s": 30.0, "disabled_s": 10.0}
    node = node_with(world, ROOF, pump)
    world.run(40)
    assert node.meters.relays == {"r1": True}
    node.touch(lambda node: node.prosumers[1].disable())
    assert node.meters.relays == {"r1": False}
    world.run(25)
    assert twin_of(node, "pump").consumer.satisfied
    assert node.meters.relays == {"r1": False}
    world.run(10)
    assert node.meters.relays == {"r1": True}


def test_it_is_open_when_the_supplier_is_out_of_reach_and_when_the_node_stops(world):
    pump = {**PUMP, "relay_least_on_s": 1.0, "relay_least_off_s": 1.0}
    far = world.add("n2", ["n1"], [ROOF])
    node = world.add("n1", ["n2"], [pump])
    world.boot()
    world.run(10)
    assert node.meters.relays == {"r1": True}
    far.kill()
    world.run(30)
    assert node.meters.relays == {"r1": False}
    far.boot()
    world.run(10)
    assert node.meters.relays == {"r1": True}
    node.node.save()
    node.node.leave()
    assert node.meters.relays == {"r1": False}


def test_with_a_meter_the_contract_follows_what_is_measured_once_it_is_on(world):
    pump = {**PUMP, "input": "m.total", "meter_grace_s": 3600.0, "relay_least_off_s": 1.0}
    node = node_with(world, ROOF, pump)
    for _ in range(40):
        node.meters.say("m.total", 80.0 if node.meters.relays["r1"] else 0.0)
        world.run(1)
    assert node.meters.relays == {"r1": True}
    assert twin_of(node, "pump").consumer.need_w == 80.0


@given(
    st.floats(0.0, 50.0),
    st.floats(0.0, 50.0),
    st.lists(
        st.tuples(st.floats(0.1, 30.0), st.booleans(), st.sampled_from([False] * 9 + [True])), max_size=60
    ),
)
def test_whatever_the_supply_does_least_times_are_kept(least_on_s, least_off_s, course):
    settings = TwinSettings(
        name="p",
        kind="load",
        relay_least_on_s=least_on_s,
        relay_least_off_s=least_off_s,
        promises=1,
        offers=1,
    )
    relay, now_s, since_s = Following(settings, 0.0), 0.0, 0.0
    for seconds, supplied, order in course:
        now_s += seconds
        before, passed_s = relay.on, now_s - since_s
        if order:
            relay.cut_off(now_s)
            assert not relay.on
        elif relay.step(supplied, now_s):
            assert relay.on is supplied
            assert passed_s >= (least_on_s if before else least_off_s) - ROUNDING_S
        else:
            assert relay.on is before
            assert supplied is before or passed_s < (least_on_s if before else least_off_s) + ROUNDING_S
        since_s = now_s if relay.on is not before else since_s
        assert not relay.measures(now_s) or now_s - since_s >= SETTLE_S - ROUNDING_S


# ---- master data ---------------------------------------------------------------------------------


def test_master_data_is_shown_and_kept(world):
    data = {
        "category": "heating",
        "place": "cellar",
        "panel": "A2",
        "sensor": "17",
        "people": 3,
        "floor_area_m2": 82.5,
    }
    node = node_with(world, LAMP | data)
    world.run(3)
    shown = twin_answer(node.node, twin_of(node, "lamp"))
    assert {key: shown[key] for key in data} == data
    kept = json.loads(master_data(twin_of(node, "lamp").settings))
    assert {key: kept[key] for key in data} == data
