"""An Ethernet switch that delays, loses and separates: what `tc netem` would do, for kernels without it.

It has no clock and no sockets of its own (switch.py): frames go in at a time, and come out when they are due.
"""

import heapq
import random
from collections.abc import Iterator, Mapping

_MOST_WAITING = 20_000  # frames
_ADDRESS = 6  # bytes of the address of the receiver, then of the sender
_GROUP = 1  # bit of the first byte: for many


class Medium:
    """Ports are numbers. A frame for an unknown address, or for many, goes to all others."""

    def __init__(self, ports: int, delay_s: float, loss: float, rng: random.Random) -> None:
        self._ports, self._delay_s, self._loss, self._rng = range(ports), delay_s, loss, rng
        self._place: dict[bytes, int] = {}  # where an address was seen
        self._most_places = 4 * ports
        self._part: Mapping[int, int] = {}
        self._waiting: list[tuple[float, int, int, bytes]] = []  # due, order, port, frame
        self._count = 0
        self.carried = self.lost = self.separated = self.overflown = 0

    def separate(self, part: Mapping[int, int]) -> None:
        """The part of each port; nothing passes from part to part, also of what is on its way. {}: one."""
        self._part = dict(part)

    def take(self, port: int, frame: bytes, now_s: float) -> None:
        """A frame that a port sends."""
        if len(frame) < 2 * _ADDRESS:
            return
        receiver, sender = frame[:_ADDRESS], frame[_ADDRESS : 2 * _ADDRESS]
        if len(self._place) < self._most_places or sender in self._place:
            self._place[sender] = port
        place = None if receiver[0] & _GROUP else self._place.get(receiver)
        for each in self._ports if place is None else (place,):
            if each == port:
                continue
            if self._part.get(each, 0) != self._part.get(port, 0):
                self.separated += 1
            elif self._rng.random() < self._loss:
                self.lost += 1
            elif len(self._waiting) >= _MOST_WAITING:
                self.overflown += 1
            else:
                self._count += 1
                heapq.heappush(self._waiting, (now_s + self._delay_s, self._count, each, frame))

    def next_s(self) -> float | None:
        """When the next frame is due; None without one."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now_s: float) -> Iterator[tuple[int, bytes, float]]:
        """The frames that are due, in order: port, frame, how late it is."""
        while self._waiting and self._waiting[0][0] <= now_s:
            due_s, _, port, frame = heapq.heappop(self._waiting)
            self.carried += 1
            yield port, frame, now_s - due_s
