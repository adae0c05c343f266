"""A node with 400 LSAs restarts, or its neighbour does: how soon each holds the whole of the other again."""

import random
import shutil

import pytest

from edge.space.agent import Agent
from host_tools.world import Members, World

LSAS = 400
# Two hundred changes of one origin are taken at once, and ten a second from then on; a heartbeat each 5 s and
# the way take the rest.
WHOLE_S = (LSAS - 200) / 10 + 10
SPENT_S = 20 * 60  # the same where all answers of two restarts are spent, and the one that asks says nothing


class Pair:
    """Two neighbours with keys; the first shows many LSAs, the second only if `both`."""

    def __init__(self, size_bytes, both=False, **limits):
        self.world = World(seed=3)
        self.world.trust = Members(self.world.clock).trust
        self.size_bytes = size_bytes
        self.shown = {"a": LSAS, "b": LSAS if both else 0}
        self.world.add("a", ["b"], [], **limits)
        self.world.add("b", ["a"], [], **limits)
        self.world.boot()
        self.world.run(3)
        for name in self.shown:
            self.show(name)

    def show(self, name):
        rng = random.Random(name)
        engine = self.world.nodes[name].node.engine
        for i in range(self.shown[name]):
            agent = Agent(f"{name}.t{i}")
            engine.add(agent)
            agent.submit("REQ", rng.randbytes(self.size_bytes))

    def restart(self, name, with_state):
        node = self.world.nodes[name]
        node.kill()
        self.world.run(2)
        if not with_state:
            shutil.rmtree(node.config.state_dir)
        node.boot()
        self.show(name)

    def agents(self, name):
        return [each for each in self.world.nodes[name].node.engine.agents() if ".t" in each.name]

    def held(self, by, origin):
        space = self.world.nodes[by].node.space
        number = space.origin_number(origin)
        return sum(name != f"{origin}.identity" for name, _ in space.roster(number)) if number < 65535 else 0

    @property
    def whole(self):
        return all(self.held(by, of) == count for of, count in self.shown.items() for by in "ab")

    def seconds_until_whole(self, most_s):
        begun_s = self.world.clock.now_s()
        while not self.whole and self.world.clock.now_s() < begun_s + most_s:
            self.world.run(0.5)
        return self.world.clock.now_s() - begun_s if self.whole else float("inf")


@pytest.fixture
def pair():
    made = []

    def make(*args, **options):
        made.append(Pair(*args, **options))
        return made[-1]

    yield make
    for each in made:
        each.world.close()


# What the default sizes hold of one other node; and about 900 bytes each on the wire, from both sides.
@pytest.mark.parametrize(
    ("size_bytes", "options"), [(256, {}), (700, {"both": True, "heap_kb": 1200})], ids=["default", "900 B"]
)
@pytest.mark.parametrize("with_state", [True, False], ids=["with state", "without state"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_restart_of_either_node_is_healed_within_half_a_minute(pair, size_bytes, options, with_state, name):
    pair = pair(size_bytes, **options)
    assert pair.seconds_until_whole(WHOLE_S) <= WHOLE_S
    pair.world.run(20)  # of changes that are taken at once, so many are there again
    pair.restart(name, with_state)
    assert pair.seconds_until_whole(WHOLE_S) <= WHOLE_S
    if (
        with_state
    ):  # otherwise it shows all twice, as it has to begin another life: more than comes in at once
        for each in pair.world.nodes.values():
            assert each.node.gateway.stats()["flooding"] == []


def test_one_restart_after_the_other_is_healed_though_its_answers_are_spent(pair):
    pair = pair(256)
    assert pair.seconds_until_whole(WHOLE_S) <= WHOLE_S
    for _ in range(5):  # each before the one before is healed
        pair.restart("b", True)
        pair.world.run(15)
    assert not pair.whole
    assert pair.seconds_until_whole(SPENT_S) <= SPENT_S
    assert pair.world.nodes["a"].node.gateway.refusals.by_peer["b"]["answers"] > 0


def test_what_finds_no_room_is_asked_for_less_and_less_often(pair):
    pair = pair(500)
    pair.world.run(120)
    links = pair.world.nodes["a"].node.links
    before = links.stats()["neighbours"]["b"]["sent_bytes"]
    pair.world.run(300)
    assert links.stats()["neighbours"]["b"]["sent_bytes"] - before < 300 * 300
    assert pair.held("b", "a") >= 250
    pair.shown["a"] = 200
    for each in pair.agents("a")[200:]:
        pair.world.nodes["a"].node.engine.remove(each)
    assert pair.seconds_until_whole(90) <= 90
