"""Fleets whose nodes have keys, and what a neighbour may send them."""

from fleet import Fleet

from edge.net.frame import Frame, encode
from edge.space.exchange import export
from edge.trust.keyring import Keyring
from host_tools.world import Members

LINE = {"a": ["b"], "b": ["a", "c"], "c": ["b"]}


class HandClock:
    def wall_s(self):
        return 1_700_000_000.0

    now_s = wall_s


class Village:
    """An authority, and the keyrings that it has made."""

    def __init__(self):
        self.members = Members(HandClock(), nodes=16)

    def __call__(self, name) -> Keyring:
        return self.members.trust(name, HandClock())


def signed(shape=LINE, limits=None):
    fleet = Fleet(shape, limits, Village())
    for name in shape:
        fleet[name].show(f"{name}.t", name.encode())
    fleet.run(7)
    return fleet


def refused(node, reason):
    return sum(reasons.get(reason, 0) for reasons in node.gateway.stats()["refusals"].values())


def send(node, peer, **parts):
    node.gateway.receive(peer, encode(Frame(**parts)))


def record(fleet, name, sender="b"):
    """The LSA of a node as another passes it on."""
    space = fleet[sender].space
    return export(space, space.slot_of_name(name))
