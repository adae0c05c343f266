"""Energy events: what happened to a prosumer, for the learning twin and the history (thesis 4.3)."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

import orjson


class EventKind(StrEnum):
    """Categories of events."""

    START = "start"
    UPDATE = "update"
    STOP = "stop"
    EXPIRY = "expiry"
    SWITCH = "switch"
    MERGE = "merge"  # a complementary contract has joined the main one


@dataclass(frozen=True, slots=True)
class EnergyEvent:
    """Something that changed the electrical state of a node."""

    kind: EventKind
    role: str  # "producer", "consumer" or "contract"
    power_w: float
    at_s: float  # clock.now_s


class EventLog:
    """The last few events of one twin."""

    def __init__(self, size: int = 5) -> None:
        self._events: deque[EnergyEvent] = deque(maxlen=size)
        self.total = 0

    def note(self, kind: EventKind, role: str, power_w: float, now_s: float) -> None:
        """Remember an event; the oldest makes room."""
        self._events.append(EnergyEvent(kind, role, power_w, now_s))
        self.total += 1

    def encode(self) -> bytes:
        """The events as JSON, oldest first, numbered so that a reader can tell new ones."""
        first = self.total - len(self._events)
        return orjson.dumps(
            [
                {"n": first + i, "kind": each.kind, "role": each.role, "w": round(each.power_w, 3)}
                for i, each in enumerate(self._events)
            ]
        )
