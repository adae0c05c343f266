"""What leaves a node: each thing is encoded once, however many neighbours get it."""

from edge.net.frame import decode
from edge.net.gateway import Gateway
from edge.space.agent import Agent
from edge.space.engine import Engine
from edge.space.tuplespace import Limits, TupleSpace


class Sent:
    """Links that keep the last frame to each neighbour."""

    neighbours = ("b", "c", "d")

    def __init__(self):
        self.frames = {}

    def send(self, peer, frame):
        self.frames[peer] = frame
        return True


def test_one_frame_serves_all_neighbours_that_are_told_the_same():
    links = Sent()
    space = TupleSpace("a", Limits(lsas=64))
    gateway = Gateway(space, links)
    engine = Engine(space, gateway.outbox)
    agent = Agent("a.t")
    engine.add(agent)
    agent.submit("L", b"1")
    gateway.outbox.ask_roster("d", "b")  # who is also asked for something gets another frame
    engine.react()
    gateway.flush()
    assert links.frames["b"] is links.frames["c"]
    told, asked = decode(links.frames["b"]), decode(links.frames["d"])
    assert [lsa.name for lsa in told.lsas] == [lsa.name for lsa in asked.lsas] == ["a.t"]
    assert told.pulses == asked.pulses != []
    assert (told.ask_roster, asked.ask_roster) == ([], ["b"])
