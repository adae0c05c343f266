"""The open requests that a supplier has seen, within what each member may claim (thesis 4.1.2)."""

import math
from collections.abc import Collection, Iterator

from .book import Book, crowds, node_of
from .members import Members
from .messages import Priority, Request
from .policies import SeenRequest


class Asking:
    """At most one request of each consumer, `size` in all."""

    def __init__(self, node: str, size: int, book: Book, members: Members) -> None:
        self._node = node
        self._size = size
        self._book = book
        self._members = members
        self._requests: dict[str, SeenRequest] = {}
        self._high: dict[str, None] = {}  # consumers whose request has high priority

    def __len__(self) -> int:
        return len(self._requests)

    def __contains__(self, consumer: str) -> bool:
        return consumer in self._requests

    def __iter__(self) -> Iterator[SeenRequest]:
        return iter(self._requests.values())

    @property
    def high(self) -> Collection[str]:
        """The consumers whose request has high priority."""
        return self._high

    def of(self, consumer: str) -> SeenRequest | None:
        """The request of a consumer."""
        return self._requests.get(consumer)

    def see(self, consumer: str, request: Request, hops: int, now_s: float) -> None:
        """A consumer has published a request. Without room it will be seen again when it changes."""
        seen = self._requests.get(consumer)
        if seen is None and not self._has_room_for(consumer):
            return
        rest_s = seen.rest_until_s if seen and seen.request.id == request.id else 0.0
        self._requests[consumer] = SeenRequest(consumer, request, hops, now_s, rest_s)
        if request.priority is Priority.HIGH:
            self._high[consumer] = None
        else:
            self._high.pop(consumer, None)

    def forget(self, consumer: str) -> None:
        """Drop the request of a consumer."""
        self._requests.pop(consumer, None)
        self._high.pop(consumer, None)

    def to_serve(self, now_s: float) -> list[SeenRequest]:
        """Those to which an offer may be made or increased now."""
        found = []
        within = self._within_means(now_s)
        for seen in self._requests.values():
            if seen.consumer not in within:
                continue
            offer = self._book.offer_to(seen.consumer)
            if seen.rest_until_s <= now_s if offer is None else offer.key == seen.request.id:
                found.append(seen)
        return found

    def _has_room_for(self, consumer: str) -> bool:
        count = len(self._requests)
        return count < self._size and not crowds(consumer, self._requests, count, self._size, self._node)

    def _within_means(self, now_s: float) -> set[str]:
        """The consumers whose member may claim what it requests.

        What a supplier of this node has offered already counts first: else a member would get more, one twin
        after the other, by the order in which it changes its requests, and two suppliers would each serve
        another twin.
        """
        if math.isinf(self._members.member_w):
            return set(self._requests)
        offered = set()
        held_w: dict[str, float] = {}  # by node: what it requests, and holds of all suppliers of this node
        for each in self._members.promises():
            if each.committed:
                node = node_of(each.consumer)
                held_w[node] = held_w.get(node, 0.0) + each.max_w
            else:
                offered.add(each.consumer)
        first = sorted(self, key=lambda seen: seen.consumer not in offered) if offered else self
        return {seen.consumer for seen in first if self._is_within_means(seen, held_w, now_s)}

    def _is_within_means(self, seen: SeenRequest, held_w: dict[str, float], now_s: float) -> bool:
        """Whether all that its member requests, and holds here, stays below what a member may claim."""
        node = node_of(seen.consumer)
        total_w = held_w.get(node, 0.0) + seen.request.power_w
        if node == self._node or total_w <= self._members.member_w:
            held_w[node] = total_w
            return True
        if seen.refused_id != seen.request.id:
            seen.refused_id = seen.request.id
            self._members.refuse(seen.consumer, now_s)
        return False
