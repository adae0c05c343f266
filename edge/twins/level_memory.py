"""What a simulated battery holds, across restarts.

It is saved in steps, rounded down, so that the state file is not written each second and a restart never
invents energy.
"""

import math
from typing import Any

from ..energy.battery import Battery, BatteryLimits
from .settings import TwinSettings

_STEPS = 100  # of the capacity


def battery_of(settings: TwinSettings) -> Battery:
    """The battery of a twin, empty. Raises ValueError for one that cannot exist."""
    limits = BatteryLimits(
        capacity_wh=settings.battery_wh,
        charge_w=settings.battery_charge_w,
        discharge_w=settings.battery_discharge_w,
        efficiency=settings.battery_efficiency,
        reserve_wh=settings.battery_reserve_wh,
    )
    return Battery(limits)


class LevelMemory:
    """The level of one battery in the state file."""

    def __init__(self, battery: Battery) -> None:
        self._battery = battery

    def memory(self) -> dict[str, Any]:
        """`battery`: what it holds, in hundredths of its capacity."""
        state = self._battery.state_of_charge
        return {"battery": math.floor(_STEPS * state)} if state else {}

    def recall(self, memory: Any) -> bool:
        """Restore the level; False, and it stays as it is, for anything else than a result of `memory`."""
        steps = memory.get("battery") if isinstance(memory, dict) else None
        if type(steps) is not int or not 0 < steps <= _STEPS:
            return False
        level_wh = steps / _STEPS * self._battery.limits.capacity_wh
        self._battery.level_wh = self._battery.first_wh = level_wh
        return True
