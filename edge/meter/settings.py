"""What an operator decides about a bus and the devices on it. A wrong value is refused here, by name."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusSettings:
    """One serial line. `timeout_s` is the silence after a request that counts as no answer."""

    name: str
    port: str
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1
    timeout_s: float = 0.5

    def __post_init__(self) -> None:
        _check(self.name != "", "name", self.name)
        _check(self.port != "", "port", self.port)
        _check(300 <= self.baud <= 1_000_000, "baud", self.baud)
        _check(self.parity in ("N", "E", "O"), "parity", self.parity)
        _check(self.stop_bits in (1, 2), "stop_bits", self.stop_bits)
        _check(0.01 <= self.timeout_s <= 5.0, "timeout_s", self.timeout_s)


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """One meter: its slave address on the bus and its profile (a shipped name, or the path of a file)."""

    name: str
    bus: str
    address: int
    profile: str
    power_period_s: float = 10.0
    record_period_s: float = 60.0

    def __post_init__(self) -> None:
        _check(self.name != "" and "." not in self.name, "name", self.name)
        _check(1 <= self.address <= 247, "address", self.address)
        for key in ("power_period_s", "record_period_s"):
            period_s = getattr(self, key)
            _check(math.isfinite(period_s) and period_s >= 0.1, key, period_s)


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """One relay: a coil of a slave on the bus."""

    name: str
    bus: str
    address: int
    coil: int

    def __post_init__(self) -> None:
        _check(self.name != "", "name", self.name)
        _check(1 <= self.address <= 247, "address", self.address)
        _check(0 <= self.coil <= 0xFFFF, "coil", self.coil)


def _check(right: bool, key: str, value: object) -> None:
    if not right:
        raise ValueError(f"{key} = {value!r} is not allowed")
