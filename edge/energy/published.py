"""The contracts that consumers publish and that name one supplier: main and complementary (thesis 4.2)."""

from dataclasses import dataclass, field

from .book import Book, crowds, node_of
from .claims import REFUSALS_MAX
from .messages import Contract


@dataclass(slots=True)
class Shown:
    """Those of one consumer; `hops`: how far away it is."""

    contracts: list[Contract | None] = field(default_factory=lambda: [None, None])
    hops: int = 0


class Published:
    """What consumers publish, and who has published something new."""

    def __init__(self, supplier: str, book: Book) -> None:
        self._supplier = supplier
        self._book = book
        self._shown: dict[str, Shown] = {}
        self._news: dict[str, None] = {}  # consumers whose contracts changed, in order of arrival

    def __contains__(self, consumer: str) -> bool:
        return consumer in self._shown

    def see(
        self, consumer: str, complement: bool, contract: Contract | None, hops: int, promises: int
    ) -> bool:
        """A contract that names this supplier, or none any more (None); whether that concerns it.

        `promises`: how many promises it may hold; without a place the contract stays unconfirmed and becomes
        void.
        """
        shown = self._shown.get(consumer)
        if shown is None:
            if contract is None and not self._book.of(consumer):
                return False  # a promise for later is dropped when it is not claimed
            size, count = promises + REFUSALS_MAX, len(self._shown)
            if count >= size or crowds(consumer, self._shown, count, size, node_of(self._supplier)):
                return False
            shown = self._shown[consumer] = Shown()
        shown.contracts[complement] = contract
        shown.hops = hops
        self._news[consumer] = None
        return True

    def forget(self, consumer: str) -> None:
        """A consumer has left."""
        self._shown.pop(consumer, None)
        self._news.pop(consumer, None)

    def news(self) -> list[tuple[str, Shown]]:
        """Who has published something since the last time. Who shows no contract is forgotten then."""
        found = [(consumer, self._shown[consumer]) for consumer in self._news]
        self._news.clear()
        for consumer, shown in found:
            if not any(shown.contracts):
                del self._shown[consumer]
        return found
