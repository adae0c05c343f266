"""A battery: what it holds, what it may take and give, and its books (thesis 7.5.2.1).

The books balance to the watt-hour. Of what is taken in, `efficiency` is stored and the rest is lost; what is
stored is given without loss:

    efficiency * taken_wh + adjusted_wh = given_wh + (level_wh - first level_wh)

`adjusted_wh` is what a real battery said that differs from the books; of a simulated one it stays 0.
"""

import math
from dataclasses import dataclass

_DUST_WH = 1e-9  # sums of floating-point numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryLimits:
    """What a battery is made for. `reserve_wh` is kept for critical needs: requests of high priority."""

    capacity_wh: float
    charge_w: float = math.inf
    discharge_w: float = math.inf
    efficiency: float = 1.0
    reserve_wh: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError for values that no battery has."""
        if not (0.0 < self.capacity_wh < math.inf and 0.0 < self.efficiency <= 1.0):
            raise ValueError("capacity must be above 0 and efficiency between 0 and 1")
        if not (self.charge_w >= 0.0 and self.discharge_w >= 0.0):
            raise ValueError("powers must not be below 0")
        if not 0.0 <= self.reserve_wh <= self.capacity_wh:
            raise ValueError("the reserve must lie within the capacity")


class Battery:
    """Energy with books. While its level is not known it takes and gives nothing."""

    def __init__(self, limits: BatteryLimits, level_wh: float | None = 0.0) -> None:
        """`level_wh`: what it holds; None: not known."""
        self.limits = limits
        self.level_wh = None if level_wh is None else self._within(level_wh)
        self.first_wh = self.level_wh  # when its level was first known
        self.taken_wh = self.given_wh = self.adjusted_wh = 0.0

    @property
    def state_of_charge(self) -> float | None:
        """The level as a share of the capacity; None while it is not known."""
        return None if self.level_wh is None else self.level_wh / self.limits.capacity_wh

    @property
    def room_wh(self) -> float:
        """What it can still take in, losses included."""
        if self.level_wh is None:
            return 0.0
        return (self.limits.capacity_wh - self.level_wh) / self.limits.efficiency

    def usable_wh(self, critical: bool = False) -> float:
        """What it can give; the reserve only to critical needs."""
        if self.level_wh is None:
            return 0.0
        return self.level_wh if critical else max(0.0, self.level_wh - self.limits.reserve_wh)

    def most_in_w(self, seconds: float) -> float:
        """The highest power that it can take for so long."""
        return min(self.limits.charge_w, 3600 * self.room_wh / seconds)

    def most_out_w(self, seconds: float, critical: bool = False) -> float:
        """The highest power that it can give for so long."""
        return min(self.limits.discharge_w, 3600 * self.usable_wh(critical) / seconds)

    def charge(self, power_w: float, seconds: float) -> float:
        """Take in that power for so long, as far as it can; returns the energy taken, in Wh."""
        energy_wh = min(_energy_wh(power_w, seconds, self.limits.charge_w), self.room_wh)
        return self.take(energy_wh)

    def take(self, energy_wh: float) -> float:
        """Take in an amount, as far as there is room; returns the energy taken, in Wh."""
        energy_wh = min(max(0.0, energy_wh), self.room_wh)
        if self.level_wh is None or not energy_wh:
            return 0.0
        self.level_wh = self._within(self.level_wh + self.limits.efficiency * energy_wh)
        self.taken_wh += energy_wh
        return energy_wh

    def discharge(self, power_w: float, seconds: float, critical: bool = False) -> float:
        """Give that power for so long, as far as it can; returns the energy given, in Wh."""
        energy_wh = min(_energy_wh(power_w, seconds, self.limits.discharge_w), self.usable_wh(critical))
        if self.level_wh is None or not energy_wh:
            return 0.0
        self.level_wh = self._within(self.level_wh - energy_wh)
        self.given_wh += energy_wh
        return energy_wh

    def measured(self, level_wh: float | None) -> None:
        """A real battery says what it holds; None: not known, or a value that it cannot have."""
        known = level_wh is not None and math.isfinite(level_wh)
        if not known or level_wh is None or not -_DUST_WH <= level_wh <= self.limits.capacity_wh + _DUST_WH:
            self.level_wh = None
            return
        level_wh = self._within(level_wh)
        if self.first_wh is None:
            self.first_wh = level_wh
        self.level_wh = level_wh
        self.adjusted_wh -= self.imbalance_wh

    @property
    def imbalance_wh(self) -> float:
        """By how much the books do not balance; 0 as it should be, and while the level is not known."""
        if self.level_wh is None or self.first_wh is None:
            return 0.0
        stored_wh = self.level_wh - self.first_wh
        return self.limits.efficiency * self.taken_wh + self.adjusted_wh - self.given_wh - stored_wh

    def _within(self, level_wh: float) -> float:
        return min(max(0.0, level_wh), self.limits.capacity_wh)


def _energy_wh(power_w: float, seconds: float, most_w: float) -> float:
    return min(max(0.0, power_w), most_w) * max(0.0, seconds) / 3600
