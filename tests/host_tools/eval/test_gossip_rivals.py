"""Rivals of the codec: what each of them holds, sends and costs."""

import numpy as np
import pytest

from edge.learn.gossip.deltas import delta_piece, whole_piece
from host_tools.eval.gossip import rival_tables
from host_tools.eval.gossip.held import distances
from host_tools.eval.gossip.rivals import Way, coded_bytes, links

SIZE, PERIODS = 400, 18


@pytest.fixture(scope="module")
def path():
    """Weights of six variables: a first training moves them far, later ones a little."""
    rng = np.random.default_rng(1)
    now = [rng.standard_normal(SIZE).astype(np.float32) for _ in range(6)]
    found = [now]
    for period in range(PERIODS):
        step = np.float32(1.0 if period == 0 else 0.01)
        now = [each + step * rng.standard_normal(SIZE).astype(np.float32) for each in now]
        found.append(now)
    return found


def test_fragments_tell_one_variable_after_the_other_and_never_take_more_than_differences(path):
    ours, theirs = Way("differences", list(path[0])), Way("fragments", list(path[0]))
    told, spent, allowed = [], 0, 0
    for exact in path[1:]:
        ours.send(exact, 0)
        allowed += ours.bytes
        told += sorted(theirs.send(exact, ours.bytes), key=lambda v: (v - len(told)) % 6)
        spent += theirs.bytes
        assert spent <= allowed
    assert told == [number % 6 for number in range(len(told))]
    assert len(told) > 6
    assert np.mean(distances(ours.held, path[-1])) < np.mean(distances(theirs.held, path[-1]))


def test_the_length_by_a_range_coder_is_that_of_the_entropy():
    values = np.random.default_rng(2).standard_normal(8064).astype(np.float32)
    delta, _ = delta_piece(0, b"trunk...", values, np.zeros_like(values))
    assert coded_bytes(delta, 8064) == pytest.approx(len(delta.data), rel=0.03)
    whole, _ = whole_piece(0, b"trunk...", np.zeros(8064, np.float32))
    assert coded_bytes(whole, 8064) < 200


def test_one_copy_for_all_neighbours_costs_no_more_bytes_and_less_memory_than_one_for_each(path):
    found = links(path[0], path[1:], 1)
    for one, each in zip(found[::2], found[1::2], strict=True):
        assert (one["each"], each["each"], one["neighbours"]) == (False, True, each["neighbours"])
        assert one["state_bytes"] == 6 * SIZE * 4
        assert each["state_bytes"] == one["neighbours"] * one["state_bytes"]
        if not one["loss"]:
            assert one["bytes"] == each["bytes"]
            assert one["distance"] == each["distance"] < 0.02
        else:
            assert one["distance"] > 0.005


def test_the_tables_show_each_way_and_each_number_of_neighbours(path):
    ways = dict.fromkeys(("differences", "fragments", "whole"))
    row = {way: {"bytes": 5000, "coded_bytes": 5100.0, "distance": 0.012, "loss": 0.51} for way in ways}
    row["exact"] = {"loss": 0.5, "accuracy": 0.8}
    for way in ways:
        row[way]["accuracy"] = 0.79
    told = {"periods": [row] * 8, "links": links(path[0], path[1:8], 1)}
    job = {"job": "combed_1min/ab_floor5/scratch/rivals/s1", "rivals": {"ab_floor5": told}}
    text = "\n".join(rival_tables.tables([job]))
    assert "scratch | 7 to 8 | fragments | 5,000 | 5,100 | 1.20 % | +0.0100, +0.0100 | -1.00 |" in text
    assert text.count("| ab_floor5, scratch | 20 % |") == 4
    assert rival_tables.tables([]) == []
