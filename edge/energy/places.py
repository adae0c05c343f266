"""The places for offers of one supplier: no node can occupy them all (thesis 5.1: ten properties an LSA).

When all places are taken, a high-priority request may displace another offer, and so may a request of a node
that has clearly fewer offers than another.
"""

from collections import Counter

from .book import Book, Promise, node_of
from .messages import Priority


class Places:
    """The open offers during one step, by consumer, and how many each node has."""

    def __init__(self, book: Book, size: int) -> None:
        self._book = book
        self._size = size
        self._offers = {each.consumer: each for each in book if not each.committed}
        self._nodes = Counter(map(node_of, self._offers))

    def __contains__(self, consumer: str) -> bool:
        return consumer in self._offers

    def of(self, consumer: str) -> Promise | None:
        """The offer to a consumer."""
        return self._offers.get(consumer)

    def add(self, offer: Promise) -> None:
        """Make an offer; there is a place for it."""
        self._book.add(offer)
        self._offers[offer.consumer] = offer
        self._nodes[node_of(offer.consumer)] += 1

    def may_be_had_by(self, consumer: str, urgent: bool) -> bool:
        """Whether there is a place for one more offer, or one that may be displaced."""
        if len(self._offers) < self._size:
            return self._book.has_place_for(consumer)
        return urgent or max(self._nodes.values()) > self._nodes[node_of(consumer)] + 1

    def clear_for(self, consumer: str, urgent: bool) -> bool:
        """Free a place for an offer, if none is free; False if there is none."""
        if len(self._offers) < self._size:
            return True
        own = self._nodes[node_of(consumer)]
        for offer in reversed(self._offers.values()):
            crowded = self._nodes[node_of(offer.consumer)] > own + 1
            if crowded or (urgent and offer.priority < Priority.HIGH):
                self._book.drop(offer)
                self._nodes[node_of(offer.consumer)] -= 1
                del self._offers[offer.consumer]
                return True
        return False
