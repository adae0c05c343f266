"""The meters of a node, as the node sees them: readings come out, switching goes in."""

from collections.abc import Sequence
from typing import Protocol

from .bus import MeterBus
from .reading import Deliver


class Meters(Protocol):
    """What is handed to a node: serial meters on a real one, replayed or computed ones in a simulation."""

    def start(self, deliver: Deliver) -> None:
        """Begin; `deliver` may be called from any thread."""

    def stop(self) -> None:
        """End; nothing is delivered afterwards."""

    def switch(self, relay: str, on: bool) -> None:
        """Ask for a relay's state without waiting; raises KeyError for a relay there is none of."""

    def stats(self) -> list[dict[str, object]]:
        """Counters and relay states, for people and for supervision."""


class SerialMeters:
    """The buses of one node."""

    def __init__(self, buses: Sequence[MeterBus]) -> None:
        """Raises ValueError if two devices share a name, since readings and `switch` go by name."""
        names = [name for bus in buses for name in bus.devices]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two devices named {name!r}")
        self._buses = buses
        self._bus_of = {relay: bus for bus in buses for relay in bus.relays}

    def start(self, deliver: Deliver) -> None:
        for bus in self._buses:
            bus.deliver = deliver
            bus.start()

    def stop(self) -> None:
        """Returns within 2 s: the buses end side by side."""
        for bus in self._buses:
            bus.stop_soon()
        for bus in self._buses:
            bus.stop()

    def switch(self, relay: str, on: bool) -> None:
        self._bus_of[relay].switch(relay, on)

    def stats(self) -> list[dict[str, object]]:
        return [bus.stats() for bus in self._buses]
