"""Gradients compared with central differences in float64; test_autograd compares with a framework."""

import random

import numpy as np
import pytest

from edge.learn.lstm.objectives import PowersObjective, StatesObjective
from edge.learn.lstm.stack import Shape, Stack
from edge.learn.states import StateScale

SCALE = StateScale.of_max_power(1000.0)
MODELS, STEPS, BATCH, SPAN = 2, 19, 3, slice(11, 19)
VARIABLES = np.array([0, 4])


def problem(shape, objective, seed=1):
    """Weights, inputs, targets of which some are unknown."""
    rng = np.random.default_rng(seed)
    weights = shape.random_weights(MODELS, random.Random(seed)).astype(np.float64) * 2
    inputs = rng.normal(size=(MODELS, STEPS, BATCH, shape.inputs))
    powers = rng.uniform(0, 1500, (BATCH, 8 + objective.ahead, 6)).astype(np.float32)
    powers[0, 5] = np.nan
    targets = np.stack([objective.targets(each, VARIABLES) for each in powers], 2)
    return weights, inputs, targets, objective.known(targets)


def run(stack, shape, objective, weights, inputs, targets, known, gradients=None):
    """The sum of the losses; fills in `gradients`."""
    views = shape.views(weights)
    stack.inputs[:] = inputs
    stack.errors[:] = 0
    for _ in stack.forward(views):
        pass
    outputs = stack.outputs(views, SPAN)
    loss = objective.losses(outputs, targets, known).sum()
    if gradients is not None:
        gradients[:] = 0
        stack.head_backward(views, shape.views(gradients), SPAN, outputs)
        for _ in stack.backward(views, shape.views(gradients)):
            pass
    return loss


@pytest.mark.parametrize(
    ("shape", "objective"),
    [
        (Shape(5, 4, 1, 28), StatesObjective(SCALE)),
        (Shape(5, 4, 2, 28), StatesObjective(SCALE)),
        (Shape(1, 5, 2, 10, skip=False), PowersObjective(SCALE)),
        (Shape(3, 3, 3, 28, skip=False), StatesObjective(SCALE)),
    ],
)
def test_gradients_are_those_of_central_differences(shape, objective):
    weights, *rest = problem(shape, objective)
    stack = Stack(shape, MODELS, STEPS, BATCH, np.float64)
    gradients = np.empty_like(weights)
    run(stack, shape, objective, weights, *rest, gradients)
    reach = 1e-5
    for m in range(MODELS):
        for at in random.Random(3).sample(range(shape.size), 60):
            moved = weights.copy()
            moved[m, at] += reach
            up = run(stack, shape, objective, moved, *rest)
            moved[m, at] -= 2 * reach
            down = run(stack, shape, objective, moved, *rest)
            assert gradients[m, at] == pytest.approx((up - down) / (2 * reach), rel=1e-5, abs=1e-7)


def test_networks_of_a_stack_are_independent():
    shape, objective = Shape(5, 4, 2, 28), StatesObjective(SCALE)
    weights, inputs, targets, known = problem(shape, objective)
    both, one = np.empty_like(weights), np.empty_like(weights[:1])
    run(Stack(shape, 2, STEPS, BATCH, np.float64), shape, objective, weights, inputs, targets, known, both)
    alone = Stack(shape, 1, STEPS, BATCH, np.float64)
    run(alone, shape, objective, weights[1:], inputs[1:], targets[1:], known[1:], one)
    assert both[1] == pytest.approx(one[0])


def test_nothing_is_learnt_from_unknown_targets():
    shape, objective = Shape(5, 4, 1, 28), StatesObjective(SCALE)
    weights, inputs, targets, known = problem(shape, objective)
    gradients = np.empty_like(weights)
    stack = Stack(shape, MODELS, STEPS, BATCH, np.float64)
    assert run(stack, shape, objective, weights, inputs, targets, known & False, gradients) == 0
    assert not gradients.any()


def test_first_weights_come_from_the_given_generator():
    shape = Shape(5, 4, 1, 28)
    assert (shape.random_weights(2, random.Random(7)) == shape.random_weights(2, random.Random(7))).all()
    assert (shape.random_weights(2, random.Random(7)) != shape.random_weights(2, random.Random(8))).any()
