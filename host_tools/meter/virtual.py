"""The simulated line without a terminal and without waiting, for a node's bus under a virtual clock."""

import random
from collections.abc import Mapping

from edge.meter.errors import PortLost
from edge.meter.settings import BusSettings
from host_tools.world import VirtualClock

from .line import PowerOf, SimulatedLine, Unplugged


class VirtualAdapter:
    """Meters behind an adapter that can be unplugged; `open` is the `open_port` of a MeterBus."""

    def __init__(
        self, profiles: Mapping[int, str], power_w: PowerOf, clock: VirtualClock, rng: random.Random
    ) -> None:
        """Raises ProfileError."""
        self.line = SimulatedLine(profiles, power_w, rng, clock.now_s())
        self.clock = clock
        self.plugged = True
        self.opened = 0

    def open(self, settings: BusSettings) -> "VirtualPort":
        """Raises PortLost."""
        if not self.plugged:
            raise PortLost("no such device")
        self.opened += 1
        return VirtualPort(self, 10 / settings.baud)


class VirtualPort:
    """A `Port` that advances the clock instead of waiting."""

    def __init__(self, adapter: VirtualAdapter, char_s: float) -> None:
        self.char_s = char_s
        self._adapter = adapter
        self._coming: list[tuple[float, bytes]] = []

    def send(self, frame: memoryview) -> None:
        self._check()
        sent_s = self._adapter.clock.now_s() + len(frame) * self.char_s
        try:
            answer = self._adapter.line.hear(bytes(frame), self._adapter.clock.now_s())
        except Unplugged:
            self._adapter.plugged = False
            return
        due = ((sent_s + delay_s + len(data) * self.char_s, data) for delay_s, data in answer)
        self._coming = sorted([*self._coming, *due], key=lambda each: each[0])

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        self._check()
        clock = self._adapter.clock
        return take(self._coming, clock, clock.now_s() + max(0.0, timeout_s), buffer)

    def close(self) -> None:
        self._coming.clear()

    def _check(self) -> None:
        if not self._adapter.plugged:
            raise PortLost("unplugged")


def take(coming: list[tuple[float, bytes]], clock: VirtualClock, until_s: float, buffer: memoryview) -> int:
    """Move the clock to the first bytes that are due, or to `until_s`; how many of them the buffer took."""
    if not coming or coming[0][0] > until_s:
        clock.advance_to(until_s)
        return 0
    due_s, data = coming.pop(0)
    clock.advance_to(due_s)
    taken = data[: len(buffer)]
    buffer[: len(taken)] = taken
    if len(taken) < len(data):
        coming.insert(0, (due_s, data[len(taken) :]))
    return len(taken)
