"""The totals of all nodes, told from neighbour to neighbour."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from edge.energy.tally import FORGET_S, RESTATE_S, TELL_S, Tally
from host_tools.sim.topology import parse

POWERS = (1.0, 2.0, 3.5, 0.0, 0.5, 10.0)


class Village:
    """Tallies that tell each other, with lost messages."""

    def __init__(self, links, lose=lambda: False):
        self.links, self.lose, self.now_s = links, lose, 0.0
        self.tallies = {name: Tally(name, 64) for name in links}
        self.powers = {name: tuple(float(i + k) for k in range(6)) for i, name in enumerate(links)}
        self.bytes = 0

    def run(self, seconds):
        for _ in range(int(seconds / TELL_S)):
            self.now_s += TELL_S
            for name, tally in self.tallies.items():
                tally.state(self.powers[name], 1, self.now_s)
                message = tally.news(self.now_s)
                for peer in self.links[name] if message else ():
                    self.bytes += len(message)
                    if peer in self.tallies and not self.lose():
                        self.tallies[peer].take(name, message, self.links[peer], self.now_s)

    def sums(self):
        return {tally.summed(self.now_s) for tally in self.tallies.values()}

    def right(self):
        columns = zip(*(self.powers[name] for name in self.tallies), strict=True)
        return {(len(self.tallies), tuple(sum(column) for column in columns))}


@pytest.mark.parametrize("shape", ["chain:12", "ring:9", "random:40:3", "star:6"])
def test_at_rest_each_node_counts_once_and_the_sum_is_exact(shape):
    village = Village(parse(shape))
    village.run(150)
    assert village.sums() == village.right()
    village.powers["n1"] = POWERS
    village.run(150)
    assert village.sums() == village.right()


def test_lost_messages_delay_it():
    rng = random.Random(1)
    village = Village(parse("random:20:3"), lambda: rng.random() < 0.3)
    village.run(300)
    village.lose = lambda: False
    village.run(RESTATE_S + 150)
    assert village.sums() == village.right()


def test_at_rest_a_link_carries_each_total_once_a_minute():
    village = Village(parse("chain:20"))
    village.run(300)
    village.bytes = 0
    village.run(300)
    links, rows = 2 * 19, 20 * 300 / RESTATE_S
    assert village.bytes / links < 1.1 * rows * 32


def test_a_node_that_is_gone_does_not_count_any_more():
    village = Village(parse("chain:5"))
    village.run(100)
    del village.tallies["n5"]
    village.run(FORGET_S + 60)
    assert village.sums() == village.right()


def test_of_itself_and_of_a_neighbour_others_know_nothing_better():
    tally = Tally("a", 8)
    tally.state(POWERS, 1, 0.0)
    lies = [[name, 9, 9, 0, [0] * 6] for name in ("a", "b", "c", "d")]
    tally.take("c", msgpack.encode(lies), ["b", "c"], 1.0)
    assert tally.summed(1.0) == (3, POWERS)


def test_there_is_a_bound():
    tally = Tally("a", 8)
    tally.take("b", msgpack.encode([[f"x{i}", 1, 1, 0, [10] * 6] for i in range(100)]), ["b"], 1.0)
    assert tally.summed(1.0)[0] == 8


@given(st.binary(max_size=60) | st.lists(st.integers(-9, 9) | st.text(), max_size=6).map(msgpack.encode))
def test_what_is_invalid_is_refused(message):
    tally = Tally("a", 8)
    try:
        tally.take("b", message, ["b"], 1.0)
    except ValueError:
        assert tally.summed(1.0) is None


@pytest.mark.parametrize("powers", [[1] * 5, [-1] * 6, [10**15] * 6])
def test_impossible_totals_are_refused_with_all_beside_them(powers):
    tally = Tally("a", 8)
    with pytest.raises(ValueError, match="impossible"):
        tally.take("b", msgpack.encode([["c", 1, 1, 0, [1] * 6], ["d", 1, 1, 0, powers]]), ["b"], 1.0)
    assert tally.summed(1.0) is None
