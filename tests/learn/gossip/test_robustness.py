"""A neighbour that sends rubbish does no harm: limits of norms, the gate of losses, the ensemble."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.learn.gossip import Contribution, Ensemble, Gate, NormLimits, weights
from edge.learn.gossip.gate import harmless
from edge.learn.parts import WEIGHTS, Part, clipped, merged
from edge.learn.probabilities import log_losses

SIZE = 200
HOURS = 12


def honest(rng, truth, noise=0.05):
    return (truth + noise * rng.standard_normal(SIZE)).astype(np.float32)


ATTACKS = {
    "garbage": lambda rng, own: rng.uniform(-900, 900, SIZE).astype(np.float32),
    "sign flipped": lambda rng, own: -own,
    "times 100": lambda rng, own: 100 * own,
    "random": lambda rng, own: rng.standard_normal(SIZE).astype(np.float32),
    "zeros": lambda rng, own: np.zeros(SIZE, np.float32),
}


def losses_of(weights_, truth, rng):
    """Hours of losses of a made-up model: the further from the truth, the worse."""
    far = float(np.mean(np.square(weights_ - truth)))
    return np.full((HOURS, 6), min(far, 50.0)) + 0.01 * rng.standard_normal((HOURS, 1))


def merge_defended(own, foreign, truth, limits, rng):
    """One round as a node does it: the gate of losses, the limit of norms, weights by skill."""
    present = losses_of(own, truth, rng)
    told, shares = [Contribution("", local_loss=present.mean(0))], []
    for source, values in foreign.items():
        losses = losses_of(values, truth, rng)
        if harmless(losses, present)[0]:
            limits.seen("trunk", source, float(np.linalg.norm(values - own)))
            told.append(Contribution(source, local_loss=losses.mean(0)))
            shares.append({"trunk": values})
    given_weights = weights("skill", told, 3000.0)[:, 0]
    limit = {"trunk": limits.limit("trunk")}
    return merged({"trunk": Part(WEIGHTS, b"", own)}, shares, given_weights, limit).get("trunk", own)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_neighbour_is_stopped_by_the_gate_and_an_undefended_mean_collapses(attack):
    rng = np.random.default_rng(1)
    truth = rng.standard_normal(SIZE).astype(np.float32)
    defended = undefended = honest(rng, truth)
    limits = NormLimits(8)
    for _ in range(12):
        friends = {name: honest(rng, truth) for name in "bc"}
        bad = {"x": ATTACKS[attack](rng, defended)}
        defended = merge_defended(defended, friends | bad, truth, limits, rng)
        part = {"trunk": Part(WEIGHTS, b"", undefended)}
        shares = [{"trunk": each} for each in (friends | {"x": ATTACKS[attack](rng, undefended)}).values()]
        undefended = merged(part, shares, np.full(4, 0.25))["trunk"]
    assert np.linalg.norm(defended - truth) < 0.06 * np.sqrt(SIZE)
    assert not np.linalg.norm(undefended - truth) < 0.2 * np.sqrt(SIZE)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_limit_of_norms_alone_bounds_what_gets_through_the_gate(attack):
    rng = np.random.default_rng(2)
    truth = rng.standard_normal(SIZE).astype(np.float32)
    own, limits = honest(rng, truth), NormLimits(8)
    for name in "bc":
        limits.seen("trunk", name, float(np.linalg.norm(honest(rng, truth) - own)))
    usual = limits.limit("trunk")
    bad = ATTACKS[attack](rng, own)
    found = merged(
        {"trunk": Part(WEIGHTS, b"", own)}, [{"trunk": bad}], np.array([0.5, 0.5]), {"trunk": usual}
    )["trunk"]
    assert np.linalg.norm(found - own) <= 0.5 * usual * 1.001


@given(st.floats(1e-3, 1e3), st.integers(0, 99))
def test_a_clipped_difference_keeps_its_direction(limit, seed):
    difference = np.random.default_rng(seed).standard_normal(5).astype(np.float32)
    found = clipped(difference, limit)
    assert np.linalg.norm(found) <= limit * 1.001
    norm = np.linalg.norm(difference)
    np.testing.assert_allclose(found, difference * min(1.0, limit / norm), rtol=1e-4)


def test_less_than_half_of_the_voices_do_not_move_the_limit():
    limits = NormLimits(8)
    limits.start("trunk", 1.0)
    for _ in range(100):
        limits.seen("trunk", "honest", 1.2)
        limits.seen("trunk", "hostile", 1e9)
    assert limits.limit("trunk") == pytest.approx(1.2)
    assert limits.limit("another part") == float("inf")


def test_limits_forget_nodes_that_left():
    limits = NormLimits(4)
    for number in range(1000):
        limits.seen("trunk", f"n{number}", float(number))
    assert len(limits._norms["trunk"]) == 4
    limits.forget("n999")
    assert len(limits._norms["trunk"]) == 3


# The gate


def hours(mean, spread=0.0, seed=0):
    return mean + spread * np.random.default_rng(seed).standard_normal((HOURS, 6))


def test_the_gate_chooses_what_is_better_beyond_the_noise_and_keeps_it():
    gate = Gate(("own", "merged"))
    assert gate.judge({"own": hours(0.5), "merged": hours(0.499, 0.2)}) == ["own"] * 6
    assert gate.judge({"own": hours(0.5), "merged": hours(0.4, 0.02)}) == ["merged"] * 6
    assert gate.judge({"own": hours(0.399, 0.2), "merged": hours(0.4)}) == ["merged"] * 6
    assert gate.judge({"own": hours(0.3), "merged": hours(0.4)}) == ["own"] * 6


def test_the_gate_seldom_swings_between_equals():
    gate, changes, before = Gate(("own", "merged")), 0, ["own"] * 6
    for seed in range(200):
        now = list(gate.judge({"own": hours(0.5, 0.1, seed), "merged": hours(0.5, 0.1, 1000 + seed)}))
        changes += sum(one != other for one, other in zip(now, before, strict=True))
        before = now
    assert changes / (200 * 6) < 0.2  # a plain comparison changes every second time


def test_each_variable_is_judged_alone_and_absurd_losses_never_win():
    gate, merged_losses = Gate(("own", "merged")), hours(0.5)
    merged_losses[:, 2] = 0.1
    merged_losses[:, 3] = np.nan
    merged_losses[:, 4] = -np.inf
    assert gate.judge({"own": hours(0.5), "merged": merged_losses}) == ["own", "own", "merged", *["own"] * 3]


def test_two_hours_are_not_enough_to_change_but_an_unknown_neighbour_is_clipped_only():
    gate = Gate(("own", "merged"))
    assert gate.judge({"own": hours(0.5)[:2], "merged": hours(0.1)[:2]}) == ["own"] * 6
    assert harmless(hours(9.0)[:2], hours(0.5)[:2]).all()
    assert not harmless(hours(9.0), hours(0.5)).any()
    assert not harmless(np.full((HOURS, 6), np.nan), hours(0.5)).any()
    assert harmless(hours(0.53), hours(0.5)).all()


# Foreign predictions


def prediction(state, sure):
    found = np.full((6, 4, 7), (1 - sure) / 6, np.float32)
    found[:, :, state] = sure
    return found


def run(minutes, own, foreign, states, seed=1, most=3):
    """The mean log losses of the last half: the ensemble's, and the own ones."""
    rng, ensemble, losses = np.random.default_rng(seed), Ensemble(most), []
    for minute in range(minutes):
        state = states(minute, rng)
        actual = np.full(6, state, np.int8)
        ensemble.learn(minute, actual)
        alone = own(state, rng)
        both = ensemble.predict(minute, alone, {name: each(state, rng) for name, each in foreign.items()})
        if minute >= minutes // 2:
            each = np.repeat(actual[:, None], 4, 1)
            losses.append((log_losses(both, each).mean(), log_losses(alone, each).mean()))
    return ensemble, np.mean(losses, 0)


def slow(minute, rng):
    """States that stay for long, so that the present one tells the next ones."""
    return minute // 600 % 7


def test_a_neighbour_that_knows_better_is_used():
    ensemble, (both, alone) = run(
        4000,
        lambda state, rng: prediction(state, 0.4),
        {"b": lambda state, rng: prediction(state, 0.9)},
        slow,
    )
    assert both < 0.9 * alone
    assert ensemble.helps.all()
    assert ensemble.weights["b"].min() > 0.05


def rubbish(state, rng):
    return rng.dirichlet(np.full(7, 0.1), (6, 4)).astype(np.float32)


def contrary(state, rng):
    return prediction((state + 3) % 7, 0.999)


@pytest.mark.parametrize(
    "bad",
    [
        rubbish,
        contrary,
        lambda state, rng: np.full((6, 4, 7), np.nan, np.float32),
        lambda state, rng: np.full((6, 4, 7), 100.0, np.float32),
        lambda state, rng: np.ones((2, 2), np.float32),
    ],
)
def test_bad_predictions_do_no_harm(bad):
    _, (both, alone) = run(1500, lambda state, rng: prediction(state, 0.7), {"x": bad}, slow)
    assert both <= alone + 0.005


def test_a_neighbour_that_turns_bad_is_dropped_within_the_hour():
    turned = 3000

    def foreign(minute):
        return prediction if minute < turned else lambda state, sure: contrary(state, None)

    ensemble, losses = Ensemble(2), []
    for minute in range(turned + 300):
        state = slow(minute, None)
        actual = np.full(6, state, np.int8)
        ensemble.learn(minute, actual)
        own = prediction(state, 0.5)
        both = ensemble.predict(minute, own, {"b": foreign(minute)(state, 0.8)})
        each = np.repeat(actual[:, None], 4, 1)
        losses.append(log_losses(both, each).mean() - log_losses(own, each).mean())
    assert np.mean(losses[turned - 500 : turned]) < -0.05
    assert np.mean(losses[turned + 120 :]) < 0.005


def test_neighbours_that_come_and_go_leave_nothing_behind():
    ensemble = Ensemble(2)
    for minute in range(1000):
        name = f"n{minute}"
        ensemble.predict(minute, prediction(1, 0.6), {name: prediction(1, 0.9)})
        ensemble.learn(minute, np.full(6, 1, np.int8))
        ensemble.forget(name)
    assert set(ensemble.weights) == {""}
    assert (ensemble.weights[""] > 0.9).all()
    crowd = {f"m{number}": prediction(1, 0.9) for number in range(10)}
    ensemble.predict(2000, prediction(1, 0.6), crowd)
    assert set(ensemble.weights) == {"", "m0", "m1"}


@pytest.mark.parametrize(("gain", "served"), [(0.02, False), (0.05, True)])
def test_neighbours_serve_only_if_they_are_clearly_better(gain, served):
    """Both predictions are right; that of all nodes is surer of it by so many nats."""
    ensemble, own, actual = Ensemble(1), prediction(1, 0.5), np.full(6, 1, np.int8)
    pooled = prediction(1, 0.5 * np.exp(gain))
    ensemble._pooled.predict = lambda minute, logs, states: pooled.copy()
    for minute in range(300):
        ensemble.learn(minute, actual)
        found = ensemble.predict(minute, own, {"b": own})
    np.testing.assert_array_equal(found, pooled if served else own)
