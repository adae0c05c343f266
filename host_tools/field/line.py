"""A serial line that misbehaves like real ones: adapters, transceivers, deaf meters, a second master."""

import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.meter.crc import crc16
from edge.meter.errors import PortLost
from edge.meter.settings import BusSettings
from host_tools.meter.line import SimulatedLine
from host_tools.meter.virtual import take
from host_tools.world import VirtualClock

LATENCY_S = (0.005, 0.06)  # from a request to its answer


@dataclass
class Habits:
    """How the line behaves now. All are off in the beginning."""

    echo: bool = False  # the adapter returns what it sends
    stray_before: bytes = b""  # right before an answer
    stray_after: bytes = b""
    deaf_s: float = 0.0  # meters ignore what follows a frame sooner than this
    stalled: bool = False  # nothing passes the adapter until its port is opened again
    cut: bool = False  # nothing passes at all
    noise: float = 0.0  # the part of the answers that is damaged
    late: float = 0.0  # the part of the answers that comes after the timeout
    silent: set[int] = field(default_factory=set)  # slaves that are off
    master_s: float = 0.0  # the period of a second master; 0: there is none
    master_asks: tuple[int, int, int, int] = (1, 4, 0, 2)  # slave, function, first register, count
    master_seen: bool = True  # whether this node hears its requests, not only the answers


class RoughLine:
    """Slaves behind an adapter with habits; `open` is the `open_port` of a MeterBus."""

    def __init__(
        self,
        profiles: Mapping[int, str],
        power_w: Callable[[int, float], float],
        clock: VirtualClock,
        rng: random.Random,
    ) -> None:
        self.line = SimulatedLine(profiles, power_w, rng, clock.now_s())
        self.clock = clock
        self.habits = Habits()
        self.plugged = True
        self.opened = 0
        self.rng = rng

    def open(self, settings: BusSettings) -> "RoughPort":
        """Raises PortLost."""
        if not self.plugged:
            raise PortLost("no such device")
        self.opened += 1
        self.habits.stalled = False  # opening it is what a stalled adapter needs
        return RoughPort(self, 10 / settings.baud)


class RoughPort:
    """A `Port` that advances the clock instead of waiting."""

    def __init__(self, line: RoughLine, char_s: float) -> None:
        self.char_s = char_s
        self._line = line
        self._coming: list[tuple[float, bytes]] = []  # when the last byte arrives, bytes
        self._busy_s = -10.0  # until when a frame is on the line
        self._master_s = line.clock.now_s()  # the second master's next request

    def send(self, frame: memoryview) -> None:
        self._check()
        line, habits = self._line, self._line.habits
        now_s = line.clock.now_s()
        end_s = now_s + len(frame) * self.char_s
        self._second_master(end_s)
        if habits.stalled or habits.cut:
            return
        if habits.echo:
            self._coming.append((end_s, bytes(frame)))
        collides = now_s < self._busy_s
        deaf = now_s < self._busy_s + habits.deaf_s
        self._busy_s = max(self._busy_s, end_s)
        if not collides and not deaf and frame[0] not in habits.silent:
            for delay_s, data in line.line.hear(bytes(frame), now_s):
                self._answer(end_s + delay_s, data)
        self._coming.sort(key=lambda each: each[0])

    def _answer(self, from_s: float, data: bytes) -> None:
        """An answer of a slave comes over the line."""
        rng, habits = self._line.rng, self._line.habits
        if rng.random() < habits.noise:
            at = rng.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ (1 << rng.randrange(8)),)) + data[at + 1 :]
            data = data[: rng.randint(1, len(data))] if rng.random() < 0.3 else data
        data = habits.stray_before + data + habits.stray_after
        delay_s = rng.uniform(*LATENCY_S) + (0.7 if rng.random() < habits.late else 0.0)
        end_s = from_s + delay_s + len(data) * self.char_s
        self._coming.append((end_s, data))
        self._busy_s = max(self._busy_s, end_s)

    def _second_master(self, until_s: float) -> None:
        """What another master asked up to this time, and what its slave answered."""
        habits = self._line.habits
        if not habits.master_s:
            self._master_s = until_s
            return
        while self._master_s < until_s:
            begun_s = self._master_s
            self._master_s += habits.master_s * self._line.rng.uniform(0.9, 1.1)
            request = struct.pack(">BBHH", *habits.master_asks)
            request += struct.pack("<H", crc16(request))
            end_s = begun_s + len(request) * self.char_s
            if begun_s < self._busy_s:  # both talk: nobody understands
                self._coming = [(due_s, _garbled(data)) for due_s, data in self._coming]
                self._busy_s = max(self._busy_s, end_s)
                continue
            if habits.master_seen:
                self._coming.append((end_s, request))
            self._busy_s = end_s
            if habits.master_asks[0] not in habits.silent and not (habits.stalled or habits.cut):
                for delay_s, data in self._line.line.hear(request, begun_s):
                    self._answer(end_s + delay_s, data)
        if habits.stalled or habits.cut:
            self._coming.clear()
        self._coming.sort(key=lambda each: each[0])

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        self._check()
        clock = self._line.clock
        until_s = clock.now_s() + max(0.0, timeout_s)
        self._second_master(until_s)
        return take(self._coming, clock, until_s, buffer)

    def close(self) -> None:
        self._coming.clear()

    def _check(self) -> None:
        if not self._line.plugged:
            raise PortLost("unplugged")


def _garbled(data: bytes) -> bytes:
    return bytes(each ^ 0x5A for each in data)
