"""The readings of a device's meter, turned into the power that it draws and gives.

A reading with an error is undefined and changes nothing by itself. After `meter_grace_s` without a defined
reading the device counts as drawing and giving nothing.
"""

import math

from ..energy.rules import MAX_POWER_W
from .derived import DerivedLoad
from .settings import TwinSettings


class Device:
    """The last known powers of one device."""

    def __init__(self, settings: TwinSettings) -> None:
        self.settings = settings
        self._signs = settings.inputs
        self._inputs = dict.fromkeys(self._signs, 0.0)
        self._seen_s = dict.fromkeys(self._inputs, -math.inf)
        self._oldest_s = -math.inf if self._inputs else math.inf
        self._derived: DerivedLoad | None = None
        if settings.kind == "house":
            adds = {settings.production_input: 1, settings.battery_input: -1}
            self._derived = DerivedLoad(settings.input, {name: way for name, way in adds.items() if name})

    @property
    def inputs(self) -> tuple[str, ...]:
        """The meter inputs it depends on."""
        return tuple(self._inputs)

    def read(self, name: str, power_w: float | None, now_s: float) -> None:
        """A reading of one of its inputs. None is undefined, and so is a power that no device can have."""
        if power_w is not None and math.isfinite(power_w) and abs(power_w) <= MAX_POWER_W:
            self._inputs[name] = power_w * self._signs[name]
            self._seen_s[name] = now_s
            self._oldest_s = min(self._seen_s.values())
            if self._derived:
                self._derived.read(name, self._inputs[name], now_s)

    def known(self, now_s: float) -> bool:
        """Whether all its inputs have been read recently; a device without a meter is always known."""
        if self._derived and not self._derived.known:
            return False
        return now_s - self._oldest_s <= self.settings.meter_grace_s

    def metered_w(self, now_s: float) -> float | None:
        """What its meter shows, in W; None without a meter, or while it is not known."""
        metered = self.settings.input and self.known(now_s)
        return self._inputs[self.settings.input] if metered else None

    def powers_w(self, now_s: float) -> tuple[float, float]:
        """(drawn, given) in W, both at least 0."""
        settings = self.settings
        if settings.kind == "shiftable":
            return 0.0, 0.0  # its twin turns it on
        if settings.kind == "grid":
            return 0.0, settings.capacity_w  # its meter shows what flows, not what it could give
        if not self.known(now_s):
            return 0.0, 0.0
        if self._derived:
            return self._derived.load_w, 0.0
        power_w = self._inputs[settings.input] if settings.input else settings.power_w
        if settings.kind == "load":
            return max(0.0, power_w), 0.0
        if settings.kind == "pv":
            return 0.0, max(0.0, power_w)
        if settings.kind == "both":
            return max(0.0, power_w), max(0.0, self._inputs[settings.production_input])
        return max(0.0, power_w), max(0.0, -power_w)
