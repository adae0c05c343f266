"""How many offers a member gets: a request that stands costs its author nothing, offers to it travel far.

A bucket that fills with time, and with each contract that the member uses: honest members use what they
request, so theirs is hardly ever empty. A member in doubt gets few offers, until it uses one or its doubt is
over.
"""

# No settings: they count for each member alone, so they do not depend on the number of nodes.
OFFERS, OFFERS_PER_S = 256.0, 2.0  # at once, and lastingly, of all suppliers of a node
DOUBTED_OFFERS, DOUBTED_OFFERS_PER_S = 8.0, 0.1  # in doubt
USED = 16.0  # for a contract that was used


class OfferQuota:
    """That of one member, for all suppliers of a node."""

    __slots__ = ("_left", "_since_s")

    def __init__(self, now_s: float) -> None:
        self._left, self._since_s = OFFERS, now_s

    def is_left(self, doubted: bool, now_s: float) -> bool:
        """Whether it may get another offer."""
        self._fill(doubted, now_s)
        return self._left >= 1.0

    def offer(self) -> None:
        """It got one."""
        self._left -= 1.0

    def use(self) -> None:
        """It used a contract."""
        self._left = min(OFFERS, self._left + USED)

    def _fill(self, doubted: bool, now_s: float) -> None:
        most, per_s = (DOUBTED_OFFERS, DOUBTED_OFFERS_PER_S) if doubted else (OFFERS, OFFERS_PER_S)
        self._left = min(most, self._left + per_s * (now_s - self._since_s))
        self._since_s = now_s
