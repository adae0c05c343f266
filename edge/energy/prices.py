"""Price tables: the price of a supplier by time slot (thesis 5.2.1.4, 7.3).

A slot holds from its begin until that of the next one; the last holds for ever, and the first also before its
begin. Its price is the rate less the discount, and never below 0; a discount below 0 is a surcharge.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple

from .rules import EPSILON_W

SLOTS_MAX = 6
_UNIT = 10_000  # prices travel as whole ten-thousandths
_MOST = 10**5  # of a rate, and ten times that of a surcharge
_END_S = 2**40  # later than any date


class Slot(NamedTuple):
    """The rate per kWh from a moment (Unix time) on, and what the credit of the consumer takes off it."""

    from_s: int
    rate: float
    discount: float = 0.0

    @property
    def price(self) -> float:
        """What is paid per kWh."""
        return max(0.0, self.rate - self.discount)


PriceTable = tuple[Slot, ...]


def slot_at(table: Sequence[Slot], at_s: float) -> Slot:
    """The slot of a moment. Raises IndexError for an empty table."""
    begun = [slot for slot in table if slot.from_s <= at_s]
    return begun[-1] if begun else table[0]


def price_at(table: Sequence[Slot], at_s: float, default: float = 0.0) -> float:
    """The price at a moment; `default` for an empty table."""
    return slot_at(table, at_s).price if table else default


def averaged(tables: Iterable[tuple[PriceTable, float]], from_s: float) -> PriceTable:
    """One table of several, averaged by weight (W), from a moment on; empty without any weight.

    A weight below EPSILON_W is none.
    """
    weighed = [(table, weight) for table, weight in tables if table and weight >= EPSILON_W]
    total = sum(weight for _, weight in weighed)
    if not total:
        return ()
    begins = sorted({slot.from_s for table, _ in weighed for slot in table if slot.from_s > from_s})
    slots = []
    for begin_s in (int(from_s), *begins):
        rate = sum(weight * slot_at(table, begin_s).rate for table, weight in weighed) / total
        discount = sum(weight * slot_at(table, begin_s).discount for table, weight in weighed) / total
        slots.append(Slot(begin_s, rate, discount))
    return tuple(slots)


def cheapest(table: PriceTable, now_s: float, run_s: float, latest_s: float) -> float:
    """When to begin a run so that it falls into the cheapest slot: at its begin, or now.

    Only slots count that last until half of the run could be over, and that begin by `latest_s`. Of equal
    prices the first counts.
    """
    slots = zip(table, [*(slot.from_s for slot in table[1:]), inf], strict=False)
    fitting = [
        (slot.price, max(now_s, slot.from_s))
        for slot, end_s in slots
        if end_s >= now_s + run_s / 2 and max(now_s, slot.from_s) <= latest_s
    ]
    return min(fitting)[1] if fitting else now_s


def rows_of(table: PriceTable) -> list[list[int]]:
    """A table as it travels."""
    rows = []
    for slot in table[:SLOTS_MAX]:
        row = [slot.from_s, round(_UNIT * slot.rate)]
        rows.append([*row, round(_UNIT * slot.discount)] if slot.discount else row)
    return rows


def read_rows(rows: Any) -> PriceTable:
    """The table that travelled. Raises ValueError."""
    if not isinstance(rows, list) or len(rows) > SLOTS_MAX:
        raise ValueError("invalid price table")
    slots = []
    for row in rows:
        if not isinstance(row, list) or len(row) not in (2, 3) or any(type(each) is not int for each in row):
            raise ValueError("invalid price slot")
        from_s, rate, discount = (*row, 0)[:3]
        most = _MOST * _UNIT
        if not (0 <= from_s <= _END_S and 0 <= rate <= most and -10 * most <= discount <= most):
            raise ValueError("a price is out of range")
        slots.append(Slot(from_s, rate / _UNIT, discount / _UNIT))
    if any(later.from_s <= slot.from_s for slot, later in pairwise(slots)):
        raise ValueError("price slots are not in order")
    return tuple(slots)
