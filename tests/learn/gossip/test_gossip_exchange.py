"""Nodes that exchange models and predictions, without clock and links."""

import random
from types import SimpleNamespace

import numpy as np
import pytest

from edge.learn.gossip import Exchange, ExchangeSettings, Message, weighing
from edge.learn.gossip.message import COUNTED, WHOLE, address_of
from edge.learn.learner import Learner, LearnerSettings
from edge.learn.log_codes import decoded
from edge.learn.lstm.training import held_back
from edge.learn.model import finish
from edge.learn.parts import COUNTS, Part
from edge.learn.probabilities import log_losses
from edge.learn.states import StateScale
from edge.terms import DAY_MIN

FIRST = 20_000 * DAY_MIN
MAX_POWER_W = 3000.0
CHAINS_MIN = 140
SMALL = {"cells": 4, "runner": "numpy", "start": "", "batch": 2, "steps": 1}
SMALL |= {"first_steps": 4, "least_steps": 4}


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
            first_training_min=200,
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

    def key(self, variable):
        return self.learner.model.parts(variable)["trunk"].key

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
    """Two nodes with chains after two hours."""
    return run([Node(name, model_every_min=15) for name in "ab"], CHAINS_MIN)


def test_counts_of_the_neighbour_are_merged_beside_the_own_ones(chains):
    a, b = chains
    foreign = a.learner.model._foreign
    assert foreign is not None
    own = b.learner.model._counts
    foreign = decoded(foreign)
    assert foreign.sum() == pytest.approx(own.sum(), rel=0.25)
    assert a.learner.model._counts.sum() == 6 * (CHAINS_MIN - 1)
    stats = a.exchange.stats()
    assert stats["merged"] > 4
    assert stats["received"]["models"] > 4
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
        for minute in range(FIRST, FIRST + 130):
            other.live(minute)
        assert len(other.exchange.told(FIRST + 129, other.own)) <= 300
    assert node.exchange.told(FIRST + CHAINS_MIN, node.own) is not None


def test_the_budget_of_an_hour_is_obeyed():
    nodes = run([Node(name, model_every_min=5, bytes_per_hour=700) for name in "ab"], 70)
    for node in nodes:
        account = node.exchange.sender.account
        assert account.total > 600
        assert max(account.by_hour.values()) <= 700
        assert node.exchange.stats()["waited_for_budget"] > 0


def test_without_a_neighbour_nothing_is_sent_and_the_own_prediction_stays():
    node = Node("a")
    for minute in range(FIRST, FIRST + 20):
        node.live(minute)
        assert node.exchange.outgoing(minute, 0) is None
    np.testing.assert_array_equal(node.combined, node.own)
    assert not node.exchange.due


def test_garbage_is_refused_and_counted_by_reason():
    good = run([Node("a"), Node("b")], 10)
    node = good[0]
    minute = FIRST + 9
    prediction = good[1].exchange.told(minute, good[1].own)
    for data in (
        b"",
        b"x" * 400,
        prediction[:-1],
        prediction[:60] + bytes([prediction[60] ^ 1]) + prediction[61:],
    ):
        node.exchange.receive_prediction("b", data, minute)
        node.exchange.receive_model("b", data, minute)
    assert node.exchange.refused["damaged"] == 8
    node.exchange.receive_prediction("b", prediction, minute + 60)
    assert node.exchange.refused["stale"] == 1
    assert "b" in node.exchange.stats()["refused_why"]


def test_a_model_for_another_scale_is_refused_with_a_reason():
    a, _ = run([Node("a", "lstm", SMALL), Node("b", "lstm", {**SMALL, "cells": 5})], 250)
    assert a.exchange.refused["does_not_fit"] > 0
    assert "does not fit" in a.exchange.stats()["refused_why"]["b"]
    assert a.exchange.stats()["adopted"] == 0


def test_networks_that_begin_alike_are_merged_and_lost_messages_are_made_up_for():
    lost = random.Random(3)

    def change(source, target, data):
        return data if lost.random() > 0.3 else None

    settings = {"gate": "harmless", "model_every_min": 20}
    nodes = [Node(name, "lstm", SMALL, **settings) for name in "ab"]
    a, b = run(nodes, 500, change=change)
    assert a.exchange.stats()["adopted"] > 3
    held = a.exchange._incoming.shares["b"]
    for variable in range(6):
        sent = b.exchange.sender.parts._held
        parts = b.learner.model.parts(variable)
        found = held.values(variable, parts)["trunk"]
        if not held.missing >> variable & 1:
            apart = np.abs(found - sent[variable, parts["trunk"].key]).max()
            assert apart < 0.1


@pytest.mark.parametrize("gate", ["better", "harmless"])
@pytest.mark.parametrize("model", ["lstm", "mixture"])
def test_before_its_first_training_a_node_uses_no_networks_of_neighbours(model, gate):
    settings = {"private": False, "gate": gate, "operator": "sampling_nb"}
    (established,) = run([Node("b", "lstm", SMALL, **settings)], 240)
    node = Node("c", model, SMALL, **settings)
    run([established, node], 100, first=FIRST + 240)
    stats = node.exchange.stats()
    assert stats["merged"] > 2
    came = node.exchange._incoming.shares["b"].values(0, node.learner.model.parts(0))
    assert came.keys() == {"trunk", "head"}
    assert stats["adopted"] == 0
    assert not node.learner.model.trained


def test_a_node_that_starts_again_sends_whole_weights():
    nodes = [Node(name, "lstm", SMALL) for name in "ab"]
    run(nodes, 240)
    a, b = nodes
    again = Node("b", "lstm", SMALL)
    again.learner.load(b.learner.save())
    again.exchange.restored()
    a.exchange.left("b")
    run([a, again], 180, first=FIRST + 240)
    share = a.exchange._incoming.shares["b"]
    assert share.missing == 0
    parts = again.learner.model.parts(0)
    assert np.abs(share.values(0, parts)["trunk"] - parts["trunk"].values).max() < 0.1


class Crowd:
    """A newcomer beside five neighbours that have told each other what they know; the `deaf` hear nobody."""

    def __init__(self, deaf=()):
        self.deaf, self.asked, self.complete = deaf, [], {}
        self.settings = {"model_every_min": 5, "most_neighbours": 5}
        (first,) = run([Node("a", "lstm", SMALL, **self.settings)], 240)
        self.first, self.newcomer = first, Node("new", "lstm", SMALL, **self.settings)
        self.exchanges = {}
        for name in "abcde":
            settings = ExchangeSettings(**self.settings)
            exchange = Exchange(name, first.learner, settings, random.Random(name))
            exchange.sender.parts.common_start(first.learner.model.parts)
            self.exchanges[name] = exchange

    def live(self, minutes):
        """The first learner goes on for all of them; what the newcomer asks for, and whom it holds when."""
        for minute in range(FIRST + 240, FIRST + 240 + minutes):
            for node in (self.first, self.newcomer):
                node.live(minute)
            for name, exchange in self.exchanges.items():
                self._tell(name, exchange.outgoing(minute, 5), minute)
            told = self.newcomer.exchange.outgoing(minute, 5)
            if told is None:
                continue
            wants = Message.unpacked(told).wants
            self.asked.append({name for name in self.exchanges if address_of(name) in wants})
            for name, exchange in self.exchanges.items():
                if name not in self.deaf:
                    exchange.receive_model("new", told, minute)
        return self

    def _tell(self, name, data, minute):
        if data is None:
            return
        self.newcomer.exchange.receive_model(name, data, minute)
        if {piece.kind for piece in Message.unpacked(data).pieces} == {WHOLE}:
            self.complete.setdefault(name, minute)


def test_a_newcomer_asks_two_neighbours_for_whole_weights_and_then_the_next_ones():
    crowd = Crowd().live(60)
    assert [len(each) for each in crowd.asked] == [2, 2, 1]
    assert set().union(*crowd.asked) == set("abcde") == crowd.complete.keys()
    assert not any(each["missing"] for each in crowd.newcomer.exchange.stats()["contributors"].values())


def test_neighbours_that_are_asked_and_tell_nothing_do_not_block_the_others():
    crowd = Crowd(deaf="ab").live(120)
    assert crowd.complete.keys() == set("cde")
    assert max(map(len, crowd.asked)) == 2
    assert crowd.asked[-1] == {"a", "b"}


@pytest.mark.parametrize("operator", ["sampling_nb", "power_loss", "min_loss", "dist_power_hist", "skill"])
def test_every_operator_merges(operator):
    a, _ = run([Node(name, operator=operator) for name in "ab"], 30)
    weights = a.exchange.stats()["contributors"]["b"]["model_weight"]
    assert all(0.0 <= weight <= 1.0 for weight in weights.values())


@pytest.mark.parametrize(
    ("operator", "level"),
    [
        ("auto", "coarse"),
        ("sampling_nb", "none"),
        ("dist_power_hist", "coarse"),
        ("dist_power_last", "coarse"),
        ("dist_power_last", "minutes"),
        ("skill", "minutes"),
    ],
)
def test_every_operator_combines_predictions(operator, level):
    a, _ = run([Node(name, prediction_operator=operator, level=level) for name in "ab"], 30)
    assert a.combined.sum(-1) == pytest.approx(np.ones((6, 4)), abs=1e-3)
    if operator == "auto":
        assert set(a.exchange.stats()["prediction_operators"]) == set(
            a.exchange.stats()["own_weight"]["models"]
        )


def test_operators_are_chosen_by_variable():
    a, _ = run([Node(n, operator={"produced": "min_loss"}, model_every_min=5) for n in "ab"], 20)
    assert a.exchange.stats()["last_merge"]["operators"]["produced"] == "min_loss"


def test_a_thousand_neighbours_that_come_and_go_leave_bounded_state():
    node, other = run([Node("a"), Node("b")], 10)
    minute = FIRST + 9
    told = other.exchange.told(minute, other.own)
    model = other.exchange.sender.message(8000, other.exchange._facts())
    for number in range(1000):
        node.exchange.receive_model(f"n{number}", model, minute)
        node.exchange.receive_prediction(f"n{number}", told, minute)
        node.exchange.left(f"n{number}")
    assert len(node.exchange.stats()["contributors"]) <= 4
    assert len(node.exchange._incoming.shares) <= 4
    assert len(node.exchange.stats()["refused_why"]) <= 4
    assert node.exchange.predictions.foreign.keys() <= node.exchange._heard.keys()


def test_neighbours_that_are_there_do_not_lose_their_place_to_others():
    node, other = run([Node("a", most_neighbours=2), Node("b")], 10)
    minute = FIRST + 9
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
    run([plain, noisy], 240)
    sent = noisy.exchange.sender.parts._held
    part = noisy.learner.model.parts(0)["trunk"]
    assert np.abs(sent[0, part.key] - part.values).max() > 1e-3
    chains = run([Node("a"), Node("b", noise=0.5)], 20)
    assert chains[0].exchange.stats()["received"]["models"] == 0


def test_a_run_is_the_same_for_the_same_seed():
    first, second = (run([Node(n, model_every_min=5) for n in "ab"], 20)[0] for _ in range(2))
    np.testing.assert_array_equal(first.combined, second.combined)
    assert first.exchange.stats() == second.exchange.stats()


def hostile(node, change):
    """Let a node send other weights and counts than its own, as correct messages."""
    model, parts = node.learner.model, node.learner.model.parts

    def lies(variable):
        return {
            name: Part(each.rule, each.key, change(each.rule, each.values), each.private, ready=True)
            for name, each in parts(variable).items()
        }

    node.exchange.sender._learner = SimpleNamespace(model=SimpleNamespace(parts=lies, name=model.name))
    return node


def never_negative(rule, values):
    return np.maximum(values, 0.0) if rule == COUNTS else values


LIES = {
    "times 100": lambda rule, values: 100 * values,
    "sign flipped": lambda rule, values: never_negative(rule, -values),
    "random": lambda rule, values: never_negative(rule, np.random.default_rng(1).normal(0, 3, values.shape)),
}


def losses_beside(enemies, model, options, minutes, **settings):
    """The mean log loss of two honest nodes in the last half of a run."""
    nodes = [Node(name, model, options, model_every_min=10, **settings) for name in "ab"]
    found, pending = [], {}
    for minute in range(FIRST, FIRST + minutes):
        run([*nodes, *enemies], 1, first=minute)
        for node in nodes:
            if node.combined is not None:
                pending[node.name, minute + 5] = node.combined[:, 0].copy()
            if (node.name, minute) in pending and minute > FIRST + minutes // 2:
                actual = node.learner.settings.scale.of(powers(minute, node.seed))
                found.append(log_losses(pending[node.name, minute], actual).mean())
    return np.mean(found)


@pytest.fixture(scope="module")
def honest_loss():
    return losses_beside([Node("x", model_every_min=10)], "markov", {}, 90)


@pytest.mark.parametrize("lie", LIES)
def test_a_member_that_lies_about_its_counts_does_no_harm(lie, honest_loss):
    liar = hostile(Node("x", model_every_min=10), LIES[lie])
    assert losses_beside([liar], "markov", {}, 90) < honest_loss + 0.05


@pytest.mark.parametrize("lie", LIES)
def test_a_member_that_lies_about_its_networks_changes_little_of_others(lie):
    nodes = [Node(name, "lstm", SMALL, model_every_min=10) for name in "abx"]
    hostile(nodes[2], LIES[lie])
    run(nodes, 330)
    for node in nodes[:2]:
        assert node.exchange.stats()["received"]["models"] > 5
        for variable in range(6):
            weights = node.learner.model.parts(variable)["trunk"].values
            assert np.linalg.norm(weights - node.exchange._start[variable, node.key(variable)]) < 3.0


def test_the_default_model_is_sent_whole_after_a_restart_variable_by_variable():
    node, sizes, whole, counted = Node("a", "mixture", {"start": "house"}), [], [], []
    node.exchange.restored()
    for minute in range(FIRST, FIRST + 12):
        node.learner.observe(minute, powers(minute, 1))
        data = node.exchange.sender.message(8_000, node.exchange._facts())
        sizes.append(len(data))
        pieces = Message.unpacked(data).pieces
        whole += [piece.variable for piece in pieces if piece.kind == WHOLE]
        counted += [piece.variable for piece in pieces if piece.kind == COUNTED]
    assert max(sizes) <= 8_000
    assert sorted(whole) == list(range(6))
    assert set(counted) == set(range(6))


def test_counts_help_where_the_networks_of_a_neighbour_fail(monkeypatch):
    nodes = [Node(name, "mixture", {"start": "house"}, model_every_min=15) for name in "ab"]
    begin = next(hour for hour in range(FIRST, FIRST + DAY_MIN, 60) if held_back(hour, 60)) - 60
    end = begin + 300  # with the hour that networks are judged on
    for minute in range(begin, end):
        for node in nodes:
            row = powers(minute, node.seed)
            node.learner.observe(minute, row)
            node.exchange.observe(minute, row)
    monkeypatch.setattr(weighing, "harmless", lambda losses, present: np.zeros(losses.shape[1], bool))
    a, b = nodes
    assert a.learner.model.worth == {}
    for minute in range(end, end + 10):
        data = b.exchange.outgoing(minute, 1)
        if data is not None:
            a.exchange.receive_model("b", data, minute)
    assert a.exchange.due
    for _ in a.exchange.merging():
        pass
    assert a.exchange.stats()["last_merge"]["left_out"] == {"b": 6}
    assert "counts" in a.learner.model.worth  # counts of neighbours are there, and judged minute by minute
