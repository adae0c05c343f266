"""The law engine: rounds, faults and custom laws."""

from check import Node, Watcher, small

from edge.space.courier import Courier
from edge.space.engine import MAX_ROUNDS, Engine
from edge.space.laws import Law, standard_laws
from edge.space.tuplespace import TupleSpace


class Chatty(Watcher):
    """Answers every change of the other with one of its own."""

    count = 0

    def bonded(self, bond):
        self.count += 1

    def act(self):
        if self.count:
            self.submit("L", b"%d" % self.count)


def test_a_reaction_ends_even_if_agents_never_finish():
    node = Node("a")
    one, two = node.add(Chatty("a.1", "L")), node.add(Chatty("a.2", "L"))
    one.submit("L", b"go")
    node.engine.react()
    assert MAX_ROUNDS // 2 <= two.count <= MAX_ROUNDS
    assert node.engine.stirred  # the rest waits for the next reaction
    before = two.count
    node.engine.react()
    assert two.count > before
    assert node.engine.reactions == 2


def test_a_chain_of_answers_closes_in_one_reaction():
    node = Node("a")

    class Link(Watcher):
        def act(self):
            if self.told:
                self.submit(f"L{int(self.wants[0][1:]) + 1}", self.told[-1][1] + b"!")

    for i in range(5):
        node.add(Link(f"a.{i}", f"L{i}"))
    end = node.add(Watcher("a.end", "L5"))
    node.space.put(node.space.inject("a.start"), "L0", "", b"x")
    node.engine.react()
    assert end.told == [("a.4", b"x!!!!!")]
    assert not node.engine.stirred


def test_an_agent_does_not_act_on_what_does_not_concern_it():
    node = Node("a")
    acted = []

    class Choosy(Watcher):
        def bonded(self, bond):
            return bond.value() == b"for me"

        def act(self):
            acted.append(self.name)

    node.add(Choosy("a.w", "L"))
    node.engine.react()
    acted.clear()
    other = node.add(Watcher("a.t"))
    other.submit("L", b"for another")
    node.engine.react()
    assert acted == []
    other.submit("L", b"for me")
    node.engine.react()
    assert acted == ["a.w"]


def test_an_agent_acts_once_a_round_however_often_it_is_notified():
    node = Node("a", limits=small(lsas=30, names=60))
    watcher = node.add(Watcher("a.w", "L"))
    for i in range(20):
        node.space.put(node.space.inject(f"a.t{i}"), "L", "", b"1")
    node.engine.react()
    assert len(watcher.told) == 20
    assert watcher.acts == 1


class Faulty(Watcher):
    """Raises wherever it is called."""

    def bonded(self, bond):
        raise ValueError("bonded")

    def decayed(self, name, life_s):
        raise KeyError("decayed")

    def spread(self, version):
        raise RuntimeError("spread")

    def aggregated(self, label):
        raise OSError("aggregated")

    def act(self):
        raise ZeroDivisionError("act")

    def left(self):
        super().left()
        raise IndexError("left")


def test_a_faulty_agent_stops_neither_the_engine_nor_the_others():
    node = Node("a", ["b"])
    faulty = node.add(Faulty("a.1", "L"))
    watcher = node.add(Watcher("a.2", "L"))
    agent = node.add(Watcher("a.3"))
    agent.submit("L", b"1")
    faulty.submit("M", b"1")
    node.engine.react()
    assert node.engine.faults == 3  # bonded, act, spread
    assert "a.1" in node.engine.last_fault
    for _ in range(3):
        node.engine.tick()
        node.engine.react()
    node.engine.remove(agent)
    node.engine.react()
    assert watcher.told == [("a.3", b"1")]
    assert watcher.departed == ["a.3"]
    assert watcher.acts >= 4
    assert node.space.find("a.1")
    for _ in range(10):  # as its notification fails it never renews
        node.engine.tick()
        node.engine.react()
    assert not node.space.find("a.1")
    assert node.engine.agents() == [watcher]
    assert "left" in node.engine.last_fault


def test_a_custom_law_sees_ticks_rounds_and_ends():
    class Census(Law):
        """Counts what happens."""

        def __init__(self):
            self.seen = []

        def tick(self, engine):
            self.seen.append("tick")

        def react(self, engine):
            self.seen.append("react")

        def settle(self, engine):
            self.seen.append("settle")

    census = Census()
    engine = Engine(TupleSpace("a", small()), None, standard_laws() + [census])  # noqa: RUF005
    watcher = Watcher("a.w", "L")
    engine.add(watcher)
    engine.space.put(engine.space.inject("a.t"), "L", "", b"1")
    engine.tick()
    engine.react()
    assert census.seen == ["tick", "react", "react", "settle"]
    assert watcher.told == [("a.t", b"1")]


def test_a_law_may_transform_the_space():
    class Echo(Law):
        """In every reaction a.echo repeats the value of a.t."""

        def react(self, engine):
            value = engine.space.read(engine.space.find("a.t"), "L")
            engine.space.put(engine.space.find("a.echo"), "L", "", value + b"!")

    engine = Engine(TupleSpace("a", small()), Courier(), [Echo()] + standard_laws())  # noqa: RUF005
    watcher = Watcher("a.w", "L")
    engine.add(watcher)
    engine.space.inject("a.echo")
    engine.space.put(engine.space.inject("a.t"), "L", "", b"1")
    engine.react()
    assert sorted(watcher.told) == [("a.echo", b"1!"), ("a.t", b"1")]


def test_an_engine_reports_when_it_has_nothing_to_do():
    node = Node("a")
    assert not node.engine.stirred
    agent = node.add(Watcher("a.t"))
    assert not node.engine.stirred
    agent.submit("L", b"1")
    assert node.engine.stirred
    node.engine.react()
    assert not node.engine.stirred
    node.engine.tick()
    assert node.engine.stirred  # every agent acts once a second
    node.engine.react()
    assert not node.engine.stirred
    node.engine.remove(agent)
    assert node.engine.stirred


def test_an_agent_that_leaves_before_its_turn_does_not_act():
    node = Node("a")

    class Remover(Watcher):
        def act(self):
            super().act()
            node.engine.remove(victim)

    victim = node.add(Watcher("a.1"))
    node.add(Remover("a.2"))  # who came last is first
    node.engine.tick()
    node.engine.react()
    assert victim.acts == 0
    assert node.engine.faults == 0
