"""Green first: least environmental impact, then distance, then the larger offer (thesis 4.1.1)."""

from collections.abc import Iterable

from ..rules import PATIENCE_S
from . import SeenOffer


class GreenFirst:
    """Prefers distant solar power to the grid next door, and few suppliers to many."""

    patience_s = PATIENCE_S

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """Sorted by impact, hops, power (descending), name."""
        return sorted(
            offers, key=lambda seen: (seen.offer.impact, seen.hops, -seen.offer.power_w, seen.supplier)
        )
