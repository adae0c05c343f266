"""Nodes that learn, under a virtual clock: totals, minutes, predictions, restarts."""

import gzip
import json
import os
import re
import shutil
import sqlite3
import time

import numpy as np
import pytest

from edge.api.troubles import troubles
from edge.config.check import ConfigError
from edge.learn.lstm import networks, shipped
from edge.learn.lstm.shipped import models_folder
from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES
from edge.twins.learning import PRED
from host_tools.world import World, chain

NAMES = ["n1", "n2", "n3"]
FEW = "first_steps = 4; least_steps = 4; steps = 1; batch = 2"  # not a test of how well it learns
START_MIN = 28_332_000  # the virtual clock's midnight


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def build(world, model="markov", names=NAMES, **learning):
    if model == "lstm":
        learning |= {"node_options": FEW, "cluster_options": FEW}
    for name, neighbours in chain(names).items():
        twins = [{"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}]
        twins += [{"name": "roof", "kind": "pv", "power_w": 900.0}] if name == "n1" else []
        world.add(name, neighbours, twins, {"node_model": model, "cluster_model": model, **learning})
    world.boot()
    for name in names:
        draw(world, name, 100.0)
    return world


def draw(world, name, power_w):
    world.nodes[name].meters.say("m.total", power_w)


def twin(world, name="n1"):
    return world.nodes[name].node.learning


def scope(world, which, name="n1"):
    return twin(world, name).scopes[which]


def published(world, label, name="n1"):
    space = world.nodes[name].node.space
    value = space.read(space.find(f"{name}.learning"), label)
    return None if value is None else json.loads(value)


# ---- totals ---------------------------------------------------------------------------------------


def test_totals_of_all_nodes_add_up_at_every_node(world):
    build(world)
    world.run(30)
    for name in NAMES:
        assert twin(world, name).nodes_summed == 3
        assert twin(world, name).cluster_w()[:4] == (300.0, 900.0, 300.0, 300.0)


def test_an_event_reaches_the_cluster_within_seconds(world):
    build(world)
    world.run(30)
    draw(world, "n3", 250.0)
    world.run(7)
    assert twin(world, "n1").cluster_w()[0] == 450.0


def test_a_vanished_node_leaves_the_sum_and_comes_back_once(world):
    build(world)
    world.run(30)
    world.nodes["n3"].kill()
    world.run(20)
    assert twin(world).nodes_summed == 2
    assert twin(world).cluster_w()[0] == 200.0
    world.nodes["n3"].boot()
    draw(world, "n3", 100.0)
    world.run(20)
    assert twin(world).nodes_summed == 3
    assert twin(world).cluster_w()[0] == 300.0


def test_a_node_alone_is_its_own_cluster(world):
    build(world, names=["n1"])
    world.run(30)
    assert twin(world).cluster_w() == world.nodes["n1"].node.total().powers_w


@pytest.mark.parametrize("lie", [b"x", b"[1,2]", b'["a",0,0,0,0,0]', b"[-1,0,0,0,0,0]", b"[1e99,0,0,0,0,0]"])
def test_a_total_that_cannot_be_true_counts_as_not_said(world, lie):
    build(world)
    world.run(30)
    liar = twin(world, "n2")
    world.nodes["n2"].touch(lambda _: liar.submit("TOTAL", lie))
    world.run(1)
    assert twin(world).cluster_w()[0] == 200.0
    assert world.nodes["n1"].node.engine.faults == 0


# ---- minutes and predictions ----------------------------------------------------------------------


def test_a_minute_is_the_mean_over_its_time(world):
    build(world)
    world.run(60 + 45)  # a quarter of the second minute is left
    draw(world, "n1", 500.0)
    world.run(20)
    last = scope(world, "node").learner.series.last(1)[0]
    assert last[0] == pytest.approx(200.0, abs=4 * 5)  # 100 W for 45 s, 500 W for 15 s


def test_predictions_are_published_each_minute_for_both_scopes(world):
    build(world, "persistence")
    world.run(200)
    for which, label in PRED.items():
        told = published(world, label)
        assert told["minute"] == START_MIN + 2
        assert np.array(told["p"]).shape == (len(VARIABLES), len(HORIZONS_MIN), 7)
        assert (np.array(told["p"]).sum(-1) == 1000).all()
        assert scope(world, which).prediction.minute == START_MIN + 2
    before = published(world, "PRED")["minute"]
    world.run(60)
    assert published(world, "PRED")["minute"] == before + 1


def test_predictions_of_a_node_are_seen_by_the_others(world):
    build(world, "persistence")
    world.run(200)
    space = world.nodes["n3"].node.space
    assert json.loads(space.read(space.find("n1.learning"), "PRED_CLUSTER"))["minute"] == START_MIN + 2


def test_minutes_and_predictions_are_on_disk(world):
    build(world, "persistence")
    world.run(600)
    with sqlite3.connect(world.nodes["n1"].node.history.path) as file:
        for which in ("node", "cluster"):
            minutes = file.execute(
                "SELECT minute, requested_w FROM minutes WHERE scope = ?", (which,)
            ).fetchall()
            assert [row[0] for row in minutes] == [START_MIN + i for i in range(9)]
            assert file.execute("SELECT count(*) FROM predictions WHERE scope = ?", (which,)).fetchone() == (
                9,
            )
    file.close()


def test_a_clock_that_is_not_set_teaches_nothing(world):
    build(world, "persistence", names=["n1"])
    clock = world.nodes["n1"].clock
    clock.wall_error_s = -1.6e9
    world.nodes["n1"].kill()
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(300)
    assert len(scope(world, "node").learner.series) == 0
    clock.wall_error_s = 0.0
    world.run(300)
    assert len(scope(world, "node").learner.series) == 4


def test_a_clock_that_goes_back_a_little_repeats_no_minute(world):
    build(world, "persistence", names=["n1"])
    world.run(310)
    world.nodes["n1"].clock.wall_error_s = -130.0
    world.run(300)
    series = scope(world, "node").learner.series
    assert series.last_minute == START_MIN + 6
    assert len(series) == 7


# ---- restarts -------------------------------------------------------------------------------------


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


# ---- beginnings -----------------------------------------------------------------------------------


def write_past(path, first="2020-03-02T00:00", days=3):
    lines = ["timestamp," + ",".join(f"{each}_w" for each in VARIABLES)]
    begin = np.datetime64(first)
    for minute in range(days * 1440):
        power_w = 1000.0 if minute // 60 % 2 else 100.0
        lines.append(f"{begin + np.timedelta64(minute, 'm')},{power_w},900,,{power_w},0,0")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


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
    past = write_past(tmp_path / "past.csv")
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


def test_given_boundaries_and_options_reach_the_model(world):
    world.add("n1", [], [], {"node_model": "markov", "node_options": "window_days = 9; context = weekday"})
    world.nodes["n1"].boot()
    assert len(scope(world, "node").learner.model._days) == 9


def test_options_that_no_model_knows_stop_the_start_with_a_reason(world):
    with pytest.raises(ConfigError, match="cells"):
        world.add("n1", [], [], {"node_model": "markov", "node_options": "cells = 9"})


# ---- files that are not as they should be ------------------------------------------------------------


def codes(world, name="n1"):
    return {each.code: each.text for each in troubles(world.nodes[name].node)}


def spoil(world, *statements, name="n1"):
    """Stop the node, and change its history as somebody else would."""
    world.nodes[name].kill()
    with sqlite3.connect(world.nodes[name].node.history.path) as file:
        for statement in statements:
            file.execute(*statement)
    file.close()


def test_a_past_with_a_byte_order_mark_offsets_and_empty_last_lines_is_used(world, tmp_path):
    past = tmp_path / "past.csv"
    write_past(past)
    text = re.sub(r"^(....-..-..T..:..)", r"\1+00:00", past.read_text(), flags=re.MULTILINE)
    past.write_text("\ufeff" + text + "\n\n", encoding="utf-8")
    build(world, "markov", names=["n1"], node_history=str(past))
    world.run(70)
    assert len(scope(world, "node").learner.series) >= 3 * 1440
    assert scope(world, "node").faults == 0
    assert codes(world) == {}


@pytest.mark.parametrize("key", ["node_history", "cluster_history", "weather"])
@pytest.mark.parametrize(
    "make", [lambda path: None, os.mkfifo, lambda path: path.write_text("timestamp\nx\n")]
)
def test_a_past_that_is_not_used_is_a_trouble(world, tmp_path, key, make):
    make(tmp_path / "past.csv")
    build(world, "persistence", names=["n1"], **{key: str(tmp_path / "past.csv")})
    world.run(130)
    assert str(tmp_path / "past.csv") in codes(world)["past_not_used"]
    assert scope(world, "node").prediction is not None


WEATHER = "timestamp,irradiance_w_m2,temperature_c\n"


@pytest.mark.parametrize(
    "rows", ["20231114T0000,0,5\n20231114T0100Z,10,5\n", "2023-11-14,0,5\n2023-11-14T01:00+00:00,10,5\n"]
)
def test_weather_in_any_iso_form_is_used(world, tmp_path, rows):
    (tmp_path / "weather.csv").write_text("\ufeff" + WEATHER + rows + "\n")
    build(world, "persistence", names=["n1"], weather=str(tmp_path / "weather.csv"))
    assert twin(world).trouble == ""


def test_weather_of_too_many_rows_is_refused(world, tmp_path):
    with gzip.open(tmp_path / "weather.csv.gz", "wt") as file:
        file.write(WEATHER)
        begin = np.datetime64("2020-01-01T00:00")
        file.writelines(f"{begin + np.timedelta64(minute, 'm')},1,1\n" for minute in range(50_010))
    build(world, "persistence", names=["n1"], weather=str(tmp_path / "weather.csv.gz"))
    assert "line 50002: the file has more than 50,000 rows" in codes(world)["past_not_used"]


@pytest.mark.parametrize(
    "garbage", [b"x", b"[]", b"[[1,2,3]]", b'{"a": 1}', b"[[5,4,3,2,1]]", b"null", b"[[1e999]]", b"\xff"]
)
def test_limits_of_states_that_were_kept_and_cannot_be_used_are_fitted_anew(world, tmp_path, garbage):
    past = write_past(tmp_path / "past.csv")
    build(world, "persistence", names=["n1"], node_history=past, boundaries="fitted")
    world.run(130)
    spoil(world, ("UPDATE kept SET data = ? WHERE name = 'node/limits'", (garbage,)))
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(130)
    assert "limits of states that were kept are invalid" in scope(world, "node").trouble
    limits_w = scope(world, "node").scale.limits_w
    assert 99.0 <= limits_w[0, 1] <= 101.0
    assert limits_w[0, -1] >= 1000.0
    kept = json.loads(world.nodes["n1"].node.history.kept("node/limits"))
    assert np.allclose(kept, limits_w[:, 1:])
    assert scope(world, "node").prediction is not None
    assert scope(world, "node").faults == 0


def test_one_wrong_row_does_not_stop_learning(world):
    build(world, "markov", names=["n1"])
    world.run(60 * 20)
    spoil(
        world,
        (f"UPDATE minutes SET requested_w = 'much' WHERE minute = {START_MIN + 3}",),
        (f"UPDATE minutes SET requested_w = 9e999 WHERE minute = {START_MIN + 5}",),
        ("UPDATE kept SET data = 'text'",),
    )
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(130)
    series = scope(world, "node").learner.series
    assert series.first_minute == START_MIN
    assert scope(world, "node").faults == 0
    assert scope(world, "node").prediction is not None
    assert world.nodes["n1"].node.history.wrong_rows > 0


def test_a_damaged_model_in_the_history_is_learnt_anew(world):
    build(world, "lstm", names=["n1"], first_training_min=10)
    world.run(60 * 30)
    node = world.nodes["n1"].node
    node.save()
    node.history.write()
    data = bytearray(node.history.kept("node/learnt"))
    for at in range(60, len(data), 997):
        data[at] ^= 0xFF
    spoil(world, ("UPDATE kept SET data = ?", (bytes(data),)))
    world.nodes["n1"].boot()
    draw(world, "n1", 100.0)
    world.run(130)
    assert "damaged" in scope(world, "node").trouble
    assert len(scope(world, "node").learner.series) > 30
    assert scope(world, "node").faults == 0


def test_a_history_that_is_locked_delays_nothing_and_is_read_when_it_can_be(world, tmp_path):
    past = write_past(tmp_path / "past.csv")
    build(world, "markov", names=["n1"], node_history=past, boundaries="fitted")
    world.run(60 * 20)
    limits_w = scope(world, "node").scale.limits_w.copy()
    world.nodes["n1"].kill()
    other = sqlite3.connect(world.nodes["n1"].node.history.path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE more (x)")
    began_s = time.monotonic()
    world.nodes["n1"].boot()
    assert time.monotonic() - began_s < 1.0
    world.nodes["n1"].node.history.write = lambda: False  # on a node that is another thread, which may wait
    draw(world, "n1", 100.0)
    world.run(130)
    assert codes(world)["history_locked"]
    assert scope(world, "node").prediction is None
    other.execute("ROLLBACK")
    other.close()
    world.run(70)
    assert "history_locked" not in codes(world)
    assert (scope(world, "node").scale.limits_w == limits_w).all()
    assert scope(world, "node").learner.series.first_minute < START_MIN
    assert scope(world, "node").prediction is not None


def test_a_history_of_a_later_release_is_kept_and_the_node_learns_on(world):
    build(world, "markov", names=["n1"])
    world.run(300)
    path = world.nodes["n1"].node.history.path
    spoil(world, ("PRAGMA user_version = 99",))
    before = path.read_bytes()
    for _ in range(2):
        world.nodes["n1"].boot()
        draw(world, "n1", 100.0)
        world.run(300)
        assert "history.sqlite is kept and not used" in codes(world)["history_newer"]
        assert scope(world, "node").prediction is not None
        world.nodes["n1"].kill()
    assert path.read_bytes() == before
    assert len(scope(world, "node").learner.series) > 8  # of both lives


def test_a_damaged_shipped_model_never_reaches_an_interpreter(world, tmp_path, monkeypatch):
    for name in ("house.tflite", "house.md"):
        shutil.copy(models_folder() / name, tmp_path)
    content = bytearray((tmp_path / "house.tflite").read_bytes())
    content[5000] ^= 0xFF
    (tmp_path / "house.tflite").write_bytes(content)
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path)
    monkeypatch.setattr(networks, "interpreter", lambda model: pytest.fail("a damaged file was interpreted"))
    world.add("n1", [], [], {"node_model": "lstm", "node_options": f"start = house; {FEW}"})
    world.boot().run(70)
    assert "its sha256 is not the one on its card" in codes(world)["model_damaged"]
    assert not scope(world, "node").learner.model.trained
    (tmp_path / "house.md").unlink()
    world.nodes["n1"].kill()
    world.nodes["n1"].boot()
    assert "its card" in codes(world)["model_damaged"]
