"""How well one consumer is served: since when it waits, and when it gives up (thesis 4.4.4).

A need that its node could serve and that is unserved all the same is in alert.
"""

import math

from .rules import MARGIN


class Service:
    """The need of one consumer and its supply, over time."""

    def __init__(self) -> None:
        self.unserved_since_s: float | None = None
        self.unserved_w = 0.0  # the largest power that was missing during that time
        self.response_s = math.nan  # how long it took to meet the last need
        self.alert_since_s: float | None = None
        self.given_up_w = 0.0  # a need that was not served within the tolerance

    @property
    def waits_since_s(self) -> float:
        """Since when it is unserved; inf while it is not."""
        return math.inf if self.unserved_since_s is None else self.unserved_since_s

    def clear(self) -> None:
        """There is no need any more."""
        self.unserved_since_s = self.alert_since_s = None
        self.given_up_w = 0.0

    def note(self, need_w: float, missing_w: float, satisfied: bool, now_s: float) -> None:
        """The need now, what is missing of it, and whether contracts cover it."""
        if not need_w:
            self.clear()
        elif not satisfied:
            if self.unserved_since_s is None:
                self.unserved_since_s, self.unserved_w = now_s, 0.0
            self.unserved_w = max(self.unserved_w, missing_w)
        elif self.unserved_since_s is not None:
            self.response_s = now_s - self.unserved_since_s
            self.clear()

    def see_free(self, missing_w: float, available_w: float, now_s: float) -> None:
        """Set the free power of the node. An unserved need that it would cover is in alert."""
        servable = 0.0 < missing_w <= available_w
        if not servable:
            self.alert_since_s = None
        elif self.alert_since_s is None:
            self.alert_since_s = now_s

    def gives_up(self, need_w: float, tolerance_s: float, now_s: float) -> bool:
        """Whether this need was not served within the tolerance; another need is requested again."""
        if self.given_up_w:
            if abs(need_w - self.given_up_w) <= MARGIN * self.given_up_w:
                return True
            self.given_up_w = 0.0
            self.unserved_since_s = now_s
        waited_s = now_s - (now_s if self.unserved_since_s is None else self.unserved_since_s)
        if 0.0 < tolerance_s < waited_s:
            self.given_up_w = need_w
        return self.given_up_w > 0.0
