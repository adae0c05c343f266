"""When a gate tells its microgrid what stands behind it.

Each time costs messages to all other gates. What can be had there is told at once, since gates buy by it;
what no contract depends on is told seldom.
"""

import math

from .surplus import Surplus, near

SELDOM_S = 5.0


class Telling:
    """What one gate has told."""

    def __init__(self) -> None:
        self.told: Surplus | None = None  # None: it does not act
        self._told_s = -math.inf
        self._waits = False  # something is to be told later

    def follow(self, surplus: Surplus | None, now_s: float) -> bool:
        """Whether to tell that now."""
        told = self.told
        if surplus is None or told is None:
            is_news = surplus is not told
        else:
            self._waits = not surplus.is_near(told)
            at_once = (surplus.most_w, surplus.up) != (told.most_w, told.up)
            at_once = at_once or not near(surplus.left_w, told.left_w)
            is_news = at_once or (self._waits and now_s >= self._told_s + SELDOM_S)
        if is_news:
            self.told, self._told_s, self._waits = surplus, now_s, False
        return is_news

    @property
    def due_s(self) -> float:
        """When it has to be asked again; inf if all is told."""
        return self._told_s + SELDOM_S if self._waits else math.inf
