"""Weights of contributions: the thesis' formulas, their bounds, and where repeated merging leads."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.learn.gossip import OPERATORS, Contribution, Profile, combined, metropolis, weights
from edge.learn.gossip.profile import NO_PROFILE
from edge.learn.parts import COUNTS, WEIGHTS, Part, merged

MAX_POWER_W = 3000.0
UNIT_W = MAX_POWER_W / 7
NOW = 30_000_000


def six(value):
    return np.full(6, float(value))


def profile(power_w, minutes=120, shift=0, every=1):
    times = NOW + shift + every * np.arange(minutes)
    return Profile(times, np.full((minutes, 6), power_w, np.float32))


def first_variable(operator, *contributions):
    return weights(operator, contributions, MAX_POWER_W)[:, 0]


def test_sampling_nb_is_the_share_of_the_samples():
    found = first_variable("sampling_nb", Contribution("", six(100)), Contribution("b", six(300)))
    np.testing.assert_allclose(found, [0.25, 0.75])
    liar = first_variable("sampling_nb", Contribution("", six(144_000)), Contribution("b", six(4e9)))
    np.testing.assert_allclose(liar, [0.5, 0.5])


def test_power_loss_and_min_loss_use_the_losses_on_local_data():
    losses = {"": 1.0, "b": 0.0, "c": np.nan}
    three = [Contribution(name, local_loss=six(loss)) for name, loss in losses.items()]
    np.testing.assert_allclose(first_variable("power_loss", *three), [1 / 11, 10 / 11, 0.0])
    np.testing.assert_allclose(first_variable("min_loss", *three), [0.0, 1.0, 0.0])


def test_distances_are_in_sevenths_of_the_maximum_power():
    own = Contribution("", profile=profile(1000.0))
    other = Contribution("b", profile=profile(1000.0 + UNIT_W))
    for operator in ("dist_power_hist", "dist_power_last"):
        np.testing.assert_allclose(first_variable(operator, own, other), [10 / 11, 1 / 11], rtol=1e-5)


def test_the_last_distance_looks_at_the_newest_common_minute():
    powers = np.full((120, 6), 1000.0, np.float32)
    powers[-1] += UNIT_W
    other = Contribution("b", profile=Profile(NOW + np.arange(120), powers))
    own = Contribution("", profile=profile(1000.0))
    np.testing.assert_allclose(first_variable("dist_power_last", own, other), [10 / 11, 1 / 11], rtol=1e-5)
    assert first_variable("dist_power_hist", own, other)[1] > 0.49


@pytest.mark.parametrize(("shift", "weight"), [(3 + 119, 0.5), (4 + 119, 0.0)])
def test_values_more_than_three_minutes_apart_are_not_compared(shift, weight):
    pair = Contribution("", profile=profile(1.0)), Contribution("b", profile=profile(1.0, shift=shift))
    assert first_variable("dist_power_hist", *pair)[1] == pytest.approx(weight)


def test_profiles_of_different_levels_are_compared_in_quarters_of_an_hour():
    powers = np.repeat(100.0 * (np.arange(120) % 15), 6).reshape(120, 6).astype(np.float32)
    fine = Profile(NOW + np.arange(120), powers)  # the mean of each quarter is 700
    coarse = profile(700.0, minutes=8, every=15)
    assert NOW % 15 == 0
    np.testing.assert_allclose(fine.distances(coarse)[0], 0.0, atol=1e-3)
    np.testing.assert_allclose(coarse.distances(fine)[0], 0.0, atol=1e-3)
    assert np.isnan(fine.distances(NO_PROFILE)).all()


def test_skill_prefers_the_good_the_similar_and_the_fresh():
    own = Contribution("", claimed_loss=six(0.5), profile=profile(500.0))
    same = {"claimed_loss": six(0.5), "profile": profile(500.0)}
    equal = first_variable("skill", own, Contribution("b", **same))
    np.testing.assert_allclose(equal, [0.5, 0.5])
    for worse in ({"claimed_loss": six(0.9)}, {"profile": profile(900.0)}, {"age_min": 300.0}):
        assert first_variable("skill", own, Contribution("b", **{**same, **worse}))[1] < 0.45
    boast = first_variable("skill", own, Contribution("b", **{**same, "claimed_loss": six(0.0)}))
    np.testing.assert_allclose(boast, equal)  # a claim is not believed beyond the own score
    measured = Contribution("b", **{**same, "claimed_loss": six(0.0), "local_loss": six(3.0)})
    assert first_variable("skill", own, measured)[1] < 0.01


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.sampled_from(sorted(OPERATORS)),
    st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=5),
)
def test_weights_are_never_negative_and_always_add_up_to_one(operator, numbers):
    contributions = [
        Contribution(str(at), six(a), six(b), six(c), age_min=c if np.isfinite(c) else 0.0)
        for at, (a, b, c) in enumerate(numbers)
    ]
    with np.errstate(all="ignore"):
        found = weights(operator, contributions, MAX_POWER_W)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(0), 1.0)


def test_nothing_known_means_equal_weights_and_unknown_operators_are_refused():
    both = Contribution(""), Contribution("b")
    for operator in ("sampling_nb", "power_loss", "min_loss", "equal", "metropolis"):
        np.testing.assert_allclose(first_variable(operator, *both), [0.5, 0.5])
    for operator in ("dist_power_hist", "dist_power_last"):  # the own one is known to be near itself
        np.testing.assert_allclose(first_variable(operator, *both), [1.0, 0.0])
    with pytest.raises(ValueError, match="'best' is not one of sampling_nb"):
        weights("best", both, MAX_POWER_W)


def test_combined_predictions_are_their_weighted_mean():
    rng = np.random.default_rng(1)
    predictions = rng.dirichlet(np.ones(7), (3, 6, 4)).astype(np.float32)
    found = combined(predictions, np.tile([[0.5], [0.3], [0.2]], 6))
    np.testing.assert_allclose(found.sum(-1), 1.0, rtol=1e-5)
    expected = 0.5 * predictions[0] + 0.3 * predictions[1] + 0.2 * predictions[2]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# Where repeated merging leads


def chain(count):
    return [[other for other in (at - 1, at + 1) if 0 <= other < count] for at in range(count)]


def ring(count):
    return [[(at - 1) % count, (at + 1) % count] for at in range(count)]


def full(count):
    return [[other for other in range(count) if other != at] for at in range(count)]


def random_graph(count, seed=1):
    rng, graph = random.Random(seed), [set(each) for each in chain(count)]
    for _ in range(count):
        one, other = rng.sample(range(count), 2)
        graph[one].add(other)
        graph[other].add(one)
    return [sorted(each) for each in graph]


def merge_round(values, graph, operator, present=None):
    """One round: every node that is present merges what its present neighbours had."""
    found = dict(values)
    for at, others in enumerate(graph):
        if present is not None and at not in present:
            continue
        others = [other for other in others if present is None or other in present]
        own = {"trunk": Part(WEIGHTS, b"", values[at])}
        told = [Contribution(str(each), neighbours=len(graph[each])) for each in (at, *others)]
        given = weights(operator, told, MAX_POWER_W)[:, 0]
        result = merged(own, [{"trunk": values[other]} for other in others], given)
        found[at] = result.get("trunk", values[at])
    return found


def converged(graph, operator, rounds=2000):
    rng = np.random.default_rng(3)
    start = {at: rng.standard_normal(4).astype(np.float32) for at in range(len(graph))}
    values = start
    for _ in range(rounds):
        values = merge_round(values, graph, operator)
    return np.array(list(start.values())), np.array(list(values.values()))


GRAPHS = {"chain": chain(5), "ring": ring(8), "full": full(6), "random": random_graph(12)}


@pytest.mark.parametrize("name", GRAPHS)
def test_equal_weights_reach_the_mean_weighed_by_the_number_of_neighbours(name):
    graph = GRAPHS[name]
    start, end = converged(graph, "equal", 400)
    sizes = np.array([1 + len(others) for others in graph])
    expected = sizes @ start / sizes.sum()
    np.testing.assert_allclose(end, np.tile(expected, (len(graph), 1)), atol=1e-4)


def test_a_chain_of_five_reaches_the_mean_of_the_thesis():
    start, end = converged(chain(5), "equal", 400)
    np.testing.assert_allclose(end[2], np.array([2, 3, 3, 3, 2]) / 13 @ start, atol=1e-4)


@pytest.mark.parametrize("name", GRAPHS)
def test_metropolis_reaches_the_plain_mean(name):
    start, end = converged(GRAPHS[name], "metropolis", 400)
    np.testing.assert_allclose(end, np.tile(start.mean(0), (len(start), 1)), atol=1e-4)


def test_metropolis_weights_are_symmetric_and_bounded_by_the_own_degree():
    assert metropolis([2, 5, 1]).tolist() == pytest.approx([1 - 1 / 6 - 1 / 3, 1 / 6, 1 / 3])
    assert metropolis([0, 0, 0]).min() > 0  # a node that tells too few neighbours gains nothing


def test_a_partition_keeps_each_half_and_heals_to_the_mean_of_all():
    graph, values = chain(6), {at: np.full(2, float(at), np.float32) for at in range(6)}
    cut = [[other for other in others if (other < 3) == (at < 3)] for at, others in enumerate(graph)]
    for _ in range(200):
        values = merge_round(values, cut, "metropolis")
    np.testing.assert_allclose([values[at][0] for at in range(6)], [1, 1, 1, 4, 4, 4], atol=1e-4)
    for _ in range(300):
        values = merge_round(values, graph, "metropolis")
    np.testing.assert_allclose([values[at][0] for at in range(6)], 2.5, atol=1e-4)


def test_a_node_that_leaves_stops_nobody_and_one_that_joins_is_reached():
    graph, values = full(4), {at: np.full(2, float(at), np.float32) for at in range(4)}
    for _ in range(60):
        values = merge_round(values, graph, "metropolis", present={0, 1, 2})
    np.testing.assert_allclose([values[at][0] for at in range(4)], [1, 1, 1, 3], atol=1e-4)
    for _ in range(60):
        values = merge_round(values, graph, "metropolis")
    np.testing.assert_allclose([values[at][0] for at in range(4)], 1.5, atol=1e-4)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5), st.integers(0, 1000))
def test_merged_weights_lie_between_those_that_were_merged(numbers, seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((len(numbers), 9)).astype(np.float32)
    given_weights = np.array(numbers) / sum(numbers)
    own = {"trunk": Part(WEIGHTS, b"", values[0])}
    found = merged(own, [{"trunk": each} for each in values[1:]], given_weights)["trunk"]
    np.testing.assert_allclose(found, given_weights @ values, atol=1e-5)
    assert (found >= values.min(0) - 1e-5).all()
    assert (found <= values.max(0) + 1e-5).all()


def test_counts_of_neighbours_stand_apart_and_nothing_is_counted_twice():
    """What a node tells are its own counts, whatever it has merged; merging again changes nothing."""
    own = {"counts": Part(COUNTS, b"", np.array([5, 0, 1], np.float32))}
    shares = [{"counts": np.array([0, 8, 0], np.float32)}, {"counts": np.array([0, 0, 4], np.float32)}]
    for _ in range(3):
        found = merged(own, shares, np.array([0.5, 0.25, 0.25]))
        assert found["counts"].tolist() == [0, 4, 2]
    assert own["counts"].values.tolist() == [5, 0, 1]


def test_a_part_that_is_not_ready_takes_those_of_the_neighbours():
    own = {"trunk": Part(WEIGHTS, b"", np.zeros(3, np.float32), ready=False)}
    shares = [{"trunk": np.full(3, 1.0, np.float32)}, {"trunk": np.full(3, 4.0, np.float32)}]
    assert merged(own, shares, np.array([0.7, 0.2, 0.1]))["trunk"].tolist() == pytest.approx([2, 2, 2])
    assert merged(own, [{}, {}], np.array([0.7, 0.2, 0.1])) == {}
