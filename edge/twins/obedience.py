"""What the regulator of its node has told a twin (thesis 5.2.1.4), and what others may know of it."""

import math
from collections.abc import Iterator

from ..energy.orders import Deed, Order, decode_orders

STOP_ORDER, BY_USER = "stop order", "user"


class Obedience:
    """The orders to one twin. `reason`: why it is off; `most_w`: what it may draw, or give, at most."""

    def __init__(self, twin: str) -> None:
        self.reason = ""
        self.most_w = math.inf
        self._twin = twin
        self._newest = 0

    def news(self, data: bytes) -> Iterator[Order]:
        """The orders that concern the twin, each once. Raises ValueError."""
        orders, before = decode_orders(data), self._newest
        self._newest = max([before, *(each.number for each in orders)])
        for order in orders:
            if order.number > before and (order.twin == self._twin or order.deed is Deed.FORGET):
                yield order
