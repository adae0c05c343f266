"""The open request of a consumer: when it is stated, and how far it goes (thesis 4.1.2).

It is stated again when the wanted power has changed beyond the margin; for a later span, again and again
until that is under contract.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from .messages import Priority, Request
from .plans import Plan
from .rules import ALERT_SAID_S, MARGIN, REPLAN_S
from .widening import MOST_HOPS, first_hops, hops_of, next_s


class OpenRequest:
    """At most one request. `since_s`: when it was stated."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self.request: Request | None = None
        self.since_s = 0.0
        self._next_id = next_id

    def withdraw(self) -> None:
        """Request nothing."""
        self.request = None

    def is_for(self, power_w: float) -> bool:
        """Whether it requests about that power for now."""
        old = self.request
        return old is not None and not old.run_s and abs(old.power_w - power_w) <= MARGIN * old.power_w

    def ask(self, power_w: float, spare_w: float, priority: Priority, partial: bool, now_s: float) -> None:
        """Request power for now; `spare_w` of it is margin."""
        self.request = Request(self._next_id(), power_w, priority, partial=partial, spare_w=spare_w)
        self.since_s = now_s

    def ask_ahead(self, plan: Plan, priority: Priority, now_s: float) -> bool:
        """Request a run for later; whether that is a new request."""
        if self.request is not None and self.request.run_s > 0 and now_s < self.since_s + REPLAN_S:
            return False
        self.request = Request(
            self._next_id(),
            plan.power_w,
            priority,
            run_s=plan.run_s,
            begin_in_s=round(max(0.0, plan.begin_s - now_s), 1),
            latest_in_s=round(max(0.0, plan.latest_s - now_s), 1),
        )
        self.since_s = now_s
        return True

    def alert(self, alert_since_s: float | None, now_s: float) -> None:
        """Say since when the need waits beside free power (thesis 4.4.4); None: it does not."""
        old = self.request
        if old is None:
            return
        if alert_since_s is None:
            self.request = replace(old, alert=False, alert_s=0.0) if old.alert else old
        elif not old.alert and now_s - alert_since_s >= ALERT_SAID_S:
            self.request = replace(old, alert=True, alert_s=round(now_s - alert_since_s, 1))

    def hops(self, first: int, patience_s: float, waits_since_s: float, now_s: float) -> int:
        """How far it goes now; `first`: at first, `patience_s`: how long offers are compared."""
        if self.request is not None and self.request.run_s > 0:
            return MOST_HOPS
        return hops_of(first_hops(first, patience_s), max(0.0, now_s - waits_since_s))

    def wake_s(
        self, waits: Sequence[float], first: int, patience_s: float, waits_since_s: float, now_s: float
    ) -> float:
        """When something is decided though no offer arrives; inf if never.

        `waits`: ages at which more offers will do; then the arguments of `hops`.
        """
        request = self.request
        if request is None or request.run_s:
            return math.inf
        ahead = (self.since_s + wait_s for wait_s in waits if self.since_s + wait_s > now_s)
        return min(min(ahead, default=math.inf), next_s(first_hops(first, patience_s), waits_since_s, now_s))
