"""First fit: the first offer that covers the whole request, else the first ones that came (thesis 4.1.1)."""

from collections.abc import Iterable

from ..rules import EPSILON_W
from . import SeenOffer


class FirstFit:
    """Quickest to decide, and most contracts have one supplier."""

    patience_s = 0.0

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """In the order of arrival, those that fit the whole first."""
        return sorted(offers, key=lambda seen: seen.offer.power_w < power_w - EPSILON_W)
