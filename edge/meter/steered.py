"""A battery that is steered: the registers that make it charge, discharge or rest, and when they are written.

    [steer]                     # in the profile of a battery
    most_w = 2500               # no higher power is ever asked of it
    begin = [[42000, 0x55AA]]   # what is written before: register, value
    charge = [[42020, "power_w"], [42010, 1]]
    discharge = [[42021, "power_w"], [42010, 2]]
    rest = [[42010, 0]]
    end = [[42000, 0x55BB]]     # how it is left to itself

`power_w` stands for the power in whole watts. Each register is written by itself (function 6), in this order.
An order is written when it changes, and again each minute, since a battery forgets it when it loses power.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BusError
from .health import Health
from .reading import Reading
from .rtu import RtuMaster

AGAIN_S = 60.0
APART_S = 2.0  # two orders; an inverter needs a moment
POWER = "power_w"
Writes = tuple[tuple[int, int | str], ...]


@dataclass(frozen=True, slots=True)
class Steering:
    """What a profile says of steering. Writes are pairs of a register and a value, or POWER."""

    most_w: int
    begin: Writes
    charge: Writes
    discharge: Writes
    rest: Writes
    end: Writes

    def writes(self, power_w: float | None) -> list[tuple[int, int]]:
        """Registers and values that make the battery take `power_w`, or give it if negative; None: left to
        itself."""
        if power_w is None:
            return [(register, _number(value, 0)) for register, value in (*self.begin, *self.end)]
        power = min(self.most_w, round(abs(power_w)))
        order = self.rest if not power else self.charge if power_w > 0 else self.discharge
        return [(register, _number(value, power)) for register, value in (*self.begin, *order)]


def _number(value: int | str, power: int) -> int:
    return power if isinstance(value, str) else value


class SteeredBattery:
    """Writes orders to one battery. A new order supersedes one that is still pending."""

    def __init__(self, name: str, address: int, steering: Steering, now_s: float) -> None:
        self.health = Health(f"{name} (orders)")
        self.address = address
        self.wanted_w: float | None = None
        self.written_w: float | None = None
        self.steering = steering
        self._ordered = self._pending = False
        self._due_s = now_s

    def steer(self, power_w: float | None) -> None:
        """Ask for a power, above 0 to charge; None: it is left to itself. May be called from any thread."""
        if not self._ordered and power_w is None:
            return
        if not self._ordered or power_w != self.wanted_w:
            self.wanted_w, self._ordered, self._pending = power_w, True, True

    def opened(self) -> None:
        """Nothing was learnt of the slave."""

    def due_s(self) -> float:
        if not self._ordered:
            return math.inf
        return max(self._due_s if self._pending else self._due_s + AGAIN_S, self.health.retry_s)

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        self._due_s = now_s + APART_S
        wanted_w = self.wanted_w
        for register, value in self.steering.writes(wanted_w):
            master.write_register(self.address, register, value)
        self.written_w = wanted_w
        if self._pending and wanted_w == self.wanted_w:
            self._pending = False
            self._ordered = wanted_w is not None
        return ()

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        self.written_w = None
        return ()

    def stats(self, now_s: float) -> dict[str, object]:
        """Health, the power that is wanted and the one that was written last."""
        return self.health.stats(now_s) | {"wanted_w": self.wanted_w, "written_w": self.written_w}
