"""What a meter yields: the power of one of its inputs now, and once a minute everything it measures."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Power of one input at one moment; None is undefined, and holds until the next reading.

    `device` is "meter.input", such as "m1.total" or "m1.l2". `at_s` is the node's monotonic clock.
    `record` comes with a full poll, on the input "total" only: quantity to value, units in the names,
    phases prefixed ("voltage_v", "l1.current_a"); what the device could not say is not in it.
    """

    device: str
    power_w: float | None
    at_s: float
    record: dict[str, float] | None = None


Deliver = Callable[[Reading], None]
