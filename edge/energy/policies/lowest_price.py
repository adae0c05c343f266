"""Lowest price: the cheapest offers first (thesis 7.3)."""

from collections.abc import Iterable

from ..rules import PATIENCE_S
from . import SeenOffer


class LowestPrice:
    """At equal prices the nearest supplier comes first, then the larger offer."""

    patience_s = PATIENCE_S

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """Sorted by price, hops, power (descending), name."""
        return sorted(
            offers, key=lambda seen: (seen.offer.price, seen.hops, -seen.offer.power_w, seen.supplier)
        )
