"""Green first: least environmental impact, then distance, then the larger offer (thesis 4.1.1)."""

from collections.abc import Iterable

from . import SeenOffer


class GreenFirst:
    """The consumer's default: local sun before distant grid, and few suppliers rather than many."""

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """Sorted by impact, hops, power (descending), name."""
        return sorted(
            offers, key=lambda seen: (seen.offer.impact, seen.hops, -seen.offer.power_w, seen.supplier)
        )
