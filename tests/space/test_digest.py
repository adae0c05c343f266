"""Heartbeats and the digest between kernels alone, without frames or links: lost messages are repaired."""

from check import Watcher, assert_digests_right, small

from edge.space.courier import Beat, Courier, Roster
from edge.space.digest import BEAT_S, Digest
from edge.space.engine import Engine
from edge.space.exchange import absorb, export
from edge.space.origins import LIFE_S, checksum
from edge.space.tuplespace import SELF, TupleSpace

EMPTY = checksum([])
REPAIRED_S = BEAT_S + 1  # a heartbeat, and the tick that sends it
PAIR = {"a": ["b"], "b": ["a"]}
CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}


class Post(Courier):
    """Keeps messages (receiver, kind, content) until the town delivers them."""

    def __init__(self, space):
        self.space = space
        self.waiting = []

    def send_lsa(self, slot, nodes, base=0):
        for peer in self.space.neighbours:
            if nodes & self.space.node_bit(peer):
                self.waiting.append((peer, "lsa", export(self.space, slot)))

    def send_beat(self, peer, beat):
        self.waiting.append((peer, "beat", beat))

    def ask_roster(self, peer, origin):
        self.waiting.append((peer, "ask_roster", origin))

    def send_roster(self, peer, roster):
        self.waiting.append((peer, "roster", roster))

    def ask_lsas(self, peer, names):
        self.waiting.append((peer, "ask_lsas", names))


class House:
    """A node of the kernel alone: space, laws and digest."""

    def __init__(self, name, neighbours, incarnation=1):
        self.name = name
        self.space = TupleSpace(name, small(), incarnation)
        self.space.set_neighbours(neighbours)
        self.post = Post(self.space)
        self.engine = Engine(self.space, self.post)
        self.digest = Digest(self.space, self.post)

    def show(self, name, value):
        agent = Watcher(name)
        self.engine.add(agent)
        agent.submit("L", value)
        return agent

    def receive(self, peer, kind, content):
        if kind == "lsa":
            absorb(self.space, content, peer)
        elif kind == "beat":
            self.digest.heard(peer, content)
        elif kind == "ask_roster":
            self.digest.answer_roster(peer, content)
        elif kind == "roster":
            self.digest.compare(peer, content)
        else:
            self.digest.answer_lsas(peer, content)

    def value(self, name):
        handle = self.space.find(name)
        return self.space.read(handle, "L") if handle else None

    def sent(self, kind):
        """The messages of one kind that wait: (receiver, content)."""
        return [(to, content) for to, each, content in self.post.waiting if each == kind]


class Town:
    """Some houses; `lose` may drop messages."""

    def __init__(self, shape):
        self.shape = shape
        self.houses = {name: House(name, shape[name]) for name in sorted(shape)}
        self.lose = None
        self.delivered = []  # (sender, receiver, kind)

    def __getitem__(self, name):
        return self.houses[name]

    def settle(self):
        for _ in range(100):
            moved = False
            for house in list(self.houses.values()):
                if house.engine.stirred:
                    house.engine.react()
                waiting, house.post.waiting = house.post.waiting, []
                for to, kind, content in waiting:
                    moved = True
                    if to in self.houses and not (self.lose and self.lose(house.name, to, kind)):
                        self.delivered.append((house.name, to, kind))
                        self.houses[to].receive(house.name, kind, content)
            if not moved:
                return
        raise AssertionError("messages never stop")

    def run(self, seconds=1):
        for _ in range(seconds):
            for house in list(self.houses.values()):
                house.engine.tick()
                house.digest.tick()
                self.settle()

    def seconds_until(self, condition, at_most=60):
        for second in range(at_most):
            if condition():
                return second
            self.run()
        return at_most

    def restart(self, name, incarnation=1):
        self.houses[name] = House(name, self.shape[name], incarnation)
        return self.houses[name]


def test_heartbeats_flood_and_carry_distances():
    town = Town(CHAIN)
    town.run(BEAT_S + 1)
    assert town["a"].space.distances() == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert town["c"].space.distances() == {"c": 0, "a": 2, "b": 1, "d": 1}


def test_only_heartbeats_cross_a_quiet_link():
    town = Town(CHAIN)
    town["a"].show("a.t", b"1")
    town.run(2 * BEAT_S)
    town.delivered.clear()
    town.run(10 * BEAT_S)
    assert {kind for _, _, kind in town.delivered} == {"beat"}
    assert len([each for each in town.delivered if each[:2] == ("a", "b")]) == 10  # its own
    assert len([each for each in town.delivered if each[:2] == ("b", "a")]) == 30  # one of each other node


def test_a_lost_change_is_repaired_within_a_heartbeat():
    town = Town(CHAIN)
    agent = town["a"].show("a.t", b"1")
    town.run(BEAT_S + 2)
    town.lose = lambda sender, receiver, kind: kind == "lsa" and receiver == "c"
    agent.submit("L", b"2")
    town.settle()
    assert (town["b"].value("a.t"), town["c"].value("a.t")) == (b"2", b"1")
    town.lose = None
    assert town.seconds_until(lambda: town["d"].value("a.t") == b"2") <= REPAIRED_S
    for house in town.houses.values():
        assert_digests_right(house.space)


def test_an_lsa_whose_departure_was_lost_leaves():
    town = Town(CHAIN)
    agent = town["a"].show("a.t", b"1")
    town["a"].show("a.stays", b"1")
    town.run(BEAT_S + 2)
    town.lose = lambda sender, receiver, kind: kind == "lsa"
    town["a"].engine.remove(agent)
    town.settle()
    assert town["b"].value("a.t") == b"1"
    town.lose = None
    gone = lambda: not any(house.space.find("a.t") for house in town.houses.values())  # noqa: E731
    assert town.seconds_until(gone) <= REPAIRED_S
    assert town["d"].value("a.stays") == b"1"


def test_each_lost_question_and_answer_is_repeated():
    for lost in ("ask_roster", "roster", "ask_lsas", "lsa"):
        town = Town(PAIR)
        agent = town["a"].show("a.t", b"1")
        town.run(BEAT_S + 2)
        town.lose = lambda sender, receiver, kind: kind == "lsa"
        agent.submit("L", b"2")
        town.settle()
        losses = []

        def lose_first(sender, receiver, kind, lost=lost, losses=losses):
            if kind == lost and not losses:
                losses.append(kind)
                return True
            return False

        town.lose = lose_first
        assert town.seconds_until(lambda losses=losses: bool(losses)) <= REPAIRED_S
        assert town["b"].value("a.t") == b"1"
        assert town.seconds_until(lambda town=town: town["b"].value("a.t") == b"2") <= REPAIRED_S


def test_a_node_that_falls_silent_is_forgotten_everywhere():
    town = Town(CHAIN)
    town["a"].show("a.t", b"1")
    town.run(3 * BEAT_S)
    del town.houses["a"]
    gone = lambda: all("a" not in each.space.distances() for each in town.houses.values())  # noqa: E731
    assert BEAT_S < town.seconds_until(gone) <= LIFE_S + 2
    assert not town["d"].space.find("a.t")


def test_a_node_restarted_without_its_memory_is_reminded_of_its_incarnation():
    town = Town(CHAIN)
    town["a"].show("a.old", b"1")
    town.run(2 * BEAT_S)
    town.restart("a").show("a.new", b"2")
    done = lambda: town["d"].value("a.new") == b"2" and not town["d"].space.find("a.old")  # noqa: E731
    assert town.seconds_until(done) <= 2 * REPAIRED_S
    assert town["a"].space.origins.incarnation[SELF] == 2


def test_a_neighbour_whose_link_came_up_is_told_about_all_origins():
    town = Town(CHAIN)
    town["a"].show("a.t", b"1")
    town.run(2 * BEAT_S)
    town.restart("d", 2)
    town["c"].digest.introduce("d")
    town.settle()
    assert town["d"].value("a.t") == b"1"
    assert town["d"].space.distances() == {"d": 0, "a": 3, "b": 2, "c": 1}
    town["c"].digest.introduce("stranger")
    assert town["c"].post.waiting == []


def test_a_stranger_is_heard_but_gets_no_answer():
    house = House("b", ["a"])
    house.show("b.t", b"1")
    house.engine.react()
    house.post.waiting.clear()
    house.digest.heard("x", Beat("x", 1, 4, 4, 0, 13, 9, b"9" * 16))
    house.digest.answer_roster("x", "b")
    house.digest.answer_lsas("x", ["b.t"])
    assert house.space.distances() == {"b": 0, "x": 1}
    assert [(to, beat.origin, beat.hops) for to, beat in house.sent("beat")] == [("a", "x", 1)]
    assert len(house.post.waiting) == 1


def test_a_neighbour_gets_each_lsa_it_asks_for_once():
    house = House("b", ["a", "c"])
    house.show("b.t", b"1")
    house.engine.react()
    house.post.waiting.clear()
    house.digest.answer_lsas("a", ["b.t", "no.such", "b.t"])
    assert [(to, lsa.name) for to, lsa in house.sent("lsa")] == [("a", "b.t")]


def test_only_a_roster_that_its_origin_announced_removes():
    town = Town({"a": ["b"], "b": ["a", "c"], "c": ["b"]})
    town["a"].show("a.t", b"1")
    town.run(BEAT_S + 2)
    for peer in ("c", "a"):  # either may lack it itself, or lie
        town["b"].receive(peer, "roster", Roster("a", 1, 10_000, []))
        assert town["b"].value("a.t") == b"1"
    town["b"].digest.heard("c", Beat("a", 1, 10_000, 10_000, 1, 13, 0, EMPTY))
    town["b"].receive("c", "roster", Roster("a", 1, 10_000, [("a.other", 3)]))
    assert town["b"].value("a.t") == b"1"
    town["b"].receive("c", "roster", Roster("a", 1, 10_000, []))
    assert not town["b"].space.find("a.t")


def test_origins_without_room_are_counted():
    house = House("b", ["a"])
    for i in range(10):
        house.digest.heard("a", Beat(f"n{i}", 1, 1, 1, 1, 13, 0, EMPTY))
    assert len(house.space.distances()) + house.digest.no_room == 11
    assert house.digest.no_room > 0


def test_a_heartbeat_due_soon_leaves_early():
    house = House("a", ["b"])
    house.digest.tick()
    assert len(house.sent("beat")) == 1
    house.post.waiting.clear()
    for early in (0, 0, 0, 1):
        house.digest.beat_early()
        assert len(house.sent("beat")) == early
        house.engine.tick()
        house.post.waiting.clear()
