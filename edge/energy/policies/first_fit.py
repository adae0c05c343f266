"""First fit: the first offer that covers the whole request, else the first to arrive (thesis 4.1.1)."""

from collections.abc import Iterable

from ..rules import EPSILON_W
from . import SeenOffer


class FirstFit:
    """It decides at once, and most contracts have a single supplier."""

    patience_s = 0.0

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """In order of arrival, offers that cover the whole request first."""
        return sorted(offers, key=lambda seen: seen.offer.power_w < power_w - EPSILON_W)
