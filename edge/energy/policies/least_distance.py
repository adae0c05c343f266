"""Least distance: near suppliers first, then green ones (thesis 4.1.1). Short lines lose least."""

from collections.abc import Iterable

from . import SeenOffer


class LeastDistance:
    """The default. The own building comes first, solar power before the grid. It decides at once."""

    patience_s = 0.0

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """Sorted by hops, impact, power (descending), name."""
        return sorted(
            offers, key=lambda seen: (seen.hops, seen.offer.impact, -seen.offer.power_w, seen.supplier)
        )
