"""Decay: an LSA that is not kept alive leaves."""

from check import Grid, Node, Watcher, assert_as_new, small
from test_lsas import remote

from edge.space.agent import KEEP_S
from edge.space.exchange import absorb
from edge.space.origins import LIFE_S


class Tired(Watcher):
    """Stops renewing its LSA."""

    tired = False
    left_at = 0

    def renew(self):
        if not self.tired:
            super().renew()

    def left(self):
        self.left_at = self.space.tick
        super().left()


def ticks(node, count):
    for _ in range(count):
        node.engine.tick()
        node.engine.react()


def test_a_property_lives_as_long_as_requested():
    node = Node("a")
    watcher = node.add(Watcher("a.w", "L"))
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"short", "", 3)
    agent.submit("M", b"long")
    node.engine.react()
    ticks(node, 2)
    assert node.value("a.t", "L") == b"short"
    ticks(node, 1)
    assert node.value("a.t", "L") is None
    assert node.value("a.t", "M") == b"long"
    assert watcher.told == [("a.t", b"short"), ("a.t", None)]


def test_putting_it_again_prolongs_it():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    for _ in range(10):
        agent.submit("L", b"1", "", 3)
        ticks(node, 2)
    assert node.value("a.t", "L") == b"1"
    agent.submit("L", b"1")
    ticks(node, 300)
    assert node.value("a.t", "L") == b"1"


def test_lives_longer_than_one_turn_of_the_wheel_end_on_time():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1", "", 600)
    ticks(node, 599)
    assert node.value("a.t", "L") == b"1"
    ticks(node, 1)
    assert node.value("a.t", "L") is None


def test_a_life_that_is_already_over_ends_at_the_next_tick():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1", "", -5)
    assert node.value("a.t", "L") == b"1"
    ticks(node, 1)
    assert node.value("a.t", "L") is None


def test_an_lsa_without_agent_lives_as_long_as_it_is_kept():
    node = Node("a")
    handle = node.space.inject("a.t")
    node.space.put(handle, "L", "", b"1")
    node.space.keep(handle, 5)
    ticks(node, 4)
    assert node.space.find("a.t") == handle
    node.space.keep(handle, 5)
    ticks(node, 4)
    assert node.space.life_s(handle & 0xFFFF) == 1
    ticks(node, 1)
    assert_as_new(node.space)


def test_an_lsa_kept_without_end_stays():
    node = Node("a")
    handle = node.space.inject("a.t")
    node.space.keep(handle, 3)
    node.space.keep(handle, 0)
    ticks(node, 600)
    assert node.space.find("a.t") == handle


def test_an_agent_that_stops_renewing_leaves_and_its_observers_are_told():
    node = Node("a")
    watcher = node.add(Watcher("a.w", "L"))
    tired = node.add(Tired("a.t", "X"))
    tired.submit("L", b"1")
    ticks(node, 30)
    assert watcher.departed == []
    tired.tired = True
    began = node.space.tick
    ticks(node, KEEP_S - 1)
    assert node.space.find("a.t")
    ticks(node, 1)
    assert not node.space.find("a.t")
    assert tired.left_at == began + KEEP_S
    assert watcher.departed == ["a.t"]
    assert node.engine.agents() == [watcher]
    assert tired.ages[-1] == 1
    node.engine.remove(watcher)
    node.engine.react()
    assert_as_new(node.space)


def test_an_agent_is_told_each_tick_how_long_it_has_left():
    node = Node("a")
    tired = node.add(Tired("a.t"))
    ticks(node, 2 * KEEP_S)
    renewed_at = KEEP_S // 2 - 1  # well before it would lapse, and not at every tick
    first_life = list(range(KEEP_S - 1, renewed_at - 1, -1))
    assert tired.ages[: len(first_life)] == first_life
    assert tired.ages[len(first_life)] == KEEP_S - 1
    assert min(tired.ages) == renewed_at
    tired.tired = True
    ticks(node, renewed_at + 2)
    assert tired.ages[-1] < renewed_at


def test_a_node_that_falls_silent_loses_all_its_lsas_everywhere():
    grid = Grid({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    watchers = [grid[name].add(Watcher(name + ".w", "L")) for name in "bc"]
    for i in range(3):
        grid["a"].add(Watcher(f"a.t{i}")).submit("L", b"1")
    grid.settle()
    for _ in range(40):
        grid.tick()
    assert grid["c"].value("a.t1", "L") == b"1"
    grid.nodes.pop("a")  # the power is cut
    for second in range(1, LIFE_S + 1):
        assert grid["c"].value("a.t1", "L") == b"1", second
        grid.tick(silent=("a",))
    for watcher in watchers:
        assert sorted(watcher.departed) == ["a.t0", "a.t1", "a.t2"]
    for name in "bc":
        node = grid[name]
        node.engine.remove(node.engine.agents()[0])
    grid.settle()
    for name in "bc":
        assert grid[name].space.known_origins() == 0
        assert_as_new(grid[name].space, neighbours=len(grid[name].engine.courier.space.nodes) - 2)


def test_a_forwarded_lsa_lives_no_longer_than_its_origin_is_heard():
    grid = Grid({"a": ["b"], "b": ["c"], "c": []})
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid["a"].engine.react()
    grid.carry()
    for _ in range(5):
        grid["b"].engine.tick()  # b holds it back for five seconds
    grid["b"].engine.react()
    grid.carry()
    space = grid["c"].space
    assert space.life_s(space.slot_of_name("a.t")) == KEEP_S - 5


def test_a_claim_to_live_for_an_hour_is_not_believed():
    node = Node("a", ["b"])
    absorb(node.space, remote(life_s=3600), "b")
    ticks(node, LIFE_S - 1)
    assert node.space.find("b.t")
    ticks(node, 1)
    assert not node.space.find("b.t")


def test_a_copy_of_a_property_expires_by_itself():
    grid = Grid({"a": ["b"], "b": []})
    watcher = grid["b"].add(Watcher("b.w", "L"))
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", 4)
    grid.settle()
    carried = len(grid.crossed)
    grid.lose = lambda source, target, lsa: True
    for _ in range(4):
        assert grid["b"].value("a.t", "L") == b"1"
        grid.tick()
    assert grid["b"].value("a.t", "L") is None
    assert watcher.told == [("a.t", b"1"), ("a.t", None)]
    assert len(grid.crossed) == carried


def test_what_is_left_when_a_property_expires_is_a_new_version():
    grid = Grid({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    agent = grid["a"].add(Watcher("a.t"))
    agent.submit("L", b"1", "", 4)
    agent.submit("M", b"2")
    grid.settle()
    held = grid["b"].space
    slot = held.slot_of_name("a.t")
    before = held.lsa_version[slot]
    grid.lose = lambda source, target, lsa: True
    for _ in range(4):
        grid.tick()
    assert held.lsa_lapsed[slot]  # b cannot show that version to anybody else
    held.dirty.push(slot)
    held.lsa_sent[slot] = 0
    grid["b"].engine.react()
    assert grid["b"].wire.waiting == []
    grid.lose = None
    agent.submit("M", b"3")
    grid.settle()
    assert not held.lsa_lapsed[slot]
    assert held.lsa_version[slot] > before
    assert grid["c"].value("a.t", "M") == b"3"


def test_decay_costs_what_expires():
    """The wheel is asked once a tick, however much there is."""
    node = Node("a", limits=small(lsas=100, properties=1000, names=300, labels=12, heap_bytes=64 * 1000))
    for i in range(100):
        handle = node.space.inject(f"a.t{i}")
        for k in range(10):
            node.space.put(handle, f"L{k}", "", b"1", 50 + k)
    node.engine.react()
    asked = []
    pop = node.space.p_wheel.pop
    node.space.p_wheel.pop = lambda tick: asked.append(tick) or pop(tick)
    ticks(node, 40)
    assert len(asked) == 40
