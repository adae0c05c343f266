"""Nodes that learn, under a virtual clock: totals, minutes and predictions."""

import json
import sqlite3

import numpy as np
import pytest
from learners import NAMES, START_MIN, build, draw, published, scope, twin

from edge.learn.outlook import Outlook, unpacked
from edge.learn.terms import HORIZONS_MIN
from edge.terms import SCOPES, VARIABLES
from edge.twins.learning import PRED, PRED_W


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


def test_predictions_for_the_microgrid_are_seen_by_the_others(world):
    build(world, "persistence")
    world.run(200)
    space = world.nodes["n3"].node.space
    assert json.loads(space.read(space.find("n1.learning"), "PRED_CLUSTER"))["minute"] == START_MIN + 2
    assert space.read(space.find("n1.learning"), "PRED") is None  # that of the node alone stays there


def test_forecasts_in_watts_are_published_on_their_own_node_and_kept(world):
    build(world, "persistence", names=["n1", "n2"])
    world.run(31 * 60)
    for which, label in PRED_W.items():
        made = scope(world, which).forecast
        space = world.nodes["n1"].node.space
        told = space.read(space.find("n1.learning"), label)
        assert int.from_bytes(told[:8], "little") == made.minute == START_MIN + 29
        np.testing.assert_allclose(unpacked(told[8:]), made.powers_w, rtol=1e-3)
        assert made.powers_w[1, 0].tolist() == [900.0] * 7  # the roof
        other = world.nodes["n2"].node.space
        assert other.read(other.find("n1.learning"), label) is None
    twin(world).keep()
    history = world.nodes["n1"].node.history
    history.write()
    kept = [minute for rows in history.forecasts("cluster", 0, 2**40) for minute, _ in rows]
    assert kept == [START_MIN + 14, START_MIN + 29]
    again = Outlook()
    again.load(history.kept("node/outlook"))
    assert again.save() == scope(world, "node").learner.outlook.save()


def test_minutes_and_predictions_are_on_disk(world):
    build(world, "persistence")
    world.run(600)
    with sqlite3.connect(world.nodes["n1"].node.history.path) as file:
        for which in ("node", "cluster"):
            minutes = file.execute(
                "SELECT minute, requested_w FROM minutes WHERE scope = ?", (which,)
            ).fetchall()
            assert [row[0] for row in minutes] == [START_MIN + i for i in range(9)]
            count = "SELECT count(*) FROM predicted WHERE id % 2 = ?"
            assert file.execute(count, (SCOPES.index(which),)).fetchone() == (9,)
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


def test_the_prediction_of_a_node_stays_there(world):
    build(world, "persistence", names=["n1", "n2"])
    world.run(130)
    assert published(world, "PRED")["minute"] == START_MIN + 1
    space = world.nodes["n2"].node.space
    assert space.read(space.find("n1.learning"), "PRED") is None
