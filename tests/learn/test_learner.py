"""The learner, with the models that need no training."""

import random

import numpy as np
import pytest

from edge.learn.learner import Learner, LearnerSettings
from edge.learn.model import finish
from edge.learn.registry import create
from edge.learn.series import Series
from edge.learn.states import StateScale

SCALE = StateScale.of_max_power(1000.0)
POWERS = np.array([0, 100, 250, 500, 900, 2000], np.float32)


def learner(model="persistence", **settings):
    timing = {"memory_min": 500, "train_every_min": 20, "first_training_min": 180, **settings}
    return Learner(LearnerSettings(**{"scale": SCALE, "model": model} | timing), random.Random(1))


def test_persistence_predicts_the_last_known_state():
    one = learner()
    assert one.predict() is None
    one.observe(10, POWERS)
    one.observe(11, np.full(6, np.nan, np.float32))
    prediction = one.predict()
    assert prediction.shape == (6, 4, 7)
    assert prediction.argmax(-1)[:, 2].tolist() == [0, 1, 2, 3, 5, 6]
    assert (prediction.sum(-1) == 1).all()


def test_majority_predicts_the_shares_of_the_states():
    one = learner("majority")
    for minute, power_w in enumerate([100, 100, 900]):
        one.observe(minute, np.full(6, power_w, np.float32))
    assert one.predict()[0, 0] == pytest.approx([0, 2 / 3, 0, 0, 0, 1 / 3, 0])


def test_minutes_learnt_before_a_save_are_not_learnt_twice():
    first, second, history = learner("majority"), learner("majority"), Series(500)
    for minute in range(100):
        powers = np.full(6, minute * 10.0, np.float32)
        history.append(minute, powers)
        first.observe(minute, powers)
    second.load(first.save())
    second.initialise(history)
    assert (second.predict() == first.predict()).all()
    assert second.series.last_minute == 99


def test_a_past_minute_changes_nothing():
    one = learner("majority")
    assert one.observe(10, POWERS)
    before = one.save()
    assert not one.observe(10, POWERS)
    assert not one.observe(9, POWERS)
    assert one.save() == before


def test_training_is_due_after_enough_minutes():
    one = learner(train_every_min=20, first_training_min=30)
    due = []
    for minute in range(80):
        one.observe(minute, POWERS)
        if one.training_due:
            due.append(minute)
            finish(one.training())
    assert due == [29, 49, 69]


def test_a_clock_that_was_ahead_does_not_delay_training():
    one = learner(first_training_min=1)
    one.observe(10_000, POWERS)
    finish(one.training())
    one.observe(20, POWERS)
    assert one.training_due


def test_a_training_that_is_not_finished_stays_due():
    one = learner(first_training_min=1)
    one.observe(1, POWERS)
    one.training().close()
    assert one.training_due


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"x" + data[1:], lambda data: b""])
def test_damaged_data_are_rejected_and_change_nothing(damage):
    one = learner("majority")
    one.observe(1, POWERS)
    before = one.save()
    with pytest.raises(ValueError):  # noqa: PT011
        one.load(damage(before))
    assert one.save() == before


def test_data_of_another_model_or_scale_are_rejected():
    one = learner("majority")
    one.observe(1, POWERS)
    other = learner("majority", scale=StateScale.of_max_power(1.0))
    with pytest.raises(ValueError, match="limits"):
        other.load(one.save())
    with pytest.raises(ValueError, match="saved by model majority"):
        learner().load(one.save())


def test_unknown_names_and_options_are_rejected():
    with pytest.raises(ValueError, match="not one of persistence"):
        create("oracle", SCALE, random.Random(1))
    with pytest.raises(ValueError, match="cells"):
        create("persistence", SCALE, random.Random(1), cells=3)
