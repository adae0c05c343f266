"""Files of a node that learns are not as they should be."""

import gzip
import json
import os
import re
import shutil
import sqlite3
import time

import numpy as np
import pytest
from learners import FEW, START_MIN, build, codes, draw, scope, twin, write_past

from edge.learn.lstm import networks, shipped
from edge.learn.lstm.shipped import models_folder


def spoil(world, *statements, name="n1"):
    """Stop the node, and change its history as somebody else would."""
    world.nodes[name].kill()
    with sqlite3.connect(world.nodes[name].node.history.path) as file:
        for statement in statements:
            file.execute(*statement)
    file.close()


def test_a_past_with_a_byte_order_mark_offsets_and_empty_last_lines_is_used(world, tmp_path):
    past = tmp_path / "past.csv"
    write_past(past, hours=24)
    text = re.sub(r"^(....-..-..T..:..)", r"\1+00:00", past.read_text(), flags=re.MULTILINE)
    past.write_text("\ufeff" + text + "\n\n", encoding="utf-8")
    build(world, "markov", names=["n1"], node_history=str(past))
    world.run(70)
    assert len(scope(world, "node").learner.series) >= 1440
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


def test_limits_of_states_that_were_kept_and_cannot_be_used_are_fitted_anew(world, tmp_path, monkeypatch):
    monkeypatch.setattr("edge.twins.scope._FIT_FROM_MIN", 240)  # each start learns the past once more
    past = write_past(tmp_path / "past.csv", "2020-03-02T20:00", hours=4)  # ends where the history begins
    build(world, "persistence", names=["n1"], node_history=past, boundaries="fitted")
    world.run(130)
    for garbage in (b"x", b"[]", b"[[1,2,3]]", b'{"a": 1}', b"[[5,4,3,2,1]]", b"null", b"[[1e999]]", b"\xff"):
        spoil(world, ("UPDATE kept SET data = ? WHERE name = 'node/limits'", (garbage,)))
        world.nodes["n1"].boot()
        draw(world, "n1", 100.0)
        world.run(130)
        assert "limits of states that were kept are invalid" in scope(world, "node").trouble, garbage
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
    past = write_past(tmp_path / "past.csv", hours=24)
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
