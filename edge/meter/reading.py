"""A reading of a meter: the power of one input, and once a minute everything the meter measures."""

from collections.abc import Callable
from typing import NamedTuple


class Reading(NamedTuple):
    """The power of one input; None is undefined. It is valid until the next reading.

    `device` is "meter.input", such as "m1.total" or "m1.l2"; `at_s` is the time on the node's monotonic
    clock. A full poll adds `record` to the input "total": the value of each quantity, with the unit in its
    name and the phase as a prefix ("voltage_v", "l1.current_a"). Values that the meter did not provide are
    missing.
    """

    device: str
    power_w: float | None
    at_s: float
    record: dict[str, float] | None = None


Deliver = Callable[[Reading], None]
