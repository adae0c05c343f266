"""Meters of simulations and tests."""

from collections.abc import Callable
from typing import Any

from edge.clock import Clock
from edge.meter.reading import Reading


class HandMeters:
    """Meters whose readings are given by hand, or by a scenario."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deliver: Callable[[Reading], None] | None = None
        self.relays: dict[str, bool] = {}
        self.orders: dict[str, float | None] = {}  # the power that each battery is asked for

    def start(self, deliver: Callable[[Reading], None]) -> None:
        self._deliver = deliver

    def stop(self) -> None:
        self._deliver = None

    def switch(self, relay: str, on: bool) -> None:
        self.relays[relay] = on

    def steer(self, meter: str, power_w: float | None) -> None:
        self.orders[meter] = power_w

    def stats(self) -> list[dict[str, Any]]:
        return []

    def say(self, device: str, power_w: float | None, record: dict[str, float] | None = None) -> None:
        """Deliver a reading of a meter input; None is an undefined one."""
        if self._deliver:
            self._deliver(Reading(device, power_w, self._clock.now_s(), record))
