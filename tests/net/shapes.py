"""Shapes of small microgrids, and helpers of the tests of gateways."""

from bad_frames import check

from edge.net.frame import Frame, encode
from edge.net.pulse import Pulse
from edge.net.schema import Statement
from edge.space.digest import BEAT_S
from edge.space.lsa import Lsa, Property

HEAL_S = BEAT_S + 1  # a beat, and the tick that sends it
PAIR = {"a": ["b"], "b": ["a"]}
CHAIN = {"a": ["b"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c"]}
RING = {"a": ["b", "e"], "b": ["a", "c"], "c": ["b", "d"], "d": ["c", "e"], "e": ["d", "a"]}
SHAPES = {"pair": PAIR, "chain": CHAIN, "ring": RING}


def lsa(name="a.t", version=1, value=b"1", **fields):
    """An LSA as its origin sends it."""
    record = Lsa(
        name, "", b"", name[0], 1, version, 13, [name[0]], [], [Property("L", "", version, 0, value)]
    )
    for field, each in fields.items():
        setattr(record, field, each)
    return record


def consistent(fleet):
    """Whether every node holds the same."""
    views = [node.holds() for node in fleet.nodes.values()]
    return all(view == views[0] for view in views)


def lose_once(fleet, matches):
    """Drop the first frame that matches; the list returned then holds it."""
    lost = []

    def lose(sender, receiver, frame):
        if not lost and matches(sender, receiver, frame):
            lost.append(frame)
            return True
        return False

    fleet.lose = lose
    return lost


def beats(*those):
    """The statements and pulses of some heartbeats, each with a statement of its own."""
    frame = Frame()
    for beat in those:
        said = (beat.origin, beat.incarnation, beat.sequence, beat.lsas, beat.checksum)
        frame.statements.append(Statement(*said, beat.number % 64, beat.number, b"", b""))
        link = check(frame.statements[-1])
        pulse = Pulse(beat.origin, beat.number % 64, 0, beat.hops, beat.life_s, link)
        frame.pulses.append(pulse)
    return frame


def receive(node, peer, *lsas, **parts):
    """A frame arrives; `heard` are heartbeats in it."""
    frame = beats(*parts.pop("heard", ()))
    for name, part in parts.items():
        setattr(frame, name, part)
    frame.lsas = list(lsas)
    node.gateway.receive(peer, encode(frame))
