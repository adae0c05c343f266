"""The mixture of networks, chains, counts and regressions, and its parts."""

import random
from copy import deepcopy

import numpy as np
import pytest
from days import made_up

from edge.learn.learner import Learner, LearnerSettings
from edge.learn.mixture import Mixture
from edge.learn.mixture.contexts import CONTEXTS, ROWS, Contexts
from edge.learn.mixture.counts import Counts
from edge.learn.pool import Pool
from edge.learn.probabilities import log_losses
from edge.learn.series import Series
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN
from edge.terms import DAY_MIN

SCALE = StateScale.of_max_power(1000.0)
MONDAY = 20_003 * DAY_MIN  # without daylight saving time
SMALL = {"cells": 4, "first_steps": 20}


def powers(value_w):
    return np.full(6, value_w, np.float32)


def rows_of(minutes_and_powers):
    contexts = Contexts(SCALE)
    for minute, value_w in minutes_and_powers:
        contexts.observe(minute, powers(value_w), SCALE.of(powers(value_w)))
    return dict(zip(CONTEXTS, contexts.rows()[:, 0].tolist(), strict=True))


def test_rows_tell_contexts_apart():
    flat = [(MONDAY + 600 + minute, 500.0) for minute in range(70)]
    first = rows_of(flat)
    assert len(set(first.values())) == len(CONTEXTS)
    assert 0 <= min(first.values()) <= max(first.values()) < ROWS
    later = rows_of([*flat, (MONDAY + 670, 500.0)])
    assert {name for name in CONTEXTS if first[name] != later[name]} == {"quarter"}
    jumped = rows_of([*flat[:-10], *[(minute, 900.0) for minute, _ in flat[-10:]]])
    assert {name for name in CONTEXTS if first[name] == jumped[name]} == set()
    weekend = rows_of([(minute + 5 * DAY_MIN, value_w) for minute, value_w in flat])
    assert {name for name in CONTEXTS if first[name] != weekend[name]} == {"week_slot", "clock"}


def test_missing_and_unknown_values_stay_as_they_were():
    flat = [(MONDAY + minute, 500.0) for minute in range(61)]
    end = (MONDAY + 200, 500.0)
    assert rows_of([*flat, *[(MONDAY + minute, 500.0) for minute in range(61, 200)], end]) == rows_of(
        [*flat, end]
    )
    unknown = [(MONDAY + minute, float("nan")) for minute in range(61, 200)]
    assert rows_of([*flat, *unknown, end]) == rows_of([*flat, end])


def test_counts_learn_what_follows_and_expect_no_change_before():
    counts, states = Counts(), np.full(6, 2, np.intp)
    rows = np.tile(np.arange(len(CONTEXTS), dtype=np.int32)[:, None] * 0 + 2, (1, 6))
    assert counts.predict(rows, states).argmax(-1).tolist() == np.full((len(CONTEXTS), 6, 4), 2).tolist()
    origins = np.repeat(rows[None], len(HORIZONS_MIN), axis=0)
    for _ in range(50):
        counts.learn(origins, np.full(6, 5, np.int8))
    predicted = counts.predict(rows, states)
    np.testing.assert_allclose(predicted.sum(-1), 1.0, rtol=1e-5)
    assert predicted[..., 5].min() > 0.9
    again = Counts.of(counts.arrays())
    np.testing.assert_allclose(again.predict(rows, states), predicted, atol=1e-6)


def test_older_days_count_less():
    counts, states = Counts(), np.full(6, 2, np.intp)
    rows = np.full((len(CONTEXTS), 6), 2, np.int32)
    origins = np.repeat(rows[None], len(HORIZONS_MIN), axis=0)
    for actual in (4, 5):
        for _ in range(10 * DAY_MIN):
            counts.learn(origins, np.full(6, actual, np.int8))
    predicted = counts.predict(rows, states)[0, 0, 0]
    assert predicted[5] > 1.8 * predicted[4] > 0


def test_a_pool_learns_which_expert_is_good():
    rng = np.random.default_rng(2)
    pool = Pool(2)
    losses = []
    for _ in range(3000):
        actual = rng.integers(0, 7, 6).astype(np.int8)
        good = np.full((6, 4, 7), 0.05, np.float32)
        np.put_along_axis(good, np.repeat(actual[:, None, None], 4, 1).astype(np.intp), 0.7, -1)
        bad = rng.dirichlet(np.ones(7), (6, 4)).astype(np.float32)
        logs = Pool.logs(np.stack((good, bad)))
        losses.append(log_losses(pool.predict(logs), np.repeat(actual[:, None], 4, 1)).mean())
        pool.learn(logs, actual)
    assert pool.weights[..., 0].min() > 0.8
    assert np.abs(pool.weights[..., 1]).max() < 0.3
    assert np.mean(losses[-200:]) < 0.6 * np.mean(losses[:200])
    before = pool.weights.copy()
    pool.learn(np.full_like(logs, np.nan), actual)
    pool.learn(logs, np.full(6, -1, np.int8))
    np.testing.assert_array_equal(pool.weights, before)


def learner():
    settings = LearnerSettings(
        scale=StateScale.of_max_power(30_000.0),
        model="mixture",
        memory_min=10_000,
        train_every_min=20,
        first_training_min=180,
        options=SMALL,
    )
    return Learner(settings, random.Random(1))


def past(minutes):
    whole, series = made_up(1), Series(minutes)
    for at in range(minutes):
        series.append(whole.first_minute + 420 + at, whole.at(whole.first_minute + 420 + at, 1)[0])
    return series


def grown(minutes):
    one = learner()
    one.initialise(past(minutes))
    for _ in one.training():
        pass
    return one


def test_it_beats_persistence_with_and_without_networks():
    series, start = made_up(2), 1620
    lines, first = series.last(len(series)), series.first_minute
    states = StateScale.of_max_power(30_000.0).of(lines)
    played = learner()
    for at in range(start + 1):
        played.observe(first + at, lines[at])
    for one, trained in ((deepcopy(played), False), (played, True)):
        hits, kept, count = 0, 0, 0
        if trained:
            for _ in one.training():
                pass
        for at in range(start, len(lines) - 60):
            if at > start:
                one.observe(first + at, lines[at])
            if at % 5 == 0:
                actual = np.stack([states[at + horizon_min] for horizon_min in HORIZONS_MIN], -1)
                predicted = one.predict()
                assert predicted.shape == (6, 4, 7)
                np.testing.assert_allclose(predicted.sum(-1), 1.0, rtol=1e-4)
                hits += (predicted.argmax(-1) == actual).sum()
                kept += (states[at][:, None] == actual).sum()
                count += actual.size
        assert one.model.trained == trained
        assert hits > kept + 0.02 * count


def test_a_restored_mixture_continues_like_the_original():
    first, series = grown(600), past(600)
    first.predict()
    saved = first.save()
    second = learner()
    second.load(saved)
    second.initialise(series)
    np.testing.assert_allclose(second.predict(), first.predict(), atol=2e-3)
    for minute in range(series.last_minute + 1, series.last_minute + 100):
        for one in (first, second):
            one.observe(minute, powers(8000.0))
    assert np.abs(second.predict() - first.predict()).mean() < 0.01  # one hour of predictions is lost
    assert len(saved) < 500_000


@pytest.fixture(scope="module")
def saved():
    one = grown(200).model
    assert one.trained
    return one.save()


@pytest.mark.parametrize("harm", ["cut", "other limits", "other cells", "other contexts"])
def test_data_that_do_not_fit_are_rejected_and_change_nothing(saved, harm, monkeypatch):
    other = {"cells": 5} if harm == "other cells" else SMALL
    if harm == "other contexts":
        monkeypatch.setattr("edge.learn.mixture.mixture.CONTEXTS", ("plain", "slot", *CONTEXTS[2:]))
    scale = StateScale.of_max_power(500.0 if harm == "other limits" else 30_000.0)
    second = Mixture(scale, random.Random(1), **other)
    before = second.save()
    with pytest.raises(ValueError, match=r"limits|damaged|is float32|contexts"):
        second.load(saved[:-20] if harm == "cut" else saved)
    assert second.save() == before


def test_unknown_minutes_change_no_weights():
    one = Mixture(SCALE, random.Random(1), **SMALL)
    assert one.predict() is None
    for minute in range(300):
        one.observe(MONDAY + minute, powers(500.0))
    weights = one._pool.weights.copy()
    for minute in range(300, 500):
        one.observe(MONDAY + minute, powers(float("nan")))
    assert one.predict().argmax(-1).tolist() == np.full((6, 4), 3).tolist()
    np.testing.assert_array_equal(one._pool.weights, weights)


def test_a_history_in_a_series_is_the_same_as_minute_by_minute():
    series, one, two = Series(400), learner(), learner()
    for minute in range(400):
        series.append(MONDAY + minute, powers(4000.0 + 30 * (minute % 50)))
        two.observe(MONDAY + minute, powers(4000.0 + 30 * (minute % 50)))
    one.initialise(series)
    np.testing.assert_array_equal(one.predict(), two.predict())


def test_before_anything_is_learnt_states_stay():
    one = Mixture(SCALE, random.Random(1), **SMALL)
    one.observe(MONDAY, powers(500.0))
    assert one.predict().argmax(-1).tolist() == np.full((6, 4), 3).tolist()


def test_networks_of_a_short_past_begin_with_a_small_share():
    short, longer = grown(400), grown(1200)
    for one in (short, longer):
        one.predict()
    small, larger = (one.model._pool.weights[..., -2].mean() for one in (short, longer))
    assert 0.0 < small < larger < 0.15


def test_what_was_saved_without_persistence_among_the_experts_is_restored():
    first = grown(600)
    pool = first.model._pool
    pool.weights, pool._squares = pool.weights[..., :-1].copy(), pool._squares[..., :-1].copy()
    second = learner().model
    second.load(first.model.save())
    np.testing.assert_array_equal(second._pool.weights[..., :-1], pool.weights)
    assert (second._pool.weights[..., -1] == 0.0).all()
