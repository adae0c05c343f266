"""Four virtual nodes in a chain, for the tests of this folder."""

from host_tools.invariants import broken
from host_tools.world import chain

NAMES = ["n1", "n2", "n3", "n4"]


def build(world, twins_of):
    """Boot the chain; `twins_of(name)` are the `[[twin]]` tables of a node."""
    for name, neighbours in chain(NAMES).items():
        world.add(name, neighbours, twins_of(name))
    return world.boot()


def checked(world):
    """What looks at all invariants after each event."""

    def each():
        found = broken(world)
        assert not found, (world.clock.now_s(), found)

    return each
