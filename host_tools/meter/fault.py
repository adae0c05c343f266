"""The faults that can be injected into a slave's answers."""

import random
from dataclasses import dataclass
from enum import Enum


class MeterFault(Enum):
    """A failure of a slave, its line or its adapter."""

    SILENT = "silent"
    BAD_CRC = "bad_crc"
    WRONG_SLAVE = "wrong_slave"
    WRONG_FUNCTION = "wrong_function"
    EXCEPTION = "exception"
    SHORT = "short"
    LONG = "long"
    LATE = "late"
    GARBAGE = "garbage"
    UNPLUG = "unplug"


@dataclass
class _Order:
    fault: MeterFault
    probability: float
    left: int | None


class FaultPlan:
    """The faults of each slave's next answers."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._orders: dict[int, _Order] = {}
        self.injected = 0

    def inject(
        self, address: int, fault: MeterFault, probability: float = 1.0, count: int | None = None
    ) -> None:
        """From now on the answers of `address` have `fault` with `probability`, at most `count` times."""
        self._orders[address] = _Order(fault, probability, count)

    def clear(self, address: int) -> None:
        """Remove the fault of a slave."""
        self._orders.pop(address, None)

    def draw(self, address: int) -> MeterFault | None:
        """The fault of the next answer, if any."""
        order = self._orders.get(address)
        if order is None or order.left == 0 or self._rng.random() >= order.probability:
            return None
        if order.left is not None:
            order.left -= 1
        self.injected += 1
        return order.fault
