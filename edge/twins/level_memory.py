"""What a simulated battery holds, across restarts.

It is saved in steps, rounded down, so that the state file is not written each second and a restart never
invents energy.
"""

import math
from typing import Any

from ..energy.battery import Battery

_STEPS = 100  # of the capacity


class LevelMemory:
    """The level of one battery in the state file."""

    def __init__(self, battery: Battery) -> None:
        self._battery = battery

    def memory(self) -> dict[str, Any]:
        """`battery`: what it holds, in hundredths of its capacity."""
        state = self._battery.state_of_charge
        return {"battery": math.floor(_STEPS * state)} if state else {}

    def recall(self, memory: Any) -> None:
        """Restore the level; anything else than a result of `memory` leaves it as it is."""
        steps = memory.get("battery") if isinstance(memory, dict) else None
        if type(steps) is int and 0 < steps <= _STEPS:
            level_wh = steps / _STEPS * self._battery.limits.capacity_wh
            self._battery.level_wh = self._battery.first_wh = level_wh
