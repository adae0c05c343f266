"""The meters of a node as the node sees them: it receives readings and switches relays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from .bus import MeterBus
from .reading import Deliver

if TYPE_CHECKING:
    from .contacts import Contacts


class Meters(Protocol):
    """The meters given to a node: serial ones on a real node, replayed or computed ones in a simulation."""

    def start(self, deliver: Deliver) -> None:
        """Start reading; `deliver` may be called from any thread."""

    def stop(self) -> None:
        """Stop; nothing is delivered afterwards."""

    def switch(self, relay: str, on: bool) -> None:
        """Request a relay's state without waiting for it. Raises KeyError for an unknown relay."""

    def steer(self, meter: str, power_w: float | None) -> None:
        """Ask a battery for a power without waiting for it; KeyError for a meter that takes no orders."""

    def stats(self) -> list[dict[str, object]]:
        """Counters and relay states, for display and monitoring."""


class SerialMeters:
    """The buses of one node."""

    def __init__(self, buses: Sequence[MeterBus], contacts: Sequence["Contacts"] = ()) -> None:
        """Raises ValueError if two devices have the same name; readings and `switch` use names."""
        self._contacts = contacts
        names = [name for bus in buses for name in bus.devices]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"duplicate device name {name!r}")
        self._buses = buses
        self._bus_of = {relay: bus for bus in buses for relay in bus.relays}
        self._bus_of_battery = {meter: bus for bus in buses for meter in bus.batteries}

    def start(self, deliver: Deliver) -> None:
        for bus in self._buses:
            bus.deliver = deliver
            bus.start()
        for each in self._contacts:
            each.deliver = deliver
            each.start()

    def stop(self) -> None:
        """Returns within 2 s: the buses stop in parallel."""
        for bus in self._buses:
            bus.stop_soon()
        for each in self._contacts:
            each.stop()
        for bus in self._buses:
            bus.stop()

    def switch(self, relay: str, on: bool) -> None:
        self._bus_of[relay].switch(relay, on)

    def steer(self, meter: str, power_w: float | None) -> None:
        self._bus_of_battery[meter].steer(meter, power_w)

    def stats(self) -> list[dict[str, object]]:
        return [bus.stats() for bus in self._buses] + [each.stats() for each in self._contacts]
