"""The LSTM models: they learn, their training may be stopped at any time, and they can be restored."""

import random

import numpy as np
import pytest
from days import MAX_POWER_W, living_lab, made_up

from edge.learn.lstm import Lstm, LstmThesis, NoRuntime
from edge.learn.lstm.runners import make_numpy, make_tflite
from edge.learn.model import finish
from edge.learn.probabilities import softmax
from edge.learn.series import Series
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN
from edge.learn.weather import WeatherTable

SCALE = StateScale.of_max_power(MAX_POWER_W)
QUICK = {"first_steps": 60, "cells": 16, "judged": 8}


def lstm(**options):
    return Lstm(SCALE, random.Random(1), **{**QUICK, **options})


def watch(model, series, minutes=70):
    """Let a model observe the last minutes of a series."""
    for at, line in enumerate(series.last(minutes)):
        model.observe(series.last_minute - minutes + 1 + at, line)
    return model.predict()


@pytest.fixture(scope="module")
def days():
    return made_up(4)


@pytest.fixture(scope="module")
def trained(days):
    model = lstm()
    finish(model.train(days))
    return model.save()


def revived(saved, **options):
    model = lstm(**options)
    model.load(saved)
    return model


def test_without_a_runtime_it_cannot_be_created(monkeypatch):
    monkeypatch.setattr("edge.learn.lstm.runtime._RUNTIMES", ())
    with pytest.raises(NoRuntime):
        lstm()
    assert not lstm(runner="numpy").trained


def test_a_short_history_is_enough_for_constant_powers():
    series = Series(300)
    for minute in range(240):
        series.append(minute, np.full(6, 7000.0, np.float32))
    model = lstm(first_steps=660)
    finish(model.train(series))
    assert watch(model, series)[:, :, 2].min() > 0.95


def test_untrained_it_does_not_predict(days):
    assert watch(lstm(), days) is None


def test_it_learns_what_persistence_cannot_know(days):
    model, tests = lstm(first_steps=150), made_up(5, seed=2)
    report = finish(model.train(days))
    assert report.accepted
    assert report.loss_after < report.loss_before
    states, minute = SCALE.of(tests.last(1440)), tests.last_minute - 1439
    right = stays = count = 0
    for at, line in enumerate(tests.last(1440)[:-60]):
        model.observe(minute + at, line)
        if at < 480 or at % 3:
            continue
        likely = model.predict()[0].argmax(-1)
        actual = states[[at + horizon for horizon in HORIZONS_MIN], 0]
        right, stays, count = (
            right + (likely == actual).sum(),
            stays + (states[at, 0] == actual).sum(),
            count + 4,
        )
    assert right / count > stays / count + 0.05


def test_predictions_are_probabilities(days, trained):
    prediction = watch(revived(trained), days)
    assert prediction.shape == (6, 4, 7)
    assert prediction.dtype == np.float32
    assert (prediction >= 0).all()
    assert prediction.sum(-1) == pytest.approx(1, abs=1e-5)


def test_a_training_that_is_not_finished_changes_nothing(days, trained):
    model = revived(trained)
    before = watch(model, days)
    training = model.train(days)
    for _ in range(300):
        next(training)
    training.close()
    assert model.save() == trained
    assert (model.predict() == before).all()


def test_a_training_comes_in_many_pieces(days, trained):
    """`make bench` prints how long the longest one takes."""
    model = revived(trained, cells=16)
    assert sum(1 for _ in model.train(days)) > 100


def test_minutes_may_be_added_during_a_training(trained):
    series, model = made_up(4), revived(trained)
    newest = series.last_minute
    for at, _ in enumerate(model.train(series)):
        if at % 3 == 0:
            newest += 1
            series.append(newest, series.last(1)[0])
    assert model.trained


def test_an_update_that_makes_it_worse_is_rejected(days, trained):
    model = revived(trained, rate=30.0)
    before = watch(model, days)
    report = finish(model.train(days))
    assert report.loss_after <= report.loss_before
    same = (model.predict() == before).all((1, 2))
    assert same[0]  # steps of this size ruin what is hard to learn
    assert same.sum() >= 3


def test_after_a_gap_it_starts_again_with_the_last_hour(days, trained):
    model, fresh = revived(trained), revived(trained)
    watch(model, days)
    start = days.last_minute + 500
    for one in (model, fresh):
        for minute in range(30):
            one.observe(start + minute, days.last(100)[minute])
    assert (model.predict() == fresh.predict()).all()


def test_a_restart_continues_with_what_was_learnt(days, trained):
    one, other = revived(trained), revived(trained)
    assert (watch(one, days) == watch(other, days)).all()
    assert one.save() == other.save() == trained


@pytest.mark.parametrize("options", [{"cells": 17}, {"layers": 2}, {"inputs": "power"}, {"members": 2}])
def test_weights_of_another_shape_are_rejected(trained, options):
    with pytest.raises(ValueError, match="lstm"):
        revived(trained, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"inputs": "power moon"},
        {"inputs": ""},
        {"inputs": "weather"},
        {"cells": 0},
        {"speed": 1},
        {"runner": "gpu"},
        {"start": "no/such/file"},
        {"start": __file__},
    ],
)
def test_invalid_options_are_rejected(options):
    with pytest.raises(ValueError):  # noqa: PT011
        lstm(**options)


def test_a_model_can_start_from_a_file(days, trained, tmp_path):
    (tmp_path / "start.tflite").write_bytes(revived(trained).file)
    begun = lstm(start=str(tmp_path / "start.tflite"))
    assert np.abs(watch(begun, days) - watch(revived(trained), days)).max() < 0.02


def test_members_are_averaged(days):
    model = lstm(members=2, first_steps=5)
    finish(model.train(days))
    assert watch(model, days).shape == (6, 4, 7)


def test_all_inputs_can_be_switched_on(days):
    weather = WeatherTable(
        np.array([days.first_minute, days.last_minute + 100]), np.array([[0, 5], [500, 20]]), 10**6
    )
    model = Lstm(
        SCALE,
        random.Random(1),
        weather,
        inputs="power powers state states time quarter day weather",
        cells=4,
        first_steps=2,
    )
    finish(model.train(days))
    assert np.isfinite(watch(model, days)).all()


def test_int8_agrees_with_float():
    """The int8 file of a node compared with its float weights, on days of the living lab if installed."""
    series = living_lab(4)
    model = lstm(cells=32, first_steps=100)
    finish(model.train(series))
    minutes = len(series) - 60
    inputs = np.empty((6, minutes, model._inputs.size), np.float32)
    model._inputs.fill(inputs, np.arange(6), series.first_minute, series.last(len(series))[:minutes])
    states = SCALE.of(series.last(len(series)))
    actual = np.stack([states[horizon : horizon + minutes] for horizon in HORIZONS_MIN], -1).swapaxes(0, 1)
    spreads = []
    for kind in (make_tflite, make_numpy):
        runner = finish(kind(model._shape, model._weights))
        outputs = np.stack([runner.step(inputs[:, at]).copy() for at in range(minutes)], 1)
        spreads.append(softmax(outputs.reshape(6, minutes, 4, 7)))
    coded, exact = spreads
    losses = [-np.log(np.take_along_axis(each, actual[..., None].astype(int), -1)).mean() for each in spreads]
    accuracies = [(each.argmax(-1) == actual).mean() for each in spreads]
    assert (coded.argmax(-1) == exact.argmax(-1)).mean() >= 0.995
    assert np.abs(coded - exact).mean() <= 0.002
    assert losses[0] <= losses[1] + 0.001
    assert accuracies[0] >= accuracies[1] - 0.001


def test_the_lstm_of_the_thesis_predicts_powers(days):
    model = LstmThesis(SCALE, random.Random(1), cells=10, first_steps=4)
    finish(model.train(days))
    prediction = watch(model, days)
    assert prediction.shape == (6, 4, 7)
    assert (prediction.max(-1) == 1).all()
    assert (model.predict() == prediction).all()  # predicting ahead did not change the state


def test_weights_of_another_building_get_a_first_training_once(days, trained, tmp_path):
    """Some short updates would leave them as good as untrained."""
    (tmp_path / "start.tflite").write_bytes(revived(trained).file)
    begun = lstm(start=str(tmp_path / "start.tflite"), first_steps=7)
    assert finish(begun.train(days)).steps == 7
    kept = begun.save()
    assert finish(begun.train(days)).steps == 5
    again = lstm(start=str(tmp_path / "start.tflite"), first_steps=7)
    again.load(kept)
    assert finish(again.train(days)).steps == 5


def test_weights_of_neighbours_get_a_first_training_too(days, trained):
    other, untrained = revived(trained), lstm(first_steps=7)
    finish(untrained.adopt({v: {n: p.values for n, p in other.parts(v).items()} for v in range(6)}))
    assert untrained.trained
    assert finish(untrained.train(days)).steps == 7
