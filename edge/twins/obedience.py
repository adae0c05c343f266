"""What a twin may do by the orders to it (thesis 5.2.1.4): from the regulator of its node, and from its user.

A stop order of the regulator holds for a while and outlives a restart; one of the user until the twin is
started again.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..clock import Clock
from ..energy.orders import Deed, Order, decode_orders

STOP_ORDER, BY_USER = "stop order", "user"
_STEP_S = 30  # the rest of a stop is remembered in whole steps, so that the file is not written each second


class Obedience:
    """The orders to one twin. `held`: its user has stopped it; `most_w`: what it may draw, or give."""

    def __init__(self, twin: str, clock: Clock) -> None:
        self.held = False
        self.most_w = math.inf
        self._twin, self._clock = twin, clock
        self._reason = ""
        self._until_s = 0.0  # the end of a stop order; 0: there is none, or its end has been noticed
        self._newest = 0

    def news(self, data: bytes) -> Iterator[Order]:
        """The orders that concern the twin, each once. Raises ValueError."""
        orders, before = decode_orders(data), self._newest
        self._newest = max([before, *(each.number for each in orders)])
        for order in orders:
            if order.number > before and (order.twin == self._twin or order.deed is Deed.FORGET):
                yield order

    @property
    def stops(self) -> bool:
        """Whether the device must be off."""
        return self.held or self._clock.now_s() < self._until_s

    @property
    def reason(self) -> str:
        """Why; empty if it need not."""
        if self.held:
            return BY_USER
        return self._reason or STOP_ORDER if self.stops else ""

    def stop(self, reason: str, for_s: float) -> None:
        """A stop order."""
        self._reason, self._until_s = reason, self._clock.now_s() + for_s

    def limit(self, order: Order) -> bool:
        """It may draw, or give, so much, or again as much as it likes; whether that ends a stop order."""
        self.most_w = order.power_w if order.deed is Deed.REDUCE else math.inf
        ends = order.deed is Deed.RETURN and self._until_s > 0.0 and order.kind == self._reason
        if ends:
            self._until_s = 0.0
        return ends

    def start(self) -> None:
        """End every stop."""
        self.held, self._until_s = False, 0.0

    def has_ended(self) -> bool:
        """Whether a stop order is over since the last time; then the twin goes on."""
        if not self._until_s or self.stops:
            return False
        self._until_s = 0.0
        return True

    def memory(self) -> dict[str, Any]:
        """The rest of a stop order."""
        left_s = self._until_s - self._clock.now_s()
        return {"off_s": _STEP_S * math.ceil(left_s / _STEP_S)} if left_s > 0 else {}

    def recall(self, memory: Any, most_s: float) -> bool:
        """Whether a stop order from before a restart goes on; no longer than `most_s`."""
        off_s = memory.get("off_s") if isinstance(memory, dict) else None
        if type(off_s) is not int or off_s <= 0:
            return False
        self._until_s = self._clock.now_s() + min(off_s, most_s)
        return True
