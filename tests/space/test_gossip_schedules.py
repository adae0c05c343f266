"""Gossip on random graphs, while frames are lost and delayed at random: what holds for every schedule."""

from averaging import STALE_S, Averaging, spread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.space.lsa import Near

NAMES = "abcdef"


class Unreliable(Averaging):
    """Loses near properties or holds them back for some seconds; LSAs pass, as the digest repairs them."""

    def __init__(self, links, numbers, operator, fate):
        self.fate = fate  # seconds of delay of the next ones, None: lost
        self.held = []  # (second of arrival, sender, receiver, property)
        self.second = 0
        self.reliable = False
        super().__init__(links, numbers, operator)
        self.lose = self.decide

    def decide(self, sender, to, record):
        if self.reliable or not isinstance(record, Near) or not self.fate:
            return False
        delay = self.fate.pop()
        if delay:
            self.held.append((self.second + delay, sender, to, record))
        return delay != 0

    def tick(self, silent=()):
        self.second += 1
        arriving = [each for each in self.held if each[0] <= self.second]
        self.held = [each for each in self.held if each[0] > self.second]
        for _, sender, to, record in arriving:
            self.deliver(self[sender], to, record)
        super().tick(silent)


@st.composite
def graphs(draw):
    """A connected graph: a random tree, and some more links."""
    names = NAMES[: draw(st.integers(2, len(NAMES)))]
    links = {name: set() for name in names}
    for i in range(1, len(names)):
        links[names[i]].add(names[draw(st.integers(0, i - 1))])
    for one, two in draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=6)):
        if one != two:
            links[one].add(two)
    for one in names:
        for two in links[one]:
            links[two].add(one)
    return {name: sorted(links[name]) for name in names}


@st.composite
def cases(draw):
    links = draw(graphs())
    numbers = {name: draw(st.integers(-50, 50)) / 1 for name in links}
    return links, numbers, draw(st.sampled_from(["mean", "metropolis"]))


DELAYS = st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 9]), max_size=200)
LIMITS = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def check_contributors(grid):
    for name, agent in grid.agents.items():
        contributors = agent.contributors_of("X")
        nodes = [each.node for each in contributors]
        assert len(set(nodes)) == len(nodes)
        assert set(nodes) <= {name, *grid[name].space.neighbours}
        assert not contributors or abs(sum(each.weight for each in contributors) - 1) < 1e-9
        assert all(each.weight >= 0 for each in contributors)
        assert all(each.own or each.age_s <= STALE_S for each in contributors)


@LIMITS
@given(cases())
def test_without_losses_every_graph_reaches_its_mean(case):
    grid = Averaging(*case)
    wanted = grid.expected()
    grid.run(300)
    check_contributors(grid)
    for number in grid.numbers().values():
        assert abs(number - wanted) < 1e-3


@LIMITS
@given(cases(), DELAYS, st.sets(st.integers(0, 199)))
def test_whatever_is_lost_and_late_all_agree_in_the_end_on_a_mean_of_what_was_there(case, delays, lost):
    links, numbers, operator = case
    fate = [None if i in lost else delay for i, delay in enumerate(delays)]
    grid = Unreliable(links, numbers, operator, [10**6 if each is None else each for each in fate])
    low, high = min(numbers.values()), max(numbers.values())
    far = spread(grid.numbers())
    for _ in range(40):
        grid.run(1)
        check_contributors(grid)
        assert all(low - 1e-9 <= number <= high + 1e-9 for number in grid.numbers().values())
    grid.reliable = True
    grid.run(300)
    assert spread(grid.numbers()) <= max(1e-3, 1e-4 * far)
    assert all(node.engine.faults == 0 for node in grid.nodes.values())
