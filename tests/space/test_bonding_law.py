"""Bonding: an agent is notified once of each new version of what it wants."""

from check import Node, Watcher, assert_as_new, small

from edge.space.exchange import absorb
from edge.space.lsa import HERE, Lsa, Property
from edge.space.tuplespace import SELF


def pair():
    node = Node("a")
    return node, node.add(Watcher("a.w", "L")), node.add(Watcher("a.t"))


def test_once_for_each_version():
    node, watcher, agent = pair()
    agent.submit("L", b"1")
    node.engine.react()
    node.engine.react()
    node.engine.tick()
    node.engine.react()
    assert watcher.take_told() == [("a.t", b"1")]
    agent.submit("L", b"1")
    node.engine.react()
    assert watcher.take_told() == []
    agent.submit("L", b"2")
    agent.submit("L", b"3")  # what was overtaken before the reaction is never seen
    node.engine.react()
    assert watcher.take_told() == [("a.t", b"3")]
    assert watcher.versions == sorted(set(watcher.versions))


def test_only_wanted_properties_and_never_its_own():
    node, watcher, agent = pair()
    agent.submit("M", b"1")
    watcher.submit("L", b"own")
    node.engine.react()
    assert watcher.told == []


def test_an_addressed_property_reaches_only_its_addressee():
    node, watcher, agent = pair()
    other = node.add(Watcher("a.o", "L"))
    deaf = node.add(Watcher("a.d", "M"))
    agent.submit("L", b"for w", "a.w")
    agent.submit("L", b"for d", "a.d")
    agent.submit("L", b"for nobody", "a.nobody")
    node.engine.react()
    assert watcher.told == [("a.t", b"for w")]
    assert other.told == []
    assert deaf.told == []
    agent.withdraw("L", "a.w")
    node.engine.react()
    assert watcher.told == [("a.t", b"for w"), ("a.t", None)]
    assert other.told == []


def test_an_addressee_of_another_node_is_not_told_here():
    node, _, agent = pair()
    absorb(node.space, Lsa("b.t", "", b"", "b", 1, 1, 13, ["b"], [], []), "b")
    agent.submit("L", b"1", "b.t")
    node.engine.react()
    assert node.engine.faults == 0


def test_a_withdrawal_names_the_agent_that_withdrew():
    node, watcher, agent = pair()
    agent.submit("L", b"1")
    node.engine.react()
    agent.withdraw("L")
    node.engine.react()
    assert watcher.told == [("a.t", b"1"), ("a.t", None)]


def test_a_property_never_announced_is_not_withdrawn_either():
    node, watcher, agent = pair()
    agent.submit("L", b"1")
    agent.withdraw("L")
    node.engine.react()
    assert watcher.told == []
    assert node.space.properties_free == node.space.limits.properties
    agent.submit("L", b"2")
    node.engine.react()
    agent.submit("L", b"3")
    agent.withdraw("L")
    node.engine.react()
    assert watcher.take_told() == [("a.t", b"2"), ("a.t", None)]
    agent.submit("L", b"4")  # in the same slot
    agent.withdraw("L")
    node.engine.react()
    assert watcher.told == []


def test_a_departure_is_announced_before_the_properties_of_a_successor_with_that_name():
    node = Node("a")
    log = []

    class Diary(Watcher):
        def bonded(self, bond):
            log.append((bond.name, bond.value()))

        def decayed(self, name, life_s):
            log.append((name, life_s))

    node.add(Diary("a.w", "L"))
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"old")
    node.engine.react()
    node.engine.remove(agent)
    node.add(agent)
    agent.submit("L", b"new")
    node.engine.react()
    assert log == [("a.t", b"old"), ("a.t", 0), ("a.t", b"new")]


def test_a_departure_is_announced_once_and_only_to_agents_that_wanted_something_of_it():
    node = Node("a")
    both = node.add(Watcher("a.both", "L", "M"))
    none = node.add(Watcher("a.none", "X"))
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1")
    agent.submit("M", b"1")
    node.engine.react()
    both.take_told()
    node.engine.remove(agent)
    node.engine.react()
    node.engine.react()
    assert both.departed == ["a.t"]
    assert both.told == []
    assert none.departed == []


def test_a_property_never_announced_is_not_announced_after_its_lsa_left():
    node, watcher, agent = pair()
    agent.submit("L", b"1")
    node.engine.remove(agent)
    node.engine.react()
    assert watcher.told == []
    assert watcher.departed == ["a.t"]


def test_a_late_joiner_sees_each_existing_property_once():
    node = Node("a")
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"old")
    agent.submit("L", b"for late", "a.late")
    agent.submit("L", b"for other", "a.other")
    node.engine.react()
    agent.submit("M", b"new")  # not told of yet: the reaction will
    late = node.add(Watcher("a.late", "L", "M", "L"))
    node.engine.react()
    assert sorted(late.told) == [("a.t", b"for late"), ("a.t", b"new"), ("a.t", b"old")]
    assert late.acts == 1


def test_a_late_joiner_sees_lsas_of_other_nodes_too():
    node = Node("a", ["b"])
    absorb(node.space, Lsa("b.t", "", b"", "b", 1, 4, 13, ["b"], [], [Property("L", "", 4, 0, b"1")]), "b")
    node.engine.react()
    late = node.add(Watcher("a.late", "L"))
    assert late.told == [("b.t", b"1")]


class Reader(Watcher):
    """Reads bonds through a parser that counts."""

    parsed = []

    def bonded(self, bond):
        self.told.append((bond.name, bond.label, bond.origin, bond.hops, bond.withdrawn, bond.read(parse)))


def parse(bond):
    value = bond.value()
    Reader.parsed.append(value)
    return value.decode() if value else None


def test_a_bond_has_agent_label_and_origin_and_is_parsed_once_for_all():
    Reader.parsed = []
    node = Node("a", ["b"])
    readers = [node.add(Reader(f"a.r{i}", "L")) for i in range(3)]
    record = Lsa("b.t", "", b"", "b", 1, 4, 13, ["c", "b"], [], [Property("L", "", 4, 0, b"1")])
    absorb(node.space, record, "c")
    node.engine.react()
    for reader in readers:
        assert reader.told == [("b.t", "L", "b", 2, False, "1")]
    assert Reader.parsed == [b"1"]


def test_a_parsed_value_is_never_that_of_the_previous_lsa_in_the_slot():
    node = Node("a", ["b", "c"])
    reader = node.add(Reader("a.r", "L"))
    for origin in ("b", "c"):  # same slot, same version, other agent
        record = Lsa(
            origin + ".t", "", b"", origin, 1, 7, 13, [origin], [], [Property("L", "", 7, 0, origin.encode())]
        )
        absorb(node.space, record, origin)
        node.engine.react()
        node.space.remove(node.space.find(origin + ".t"), quiet=True)
        node.engine.react()
    assert [each[-1] for each in reader.told] == ["b", "c"]
    late = node.add(Reader("a.late", "L"))
    assert late.told == []


def test_local_values_are_parsed_again_when_they_change():
    node = Node("a")
    reader = node.add(Reader("a.r", "L"))
    agent = node.add(Watcher("a.t"))
    for value in (b"1", b"2", b"3"):
        agent.submit("L", value, "", 0, HERE)
        node.engine.react()
    assert [each[-1] for each in reader.told] == ["1", "2", "3"]


class Leaver(Watcher):
    """Removes or adds another agent while the engine notifies observers."""

    def __init__(self, name, node, then):
        super().__init__(name, "L")
        self.node = node
        self.then = then

    def bonded(self, bond):
        super().bonded(bond)
        then, self.then = self.then, None
        if then:
            then(self)


def test_an_agent_that_leaves_during_notification_hides_nothing_from_others():
    node = Node("a")
    node.add(Leaver("a.1", node, node.engine.remove))
    second = node.add(Watcher("a.2", "L"))
    node.add(Watcher("a.t")).submit("L", b"1")
    node.engine.react()
    assert second.told == [("a.t", b"1")]
    assert node.engine.faults == 0


def test_an_agent_removed_during_notification_is_notified_no_more():
    node = Node("a")
    leaver = node.add(Leaver("a.1", node, lambda _: node.engine.remove(second)))
    second = node.add(Watcher("a.2", "L"))
    node.add(Watcher("a.t")).submit("L", b"1")
    node.engine.react()
    assert leaver.told == [("a.t", b"1")]
    assert second.told == []
    assert node.engine.faults == 0


def test_an_agent_added_during_notification_is_notified_once():
    node = Node("a")
    new = Watcher("a.new", "L")
    node.add(Leaver("a.1", node, lambda _: node.engine.add(new)))
    node.add(Watcher("a.t")).submit("L", b"1")
    node.engine.react()
    assert new.told == [("a.t", b"1")]


def test_observers_are_found_by_label():
    """Bonding never walks the space: a change costs what its label's observers cost."""
    node = Node("a", limits=small(lsas=60, names=100))
    others = [node.add(Watcher(f"a.o{i}", "M")) for i in range(50)]
    watcher = node.add(Watcher("a.w", "L"))
    agent = node.add(Watcher("a.t"))
    agent.submit("L", b"1")
    notified = []
    notify = node.engine.notify
    node.engine.notify = lambda agent, p: notified.append(agent) or notify(agent, p)
    node.engine.react()
    assert notified == [watcher]
    assert not any(each.told for each in others)


def test_observing_twice_costs_one_label():
    node = Node("a")
    watcher = node.add(Watcher("a.w", "L", "L"))
    assert not node.space.observe("L", watcher)
    assert node.space.observe("M", watcher)
    assert len(node.space.labels) == 3
    node.engine.remove(watcher)
    node.engine.react()
    assert_as_new(node.space)
    assert node.space.origins.first[SELF] == 0xFFFF
