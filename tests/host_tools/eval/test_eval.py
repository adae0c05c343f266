import argparse
import csv
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from edge.learn.lstm import Lstm
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN, LEADS_MIN, STATES
from edge.terms import VARIABLES
from host_tools.__main__ import main
from host_tools.eval import shipped
from host_tools.eval.command import task_from
from host_tools.eval.data import DataError, records
from host_tools.eval.intervals import by_days, t_quantile
from host_tools.eval.replay import replay, task_of, trained
from host_tools.eval.result import not_trivial, scored
from host_tools.eval.rivals import RIVALS
from host_tools.eval.runs import forecast_in, weather_in

KEYS = {
    "data",
    "node",
    "scope",
    "model",
    "variable",
    "horizon_min",
    "n",
    "constant",
    "accuracy",
    "log_loss",
    "brier",
    "persistence_accuracy",
    "majority_accuracy",
    *(f"{rival}_{each}" for rival in RIVALS for each in ("accuracy", "log_loss")),
}
HEADER = ["timestamp", "device", "kind", "power_w"]


def stamp(minute):
    day, rest = divmod(minute, 1440)
    return f"2024-01-{day + 1:02}T{rest // 60:02}:{rest % 60:02}Z"


def load_w(minute):
    return 900.0 + 700.0 * math.sin(minute / 100) + 150.0 * math.sin(minute / 7)


@pytest.fixture
def house(tmp_path):
    """Three days of a house with solar panels and a battery; its fridge was not read for ten minutes."""
    path = tmp_path / "homes" / "house.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for minute in range(3 * 1440):
            writer.writerow([stamp(minute), "house", "load", f"{load_w(minute):.1f}"])
            if not 2000 <= minute < 2010:
                writer.writerow([stamp(minute), "fridge", "load", 100])
            writer.writerow([stamp(minute), "roof", "pv", 1200 if minute % 1440 > 700 else 0])
            writer.writerow([stamp(minute), "box", "battery", -300 if minute % 2 else 200])
    return path


def test_a_node_that_stands_alone(house):
    (record,) = records(house)
    requested, produced, consumed, supplied, missing, available = record.powers_w[701]
    assert requested == pytest.approx(load_w(701) + 100, abs=0.1)
    assert produced == 1500.0  # the solar panels, and the battery discharging
    assert consumed == supplied == min(requested, produced)
    assert (missing, available) == (requested - supplied, produced - supplied)
    assert record.powers_w[700][0] == pytest.approx(load_w(700) + 300, abs=0.1)  # charging
    assert np.isnan(record.powers_w[2005]).tolist() == [True, False, True, True, True, True]
    assert record.minutes[0] % 1440 == 0
    assert record.node == "house"
    assert record.scope == "node"


def test_a_longer_step_is_held_and_predicted_only_from_its_end(tmp_path):
    path = tmp_path / "coarse.csv"
    rows = [[stamp(15 * step), "house", "load", step] for step in range(3 * 96)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [HEADER, *rows]))
    (record,) = records(path)
    assert record.step_min == 15
    assert record.powers_w[:31, 0].tolist() == [0] * 15 + [1] * 15 + [2]
    task = task_of(record, 2880, 4320, StateScale.of_max_power(300.0))
    assert set(task.minutes % 15) == {14}


def test_repaired_production_limits_the_supply(tmp_path):
    path = tmp_path / "lab.csv"
    names = [
        "timestamp_local",
        "requested_w",
        "produced_w",
        "consumed_w",
        "provided_w",
        "missing_w",
        "available_w",
        "produced_clean_w",
    ]
    path.write_text(",".join(names) + "\n2022-12-16T17:42+0100,16000,18720,15000,15000,1000,3720,9360\n")
    (raw,), (repaired,) = records(path, raw=True), records(path)
    assert raw.powers_w[0].tolist() == [16000, 18720, 15000, 15000, 1000, 3720]
    assert repaired.powers_w[0].tolist() == [16000, 9360, 9360, 9360, 6640, 0]
    assert raw.minutes[0] % 1440 == 17 * 60 + 42


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("time,power\n1,2\n", "neither"),
        ("timestamp,device,kind,power_w\n2024-01-01T00:00Z,a,wind,5\n", "wind"),
        ("timestamp,device,kind,power_w\n2024-01-01T00:00Z,a,load,five\n", "five"),
        ("timestamp,device,kind,power_w\n", "no lines"),
    ],
)
def test_invalid_data_are_reported(tmp_path, capsys, content, complaint):
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    assert main(["eval", "--data", str(path)]) == 2
    message = capsys.readouterr().err
    assert "wrong.csv" in message
    assert complaint in message


def test_scores_have_the_documented_keys(house, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = [
        "eval",
        "--data",
        str(house.parent),
        "--model",
        "persistence,markov",
        "--test-days",
        "1",
        "--no-plots",
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    lines = json.loads((out / "scores.json").read_text())
    assert all(set(line) == KEYS for line in lines)
    assert len(lines) == 2 * 6 * 4
    for line in lines:
        if line["model"] == "persistence":
            assert line["accuracy"] == line["persistence_accuracy"]
        assert line["n"] == 1440 - line["horizon_min"]
    first = (out / "scores.json").read_bytes()
    assert main(arguments) == 0
    assert (out / "scores.json").read_bytes() == first
    assert "(persistence)" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["markov", "lstm"])
def test_later_minutes_do_not_change_earlier_predictions(house, model):
    options = {} if model == "markov" else {"cells": 4, "first_steps": 3, "steps": 1}
    (record,) = records(house)
    scale = StateScale.of_max_power(2000.0)
    end = 2880 + 120
    predicted = []
    for later in (1.0, 3.0):
        powers_w = record.powers_w.copy()
        powers_w[2880 + 60 :] *= later
        changed = type(record)("d", "n", "node", record.first_minute, powers_w)
        task = task_of(changed, 2880, end, scale)
        predicted.append(
            replay(task, trained(task, model, options, seed=1, train_every_min=20), lambda done: None)
        )
    np.testing.assert_array_equal(predicted[0][:60], predicted[1][:60])
    assert not np.array_equal(predicted[0][60:], predicted[1][60:])


def test_intervals_contain_the_mean_and_need_days(house):
    (record,) = records(house)
    scale = StateScale.of_max_power(2000.0)
    task = task_of(record, 1440, 1440 + 1440, scale)
    rng = np.random.default_rng(1)
    predicted = rng.dirichlet(np.ones(7), task.actual.shape).astype(np.float32)
    assert scored(task, "m", predicted).intervals(0, 0)["accuracy"] is None
    powers_w = np.tile(record.powers_w, (3, 1))
    task = task_of(type(record)("d", "n", "node", 0, powers_w), 1440, len(powers_w), scale)
    predicted = rng.dirichlet(np.ones(7), task.actual.shape).astype(np.float32)
    one = scored(task, "m", predicted)
    low, high = one.intervals(0, 0)["accuracy"]
    assert low <= one.means(0, 0)["accuracy"] <= high
    assert high - low < 0.1


def test_ignored_days_are_not_used(house):
    (record,) = records(house)
    options = argparse.Namespace(window=None, leave_days=1.0, test_days=0.5, states="power", max_power=None)
    task = task_from(record, options)
    assert task.start == 2 * 1440 - 720
    assert task.origins[-1] < 2 * 1440
    at = task.origins.tolist().index(2 * 1440 - 5)
    assert [actual >= 0 for actual in task.actual[at, 0]] == [minutes < 5 for minutes in HORIZONS_MIN]


def test_missing_data_are_reported(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        list(records(tmp_path / "nothing"))
    with pytest.raises(DataError, match="no data of them"):
        list(records(tmp_path, nodes=["them"]))


def test_a_model_is_trained_exported_and_checked(house, tmp_path, capsys):
    build, models = tmp_path / "build", tmp_path / "models"
    arguments = [
        "train",
        "small",
        "--data",
        str(house),
        "--test-days",
        "0.25",
        "--set",
        "lstm.cells=4",
        "--set",
        "lstm.first_steps=3",
        "--out",
        str(build),
    ]
    assert main(arguments) == 0
    assert main(["export", "small", "--from", str(build), "--out", str(models)]) == 0
    text = (models / "small.md").read_text()
    for word in ("sha256", "persistence %", "homes", "6 networks", "--set lstm.cells=4"):
        assert word in text
    assert shipped.check(models) == 0
    content = bytearray((models / "small.tflite").read_bytes())
    content[-20] ^= 1
    (models / "small.tflite").write_bytes(content)
    capsys.readouterr()
    assert main(["export", "--check", "--out", str(models)]) == 1
    assert "small" in capsys.readouterr().err
    (models / "small.tflite").unlink()
    assert shipped.check(models) == 1


def test_shipped_files_fit_their_cards_and_start_a_model():
    folder = Path(shipped.__file__).parents[2] / "models"
    assert shipped.check(folder) == 0
    files = sorted(folder.glob("*.tflite"))
    assert files
    for path in files:
        begun = Lstm(StateScale.of_max_power(3000.0), random.Random(1), start=path.stem)
        for minute in range(3):
            begun.observe(minute, np.linspace(0, 3500, len(VARIABLES)))
        assert begun.predict().shape == (len(VARIABLES), len(HORIZONS_MIN), STATES)


def test_a_wrong_window_or_option_is_reported(house, capsys):
    for more in (
        ["--window", "yesterday"],
        ["--set", "lstm"],
        ["--model", "oracle"],
        ["--set", "lstm.cells=0"],
    ):
        assert main(["eval", "--data", str(house), "--model", "lstm", "--test-days", "1", *more]) == 2
        assert more[-1].split("=")[0].split(".")[-1] in capsys.readouterr().err.replace("0 cells", "cells 0")


def test_variables_that_never_change_are_marked_and_in_no_mean(tmp_path, capsys):
    path = tmp_path / "flat" / "house.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for minute in range(3 * 1440):
            writer.writerow([stamp(minute), "house", "load", f"{load_w(minute):.1f}"])
    out = tmp_path / "out"
    arguments = ["--model", "persistence", "--test-days", "1", "--no-plots", "--out", str(out)]
    assert main(["eval", "--data", str(path), *arguments]) == 0
    printed = capsys.readouterr().out
    constant = ("produced", "consumed", "supplied", "available")
    assert f"always in one state, and in no mean: {', '.join(constant)}" in printed
    assert "mean of 2" in printed
    lines = json.loads((out / "scores.json").read_text())
    assert {line["variable"] for line in lines if line["constant"]} == set(constant)
    (record,) = records(path)
    task = task_of(record, 2880, 4320, StateScale.of_max_power(2000.0))
    one = scored(
        task,
        "persistence",
        replay(task, trained(task, "persistence", {}, seed=1, train_every_min=20), lambda done: None),
    )
    each = [one.means(at, slice(None))["accuracy"] for at in range(6)]
    assert [VARIABLES[at] for at in one.varying] == ["requested", "missing"]
    assert one.means(one.varying, slice(None))["accuracy"] == pytest.approx((each[0] + each[4]) / 2)
    assert each[1:4] == [1.0] * 3


def test_scores_without_trivial_hours_are_those_that_a_node_gives(house):
    (record,) = records(house)
    task = task_of(record, 1440, 3 * 1440, StateScale.of_max_power(2000.0))
    rng = np.random.default_rng(1)
    predicted = rng.dirichlet(np.ones(7), task.actual.shape).astype(np.float32)
    whole, part = (scored(task, "m", predicted, which) for which in (None, not_trivial(task)))
    told = whole.report()
    for at, variable in enumerate(VARIABLES):
        for number, horizon_min in enumerate(HORIZONS_MIN):
            theirs = told[variable][str(horizon_min)]["not_trivial"]
            assert part.count(at, number) == theirs["n"]
            ours = part.means([at], [number])
            for key in ("accuracy", "log_loss", "persistence_accuracy"):
                assert ours[key] == pytest.approx(theirs[key], abs=1e-5)
    requested, available = VARIABLES.index("requested"), VARIABLES.index("available")
    assert part.count(requested, 0) == whole.count(requested, 0)  # it is never zero
    assert 0 < part.count(available, 0) < whole.count(available, 0)  # nothing is left in most hours


def test_t_quantiles_are_those_of_the_distribution():
    stats = pytest.importorskip("scipy.stats")
    for freedom in (*range(1, 40), 100, 1000):
        assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_an_interval_over_seven_days_holds_the_mean_as_often_as_it_says():
    rng, inside = np.random.default_rng(5), 0
    for _ in range(1000):
        days = rng.normal(0.8, 0.05, (7, 1))
        mean, limits = by_days(1440 * days, np.full((7, 1), 1440.0))
        assert mean == pytest.approx(days.mean())
        inside += limits[0] <= 0.8 <= limits[1]
    assert 930 <= inside <= 970


def test_two_horizons_in_one_interval_of_the_data_count_once(tmp_path):
    path = tmp_path / "coarse.csv"
    rows = [[stamp(15 * step), "house", "load", step % 7 * 40] for step in range(3 * 96)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [HEADER, *rows]))
    (record,) = records(path)
    task = task_of(record, 2880, 4320, StateScale.of_max_power(300.0))
    predicted = np.full((*task.actual.shape, STATES), 1 / STATES, np.float32)
    assert [HORIZONS_MIN[each] for each in scored(task, "m", predicted).horizons] == [5, 30, 60]


def test_rivals_know_only_the_days_before(house):
    (record,) = records(house)
    scale = StateScale.of_max_power(2000.0)
    powers_w = np.tile(record.powers_w, (4, 1))
    changed = powers_w.copy()
    changed[10 * 1440 :] = 0.0
    one, other = (
        task_of(type(record)("d", "n", "node", 0, each), 9 * 1440, 11 * 1440, scale).rivals
        for each in (powers_w, changed)
    )
    for name in RIVALS:
        np.testing.assert_array_equal(one[name].right[:1380], other[name].right[:1380])
        np.testing.assert_array_equal(one[name].log_loss[:1380], other[name].log_loss[:1380])
    assert one["yesterday"].right[:, 1, 0].mean() > 0.9  # the sun of each day is the same


def test_forecasts_in_watts_are_judged_beside_their_rivals(house, tmp_path):
    out = tmp_path / "out"
    arguments = ["--model", "persistence", "--test-days", "1", "--watts", "--no-plots", "--out", str(out)]
    assert main(["eval", "--data", str(house), *arguments]) == 0
    lines = json.loads((out / "watts.json").read_text())
    produced = {line["lead_min"]: line for line in lines if line["variable"] == "produced"}
    assert list(produced) == list(LEADS_MIN[:-1])  # no target of a day later is in the data
    for lead_min, line in produced.items():
        assert line["n"] == (1440 - lead_min) // 15
        assert 0 <= line["coverage_50"] <= line["coverage_80"] <= line["coverage_90"] <= 1
        assert line["saved_still_95"] is None  # of one day
    assert produced[480]["pinball_w"] < 0.7 * produced[480]["still_pinball_w"]


def test_weather_of_a_file_is_known_in_between(tmp_path):
    path = tmp_path / "weather.csv"
    path.write_text("timestamp,irradiance_w_m2,temperature_c\n2024-01-01T00:00,0,5\n2024-01-01T01:00,60,8\n")
    minute = 19_723 * 1440 + 30
    assert weather_in(path).at(np.array([minute, minute + 60])).tolist()[0] == [30.0, 6.5]


def test_a_forecast_of_others_holds_for_its_interval(tmp_path):
    path = tmp_path / "forecast.csv"
    path.write_text("timestamp,produced_w\n2024-01-01T00:00,700\n2024-01-01T00:15,900\n")
    minute = 19_723 * 1440 + 14
    given = forecast_in(path).at(np.array([minute, minute + 1]))
    assert given[:, 1].tolist() == [700.0, 900.0]
    assert np.isnan(given[:, [0, 2, 3, 4, 5]]).all()
