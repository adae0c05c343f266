"""Nodes that exchange models and predictions, under a virtual clock."""

import numpy as np
import pytest
from learners import NAMES, build, codes, draw, published, scope, twin

from edge.api.troubles import warnings
from edge.twins.gossip_settings import MODEL, PRED_SHARE
from edge.twins.prediction import PRED
from host_tools.world import LinkQuality, World

ON = {"models": "on", "predictions": "on", "every_min": 2}


def stats(world, name, which="node"):
    return scope(world, which, name).exchange.stats()


def run_minutes(world, minutes):
    """Powers that change every three minutes."""
    for minute in range(0, minutes, 3):
        for number, name in enumerate(world.nodes):
            if world.nodes[name].alive:
                draw(world, name, 300.0 + 900.0 * ((minute // 3 + number) % 3))
        world.run(3 * 60)


@pytest.fixture(scope="module")
def chained():
    """A chain of three with Markov chains, after a quarter of an hour."""
    world = build(World(seed=3), gossip=ON)
    run_minutes(world, 12)
    yield world
    world.close()


def test_models_and_predictions_reach_direct_neighbours_only(chained):
    for which in ("node", "cluster"):
        assert set(stats(chained, "n1", which)["contributors"]) == {"n2"}
        assert set(stats(chained, "n2", which)["contributors"]) == {"n1", "n3"}
        space = chained.nodes["n3"].node.space
        for label in (MODEL[which], PRED_SHARE[which]):
            assert space.read(space.find("n1.learning"), label) is None


def test_they_are_merged_and_combined_and_nothing_is_refused(chained):
    for name in NAMES:
        for which in ("node", "cluster"):
            found = stats(chained, name, which)
            assert found["merged"] >= 2
            assert found["refused"] == {}
            assert found["received"]["predictions"] > 8
            assert found["gain"]["all"]["n"] > 0
    middle = scope(chained, "node", "n2")
    assert middle.learner.model._foreign is not None
    assert middle.faults == 0


def test_what_is_published_is_the_combined_prediction(chained):
    made = scope(chained, "node", "n2").prediction
    assert made.probabilities.shape == made.own.shape
    assert made.probabilities.sum(-1) == pytest.approx(np.ones((6, 4)), abs=1e-3)


def test_nodes_settle_on_a_prediction_of_the_microgrid_in_the_first_seconds_of_a_minute(chained):
    for name in NAMES:
        assert stats(chained, name, "cluster")["settled"] >= 8
        assert stats(chained, name, "node")["settled"] == 0
        made = scope(chained, "cluster", name).prediction
        shown = published(chained, PRED["cluster"], name)
        assert shown["minute"] == made.minute
        assert shown["p"] == (1000 * made.probabilities).round().astype(int).tolist()
        ((kept,),) = chained.nodes[name].node.history.predictions("cluster", made.minute, made.minute)
        assert kept.probabilities == made.probabilities.astype("<f2").tobytes()


def test_a_neighbour_that_dies_and_comes_back_is_heard_again(world):
    build(world, gossip=ON)
    run_minutes(world, 12)
    world.nodes["n3"].kill()
    run_minutes(world, 6)
    assert not stats(world, "n2")["contributors"]["n3"]["here"]
    before = stats(world, "n2")["received"]["predictions"]
    world.nodes["n3"].boot()
    run_minutes(world, 12)
    assert stats(world, "n2")["contributors"]["n3"]["here"]
    assert stats(world, "n2")["received"]["predictions"] > before + 8
    assert stats(world, "n3")["received"]["models"] > 0


def test_a_hostile_member_is_refused_and_shown(world):
    build(world, gossip=ON)
    run_minutes(world, 12)
    world.run(10)
    liar = twin(world, "n1")
    world.nodes["n1"].touch(lambda _: liar.submit(MODEL["node"], b"x" * 500, life_s=100, reach=1))
    world.nodes["n1"].touch(lambda _: liar.submit(PRED_SHARE["node"], b"x" * 280, life_s=100, reach=1))
    world.run(5)
    assert stats(world, "n2")["refused"] == {"damaged": 2}
    assert "gossip_refused" in codes(world, "n2")
    run_minutes(world, 6)
    assert "gossip_refused" not in codes(world, "n2")


def test_models_that_do_not_fit_are_a_warning_and_predictions_are_used(world):
    for name, model in (("n1", "markov"), ("n2", "markov")):
        twins = [{"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}]
        other = "n2" if name == "n1" else "n1"
        learning = {"node_model": model, "max_power_w": 3000.0}
        if name == "n2":
            learning["node_options"] = "context = weekday"
        world.add(name, [other], twins, learning, gossip=ON)
    world.boot()
    run_minutes(world, 15)
    node = world.nodes["n1"].node
    found = {each.code: each.text for each in warnings(node)}
    assert "another model" in found["models_do_not_fit"]
    assert stats(world, "n1")["received"]["predictions"] > 8
    assert stats(world, "n1")["merged"] == 0


def test_networks_are_merged_between_trainings(world):
    build(
        world,
        "lstm",
        names=["n1", "n2"],
        gossip={**ON, "gate": "harmless"},
        first_training_min=10,
        train_every_min=5,
    )
    run_minutes(world, 30)
    for name in ("n1", "n2"):
        found = stats(world, name)
        assert found["received"]["models"] > 4
        assert found["merged"] > 2
        assert scope(world, "node", name).faults == 0
        assert scope(world, "node", name).trainings > 2


def test_without_gossip_nothing_is_exchanged(world):
    build(world)
    world.run(200)
    assert scope(world, "node").exchange is None
    assert twin(world).gossip is None


def test_exchange_goes_on_after_losses_a_partition_and_a_restart(world):
    build(world, names=["n1", "n2"], gossip=ON)
    lossy = LinkQuality(latency_s=0.02, loss=0.2, duplicate=0.1, corrupt=0.1)
    for one, other in (("n1", "n2"), ("n2", "n1")):
        world.network.set_quality(one, other, lossy)
    run_minutes(world, 6)
    assert stats(world, "n2")["received"]["predictions"] > 1
    for one, other in (("n1", "n2"), ("n2", "n1")):
        world.network.cut(one, other)
    run_minutes(world, 3)
    world.nodes["n2"].stop()
    world.nodes["n2"].boot()
    for one, other in (("n1", "n2"), ("n2", "n1")):
        world.network.heal(one, other)
    run_minutes(world, 6)
    for name in ("n1", "n2"):
        found = stats(world, name)
        assert found["received"]["predictions"] > 1
        assert found["received"]["models"] > 0
        assert found["refused"] == {}
        assert scope(world, "node", name).faults == 0
        assert world.nodes[name].node.engine.faults == 0


def test_a_run_is_the_same_for_the_same_seed():
    runs = []
    for _ in range(2):
        world = build(World(seed=5), names=["n1", "n2"], gossip=ON)
        run_minutes(world, 6)
        runs.append(stats(world, "n1"))
        world.close()
    assert runs[0] == runs[1]
