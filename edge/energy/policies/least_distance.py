"""Least distance: near before far, then green (thesis 4.1.1): short ways lose least on the wire."""

from collections.abc import Iterable

from . import SeenOffer


class LeastDistance:
    """The default: the own building first, there the sun before the grid; decides at once."""

    patience_s = 0.0

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """Sorted by hops, impact, power (descending), name."""
        return sorted(
            offers, key=lambda seen: (seen.hops, seen.offer.impact, -seen.offer.power_w, seen.supplier)
        )
