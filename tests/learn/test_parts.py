"""The parts of each model: shared, merged, adopted, judged."""

import random

import numpy as np
import pytest
from days import MAX_POWER_W, made_up

from edge.learn.choice import Choice, limited
from edge.learn.markov import Markov
from edge.learn.model import finish
from edge.learn.parts import COUNTS, WEIGHTS, merged
from edge.learn.probabilities import log_losses
from edge.learn.registry import MODELS, create
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES

SCALE = StateScale.of_max_power(MAX_POWER_W)
SMALL = {
    "lstm": {"cells": 4, "first_steps": 4, "least_steps": 1},
    "lstm_thesis": {"cells": 4, "layers": 1, "first_steps": 4, "least_steps": 1},
    "mixture": {"cells": 4, "first_steps": 4, "least_steps": 1},
}
SHARING = ["lstm", "lstm_thesis", "markov", "mixture"]


def model(name, seed=1, scale=SCALE, **options):
    return create(name, scale, random.Random(seed), **{**SMALL.get(name, {}), **options})


def learnt(name, history, seed=1, **options):
    one = model(name, seed, **options)
    minute = history.first_minute
    for line in history.last(len(history)):
        one.observe(minute, line)
        minute += 1
    finish(one.train(history))
    return one


def values(one):
    return {v: {name: part.values for name, part in one.parts(v).items()} for v in range(len(VARIABLES))}


@pytest.fixture(scope="module")
def day():
    return made_up(1)


@pytest.mark.parametrize("name", ["persistence", "majority"])
def test_models_without_parts_share_nothing(name, day):
    one = model(name)
    assert one.parts(0) == {}
    finish(one.adopt({}))
    assert finish(one.losses_with({}, day)).shape == (0, 6)
    with pytest.raises(ValueError, match="no parts"):
        finish(one.adopt({0: {"trunk": np.zeros(3, np.float32)}}))


@pytest.mark.parametrize("name", SHARING)
def test_parts_can_be_adopted_by_a_model_that_is_made_alike(name, day):
    one, other = learnt(name, day), model(name, seed=2)
    own, foreign = one.parts(0), other.parts(0)
    assert [part.key for part in own.values()] == [part.key for part in foreign.values()]
    assert all(part.ready for part in own.values())
    assert not any(part.ready for part in foreign.values())
    finish(other.adopt(values(one)))
    for part_name, part in one.parts(3).items():
        if part.rule == WEIGHTS:
            np.testing.assert_array_equal(other.parts(3)[part_name].values, part.values)
        else:
            assert not other.parts(3)[part_name].values.any()  # counts stay apart from the own ones


@pytest.mark.parametrize("name", SHARING)
def test_parts_that_do_not_fit_are_refused_and_change_nothing(name, day):
    one = learnt(name, day)
    before = one.save()
    for part_name, part in one.parts(1).items():
        infinite = part.values.copy()
        infinite[0] = np.inf
        for wrong in (part.values[:-1], infinite):
            with pytest.raises(ValueError, match=part_name):
                finish(one.adopt({1: {part_name: wrong}}))
        if part.rule == COUNTS:
            with pytest.raises(ValueError, match="negative"):
                finish(one.adopt({1: {part_name: part.values - 1}}))
    with pytest.raises(ValueError, match="is not a part"):
        finish(one.adopt({1: {"unknown": np.zeros(1, np.float32)}}))
    assert one.save() == before


def keys(*which, variable=0):
    return {part.key for one in which for part in one.parts(variable).values()}


def test_keys_tell_what_can_be_merged():
    lstm, mixture = model("lstm"), model("mixture")
    assert keys(lstm) < keys(mixture)  # a mixture and a plain `lstm` share networks
    assert keys(model("markov")) < keys(mixture)
    assert keys(model("lstm", scale=StateScale.of_max_power(700.0))) == keys(lstm)  # shares of the scale
    fitted = StateScale.of_limits([[1.0, 2.0, 3.0, 4.0, 9.0]] * 6)
    assert not keys(model("lstm", scale=fitted)) & keys(lstm)
    assert not keys(model("lstm", cells=5)) & keys(lstm)
    assert not keys(model("lstm", inputs="power time")) & keys(lstm)
    assert not keys(lstm, variable=1) & keys(lstm)
    assert not keys(model("markov", context="weekday")) & keys(model("markov"))


def test_members_of_an_ensemble_of_networks_are_one_part():
    two = model("lstm", members=2)
    assert two.parts(0)["trunk"].values.size == 2 * model("lstm").parts(0)["trunk"].values.size
    finish(two.adopt(values(model("lstm", seed=3, members=2))))
    np.testing.assert_array_equal(
        two.parts(5)["head"].values, model("lstm", seed=3, members=2).parts(5)["head"].values
    )


def test_untrained_networks_need_all_parts():
    one, whole = model("lstm"), values(model("lstm", seed=2))
    with pytest.raises(ValueError, match="untrained"):
        finish(one.adopt({v: {"trunk": given["trunk"]} for v, given in whole.items()}))
    assert not one.trained
    finish(one.adopt(whole))
    assert one.trained


@pytest.mark.parametrize("name", ["lstm", "lstm_thesis", "mixture"])
def test_a_mean_of_networks_lies_between_them_and_is_judged_without_being_adopted(name, day):
    one, other = learnt(name, day), learnt(name, made_up(1, seed=5))
    before = one.save()
    mean = {v: merged(one.parts(v), [values(other)[v]], np.array([0.5, 0.5])) for v in range(len(VARIABLES))}
    weights = {v: {part: given[part] for part in ("trunk", "head")} for v, given in mean.items()}
    own = finish(one.losses_with({}, day))
    both = finish(one.losses_with(weights, day))
    assert own.shape == both.shape
    assert own.shape[0] >= 1
    assert np.isfinite(both).any(0).all()
    assert (own != both).any()
    assert one.save() == before
    finish(one.adopt(weights))
    np.testing.assert_allclose(finish(one.losses_with({}, day)), both, rtol=1e-5)


def test_losses_come_in_pieces(day):
    one = learnt("lstm", day)
    assert sum(1 for _ in one.losses_with({}, day)) > 20


def test_chains_are_judged_on_days_that_they_have_not_learnt():
    two_days = made_up(2)
    one = learnt("markov", two_days)
    own = finish(one.losses_with({}, two_days))
    assert own.shape == (16, 6)
    helped = finish(one.losses_with(values(one), two_days))  # knows the very day that is judged
    assert helped.mean() < own.mean()
    useless = {v: {"chains": np.ones_like(given["chains"]) * 50} for v, given in values(one).items()}
    assert finish(one.losses_with(useless, two_days)).mean() > own.mean() + 0.3


def test_foreign_counts_help_who_knows_little_and_rubbish_is_worth_nothing():
    """A node with a few hours of data gets the counts of one that has three days like its own."""
    days = made_up(4)
    lines, first = days.last(len(days)), days.first_minute
    teacher = Markov(SCALE, random.Random(1))
    for at in range(3 * 1440):
        teacher.observe(first + at, lines[at])
    wrong = np.broadcast_to(100 * np.roll(np.eye(7, dtype=np.float32), 3, 1), (19, 7, 7)).reshape(-1)
    rubbish = {v: {"chains": wrong} for v in range(len(VARIABLES))}
    losses = {}
    for kind, given in (("alone", None), ("good", values(teacher)), ("rubbish", rubbish)):
        pupil, predicted = Markov(SCALE, random.Random(1)), []
        for at in range(3 * 1440, 4 * 1440 - 60):
            pupil.observe(first + at, lines[at])
            if at == 3 * 1440 + 300 and given:
                finish(pupil.adopt(given))
            found = pupil.predict()
            if at > 3 * 1440 + 300:
                actual = SCALE.of(lines[[at + horizon for horizon in HORIZONS_MIN]]).T
                predicted.append(log_losses(found, actual).mean())
        losses[kind] = np.mean(predicted)
        assert pupil.parts(0)["chains"].values.sum() == 1439 - 60  # only its own
    assert losses["good"] < losses["alone"] - 0.02
    assert losses["rubbish"] < losses["alone"] + 0.02


def test_the_mixture_without_foreign_counts_predicts_as_before_and_with_them_stays_a_distribution(day):
    one, other = learnt("mixture", day), learnt("mixture", made_up(1, seed=5))
    minute = day.last_minute
    assert one.worth == {}
    foreign = values(other)
    counts = {v: {name: given[name] for name in ("counts", "chains")} for v, given in foreign.items()}
    finish(one.adopt(counts))
    assert {name: worth.max() for name, worth in one.worth.items()} == {"counts": 0.0, "chains": 0.0}
    for line in made_up(1, seed=5).last(90):
        minute += 1
        one.observe(minute, line)
        np.testing.assert_allclose(one.predict().sum(-1), 1.0, rtol=1e-4)


def test_a_row_of_foreign_counts_is_worth_a_limited_number_of_observations():
    counts = np.array([[50.0, 30.0, 20.0, 0, 0, 0, 0], [1.0, 1.0, 0, 0, 0, 0, 0]], np.float32)
    found = limited(counts, 8.0)
    np.testing.assert_allclose(found.sum(-1), [8.0, 2.0])
    np.testing.assert_allclose(found[0] / found[0].sum(), counts[0] / 100, rtol=1e-5)
    assert not limited(counts, 0.0).any()


def test_a_choice_changes_only_after_an_hour_and_by_a_margin():
    choice = Choice(2)
    good, bad = np.full((6, 4, 7), 0.02), np.full((6, 4, 7), 1 / 7)
    good[..., 3] = 0.88
    for minute in range(200):
        choice.learn(minute, np.full(6, 3, np.int8))
        choice.predicted(minute, np.stack([bad, good]))
        if minute < 60:
            assert not choice.now.any()
    assert choice.now.all()
    for minute in range(200, 400):
        choice.learn(minute, np.full(6, -1, np.int8))  # unknown states teach nothing
        choice.predicted(minute, np.stack([good, bad]))
    assert choice.now.all()


def test_every_model_is_tried_here():
    assert {*SHARING, "persistence", "majority"} == MODELS.keys()
