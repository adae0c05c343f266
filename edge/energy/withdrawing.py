"""When a supplier withdraws offers: nobody takes them, others could use them, or remainders must gather."""

import random
from collections.abc import Container, Sequence

from .asking import Asking
from .book import Book, Promise, node_of
from .members import Members
from .policies import SeenRequest
from .rules import GATHER_S, OFFER_GRACE_S, OFFER_VALIDITY_S, PART_HOLD_S, PARTIAL_WAIT_S, REST_S, TAKE_S


class Withdrawals:
    """The end of the offers of one supplier. `urgent`: consumers whose high priority counts."""

    def __init__(self, node: str, book: Book, requests: Asking, members: Members, rng: random.Random) -> None:
        self._node = node
        self._book = book
        self._requests = requests
        self._members = members
        self._rng = rng

    def hold_until_s(self, offer: Promise) -> float:
        """Until when a partial offer is kept that did not lead to a contract."""
        seen = self._requests.of(offer.consumer)
        taken = seen is not None and seen.request.partial  # it will accept a part after a while
        return offer.since_s + PART_HOLD_S + (PARTIAL_WAIT_S if taken else 0.0)

    def lapse(self, offer: Promise, gathers: bool, urgent: Container[str], now_s: float) -> None:
        """Withdraw an offer that has expired, or whose request is gone."""
        seen = self._requests.of(offer.consumer)
        if seen is None or seen.request.id != offer.key:
            self._book.drop(offer)
            if not offer.part and not offer.elsewhere:
                small = now_s < offer.since_s + TAKE_S
                self._members.waste(offer.consumer, offer.max_w, now_s, small=small)
        elif now_s >= offer.deadline_s:
            # It expired unused: serve other requests first for a random time.
            self._book.drop(offer)
            self._waste(offer, now_s, gathered=not self._is_claimed_at_once(offer, urgent))
            seen.rest_until_s = now_s + self._rng.uniform(0.0, 1.0 if gathers else REST_S)

    def give_way(self, urgent: Container[str], now_s: float) -> None:
        """Withdraw offers that others could use: those to members in doubt, and those not taken for long."""
        doubt = self._members.any_doubted(now_s)
        blocking = []
        for offer in self._book:
            if not offer.committed and node_of(offer.consumer) != self._node:
                doubted = doubt and self._members.is_doubted(offer.consumer, now_s)
                stale = now_s >= offer.since_s + TAKE_S and self._is_claimed_at_once(offer, urgent)
                if doubted or stale:
                    blocking.append((offer, stale))
        if not blocking:
            return
        waiting = {
            node_of(seen.consumer)
            for seen in self._requests
            if seen.rest_until_s <= now_s
            and self._is_waiting(seen.consumer)
            and not self._members.is_doubted(seen.consumer, now_s)
        }
        for offer, stale in blocking:
            if waiting - {node_of(offer.consumer)}:
                self._book.drop(offer)
                seen = self._requests.of(offer.consumer)
                if seen:
                    seen.rest_until_s = now_s + self._rng.uniform(0.0, REST_S)
                if stale:
                    self._waste(offer, now_s, small=offer.part)

    def reclaim(self, parts: Sequence[SeenRequest], urgent: Container[str], now_s: float) -> None:
        """Withdraw partial offers that did not lead to a contract.

        The offer to the first consumer in the order is kept open instead: its partial offers must not expire
        one by one while it waits for the last.
        """
        first = parts[0].consumer if parts else ""
        kept = self._book.offer_to(first)
        if kept and kept.part and now_s < kept.since_s + GATHER_S:
            kept.deadline_s = now_s + OFFER_VALIDITY_S + OFFER_GRACE_S
        for offer in list(self._book):
            stale = not offer.committed and offer.part and now_s >= self.hold_until_s(offer)
            if stale and offer.consumer != first and offer.consumer not in urgent:
                self._book.drop(offer)

    def _waste(self, offer: Promise, now_s: float, *, small: bool = False, gathered: bool = False) -> None:
        """It was not taken; or it has not arrived, which its consumer cannot help."""
        members, consumer = self._members, offer.consumer
        if members.is_silent_since(consumer, offer.since_s, now_s):
            members.miss(consumer, offer.max_w, now_s, gathered=gathered or small)
        elif gathered:
            members.waste_gathered(consumer, offer.max_w, now_s)
        else:
            members.waste(consumer, offer.max_w, now_s, small=small)

    def _is_claimed_at_once(self, offer: Promise, urgent: Container[str]) -> bool:
        """Whether an honest consumer takes the offer within moments, or has no use for it."""
        seen = self._requests.of(offer.consumer)
        return not offer.part or offer.consumer in urgent or (seen is not None and seen.request.partial)

    def _is_waiting(self, consumer: str) -> bool:
        offer = self._book.offer_to(consumer)
        return offer is None or offer.part
