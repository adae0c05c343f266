"""What can be made to go wrong with an answer, and how often."""

import random
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """One way in which a slave, its line or its adapter fails."""

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
    fault: Fault
    probability: float
    left: int | None


class FaultPlan:
    """Which fault befalls the next answer of which slave."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._orders: dict[int, _Order] = {}
        self.befell = 0

    def inject(self, address: int, fault: Fault, probability: float = 1.0, count: int | None = None) -> None:
        """From now on `fault` befalls answers of `address` with `probability`, `count` times at most."""
        self._orders[address] = _Order(fault, probability, count)

    def clear(self, address: int) -> None:
        """Let the slave answer as it should."""
        self._orders.pop(address, None)

    def draw(self, address: int) -> Fault | None:
        """The fault that befalls the answer now being made, if any."""
        order = self._orders.get(address)
        if order is None or order.left == 0 or self._rng.random() >= order.probability:
            return None
        if order.left is not None:
            order.left -= 1
        self.befell += 1
        return order.fault
