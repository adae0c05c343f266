"""Forecasts in watts: quantiles, past days as samples, experts and their weights."""

import numpy as np
import pytest
from days import made_up
from hypothesis import given
from hypothesis import strategies as st

from edge.api.reconcile_watts import in_watts
from edge.learn.band_weights import BandWeights
from edge.learn.calendar import Calendar
from edge.learn.outlook import Forecast, Outlook, unpacked
from edge.learn.past_days import PastDays
from edge.learn.quantiles import LEVEL, pinball, weighted
from edge.learn.series import Series
from edge.learn.terms import LEADS_MIN, LEVELS
from edge.terms import DAY_MIN

FIRST = 20_000 * DAY_MIN  # a Friday
powers = st.floats(0, 1e6, width=32)


@given(st.lists(st.one_of(powers, st.just(float("nan"))), min_size=1, max_size=40))
def test_quantiles_rise_lie_between_the_samples_and_know_what_is_unknown(samples):
    values = np.array(samples)
    (found,) = weighted(values, np.ones(1))
    if np.isnan(values).all():
        assert np.isnan(found).all()
        return
    assert (np.diff(found) >= 0).all()
    assert np.nanmin(values) <= found[0] * (1 + 1e-6)
    assert found[-1] <= np.nanmax(values) * (1 + 1e-6)


@given(st.lists(st.tuples(powers, st.integers(0, 5)), min_size=1, max_size=20))
def test_a_weight_counts_like_as_many_samples(pairs):
    values, counts = np.array([p for p, _ in pairs]), np.array([n for _, n in pairs])
    if not counts.any():
        return
    (one,) = weighted(values, counts.astype(float))
    (many,) = weighted(values.repeat(counts), np.ones(1))
    spread = values.max() - values.min()
    assert np.abs(one - many).max() <= spread + 1e-3  # interpolated differently, but between the same samples
    (twice,) = weighted(values, 2.0 * counts)
    np.testing.assert_allclose(one, twice, rtol=1e-5)


def test_the_pinball_loss_is_least_at_the_quantile():
    rng = np.random.default_rng(1)
    actual = rng.gamma(2.0, 500.0, 4000)
    best = np.quantile(actual, LEVELS)
    at_best = pinball(best, actual).mean(0)
    for off in (-100.0, 100.0):
        assert (pinball(best + off, actual).mean(0) > at_best).all()


def series_of(values, first=FIRST):
    series = Series(40 * DAY_MIN)
    for minute, value in enumerate(values, first):
        series.append(minute, np.full(6, value, np.float32))
    return series


def test_samples_are_those_of_the_same_time_of_past_days():
    series = series_of(np.arange(5 * DAY_MIN) % DAY_MIN)
    now = FIRST + 4 * DAY_MIN + 600
    past = PastDays(series, now).samples(120, 1, (0,))
    assert past.then_w[0].tolist() == [600] * 4
    assert past.ahead_w[0].tolist() == [720] * 4
    monday, sunday, saturday, friday = past.weights  # for a Tuesday
    assert monday > friday > sunday > saturday


def test_the_future_is_no_sample():
    series = series_of(np.arange(3 * DAY_MIN))
    now = FIRST + 2 * DAY_MIN  # later minutes are in the series, as while a forecast waits for its turn
    past = PastDays(series, now).samples(DAY_MIN, 1, (-15, 0, 15))
    late = past.ahead_w[0] > 2 * DAY_MIN
    assert late.any()
    assert not past.weights[late].any()


def test_past_days_follow_the_civil_clock():
    """The clock of the wall is set back by an hour on the third day."""
    calendar = Calendar(lambda minute: 120 if minute < FIRST + 2 * DAY_MIN else 60)
    civil = [calendar.civil(FIRST + each) % DAY_MIN for each in range(4 * DAY_MIN)]
    now = FIRST + 3 * DAY_MIN + 600
    past = PastDays(series_of(civil), now, calendar).samples(60, 1, (0,))
    assert past.then_w[0].tolist() == [660] * 3


def test_an_expert_that_is_right_gets_the_weight():
    rng, weights = np.random.default_rng(3), BandWeights(2)
    right = np.quantile(rng.normal(1000.0, 100.0, 100_000), LEVELS)
    made = np.stack([np.tile(right, (6, 1)), np.tile(3000.0 * LEVEL, (6, 1))])
    for _ in range(500):
        weights.learn(0, made, rng.normal(1000.0, 100.0, 6))
    pooled = weights.pooled(0, made)
    actual = rng.normal(1000.0, 100.0, (2000, 6))
    ours, theirs = (pinball(each[None], actual).mean() for each in (pooled, made[0]))
    assert ours < 1.05 * theirs
    made[0, 2] = np.nan  # it knows nothing of one variable
    np.testing.assert_allclose(weights.pooled(0, made)[2], made[1, 2], rtol=1e-6)
    assert np.isnan(weights.pooled(0, np.full_like(made, np.nan))).all()


def told(outlook, series, minutes, until=None):
    """Give the last of the minutes of a series one by one; the forecasts that were made."""
    given_so_far, found = Series(40 * DAY_MIN), []
    for minute in range(series.first_minute, (until or series.last_minute) + 1):
        given_so_far.append(minute, series.at(minute, 1)[0])
        if minute > series.last_minute - minutes and outlook.due(minute):
            for _ in outlook.work(minute, given_so_far, None):
                pass
            found.append(outlook.forecast)
    return found


def test_bands_hold_what_they_say_and_beat_the_present_power():
    series = made_up(12)
    found = [each for each in told(Outlook(), series, 4 * DAY_MIN) if each.whole]
    assert len(found) == 4 * 96
    for lead in (1, 4, 6, 8):
        inside, ours, still = [], [], []
        for each in found[96:]:
            target = each.minute + LEADS_MIN[lead]
            span = 1 if lead < 4 else 15
            if target > series.last_minute:
                continue
            actual = series.at(target - span + 1, span).mean(0)[0]
            quantiles = each.powers_w[0, lead]
            assert (np.diff(quantiles) >= 0).all()
            inside.append(quantiles[1] <= actual <= quantiles[5])
            ours.append(pinball(quantiles, actual).mean())
            still.append(abs(series.at(each.minute - span + 1, span).mean(0)[0] - actual) / 2)
        assert 0.6 < np.mean(inside) < 0.95, lead  # 80 % are promised
        assert np.mean(ours) < np.mean(still), lead


def test_on_the_first_day_there_is_a_band_as_soon_as_a_change_was_seen():
    outlook = Outlook()
    assert np.isnan(told(outlook, series_of([500.0] * 5), 5)[0].powers_w).all()
    (*_, last) = told(Outlook(), made_up(1), 60)
    assert not np.isnan(last.powers_w[:, :7]).any()
    assert np.isnan(last.powers_w[:, 8]).all()  # nobody knows what a day changes


def test_near_leads_are_forecast_every_five_minutes_and_far_ones_every_quarter():
    made = told(Outlook(), made_up(3), 30)
    assert [each.whole for each in made] == [False, False, True] * 2
    np.testing.assert_array_equal(made[3].powers_w[:, 4:], made[2].powers_w[:, 4:])
    assert (made[3].powers_w[:, :4] != made[2].powers_w[:, :4]).any()


def test_what_was_learnt_survives_and_is_not_learnt_twice():
    series, one, minutes = made_up(3), Outlook(), DAY_MIN + 120  # the farthest forecasts are judged, too
    told(one, series, minutes)
    other = Outlook()
    other.load(one.save())
    assert other.save() == one.save()
    told(other, series, minutes)
    assert other.save() == one.save()


@pytest.mark.parametrize("data", [b"", b"MGL1" + bytes(40), None])
def test_what_is_not_a_checkpoint_is_refused(data):
    from edge.learn.checkpoint import pack

    outlook = Outlook()
    before = outlook.save()
    with pytest.raises(ValueError, match="outlook"):
        outlook.load(pack("outlook", {"learnt_minute": 1}, {}) if data is None else data)
    assert outlook.save() == before


@given(st.floats(0, 1e9, width=32))
def test_a_forecast_is_kept_to_a_thousandth(power_w):
    made = Forecast(1, np.full((6, len(LEADS_MIN), len(LEVELS)), power_w, np.float32), True)
    assert len(made.packed) == 756
    np.testing.assert_allclose(unpacked(made.packed), np.minimum(made.powers_w, 6.5e7), rtol=1e-3, atol=1e-4)


def test_unknown_watts_are_null():
    assert in_watts(np.full(7, np.nan)) is None
    assert in_watts(np.arange(7) + 0.2) == list(range(7))
