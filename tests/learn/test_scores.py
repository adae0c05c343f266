import json
import math

import numpy as np
import pytest

from edge.learn.probabilities import log_losses
from edge.learn.scores import MostFrequentStates, Scores
from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES

N, FIRST = 400, 28_000_000


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(7), (N, 6, 4)).astype(np.float32)
    now = rng.integers(-1, 7, (N, 6)).astype(np.int8)
    actual = rng.integers(-1, 7, (N, 6, 4)).astype(np.int8)
    return probabilities, now, actual, FIRST + np.arange(N, dtype=np.int64)


def test_means_are_those_of_the_single_predictions(predictions):
    probabilities, now, actual, _ = predictions
    scores = Scores()
    scores.add(*predictions)
    found = scores.report()
    frequent = MostFrequentStates().update(now)
    for variable, name in enumerate(VARIABLES):
        for horizon, horizon_min in enumerate(HORIZONS_MIN):
            known = (now[:, variable] >= 0) & (actual[:, variable, horizon] >= 0)
            p, c = probabilities[known, variable, horizon], actual[known, variable, horizon]
            of_actual = p[np.arange(len(c)), c].astype(float)
            summary = found[name][str(horizon_min)]
            assert summary["n"] == len(c)
            assert summary["accuracy"] == pytest.approx((p.argmax(1) == c).mean(), abs=1e-5)
            assert summary["log_loss"] == pytest.approx(-np.log(of_actual).mean(), abs=1e-4)
            brier = (p**2).sum(1) + 1 - 2 * of_actual
            assert summary["brier"] == pytest.approx(brier.mean(), abs=1e-4)
            assert summary["persistence_accuracy"] == pytest.approx(
                (now[known, variable] == c).mean(), abs=1e-5
            )
            assert summary["majority_accuracy"] == pytest.approx(
                (frequent[known, variable] == c).mean(), abs=1e-5
            )
            assert sum(each["n"] for each in summary["calibration"]) == 7 * len(c)


def test_predictions_can_be_added_in_parts(predictions):
    whole, parts = Scores(), Scores()
    whole.add(*predictions)
    for first in range(0, N, 7):
        parts.add(*(each[first : first + 7] for each in predictions))
    assert parts.report() == whole.report()


def test_a_report_changes_nothing_and_is_json(predictions):
    scores = Scores()
    scores.add(*(each[:100] for each in predictions))
    first = json.dumps(scores.report())
    assert json.dumps(scores.report()) == first


def test_persistence_is_scored_with_the_present_state():
    now = np.full((60, 6), 2, np.int8)
    actual = np.full((60, 6, 4), 2, np.int8)
    actual[:15] = 3
    certain = np.zeros((60, 6, 4, 7), np.float32)
    np.put_along_axis(certain, actual[..., None].astype(np.intp), 1.0, -1)
    scores = Scores()
    scores.add(certain, now, actual, FIRST + np.arange(60))
    summary = scores.report()["requested"]["5"]
    assert (summary["accuracy"], summary["persistence_accuracy"], summary["skill"]) == (1.0, 0.75, 1.0)
    assert summary["log_loss"] == 0.0
    assert summary["majority_accuracy"] == 0.75


def test_an_hour_of_zero_is_trivial_and_a_mixed_one_has_entropy():
    minutes = np.arange(28_000_020, 28_000_140, dtype=np.int64)  # whole hours
    actual = np.zeros((120, 6, 4), np.int8)
    for horizon, ahead in enumerate(HORIZONS_MIN):
        mixed = (minutes + ahead) // 60 == minutes[-1] // 60
        actual[mixed, :, horizon] = (minutes[mixed] % 2)[:, None]
    probabilities = np.zeros((120, 6, 4, 7), np.float32)
    probabilities[..., 0] = 1.0
    scores = Scores()
    scores.add(probabilities, np.zeros((120, 6), np.int8), actual, minutes)
    summary = scores.report()["missing"]["60"]
    assert summary["n"] == 120
    assert summary["not_trivial"]["n"] == 60
    assert summary["not_trivial"]["shannon_entropy"] == pytest.approx(1.0)
    assert summary["not_trivial"]["gini"] == pytest.approx(0.5)
    assert summary["not_trivial"]["vector_difference"] == pytest.approx(0.5)
    assert summary["shannon_entropy"] == pytest.approx(0.5)


def test_the_vector_difference_is_that_of_the_means_of_an_hour():
    minutes = np.arange(28_000_020, 28_000_080, dtype=np.int64)  # a whole hour
    actual = np.zeros((60, 6, 4), np.int8)
    actual[1::2] = 1
    even = np.zeros((60, 6, 4, 7), np.float32)
    even[..., :2] = 0.5  # half and half, and so it happens
    scores = Scores()
    scores.add(even, np.zeros((60, 6), np.int8), actual, minutes - HORIZONS_MIN[0])
    assert scores.report()["requested"][str(HORIZONS_MIN[0])]["vector_difference"] == 0.0
    always = np.zeros((60, 6, 4, 7), np.float32)
    always[..., 2] = 1.0
    wrong = Scores()
    wrong.add(always, np.zeros((60, 6), np.int8), actual, minutes - HORIZONS_MIN[0])
    assert wrong.report()["requested"][str(HORIZONS_MIN[0])]["vector_difference"] == 1.0


def test_the_log_loss_of_a_wrong_certainty_is_limited():
    certain = np.eye(7, dtype=np.float32)[0]
    assert log_losses(certain, np.int8(1)) == pytest.approx(-math.log(1e-6), rel=1e-5)


def test_memory_does_not_grow(predictions):
    scores = Scores()
    sizes = []
    for day in range(3):
        scores.add(predictions[0], predictions[1], predictions[2], predictions[3] + 1440 * day)
        sizes.append(sum(part.nbytes for part in (scores._sums, scores._bins)))
    assert len(set(sizes)) == 1


def test_the_most_frequent_state_uses_only_the_past():
    states = np.array([[1] * 6, [2] * 6, [2] * 6, [-1] * 6], np.int8)
    most_frequent = MostFrequentStates()
    assert most_frequent.update(states)[:, 0].tolist() == [1, 1, 2, 2]
    assert most_frequent.update(np.array([[1] * 6] * 3, np.int8))[:, 0].tolist() == [1, 1, 1]
