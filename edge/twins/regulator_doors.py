"""Limits that come as meter inputs: the contacts of a ripple control receiver (FNN), and registers in watts.

An input that is undefined says nothing: what it said last holds on, and after 120 s the failsafe limits hold
if the contacts, or the register, are the controller that is expected.
"""

import math

from ..energy.limits import Direction, Limit, Limits
from .regulator_settings import CONTACTS, FEED_IN_SHARES, RegulatorSettings

BY_CONTACTS, BY_REGISTER = "contacts", "register"
_CLOSED = 0.5


class Doors:
    """The inputs of one regulator that mean limits."""

    def __init__(self, settings: RegulatorSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._contacts = {key: getattr(settings, key) for key in (*CONTACTS, "w4_input")}
        self._closed: dict[str, bool] = {}  # by key
        self._registers = {
            settings.consume_input: Direction.CONSUME,
            settings.feed_in_input: Direction.FEED_IN,
        }
        self._registers.pop("", None)

    def read(self, name: str, value: float | None, now_s: float) -> None:
        """A reading of any input of the regulator; None, or what is no number, is undefined."""
        if value is None or not math.isfinite(value):
            return
        if name in self._registers:
            self._order(self._registers[name], value if value >= 0 else math.inf, BY_REGISTER, now_s)
        keys = [key for key, source in self._contacts.items() if source == name]
        if keys:
            self._closed.update(dict.fromkeys(keys, value > _CLOSED))
            self._read_contacts(now_s)

    def _read_contacts(self, now_s: float) -> None:
        """The first closed contact holds (W3, S2, S1), as soon as all that there are have been read."""
        settings = self._settings
        known = {key for key, name in self._contacts.items() if name} <= self._closed.keys()
        if not known:
            return
        shares = (share for key, share in zip(CONTACTS, FEED_IN_SHARES, strict=True) if self._closed.get(key))
        if any(self._contacts[key] for key in CONTACTS):
            self._order(Direction.FEED_IN, next(shares, math.inf) * settings.installed_w, BY_CONTACTS, now_s)
        if self._contacts["w4_input"]:
            closed = self._closed.get("w4_input")
            self._order(Direction.CONSUME, settings.w4_w if closed else math.inf, BY_CONTACTS, now_s)

    def _order(self, direction: Direction, power_w: float, source: str, now_s: float) -> None:
        """An infinite power: no limit."""
        if power_w < math.inf:
            limit = Limit(direction=direction, power_w=power_w, source=source)
            self._limits.order(limit, now_s, wired=True)
        else:
            self._limits.release(source, now_s, direction)
