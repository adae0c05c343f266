"""Time zones by minutes of UTC, and whether a date can be believed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import HOLD_S, Date, Zone
from edge.learn.calendar import Calendar
from host_tools.world import VirtualClock

ZONES = ["UTC", "Europe/Zurich", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham"]
AUTUMN = 29_357_340  # 2025-10-26T01:00 UTC: in Zurich 03:00 becomes 02:00
SPRING = 29_054_940  # 2025-03-30T01:00 UTC: in Zurich 02:00 becomes 03:00
DAY_S = 86_400.0


@given(st.sampled_from(ZONES), st.integers(26_000_000, 32_000_000))
def test_civil_time_is_that_of_the_zone_and_leads_back(name, minute):
    zone = Zone(name)
    civil = zone.civil(minute)
    local = datetime.fromtimestamp(60 * minute, ZoneInfo(name))
    assert (civil % 1440, zone.text(minute)) == (
        local.hour * 60 + local.minute,
        local.isoformat(timespec="minutes"),
    )
    assert zone.utc(civil, after=minute - 1) == minute
    first = zone.utc(civil)
    assert first in (minute, minute - 60, minute - 30)


def test_an_hour_that_is_twice_is_shown_and_read_apart():
    zone = Zone("Europe/Zurich")
    assert zone.text(AUTUMN - 1) == "2025-10-26T02:59+02:00"
    assert zone.text(AUTUMN) == "2025-10-26T02:00+01:00"
    civil = zone.civil(AUTUMN)
    assert (zone.utc(civil), zone.utc(civil, after=AUTUMN - 1)) == (AUTUMN - 60, AUTUMN)


def test_an_hour_that_is_skipped_has_no_minute():
    zone = Zone("Europe/Zurich")
    assert [zone.utc(zone.civil(SPRING - 1) + ahead) for ahead in (0, 1, 60, 61)] == [
        SPRING - 1,
        None,
        None,
        SPRING,
    ]


@given(st.sampled_from(ZONES), st.integers(29_000_000, 29_400_000), st.integers(1, 3000))
def test_a_calendar_turns_an_array_as_it_turns_each_minute(name, first, count):
    np = pytest.importorskip("numpy")
    calendar = Calendar(Zone(name).offset_min)
    minutes = np.arange(first, first + count)
    assert calendar.civil_minutes(minutes).tolist() == [Zone(name).civil(each) for each in minutes.tolist()]
    assert [calendar.civil(each) for each in minutes.tolist()[:99]] == calendar.civil_minutes(
        minutes
    ).tolist()[:99]


def test_an_unknown_zone_is_refused():
    with pytest.raises(KeyError):
        Zone("Mars/North")


# ---- the date ------------------------------------------------------------------------------------


@pytest.fixture
def clock():
    return VirtualClock()


def test_a_date_is_believed_when_it_has_held_for_hours(clock):
    date = Date(clock)
    assert not date.held
    clock.advance_to(HOLD_S)
    assert date.held
    assert (date.jumps, date.jumped_s) == (0, 0.0)


@pytest.mark.parametrize("days", [120, 3400, -120, -3, 0.05])
def test_a_jump_takes_the_belief_away_until_the_new_date_has_held(clock, days, caplog):
    date = Date(clock)
    clock.advance_to(HOLD_S)
    clock.wall_offset_s += days * DAY_S
    assert not date.held
    assert date.jumped_s == days * DAY_S
    clock.advance_to(2 * HOLD_S - 1)
    clock.wall_offset_s -= days * DAY_S  # it was wrong
    assert date.jumped_s == -days * DAY_S
    clock.advance_to(3 * HOLD_S - 2)
    assert not date.held
    clock.advance_to(3 * HOLD_S)
    assert date.held
    assert (date.jumps, date.jumped_s) == (2, 0.0)
    assert caplog.text.count("the date jumped by") == 2


def test_a_clock_that_is_corrected_by_minutes_has_not_jumped(clock):
    date = Date(clock)
    clock.advance_to(HOLD_S)
    for _ in range(5):
        clock.wall_offset_s -= 1800.0
        assert date.held


def test_a_date_that_is_not_set_is_never_believed(clock):
    clock.wall_offset_s = timedelta(days=1).total_seconds()
    date = Date(clock)
    clock.advance_to(2 * HOLD_S)
    assert (date.is_set, date.held) == (False, False)
