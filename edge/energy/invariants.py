"""The invariants of contracts that a twin can check by itself.

I1: a supplier never promises more than its capacity; what it promised for a later span counts from shortly
before its begin. I2: a consumer holds at most two contracts. I3: a consumer gets at most its need plus the
margin. I4: no promise and no contract outlives its deadline. I5 and I6 compare the two sides of a contract:
both must come to agree that it exists, and on its power; tools on a PC check them.
"""

import math

from .consumer import Consumer
from .rules import EPSILON_W, with_margin
from .supplier import Supplier

_TOLERANCE_W = 10 * EPSILON_W
_LATE_S = 2.0  # deadlines are handled at the next tick


def violations(name: str, consumer: Consumer, supplier: Supplier, now_s: float) -> list[str]:
    """One line for each invariant that is broken now; normally empty."""
    broken = []
    late: list[str] = []
    overdue_s = math.inf
    if len(supplier.book):
        reserved_w = supplier.reserved_w
        if reserved_w > supplier.capacity_w + _TOLERANCE_W:
            broken.append(
                f"I1 {name} promised {reserved_w:.3f} W of a capacity of {supplier.capacity_w:.3f} W"
            )
        late = [each.consumer for each in supplier.book if each.deadline_s < now_s - _LATE_S]
    late += [each.consumer for each in supplier.ahead if each.deadline_s < now_s - _LATE_S]
    contracts = consumer.contracts
    if contracts:
        if len(contracts) > 2:
            broken.append(f"I2 {name} holds {len(contracts)} contracts")
        supplied_w = consumer.supplied_w
        if supplied_w > with_margin(consumer.need_w) + _TOLERANCE_W:
            broken.append(f"I3 {name} gets {supplied_w:.3f} W for a need of {consumer.need_w:.3f} W")
        overdue_s = consumer.overdue_s
    if late or overdue_s < now_s - _LATE_S:
        broken.append(f"I4 {name} kept a promise or contract past its deadline: {late}")
    return broken
