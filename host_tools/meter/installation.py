"""A simple, consistent electrical model of a building: what a meter measures when it draws a given power.

A mains supply of 230 V and 50 Hz behind 0.1 ohm, a lagging load, and unequal phases. Energies are the
integral of the power since the start.
"""

import math
from collections.abc import Callable

POWER_FACTOR = 0.96
MAINS_V = 230.0
MAINS_OHM = 0.1
MAINS_HZ = 50.0
CHARGE_PERCENT = 63.0  # of a battery
MOST_WH = 1e6  # between two measurements
SHARES = {1: {"l1": 1.0}, 3: {"l1": 0.45, "l2": 0.35, "l3": 0.20}}


class Installation:
    """A building behind one meter. `power_w(now_s)` is the power it draws; negative when it feeds in."""

    def __init__(self, phases: int, power_w: Callable[[float], float], now_s: float) -> None:
        self._power_w = power_w
        self._shares = SHARES[phases]
        self._import_wh = 0.0
        self._export_wh = 0.0
        self._since_s = now_s

    def measure(self, now_s: float) -> dict[tuple[str, str], float]:
        """All quantities by (input, quantity), each in the unit of its name."""
        power_w = self._power_w(now_s)
        energy_wh = power_w * (now_s - self._since_s) / 3600
        self._since_s = now_s
        if not abs(energy_wh) < MOST_WH:
            pass  # its power is not a number, or absurd: it counts nothing
        elif energy_wh > 0:
            self._import_wh += energy_wh
        elif energy_wh < 0:
            self._export_wh -= energy_wh
        values: dict[tuple[str, str], float] = {}
        currents = []
        for phase, share in self._shares.items():
            measured = self._quantities(power_w * share, share)
            currents.append(measured["current_a"])
            values |= {(phase, quantity): value for quantity, value in measured.items()}
        total = self._quantities(power_w, 1.0)
        if len(self._shares) > 1:
            total["current_a"] = sum(currents)
        return values | {("total", quantity): value for quantity, value in total.items()}

    def _quantities(self, power_w: float, share: float) -> dict[str, float]:
        apparent_va = abs(power_w) / POWER_FACTOR
        voltage_v = MAINS_V - MAINS_OHM * power_w / MAINS_V
        return {
            "voltage_v": voltage_v,
            "current_a": apparent_va / voltage_v,
            "power_w": power_w,
            "reactive_power_var": apparent_va * math.sqrt(1 - POWER_FACTOR**2),
            "apparent_power_va": apparent_va,
            "power_factor": math.copysign(POWER_FACTOR, power_w),
            "phase_angle_deg": math.degrees(math.acos(POWER_FACTOR)),
            "frequency_hz": MAINS_HZ,
            "state_of_charge_percent": CHARGE_PERCENT,
            "import_energy_wh": self._import_wh * share,
            "export_energy_wh": self._export_wh * share,
        }
