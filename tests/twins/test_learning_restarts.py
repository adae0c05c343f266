"""Nodes that learn are restarted, or begin with a past."""

import numpy as np
import pytest
from learners import build, draw, published, scope, write_past

from edge.config.check import ConfigError
from edge.terms import VARIABLES
from edge.twins.learning import PRED
from host_tools.world import World


@pytest.mark.parametrize("model", ["markov", "lstm"])
def test_a_restart_goes_on_within_a_minute(world, model):
    build(world, model, names=["n1"], first_training_min=10, train_every_min=5)
    for minute in range(40):
        draw(world, "n1", 100.0 + 900.0 * (minute % 7 > 3))
        world.run(60)
    world.run(10)
    before = scope(world, "node")
    lines, prediction = before.learner.series.last(60).copy(), before.prediction
    assert before.trainings > 0
    assert before.faults == 0, before.trouble
    world.nodes["n1"].kill()
    world.run(5)
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(60)
    after = scope(world, "node")
    assert after.prediction.minute == prediction.minute + 1
    assert np.allclose(after.learner.series.last(len(lines) + 1)[: len(lines)], lines)
    assert after.trouble == ""


def test_a_kill_in_the_middle_of_a_training_harms_nothing(world):
    build(world, "lstm", names=["n1"], first_training_min=10)
    world.nodes["n1"].waits_for = "this test"  # training is driven by hand below
    world.run(60 * 20)
    node = world.nodes["n1"].node
    while not scope(world, "node").ready or len(scope(world, "node").learner.series) < 19:
        node.work()
    for _ in range(30):
        node.work()
    assert scope(world, "node").at_work
    world.nodes["n1"].kill()
    world.nodes["n1"].waits_for = ""
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(120)
    assert scope(world, "node").trainings == 1
    assert scope(world, "node").faults == 0
    assert scope(world, "node").prediction is not None


def test_two_runs_of_a_seed_learn_the_same():
    told = []
    for _ in range(2):
        world = build(World(seed=9), "lstm", names=["n1", "n2"], first_training_min=10, train_every_min=5)
        for minute in range(20):
            draw(world, "n1", 50.0 * (minute % 5))
            world.run(60)
        told.append([published(world, label, name) for label in PRED.values() for name in ("n1", "n2")])
        world.close()
    assert told[0] == told[1]


def test_a_damaged_history_is_begun_anew(world):
    build(world, "markov", names=["n1"])
    world.run(300)
    world.nodes["n1"].kill()
    path = world.nodes["n1"].node.history.path
    assert not path.with_name(path.name + "-wal").exists()  # else SQLite takes everything from there
    path.write_bytes(b"\x00" * 9000)
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(300)
    assert scope(world, "node").prediction is not None
    assert path.with_suffix(".unreadable").exists()


def test_a_file_of_past_days_initialises_a_model(world, tmp_path):
    build(world, "markov", names=["n1"], node_history=write_past(tmp_path / "past.csv"))
    world.run(70)
    series = scope(world, "node").learner.series
    assert len(series) >= 3 * 1440
    minute = series.last_minute - len(series) + 1
    first = np.datetime64(minute, "m").astype("datetime64[s]").item()
    assert (first.weekday(), first.hour, first.minute) == (0, 0, 0)  # moved by whole weeks
    assert np.isnan(series.last(len(series))[0, 2])
    assert scope(world, "node").trouble == ""
    assert len(scope(world, "cluster").learner.series) == 1


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (None, "cannot be read: No such file"),
        ("timestamp,requested_w\n", "column available_w, consumed_w, missing_w, produced_w, supplied_w is"),
        ("{head}\n2020-03-02T00:00,1,1,1,1,1,1\nyesterday,1,1,1,1,1,1\n", "line 3: timestamp = yesterday"),
        ("{head}\n2020-03-02T00:00,1,1,1,much,1,1\n", "line 2: supplied_w = much: is not a number"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_the_node_learns_on(world, tmp_path, content, trouble):
    path = tmp_path / "past.csv"
    if content is not None:
        path.write_text(content.replace("{head}", "timestamp," + ",".join(f"{each}_w" for each in VARIABLES)))
    build(world, "persistence", names=["n1"], node_history=str(path))
    world.run(130)
    assert trouble in scope(world, "node").trouble
    assert str(path) in scope(world, "node").trouble
    assert scope(world, "node").prediction is not None


def test_fitted_states_follow_what_was_seen_and_survive_a_restart(world, tmp_path):
    past = write_past(tmp_path / "past.csv", hours=24)
    build(world, "markov", names=["n1"], node_history=past, boundaries="fitted")
    world.run(130)
    limits_w = scope(world, "node").scale.limits_w
    assert 99.0 <= limits_w[0, 1] <= 101.0
    assert limits_w[0, -1] >= 1000.0
    assert scope(world, "node").prediction is not None
    world.nodes["n1"].kill()
    world.nodes["n1"].boot()
    world.run(70)
    assert (scope(world, "node").scale.limits_w == limits_w).all()
    assert scope(world, "node").trouble == ""


def test_states_that_are_fitted_while_a_node_runs_begin_without_the_model_that_was_kept(world, tmp_path):
    past = write_past(tmp_path / "past.csv", "2023-11-13T01:00", hours=23)
    build(world, "markov", names=["n1"], node_history=past, boundaries="fitted")
    world.run(130)
    before_w = scope(world, "node").scale.limits_w
    world.nodes["n1"].stop()  # keeps its model
    world.nodes["n1"].boot()
    for _ in range(2):
        draw(world, "n1", 100.0)
        world.run(33 * 60)
    assert (scope(world, "node").scale.limits_w != before_w).any()
    assert scope(world, "node").trouble == ""


def test_given_boundaries_and_options_reach_the_model(world):
    world.add("n1", [], [], {"node_model": "markov", "node_options": "window_days = 9; context = weekday"})
    world.nodes["n1"].boot()
    assert len(scope(world, "node").learner.model._days) == 9


def test_options_that_no_model_knows_stop_the_start_with_a_reason(world):
    with pytest.raises(ConfigError, match="cells"):
        world.add("n1", [], [], {"node_model": "markov", "node_options": "cells = 9"})
