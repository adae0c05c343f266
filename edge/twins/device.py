"""The readings of a device's meter, turned into the power that it draws and gives.

A reading with an error is undefined and changes nothing by itself. After `meter_grace_s` without a defined
reading the power of the device is unknown: it takes part in no contract, and its twin says so.
"""

import math

from ..energy.rules import MAX_POWER_W
from .derived import DerivedLoad
from .registry import GRIDS, RUNNING
from .settings import TwinSettings

_NOT_MEASURED = (*GRIDS, "storage", *RUNNING)  # kinds whose power is set, not read
_ONE_WAY = ("load", "pv", "both")  # kinds of which no input is ever negative
_AGAINST_W = 30.0  # an inverter draws less at night
_METER_ERROR = 0.05  # of all meters together
_AGAINST_S = 60.0  # longer than a motor that brakes


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
            others = {name: way for name, way in adds.items() if name}
            self._derived = DerivedLoad(settings.input, others, settings.meter_grace_s)
        self._one_way = self._inputs_of_one_way()
        self._against_s: dict[
            str, tuple[float, float]
        ] = {}  # what has the wrong sign: since when, until when

    @property
    def inputs(self) -> tuple[str, ...]:
        """The meter inputs it depends on."""
        return tuple(self._inputs)

    def read(self, name: str, power_w: float | None, now_s: float) -> None:
        """A reading of one of its inputs. None is undefined, and so is a power that no device can have."""
        if power_w is not None and math.isfinite(power_w) and abs(power_w) <= MAX_POWER_W:
            self._inputs[name] = power_w * self._signs[name] + 0.0  # not -0.0
            self._seen_s[name] = now_s
            self._oldest_s = min(self._seen_s.values())
            if name in self._one_way:
                self._watch_sign(name, self._inputs[name], now_s, self._inputs[name])
            if self._derived:
                self._derived.read(name, self._inputs[name], now_s)
                self._watch_load(self._derived, now_s)

    def known(self, now_s: float) -> bool:
        """Whether all its inputs have been read recently; a device without a meter is always known."""
        if self._derived and now_s - self._derived.derived_s > self.settings.meter_grace_s:
            return False
        return now_s - self._oldest_s <= self.settings.meter_grace_s

    def metered_w(self, now_s: float) -> float | None:
        """What its meter shows, in W; None without a meter, or while it is not known."""
        metered = self.settings.input and self.known(now_s)
        return self._inputs[self.settings.input] if metered else None

    def unknown(self, now_s: float) -> bool:
        """Whether nothing can be said about its power now."""
        return self.settings.kind not in _NOT_MEASURED and not self.known(now_s)

    def undefined_inputs(self, now_s: float) -> list[str]:
        """The inputs without a defined reading in the last `meter_grace_s`."""
        return [name for name, at_s in self._seen_s.items() if now_s - at_s > self.settings.meter_grace_s]

    def signs_against(self) -> list[str]:
        """What persistently has a sign that the kind of the device excludes."""
        return [
            what for what, (since_s, until_s) in self._against_s.items() if until_s - since_s >= _AGAINST_S
        ]

    def _inputs_of_one_way(self) -> tuple[str, ...]:
        if self.settings.kind in _ONE_WAY:
            return self.inputs
        return (self.settings.production_input,) if self._derived else ()

    def _watch_load(self, derived: DerivedLoad, now_s: float) -> None:
        """A load below zero tells of a wrong sign; one above it does not while there is sun or a battery."""
        if now_s != derived.derived_s:
            return
        error_w = _METER_ERROR * sum(map(abs, self._inputs.values()))
        proof_w = derived.load_w if abs(derived.others_w) <= _AGAINST_W else 0.0
        what = f"the load derived from {', '.join(self._inputs)}"
        self._watch_sign(what, derived.highest_w + error_w, now_s, proof_w)

    def _watch_sign(self, what: str, power_w: float, now_s: float, proof_w: float) -> None:
        """Once found, a wrong sign stays until `proof_w` is positive: the sun does not shine at night."""
        if power_w < -_AGAINST_W:
            since_s, _ = self._against_s.get(what, (now_s, now_s))
            self._against_s[what] = since_s, now_s
        elif proof_w > _AGAINST_W or what not in self.signs_against():
            self._against_s.pop(what, None)

    def powers_w(self, now_s: float) -> tuple[float, float]:
        """(drawn, given) in W, both at least 0."""
        settings = self.settings
        if settings.kind in (*RUNNING, "storage"):
            return 0.0, 0.0  # its twin turns it on
        if settings.is_grid:
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
