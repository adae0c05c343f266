"""Weather and forecasts of others as experts of the forecasts in watts."""

import numpy as np
from test_outlook import told

from edge.learn.external import PowerTable
from edge.learn.outlook import Outlook
from edge.learn.quantiles import pinball
from edge.learn.series import Series
from edge.learn.terms import LEADS_MIN
from edge.learn.weather import WeatherTable
from edge.terms import DAY_MIN

FIRST = 20_000 * DAY_MIN
DAYS = 7


def sunny_days(seed=5):
    """Production that follows the clouds of each day, and the irradiance."""
    rng = np.random.default_rng(seed)
    series, irradiance = Series(DAYS * DAY_MIN), []
    clear = rng.choice((0.2, 1.0), DAYS)
    for minute in range(DAYS * DAY_MIN):
        sun = max(0.0, np.sin((minute % DAY_MIN / 60 - 6) / 12 * np.pi))
        irradiance.append(800 * sun * clear[minute // DAY_MIN])
        power_w = max(0.0, 5 * irradiance[-1] + rng.normal(0, 50))
        series.append(FIRST + minute, np.full(6, power_w, np.float32))
    return series, np.array(irradiance, np.float32)


def losses(outlook, series):
    """The mean losses of 2 and 24 h ahead on the last two days."""
    found = {5: [], 8: []}
    for minute in range(series.last_minute - 2 * DAY_MIN, series.last_minute, 30):
        for _ in outlook.work(minute, series, None):
            pass
        for lead, each in found.items():
            target = minute + LEADS_MIN[lead]
            if target <= series.last_minute:
                actual_w = series.at(target - 14, 15).mean(0)[0]
                each.append(pinball(outlook.forecast.powers_w[0, lead], actual_w).mean())
    return np.array([np.mean(each) for each in found.values()])


def test_forecasts_know_the_weather_and_what_others_forecast():
    series, irradiance = sunny_days()
    minutes = FIRST + np.arange(0, len(irradiance), 15)
    weather = WeatherTable(minutes, np.stack((irradiance[::15], np.full(len(minutes), np.nan)), -1))
    given_w = np.full((len(minutes), 6), np.nan, np.float32)
    given_w[:, 0] = 4.5 * irradiance.reshape(-1, 15).mean(-1)
    others = PowerTable(minutes, given_w)
    alone = losses(Outlook(), series)
    assert (losses(Outlook(weather=weather), series) < 0.9 * alone).all()
    assert (losses(Outlook(others=others), series) < 0.96 * alone).all()


def test_unknown_weather_and_an_empty_forecast_change_nothing():
    series, _ = sunny_days()
    nothing = PowerTable(np.zeros(0, np.int64), np.zeros((0, 6), np.float32))
    sky = WeatherTable(np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
    one, two = (
        told(outlook, series, 90)[-1] for outlook in (Outlook(), Outlook(weather=sky, others=nothing))
    )
    np.testing.assert_array_equal(one.powers_w, two.powers_w)


def test_what_was_learnt_with_weather_is_kept_with_weather():
    series, _ = sunny_days()
    sky = WeatherTable(FIRST + np.array([0, 60]), np.zeros((2, 2), np.float32))
    one, two = Outlook(weather=sky), Outlook(weather=sky)
    told(one, series, 90)
    two.load(one.save())
    assert two.save() == one.save()
