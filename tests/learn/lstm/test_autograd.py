"""Gradients compared with those of autograd, with the networks written a second time."""

import random

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from edge.learn.lstm.objectives import StatesObjective
from edge.learn.lstm.stack import Shape, Stack
from edge.learn.states import StateScale

SHAPES = [Shape(25, 32, 1, 28), Shape(8, 50, 2, 28), Shape(4, 7, 3, 28, skip=False)]
MODELS, STEPS, BATCH, BURN = 2, 20, 3, 12


def sigmoid(values):
    return 1 / (1 + anp.exp(-values))


def unpacked(shape, weights):
    found, at = {}, 0
    for name, dims in shape.parts().items():
        count = int(np.prod(dims))
        found[name] = weights[at : at + count].reshape(dims)
        at += count
    return found


def loss(weights, shape, inputs, targets):
    """Sum of log losses of one network: inputs (steps, batch, n), targets (span, batch, 4)."""
    w, n = unpacked(shape, weights), shape.cells
    hidden = [anp.zeros((BATCH, n))] * shape.layers
    cells = [anp.zeros((BATCH, n))] * shape.layers
    total = 0.0
    for step in range(STEPS):
        flow = inputs[step]
        for layer in range(shape.layers):
            sums = anp.dot(flow, w[f"x{layer}"]) + anp.dot(hidden[layer], w[f"h{layer}"]) + w[f"b{layer}"]
            enter, forget = sigmoid(sums[:, :n]), sigmoid(sums[:, n : 2 * n])
            new, leave = anp.tanh(sums[:, 2 * n : 3 * n]), sigmoid(sums[:, 3 * n :])
            cell = forget * cells[layer] + enter * new
            flow = leave * anp.tanh(cell)
            hidden = [*hidden[:layer], flow, *hidden[layer + 1 :]]
            cells = [*cells[:layer], cell, *cells[layer + 1 :]]
        if step >= BURN:
            logits = anp.dot(flow, w["out"]) + w["bias"]
            if shape.skip:
                logits = logits + anp.dot(inputs[step], w["skip"])
            logits = logits.reshape(BATCH, 4, 7)
            spread = logits - anp.log(anp.sum(anp.exp(logits), axis=-1, keepdims=True))
            total = total - anp.sum(spread * np.eye(7)[targets[step - BURN]])
    return total


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_autograd(shape):
    rng = np.random.default_rng(1)
    weights = shape.random_weights(MODELS, random.Random(1)).astype(np.float64)
    inputs = rng.normal(size=(MODELS, STEPS, BATCH, shape.inputs))
    targets = rng.integers(0, 7, (MODELS, STEPS - BURN, BATCH, 4))
    stack, views = Stack(shape, MODELS, STEPS, BATCH, np.float64), shape.views(weights)
    stack.inputs[:] = inputs
    for _ in stack.forward(views):
        pass
    error = stack.outputs(views, slice(BURN, STEPS))
    losses = StatesObjective(StateScale.of_max_power(1.0)).losses(error, targets, targets >= 0)
    gradients = np.zeros_like(weights)
    stack.head_backward(views, shape.views(gradients), slice(BURN, STEPS), error)
    for _ in stack.backward(views, shape.views(gradients)):
        pass
    for m in range(MODELS):
        expected, gradient = autograd.value_and_grad(loss)(weights[m], shape, inputs[m], targets[m])
        assert losses[m].sum() == pytest.approx(float(expected), rel=1e-12)
        assert np.abs(gradients[m] - gradient).max() <= 1e-11 * np.abs(gradient).max()
