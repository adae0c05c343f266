"""Contracts for later spans that come from the market of the next day (thesis 8.2.1, 8.2.3).

What a member was awarded in a step it has bought from, or sold to, some other members: each such pair has a
contract for that quarter-hour, with a power and a price. When the step begins, the suppliers of the seller
keep that power for the buyer: nobody else is offered it from a minute before until a minute after the begin.
How the buyer takes it is as always: it requests, is offered, and makes a contract of twins. A power that is
not there, or that nobody comes for, is a deviation, which is settled; so a member that has vanished costs the
others nothing but that minute.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .day_market import STEP_S
from .rules import CLAIM_S, NEAR_S
from .supplier import Supplier

SetAside = Callable[[str, float], float]  # consumer, now_s -> W


class DayContract(NamedTuple):
    """One quarter-hour from `begins_s` (Unix time): `seller` and `buyer` are nodes; "": the operator."""

    begins_s: int
    seller: str
    buyer: str
    energy_wh: int
    price: float

    @property
    def power_w(self) -> float:
        """The mean power."""
        return self.energy_wh * 3600 / STEP_S


class Sold:
    """What a node has sold for later. Its suppliers keep it for the buyers when the time has come."""

    def __init__(
        self, node: str, wall_s: Callable[[], float], suppliers: Callable[[], Sequence[Supplier]]
    ) -> None:
        self._node, self._wall_s, self._suppliers = node, wall_s, suppliers
        self._by_begin: dict[int, list[DayContract]] = {}

    def hold(self, contracts: Iterable[DayContract]) -> None:
        """These are all its contracts from now on; those with the operator are not kept for."""
        self._by_begin = {}
        for each in contracts:
            if each.seller == self._node and each.buyer:
                self._by_begin.setdefault(each.begins_s, []).append(each)

    def now(self) -> list[DayContract]:
        """Those for which power is kept now."""
        wall_s = self._wall_s()
        step_s = int((wall_s + NEAR_S) // STEP_S) * STEP_S
        return self._by_begin.get(step_s, []) if wall_s < step_s + CLAIM_S else []

    def aside_of(self, supplier: Supplier) -> SetAside | None:
        """The power that this supplier keeps from a consumer, for others; None if there is none."""
        kept = self.now() if self._by_begin else []
        if not kept:
            return None
        suppliers = self._suppliers()
        capacity_w = sum(each.capacity_w for each in suppliers)
        if not capacity_w:
            return None
        share = supplier.capacity_w / capacity_w
        open_w = {
            each.buyer: share
            * max(0.0, each.power_w - sum(other.book.node_w(each.buyer) for other in suppliers))
            for each in kept
        }

        def aside(consumer: str, now_s: float) -> float:
            node = consumer.partition(".")[0]
            if node == self._node:
                return 0.0  # what a member has sold is what it has left
            return sum(power_w for buyer, power_w in open_w.items() if buyer != node)

        return aside
