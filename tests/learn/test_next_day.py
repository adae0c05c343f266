"""The forecast of the next day for its market: quantiles of what is drawn less what is given."""

import numpy as np
import pytest

from edge.learn.next_day import STEPS, NextDay
from edge.learn.series import Series
from edge.learn.terms import LEVELS
from edge.terms import DAY_MIN, VARIABLES

MONDAY = 4 * DAY_MIN  # 5 January 1970
DRAWN, GIVEN = VARIABLES.index("requested"), VARIABLES.index("produced")


def series_of(days, powers_w):
    """`powers_w(day, minute of the day)` gives what is drawn and given."""
    series = Series(30 * DAY_MIN)
    line = np.zeros(len(VARIABLES), np.float32)
    for day in range(days):
        for minute in range(DAY_MIN):
            line[[DRAWN, GIVEN]] = powers_w(day, minute)
            series.append(MONDAY + DAY_MIN * day + minute, line)
    return series


def forecast(series, day, hour=12):
    """For that day, at an hour of the day before."""
    ahead = NextDay()
    now = MONDAY + DAY_MIN * (day - 1) + 60 * hour - 1
    pieces = sum(1 for _ in ahead.work(now, MONDAY + DAY_MIN * day, series))
    assert pieces == STEPS
    assert ahead.begin == MONDAY + DAY_MIN * day
    return ahead.needs_w


def test_days_that_repeat_are_forecast_exactly_and_without_doubt():
    found = forecast(series_of(4, lambda day, minute: (100.0 + minute // 15, 40.0)), 4)
    expected = 60.0 + np.arange(STEPS)
    off_w = np.abs(found - expected[:, None])[2:-2]
    assert off_w.max() <= 3.0  # origins shifted by up to half an hour are samples, too
    assert np.abs(found[:, len(LEVELS) // 2] - expected)[2:-2].max() <= 1.0


def test_the_load_of_each_day_is_taken_with_the_production_of_each():
    """Both alternate, in the same days; they count as if they had nothing to do with each other."""
    found = forecast(series_of(7, lambda day, minute: (1000.0 * (day % 2) + 300.0, 800.0 * (day % 2))), 7)
    assert found[:, 0] == pytest.approx(-500.0)  # the low load with the high production
    assert found[:, -1] == pytest.approx(1300.0)
    assert np.all(np.diff(found, axis=1) >= 0.0)


def test_the_doubt_is_that_of_past_days():
    found = forecast(series_of(7, lambda day, minute: (100.0 * (1 + day % 2), 0.0)), 7)
    assert np.all(np.diff(found, axis=1) >= 0.0)
    assert found[:, 0] == pytest.approx(100.0)
    assert found[:, -1] == pytest.approx(200.0)


def test_nothing_after_the_present_minute_is_looked_at():
    def powers_w(day, minute):
        known = day < 3 or (day == 3 and minute < 720)
        return (200.0, 0.0) if known else (9999.0, 0.0)

    assert forecast(series_of(5, powers_w), 4) == pytest.approx(200.0)


def test_days_of_the_same_kind_count_more():
    saturday, friday = 12, 11
    series = series_of(14, lambda day, minute: (100.0 if day % 7 < 5 else 900.0, 0.0))
    found = forecast(series, saturday)
    assert np.median(found[:, -1]) == pytest.approx(900.0)
    found = forecast(series, friday)
    assert np.median(found[:, len(LEVELS) // 2]) == pytest.approx(100.0)


def test_what_is_not_known_is_not_zero():
    one_day = series_of(1, lambda day, minute: (100.0, 0.0))
    assert np.isnan(forecast(one_day, 1)).all()
    night = series_of(4, lambda day, minute: (100.0 if minute >= 360 else np.nan, 0.0))
    found = forecast(night, 4)
    assert np.isnan(found[2:22]).all()
    assert found[30:] == pytest.approx(100.0)


def test_until_it_is_done_the_forecast_before_stays():
    series = series_of(4, lambda day, minute: (100.0, 0.0))
    ahead = NextDay()
    work = ahead.work(MONDAY + 3 * DAY_MIN - 1, MONDAY + 3 * DAY_MIN, series)
    for _ in range(STEPS - 1):
        next(work)
    assert ahead.begin is None
    assert np.isnan(ahead.needs_w).all()
