"""Which of DESIGN 7's invariants a twin can check by itself: I1 to I4."""

from .consumer import Consumer
from .rules import EPSILON_W, with_margin
from .supplier import Supplier

_TOLERANCE_W = 10 * EPSILON_W
_LATE_S = 2.0  # a deadline is seen at the next tick


def violations(name: str, consumer: Consumer, supplier: Supplier, now_s: float) -> list[str]:
    """What does not hold right now; empty as it should be."""
    broken = []
    if supplier.reserved_w > supplier.capacity_w + _TOLERANCE_W:
        broken.append(f"I1 {name} promised {supplier.reserved_w:.3f} of {supplier.capacity_w:.3f} W")
    if len(consumer.contracts) > 2:
        broken.append(f"I2 {name} holds {len(consumer.contracts)} contracts")
    if consumer.supplied_w > with_margin(consumer.need_w) + _TOLERANCE_W:
        broken.append(f"I3 {name} gets {consumer.supplied_w:.3f} for {consumer.need_w:.3f} W")
    late = [each.consumer for each in supplier.book if each.deadline_s < now_s - _LATE_S]
    if late or consumer.overdue_s < now_s - _LATE_S:
        broken.append(f"I4 {name} keeps what should have lapsed: {late}")
    return broken
