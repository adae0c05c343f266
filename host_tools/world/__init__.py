"""A whole microgrid in one process: the code of the real node under a virtual clock, with simulated links."""

from .clock import LocalClock, VirtualClock
from .links import LinkQuality, MemoryNetwork
from .members import Members
from .meters import HandMeters
from .node import WorldNode
from .world import World, chain

__all__ = [
    "HandMeters",
    "LinkQuality",
    "LocalClock",
    "Members",
    "MemoryNetwork",
    "VirtualClock",
    "World",
    "WorldNode",
    "chain",
]
