"""How late reactions are: from the moment at which something reaches the node to the end of the reaction."""

import math

_PERIOD_S = 10.0


class Lateness:
    """The longest of the last 10 to 20 s. Times are those of the node's clock."""

    def __init__(self) -> None:
        self._since_s = math.inf  # what waits for a reaction has been there since then
        self._reacted_s = math.inf  # end of the last reaction
        self._ends_s = -math.inf  # of the present period
        self._now_s = self._before_s = -math.inf  # the longest of this period, and of the one before

    def waits(self, since_s: float) -> None:
        """Something that needs a reaction has been there since then."""
        self._since_s = min(self._since_s, since_s)

    def reacted(self, ended_s: float, woken_s: float) -> None:
        """A reaction to all that waited has ended; without mail a twin wanted to act at `woken_s`, which may
        be an older date of something that the last reaction has brought."""
        since_s = min(self._since_s, max(woken_s, self._reacted_s))
        self._since_s, self._reacted_s = math.inf, ended_s
        self._turn(ended_s)
        self._now_s = max(self._now_s, ended_s - since_s)

    def longest_s(self, now_s: float) -> float | None:
        """None if there was none."""
        self._turn(now_s)
        longest_s = max(self._now_s, self._before_s)
        return None if longest_s < 0 else longest_s

    def _turn(self, now_s: float) -> None:
        if now_s < self._ends_s:
            return
        self._before_s = self._now_s if now_s < self._ends_s + _PERIOD_S else -math.inf
        self._now_s, self._ends_s = -math.inf, now_s + _PERIOD_S
