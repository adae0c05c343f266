"""A bus on simulated meters under a virtual clock: hours of polling in milliseconds."""

import random
from collections.abc import Callable, Sequence

import pytest

from edge.meter import BusSettings, MeterBus, MeterSettings, Reading, RelaySettings
from host_tools.meter.virtual import VirtualAdapter
from host_tools.world import VirtualClock


class Bench:
    """`power_w` is what every meter shows: a number, or a function of address and time."""

    def __init__(
        self,
        meters: Sequence[MeterSettings],
        relays: Sequence[RelaySettings] = (),
        power_w: float | Callable[[int, float], float] = 1200.0,
        plugged: bool = True,
        seed: int = 1,
    ) -> None:
        self.clock = VirtualClock()
        profiles = {each.address: "sdm120" for each in relays} | {
            each.address: each.profile for each in meters
        }
        power = power_w if callable(power_w) else lambda address, now_s: power_w
        self.adapter = VirtualAdapter(profiles, power, self.clock, random.Random(seed))
        self.adapter.plugged = plugged
        self.readings: list[Reading] = []
        self.settings = BusSettings(name="b", port="/dev/virtual")
        self.bus = MeterBus(
            self.settings, meters, relays, self.clock, self.readings.append, self.adapter.open
        )

    @property
    def faults(self):
        return self.adapter.line.faults

    @property
    def slaves(self):
        return self.adapter.line.slaves

    def run(self, seconds: float) -> list[Reading]:
        """Let time pass; the readings that came meanwhile."""
        end_s = self.clock.now_s() + seconds
        already = len(self.readings)
        while self.clock.now_s() < end_s:
            wait_s = self.bus.step()
            self.clock.advance_to(min(end_s, self.clock.now_s() + wait_s))
        return self.readings[already:]

    def stats(self, device: str) -> dict:
        whole = self.bus.stats()
        return next(each for each in (*whole["meters"], *whole["relays"]) if each["device"] == device)


@pytest.fixture
def bench() -> type[Bench]:
    return Bench


def _meter(name: str = "m1", address: int = 1, profile: str = "sdm120", **periods: float) -> MeterSettings:
    return MeterSettings(name=name, bus="b", address=address, profile=profile, **periods)


@pytest.fixture
def meter() -> Callable[..., MeterSettings]:
    return _meter
