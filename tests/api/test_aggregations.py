"""/aggregations: who contributed to what, with which weight."""

import pytest
from answer_schema import faults
from asked_node import AskedNode

from edge.api.aggregations import Aggregation as Shown
from edge.api.aggregations import aggregations
from edge.api.context import Context
from edge.space.agent import Agent
from edge.space.lsa import Aggregation
from host_tools.world import World, chain


@pytest.fixture
def world():
    world = World(seed=4)
    for name, neighbours in chain(["n1", "n2", "n3"]).items():
        world.add(name, neighbours, [], {"node_model": "persistence", "cluster_model": "persistence"})
    world.boot()
    world.run(12)
    yield world
    world.close()


def shown(world, name):
    answer = aggregations(Context(AskedNode(world.nodes[name].node), ""))
    assert faults(answer, list[Shown]) == []
    return {each["label"]: each for each in answer}


def test_totals_are_summed_over_all_nodes_each_with_the_same_weight(world):
    found = shown(world, "n1")["TOTAL"]
    assert (found["twin"], found["operator"], found["reach"]) == ("n1.learning", "sum_of_totals", None)
    assert (found["complete"], found["sources"], found["at_work"], found["keeps"]) == (True, 3, False, False)
    assert found["bytes"] > 0
    contributors = {each["node"]: each for each in found["contributors"]}
    assert {node: each["hops"] for node, each in contributors.items()} == {"n1": 0, "n2": 1, "n3": 2}
    assert [each["node"] for each in contributors.values() if each["own"]] == ["n1"]
    assert all(each["weight"] == 1 and not each["gone"] for each in contributors.values())


def test_a_dead_node_no_longer_contributes(world):
    world.nodes["n3"].kill()
    world.run(20)
    found = shown(world, "n1")["TOTAL"]
    assert [each["node"] for each in found["contributors"]] == ["n1", "n2"]
    assert found["complete"]


class Slow(Agent):
    """Merges in pieces, and does not forget."""

    restless = False

    def __init__(self, name):
        super().__init__(name)
        self.pieces = 0
        self.lost = []

    def missed(self, label, source):
        self.lost.append(source)

    def merge(self, sources, spec):
        for _ in range(5):
            self.pieces += 1
            yield
        return b"-".join(source.value for source in sources), [0.5 + source.hops for source in sources]


def test_a_node_does_the_work_of_a_long_operator_and_shows_who_is_gone(world):
    slow = {}
    for name in ("n1", "n2"):
        slow[name] = Slow(f"{name}.slow")
        world.nodes[name].node.engine.add(slow[name])
        slow[name].submit("SHARE", name.encode(), life_s=15, reach=1)
        slow[name].aggregate(
            [Aggregation("SHARE", "slow", 1, keeps=True, min_delay_s=60, merge=slow[name].merge)]
        )
    before = world.nodes["n1"].node.engine.reactions
    world.run(5)
    assert world.nodes["n1"].node.engine.reactions > before
    assert slow["n1"].aggregate_of("SHARE") == b"n1-n2"
    assert slow["n1"].pieces == 5
    found = shown(world, "n1")["SHARE"]
    assert (found["reach"], found["keeps"], found["complete"]) == (1, True, True)
    assert [each["weight"] for each in found["contributors"]] == [0.5, 1.5]
    world.nodes["n2"].kill()
    for _ in range(20):
        slow["n1"].submit("SHARE", b"n1", life_s=15, reach=1)
        world.run(1)
    assert slow["n1"].lost == ["n2.slow"]
    assert slow["n1"].aggregate_of("SHARE") == b"n1-n2"
    assert [each["gone"] for each in shown(world, "n1")["SHARE"]["contributors"]] == [False, True]
