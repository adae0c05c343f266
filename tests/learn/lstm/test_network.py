"""Slopes against central differences in float64; what a framework says is in test_torch."""

import random

import numpy as np
import pytest

from edge.learn.lstm.goals import PowersGoal, StatesGoal
from edge.learn.lstm.network import Shape, Stack
from edge.learn.states import StateScale

SCALE = StateScale.of_max_power(1000.0)
MODELS, STEPS, BATCH, SPAN = 2, 19, 3, slice(11, 19)
VARIABLES = np.array([0, 4])


def problem(shape, goal, seed=1):
    """Weights, inputs, targets of which some are unknown."""
    rng = np.random.default_rng(seed)
    weights = shape.drawn(MODELS, random.Random(seed)).astype(np.float64) * 2
    inputs = rng.normal(size=(MODELS, STEPS, BATCH, shape.inputs))
    powers = rng.uniform(0, 1500, (BATCH, 8 + goal.ahead, 6)).astype(np.float32)
    powers[0, 5] = np.nan
    targets = np.stack([goal.targets(each, VARIABLES) for each in powers], 2)
    return weights, inputs, targets, goal.known(targets)


def run(stack, shape, goal, weights, inputs, targets, known, slopes=None):
    """The sum of losses; fills `slopes` in."""
    views = shape.views(weights)
    stack.inputs[:] = inputs
    stack.errors[:] = 0
    for _ in stack.forward(views):
        pass
    outputs = stack.logits(views, SPAN)
    loss = goal.judge(outputs, targets, known).sum()
    if slopes is not None:
        slopes[:] = 0
        stack.head_backward(views, shape.views(slopes), SPAN, outputs)
        for _ in stack.backward(views, shape.views(slopes)):
            pass
    return loss


@pytest.mark.parametrize(
    ("shape", "goal"),
    [
        (Shape(5, 4, 1, 28), StatesGoal(SCALE)),
        (Shape(5, 4, 2, 28), StatesGoal(SCALE)),
        (Shape(1, 5, 2, 10, skip=False), PowersGoal(SCALE)),
        (Shape(3, 3, 3, 28, skip=False), StatesGoal(SCALE)),
    ],
)
def test_slopes_are_those_of_central_differences(shape, goal):
    weights, *rest = problem(shape, goal)
    stack = Stack(shape, MODELS, STEPS, BATCH, np.float64)
    slopes = np.empty_like(weights)
    run(stack, shape, goal, weights, *rest, slopes)
    reach = 1e-5
    for m in range(MODELS):
        for at in random.Random(3).sample(range(shape.size), 60):
            moved = weights.copy()
            moved[m, at] += reach
            up = run(stack, shape, goal, moved, *rest)
            moved[m, at] -= 2 * reach
            down = run(stack, shape, goal, moved, *rest)
            assert slopes[m, at] == pytest.approx((up - down) / (2 * reach), rel=1e-5, abs=1e-7)


def test_networks_of_a_stack_do_not_touch_each_other():
    shape, goal = Shape(5, 4, 2, 28), StatesGoal(SCALE)
    weights, inputs, targets, known = problem(shape, goal)
    both, one = np.empty_like(weights), np.empty_like(weights[:1])
    run(Stack(shape, 2, STEPS, BATCH, np.float64), shape, goal, weights, inputs, targets, known, both)
    alone = Stack(shape, 1, STEPS, BATCH, np.float64)
    run(alone, shape, goal, weights[1:], inputs[1:], targets[1:], known[1:], one)
    assert both[1] == pytest.approx(one[0])


def test_unknown_targets_teach_nothing():
    shape, goal = Shape(5, 4, 1, 28), StatesGoal(SCALE)
    weights, inputs, targets, known = problem(shape, goal)
    slopes = np.empty_like(weights)
    stack = Stack(shape, MODELS, STEPS, BATCH, np.float64)
    assert run(stack, shape, goal, weights, inputs, targets, known & False, slopes) == 0
    assert not slopes.any()


def test_weights_are_drawn_from_the_generator_handed_in():
    shape = Shape(5, 4, 1, 28)
    assert (shape.drawn(2, random.Random(7)) == shape.drawn(2, random.Random(7))).all()
    assert (shape.drawn(2, random.Random(7)) != shape.drawn(2, random.Random(8))).any()
