"""The conditions of a supplier beside power: its prices, and whom it serves (thesis 7.3, 7.4)."""

from collections.abc import Callable

from .book import Book
from .policies import SeenRequest
from .prices import PriceTable
from .tariff import Production, Tariff


class Conditions:
    """Those of one supplier. `wall_s` gives the Unix time, `offset_s` how much later civil time is."""

    def __init__(
        self, tariff: Tariff, impact: int, wall_s: Callable[[], float], offset_s: Callable[[], float]
    ) -> None:
        self._tariff = tariff
        self._impact = impact
        self._wall_s, self._offset_s = wall_s, offset_s

    def served(self, requests: list[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The requests that it serves at all."""
        return requests

    def placed(self, requests: list[SeenRequest]) -> list[SeenRequest]:
        """The requests in the order in which it serves them, from the order of its policy."""
        return requests

    def quote(self, seen: SeenRequest, book: Book, capacity_w: float, now_s: float) -> PriceTable:
        """The prices of an offer to a request."""
        return self._tariff.table(book, capacity_w, now_s, self._wall_s(), self._offset_s())

    def production(self, book: Book, capacity_w: float, now_s: float) -> Production:
        """What it tells all."""
        left_w = max(0.0, capacity_w - book.reserved_w)
        table = self._tariff.table(book, capacity_w, now_s, self._wall_s(), self._offset_s())
        return Production(capacity_w, left_w, self._impact, table)

    def due_s(self, now_s: float) -> float:
        """When its prices change though nothing happens."""
        return self._tariff.due_s(now_s, self._wall_s(), self._offset_s())
