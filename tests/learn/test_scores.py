import json
import math

import numpy as np
import pytest

from edge.learn.scores import Majority, Scores, log_losses
from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES

N, FIRST = 400, 28_000_000


@pytest.fixture
def played():
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(7), (N, 6, 4)).astype(np.float32)
    now = rng.integers(-1, 7, (N, 6)).astype(np.int8)
    came = rng.integers(-1, 7, (N, 6, 4)).astype(np.int8)
    return probabilities, now, came, FIRST + np.arange(N, dtype=np.int64)


def test_means_are_those_of_single_predictions(played):
    probabilities, now, came, _ = played
    scores = Scores()
    scores.add(*played)
    found = scores.report()
    usual = Majority().seen(now)
    for variable, name in enumerate(VARIABLES):
        for horizon, horizon_min in enumerate(HORIZONS_MIN):
            known = (now[:, variable] >= 0) & (came[:, variable, horizon] >= 0)
            p, c = probabilities[known, variable, horizon], came[known, variable, horizon]
            of_came = p[np.arange(len(c)), c].astype(float)
            said = found[name][str(horizon_min)]
            assert said["n"] == len(c)
            assert said["accuracy"] == pytest.approx((p.argmax(1) == c).mean(), abs=1e-5)
            assert said["log_loss"] == pytest.approx(-np.log(of_came).mean(), abs=1e-4)
            brier = (p**2).sum(1) + 1 - 2 * of_came
            assert said["brier"] == pytest.approx(brier.mean(), abs=1e-4)
            assert said["persistence_accuracy"] == pytest.approx((now[known, variable] == c).mean(), abs=1e-5)
            assert said["majority_accuracy"] == pytest.approx((usual[known, variable] == c).mean(), abs=1e-5)
            assert sum(each["n"] for each in said["calibration"]) == 7 * len(c)


def test_it_is_all_the_same_in_how_many_parts_they_come(played):
    whole, parts = Scores(), Scores()
    whole.add(*played)
    for first in range(0, N, 7):
        parts.add(*(each[first : first + 7] for each in played))
    assert parts.report() == whole.report()


def test_a_report_changes_nothing_and_is_json(played):
    scores = Scores()
    scores.add(*(each[:100] for each in played))
    first = json.dumps(scores.report())
    assert json.dumps(scores.report()) == first


def test_persistence_is_known_by_the_state_now():
    now = np.full((60, 6), 2, np.int8)
    came = np.full((60, 6, 4), 2, np.int8)
    came[:15] = 3
    right = np.zeros((60, 6, 4, 7), np.float32)
    np.put_along_axis(right, came[..., None].astype(np.intp), 1.0, -1)
    scores = Scores()
    scores.add(right, now, came, FIRST + np.arange(60))
    said = scores.report()["requested"]["5"]
    assert (said["accuracy"], said["persistence_accuracy"], said["skill"]) == (1.0, 0.75, 1.0)
    assert said["log_loss"] == 0.0
    assert said["majority_accuracy"] == 0.75


def test_an_hour_of_nothing_is_trivial_and_a_mixed_one_has_entropy():
    minutes = np.arange(28_000_020, 28_000_140, dtype=np.int64)  # whole hours
    came = np.zeros((120, 6, 4), np.int8)
    for horizon, ahead in enumerate(HORIZONS_MIN):
        mixed = (minutes + ahead) // 60 == minutes[-1] // 60
        came[mixed, :, horizon] = (minutes[mixed] % 2)[:, None]
    probabilities = np.zeros((120, 6, 4, 7), np.float32)
    probabilities[..., 0] = 1.0
    scores = Scores()
    scores.add(probabilities, np.zeros((120, 6), np.int8), came, minutes)
    said = scores.report()["missing"]["60"]
    assert said["n"] == 120
    assert said["not_trivial"]["n"] == 60
    assert said["not_trivial"]["shannon_entropy"] == pytest.approx(1.0)
    assert said["not_trivial"]["gini"] == pytest.approx(0.5)
    assert said["not_trivial"]["vector_difference"] == pytest.approx(0.5)
    assert said["shannon_entropy"] == pytest.approx(0.5)


def test_certainty_that_fails_costs_much_but_not_all():
    certain = np.eye(7, dtype=np.float32)[0]
    assert log_losses(certain, np.int8(1)) == pytest.approx(-math.log(1e-6), rel=1e-5)


def test_memory_does_not_grow(played):
    scores = Scores()
    sizes = []
    for day in range(3):
        scores.add(played[0], played[1], played[2], played[3] + 1440 * day)
        sizes.append(sum(part.nbytes for part in (scores._sums, scores._bins)))
    assert len(set(sizes)) == 1


def test_most_frequent_state_knows_the_past_only():
    states = np.array([[1] * 6, [2] * 6, [2] * 6, [-1] * 6], np.int8)
    majority = Majority()
    assert majority.seen(states)[:, 0].tolist() == [1, 1, 2, 2]
    assert majority.seen(np.array([[1] * 6] * 3, np.int8))[:, 0].tolist() == [1, 1, 1]
