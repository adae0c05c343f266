"""Nodes that forecast the same sum come to one prediction, without trusting each other blindly."""

from functools import cache

import numpy as np
import pytest

from edge.learn.gossip.consensus import ROUNDS, Consensus, View
from edge.learn.gossip.ensemble import Ensemble
from edge.learn.gossip.forecast import rounded
from edge.learn.probabilities import log_losses
from edge.learn.terms import HORIZONS_MIN
from edge.terms import DAY_MIN

FIRST, MINUTES = 1000, 240
CHAIN = [[1], [0, 2], [1, 3], [2]]
FULL = [[other for other in range(4) if other != number] for number in range(4)]
CHANCES = np.random.default_rng(0).dirichlet(np.ones(7), (6, 4)).astype(np.float32)


def actual(minute):
    """The states of a minute: they change every hour."""
    return states_of(minute // 60)


@cache
def states_of(hour):
    return np.random.default_rng(hour).integers(0, 7, 6).astype(np.int8)


def guess(minute, skill):
    """A prediction that is right with about the probability `skill`."""
    found = CHANCES * (1 - skill)
    for horizon, ahead in enumerate(HORIZONS_MIN):
        found[np.arange(6), horizon, actual(minute + ahead)] += skill
    return found


def play(nodes, neighbours, minutes=MINUTES, lost=0.0, lies=None, lucky=range(0), days=(1, 1, 1, 1)):
    """Own and served predictions (nodes, minutes, 6, 4, 7); `lies` (node) tells something else. The first
    node knows what will be in the minutes `lucky`. Nodes know so many `days`."""
    skills = 0.5, 0.47, 0.44, 0.41
    rng, chance = np.random.default_rng(1), np.random.default_rng(2)
    own, served, heard = [], [], [{} for _ in nodes]

    def tell(minute):
        """All nodes tell their views, which may be lost."""
        for number, node in enumerate(nodes):
            view = rounded(node.told)
            if lies is not None and number == len(nodes) - 1:
                view = lies(view, rng)
            for other in neighbours[number]:
                if chance.random() >= lost:
                    before = heard[other].get(str(number), ())
                    known = len(neighbours[number]), days[number] * DAY_MIN
                    said = View(minute, node.round, view, *known)
                    heard[other][str(number)] = (*before[-ROUNDS:], said)

    habits = [
        np.random.default_rng(10 + number).dirichlet(np.ones(7), (6, 4)) for number in range(len(nodes))
    ]
    for minute in range(FIRST, FIRST + minutes):
        own.append([])
        served.append([])
        for number, node in enumerate(nodes):
            skill = 1.0 if minute in lucky and number == 0 else skills[number]
            mine = 0.7 * guess(minute, skill) + 0.3 * habits[number].astype(np.float32)
            node.learn(minute, actual(minute))
            own[-1].append(mine)
            samples = days[number] * DAY_MIN
            served[-1].append(node.predict(minute, mine, actual(minute), heard[number], samples))
        for _ in range(ROUNDS):
            tell(minute)
            for number, node in enumerate(nodes):
                settled = node.settle(minute, heard[number], days[number] * DAY_MIN)
                if settled is not None:
                    served[-1][number] = settled
    return np.array(own).swapaxes(0, 1), np.array(served).swapaxes(0, 1)


def apart(each):
    """How far predictions are from their mean over the nodes, in the last hour."""
    return 0.5 * np.abs(each - each.mean(0))[:, -60:].sum(-1).mean()


def loss(each, count=60):
    """The mean log loss of predictions for the last minutes whose states are known."""
    found = []
    for at in range(MINUTES - count - 60, MINUTES - 60):
        wanted = np.stack([actual(FIRST + at + ahead) for ahead in HORIZONS_MIN], -1)
        found.append(log_losses(each[at], wanted))
    return float(np.mean(found))


@pytest.fixture(scope="module")
def agreed():
    return play([Consensus(4) for _ in CHAIN], CHAIN)


def test_a_chain_of_four_agrees(agreed):
    own, served = agreed
    assert apart(served) < 0.2 * apart(own)


def test_what_they_agree_on_is_better_than_what_they_think_alone(agreed):
    own, served = agreed
    for alone, together in zip(own, served, strict=True):
        assert loss(together) < loss(alone)


def weighted(own, days):
    """The mean of the logs of own predictions with these weights, as probabilities."""
    logs = np.average(np.log(own), axis=0, weights=days)
    found = np.exp(logs)
    return found / found.sum(-1, keepdims=True)


@pytest.mark.parametrize("days", [(20, 10, 5, 2), (2, 5, 10, 20), (400, 60, 3, 3)])
def test_who_knows_more_has_more_weight(days):
    nodes = [Consensus(4) for _ in CHAIN]
    own, _ = play(nodes, CHAIN, 120, days=days)
    views = np.stack([node.told for node in nodes])
    meant = weighted(own[:, -1], np.sqrt(np.minimum(days, 30)))
    equal = weighted(own[:, -1], (1, 1, 1, 1))
    assert np.abs(views - meant).mean() < 0.5 * np.abs(views - equal).mean()


def test_lost_messages_do_not_drive_them_apart():
    own, served = play([Consensus(4) for _ in CHAIN], CHAIN, lost=0.3)
    assert apart(served) < 0.2 * apart(own)


def test_lucky_hours_of_one_node_do_not_part_it_from_the_others():
    own, served = play([Consensus(4) for _ in CHAIN], CHAIN, lucky=range(FIRST + 60, FIRST + 180))
    assert apart(served) < 0.2 * apart(own)


def wrong(view, rng):
    return rng.permuted(np.where(view == view.max(-1, keepdims=True), 0.94, 0.01).astype(np.float32), axis=-1)


@pytest.fixture(scope="module")
def honest():
    return play([Consensus(4) for _ in FULL], FULL)[1]


@pytest.mark.parametrize("lie", [wrong, lambda view, rng: np.full_like(view, np.nan)])
def test_a_liar_is_left_out(lie, honest):
    nodes = [Consensus(4) for _ in FULL]
    _, served = play(nodes, FULL, lies=lie)
    for number in range(3):
        assert loss(served[number]) < loss(honest[number]) + 0.1
        assert nodes[number].weights.get("3", np.zeros(6)).max() == 0.0


def test_a_neighbour_takes_part_after_an_hour():
    nodes = [Consensus(4) for _ in range(2)]
    play(nodes, [[1], [0]], minutes=60)
    assert nodes[0].weights["1"].max() == 0.0
    play(nodes := [Consensus(4) for _ in range(2)], [[1], [0]], minutes=90)
    assert nodes[0].weights["1"].min() > 0.3
    nodes[0].forget("1")
    assert not nodes[0]._places


def test_after_a_gap_a_view_begins_with_the_own_prediction():
    node = Consensus(2)
    node.predict(FIRST, guess(FIRST, 0.5), actual(FIRST), {}, DAY_MIN)
    later = guess(FIRST + 100, 0.5)
    node.predict(FIRST + 100, later, actual(FIRST + 100), {}, DAY_MIN)
    np.testing.assert_allclose(node.told, later, atol=2e-3)


def test_an_ensemble_knows_persistence():
    """A model that knows nothing is as good as persistence within hours, without any neighbour."""
    ensemble, nothing = Ensemble(2), np.full((6, 4, 7), 1 / 7, np.float32)
    states = np.arange(6).astype(np.int8)
    for minute in range(FIRST, FIRST + 300):
        ensemble.learn(minute, states)
        found = ensemble.predict(minute, nothing, {}, states)
    assert (found.argmax(-1) == states[:, None]).all()
    assert found.max(-1).min() > 0.5
    found = ensemble.predict(minute + 1, nothing, {}, np.full(6, -1, np.int8))
    np.testing.assert_allclose(found, nothing, atol=1e-6)
