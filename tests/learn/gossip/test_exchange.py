"""Nodes that exchange models and predictions, without clock and links."""

import random

import numpy as np
import pytest

from edge.learn.gossip import Exchange, ExchangeSettings
from edge.learn.learner import Learner, LearnerSettings
from edge.learn.model import finish
from edge.learn.probabilities import log_losses
from edge.learn.states import StateScale
from edge.terms import DAY_MIN

FIRST = 20_000 * DAY_MIN
MAX_POWER_W = 3000.0
CHAINS_MIN = 6 * 60
SMALL = {"cells": 4, "runner": "numpy", "start": "", "first_steps": 40, "least_steps": 20}


def powers(minute, seed):
    """A load that follows the hour, and noise of its own."""
    rng = random.Random(seed * 1_000_003 + minute)
    requested = 400.0 + 2000.0 * (minute // 60 % 3 == 0) + rng.uniform(0, 300)
    produced = 1500.0 * (minute // 180 % 2)
    supplied = min(requested, produced)
    row = (requested, produced, supplied, supplied, requested - supplied, produced - supplied)
    return np.array(row, np.float32)


class Node:
    """A learner and its exchange."""

    def __init__(self, name, model="markov", options=None, max_power_w=MAX_POWER_W, **settings):
        self.name, self.seed = name, sum(name.encode())
        learner = LearnerSettings(
            scale=StateScale.of_max_power(max_power_w),
            model=model,
            memory_min=3 * DAY_MIN,
            train_every_min=20,
            first_training_min=600,
            options=options or {},
        )
        self.learner = Learner(learner, random.Random(1))
        self.exchange = Exchange(name, self.learner, ExchangeSettings(**settings), random.Random(self.seed))
        self.own = self.combined = None
        self.losses = []

    def live(self, minute):
        """A minute as the learning twin goes through it."""
        row = powers(minute, self.seed)
        self.learner.observe(minute, row)
        self.exchange.observe(minute, row)
        self.own = self.learner.predict()
        if self.own is not None:
            self.combined = self.exchange.predict(minute, self.own)
        if self.learner.training_due:
            finish(self.learner.training())
        elif self.exchange.due:
            for _ in self.exchange.merging():
                pass

    def messages(self, minute, neighbours):
        told = None if self.own is None else self.exchange.told(minute, self.own)
        return self.exchange.outgoing(minute, neighbours), told


def run(nodes, minutes, first=FIRST, change=lambda source, target, data: data):
    """A full graph of nodes; `change` is what happens on the way, None loses a message."""
    for minute in range(first, first + minutes):
        for node in nodes:
            node.live(minute)
        for node in nodes:
            model, told = node.messages(minute, len(nodes) - 1)
            for other in nodes:
                if other is node:
                    continue
                for data, receive in (
                    (model, other.exchange.receive_model),
                    (told, other.exchange.receive_prediction),
                ):
                    data = change(node.name, other.name, data) if data is not None else None
                    if data is not None:
                        receive(node.name, data, minute)
    return nodes


@pytest.fixture(scope="module")
def chains():
    """Two nodes with chains after six hours."""
    return run([Node("a"), Node("b")], CHAINS_MIN)


def test_counts_of_the_neighbour_are_merged_beside_the_own_ones(chains):
    a, b = chains
    foreign = a.learner.model._foreign
    assert foreign is not None
    own = b.learner.model._counts
    assert foreign.sum() == pytest.approx(own.sum(), rel=0.25)
    assert a.learner.model._counts.sum() == 6 * (CHAINS_MIN - 1)
    stats = a.exchange.stats()
    assert stats["merged"] > 10
    assert stats["received"]["models"] > 10
    assert not stats["refused"]


def test_predictions_are_exchanged_each_minute_and_the_gain_is_known(chains):
    stats = chains[0].exchange.stats()
    assert stats["received"]["predictions"] == pytest.approx(CHAINS_MIN, abs=5)
    gain = stats["gain"]["all"]
    assert gain["n"] > 0
    assert gain["log_loss"] <= gain["own_log_loss"] + 0.02
    contributor = stats["contributors"]["b"]
    assert contributor["model"] == "markov"
    assert contributor["here"]
    assert set(contributor["prediction_weight"]) == set(contributor["model_weight"])
    assert contributor["distance_w"]["requested"] < MAX_POWER_W


def test_a_prediction_message_is_short(chains):
    node = chains[0]
    for level in ("none", "coarse", "minutes"):
        other = Node("c", level=level)
        for minute in range(FIRST, FIRST + 200):
            other.live(minute)
        assert len(other.exchange.told(FIRST + 199, other.own)) <= 300
    assert node.exchange.told(FIRST + CHAINS_MIN, node.own) is not None


def test_the_budget_of_an_hour_is_obeyed():
    nodes = run([Node(name, model_every_min=5, bytes_per_hour=6_000) for name in "ab"], 130)
    for node in nodes:
        account = node.exchange.account
        assert account.total > 6_000
        assert max(account.by_hour.values()) <= 6_000
        assert node.exchange.stats()["waited_for_budget"] > 0


def test_without_a_neighbour_nothing_is_sent_and_the_own_prediction_stays():
    node = Node("a")
    for minute in range(FIRST, FIRST + 100):
        node.live(minute)
        assert node.exchange.outgoing(minute, 0) is None
    np.testing.assert_allclose(node.combined, node.own, atol=2e-3)
    assert not node.exchange.due


def test_garbage_is_refused_and_counted_by_reason():
    good = run([Node("a"), Node("b")], 100)
    node = good[0]
    minute = FIRST + 99
    prediction = good[1].exchange.told(minute, good[1].own)
    for data in (b"", b"x" * 400, prediction[:-1], prediction[:60] + b"\x00" + prediction[61:]):
        node.exchange.receive_prediction("b", data, minute)
        node.exchange.receive_model("b", data, minute)
    assert node.exchange.refused["damaged"] == 8
    node.exchange.receive_prediction("b", prediction, minute + 60)
    assert node.exchange.refused["stale"] == 1
    assert node.exchange.troubles["b"]


def test_a_model_for_another_scale_is_refused_with_a_reason():
    a, _ = run([Node("a", "lstm", SMALL), Node("b", "lstm", {**SMALL, "cells": 5})], 11 * 60)
    assert a.exchange.refused["does_not_fit"] > 0
    assert "does not fit" in a.exchange.troubles["b"]
    assert a.exchange.stats()["adopted"] == 0


def test_networks_that_begin_alike_are_merged_and_lost_messages_are_made_up_for():
    lost = random.Random(3)

    def change(source, target, data):
        return data if lost.random() > 0.3 else None

    settings = {"gate": "harmless", "model_every_min": 20}
    nodes = [Node(name, "lstm", SMALL, **settings) for name in "ab"]
    a, b = run(nodes, 20 * 60, change=change)
    assert a.exchange.stats()["adopted"] > 3
    held = a.exchange._incoming.shares["b"]
    for variable in range(6):
        sent = b.exchange._outgoing._held
        parts = b.learner.model.parts(variable)
        found = held.values(variable, parts)["trunk"]
        if not held.missing >> variable & 1:
            apart = np.abs(found - sent[variable, parts["trunk"].key]).max()
            assert apart < 0.1


def test_a_node_that_starts_again_sends_whole_weights():
    nodes = [Node(name, "lstm", SMALL) for name in "ab"]
    run(nodes, 12 * 60)
    a, b = nodes
    again = Node("b", "lstm", SMALL)
    again.learner.load(b.learner.save())
    again.exchange.restored()
    a.exchange.left("b")
    run([a, again], 9 * 60, first=FIRST + 12 * 60)
    share = a.exchange._incoming.shares["b"]
    assert share.missing == 0
    parts = again.learner.model.parts(0)
    assert np.abs(share.values(0, parts)["trunk"] - parts["trunk"].values).max() < 0.1


@pytest.mark.parametrize("operator", ["sampling_nb", "power_loss", "min_loss", "dist_power_hist", "skill"])
def test_every_operator_merges(operator):
    a, _ = run([Node(name, operator=operator, model_every_min=5) for name in "ab"], 150)
    weights = a.exchange.stats()["contributors"]["b"]["model_weight"]
    assert all(0.0 <= weight <= 1.0 for weight in weights.values())


@pytest.mark.parametrize("operator", ["auto", "sampling_nb", "dist_power_hist", "dist_power_last", "skill"])
@pytest.mark.parametrize("level", ["none", "coarse", "minutes"])
def test_every_operator_combines_predictions(operator, level):
    a, _ = run([Node(name, prediction_operator=operator, level=level) for name in "ab"], 130)
    assert a.combined.sum(-1) == pytest.approx(np.ones((6, 4)), abs=1e-3)
    if operator == "auto":
        assert set(a.exchange.stats()["prediction_operators"]) == set(
            a.exchange.stats()["own_weight"]["models"]
        )


def test_operators_are_chosen_by_variable():
    a, _ = run([Node(n, operator={"produced": "min_loss"}, model_every_min=5) for n in "ab"], 100)
    assert a.exchange.stats()["last_merge"]["operators"]["produced"] == "min_loss"


def test_a_thousand_neighbours_that_come_and_go_leave_bounded_state():
    node, other = run([Node("a"), Node("b")], 70)
    minute = FIRST + 69
    told = other.exchange.told(minute, other.own)
    model = other.exchange._message(minute, 8000)
    for number in range(1000):
        node.exchange.receive_model(f"n{number}", model, minute)
        node.exchange.receive_prediction(f"n{number}", told, minute)
        node.exchange.left(f"n{number}")
    assert len(node.exchange.stats()["contributors"]) <= 4
    assert len(node.exchange._incoming.shares) <= 4
    assert len(node.exchange.troubles) <= 4
    assert node.exchange.predictions.foreign.keys() <= node.exchange._heard.keys()


def test_neighbours_that_are_there_do_not_lose_their_place_to_others():
    node, other = run([Node("a", most_neighbours=2), Node("b")], 70)
    minute = FIRST + 69
    told = other.exchange.told(minute, other.own)
    for name in ("c", "d", "e"):
        node.exchange.receive_prediction(name, told, minute)
    assert set(node.exchange.stats()["contributors"]) == {"b", "c"}
    assert node.exchange.refused["too_many_neighbours"] == 2


def test_what_was_merged_stays_when_the_neighbour_leaves(chains):
    a, _ = chains
    before = a.learner.model._foreign.copy()
    a.exchange.left("b")
    np.testing.assert_array_equal(a.learner.model._foreign, before)
    assert not a.exchange.stats()["contributors"]["b"]["here"]


def test_noise_hides_weights_and_counts_stay_at_home():
    plain, noisy = Node("a", "lstm", SMALL), Node("b", "lstm", SMALL, noise=0.5)
    run([plain, noisy], 12 * 60)
    sent = noisy.exchange._outgoing._held
    part = noisy.learner.model.parts(0)["trunk"]
    assert np.abs(sent[0, part.key] - part.values).max() > 1e-3
    chains = run([Node("a"), Node("b", noise=0.5)], 100)
    assert chains[0].exchange.stats()["received"]["models"] == 0


def test_a_run_is_the_same_for_the_same_seed():
    first, second = (run([Node(n, model_every_min=5) for n in "ab"], 120)[0] for _ in range(2))
    np.testing.assert_array_equal(first.combined, second.combined)
    assert first.exchange.stats() == second.exchange.stats()


def test_a_better_neighbour_helps():
    """A node without chains of its own time learns from one that had a day more."""
    old, young = Node("a", model_every_min=5), Node("b", model_every_min=5)
    for minute in range(FIRST - DAY_MIN, FIRST):
        old.live(minute)
    losses = []
    scale = young.learner.settings.scale
    pending = {}
    for minute in range(FIRST, FIRST + 10 * 60):
        run([old, young], 1, first=minute)
        if young.own is not None:
            pending[minute + 30] = young.own[:, 2].copy(), young.combined[:, 2].copy()
        if minute in pending:
            own, combined = pending.pop(minute)
            actual = scale.of(powers(minute, young.seed))
            losses.append((log_losses(own, actual).mean(), log_losses(combined, actual).mean()))
    own_loss, combined_loss = np.mean(losses[len(losses) // 2 :], 0)
    assert combined_loss < own_loss + 0.01
