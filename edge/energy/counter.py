"""Where a supplier makes its offers: the requests it has seen, and what is offered to each (algorithm 4.8).

First go offers of all that is asked, in the order of the policy. What is left is too little for anybody
alone: it is offered as a part. Suppliers that each gave their rest to another request would block all of
them, so a policy may name an order of parts that all suppliers share: then the rests gather at one
request, and a part elsewhere is taken back when it has been of no use for a moment. Under a policy
without such an order parts lapse soon. An offer that stands may grow, and be taken back as a whole.
"""

import math
import random
from collections import Counter as Counts
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .book import Book, Promise, State, crowds, node_of
from .messages import Offer, Priority, Request, round_w
from .policies import ProducerPolicy, SeenRequest
from .rules import (
    CURTAIL_S,
    GATHER_S,
    MARGIN,
    MIN_POWER_W,
    OFFER_GRACE_S,
    OFFER_VALIDITY_S,
    PART_HOLD_S,
    PARTIAL_OFFER_S,
    PARTIAL_WAIT_S,
    REST_S,
    with_margin,
)

SetAside = Callable[[str, float], float]  # consumer, now_s -> W


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierSettings:
    """What a supplier states about its power, and how many promises and offers it may have."""

    impact: int
    price: float
    promises_max: int
    offers_max: int


class Counter:
    """Turns requests into offers, as the policy of the supplier has it."""

    def __init__(
        self, name: str, book: Book, settings: SupplierSettings, policy: ProducerPolicy, rng: random.Random
    ) -> None:
        self._node = node_of(name)
        self._book = book
        self._settings = settings
        self._policy = policy
        self._rng = rng
        self._requests: dict[str, SeenRequest] = {}
        self._standing: dict[str, Promise] = {}  # offers by consumer, while a step lasts
        self._nodes: Counts[str] = Counts()  # and how many go to each node
        self._stepped_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether anybody asks."""
        return bool(self._requests)

    @property
    def wake_s(self) -> float:
        """When a part may be taken back; inf while there is none to wait for."""
        if not self._policy.gathers:
            return math.inf
        parts = (self._hold_until_s(each) for each in self._book if each.part and not each.committed)
        return min((at_s for at_s in parts if at_s > self._stepped_s), default=math.inf)

    def see(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer shows a request, or none any more."""
        if request is None:
            self.forget(consumer)
            return
        seen = self._requests.get(consumer)
        if seen is None and not self._has_room_for(consumer):
            return  # it will be seen again when it changes
        rest_s = seen.rest_until_s if seen and seen.request.id == request.id else 0.0
        self._requests[consumer] = SeenRequest(consumer, request, hops, now_s, rest_s)

    def _has_room_for(self, consumer: str) -> bool:
        size, count = 4 * self._settings.promises_max, len(self._requests)
        return count < size and not crowds(consumer, self._requests, count, size, self._node)

    def is_asked_by(self, consumer: str) -> bool:
        """Whether a consumer's request stands."""
        return consumer in self._requests

    def forget(self, consumer: str) -> None:
        """A consumer asks no more."""
        self._requests.pop(consumer, None)

    def offer_until_s(self, consumer: str) -> float:
        """Until when the offer to a consumer is good; 0 without one."""
        offer = self._book.offer_to(consumer)
        return offer.deadline_s - OFFER_GRACE_S if offer else 0.0

    def offers(self) -> dict[str, Offer]:
        """The offers that stand, by consumer."""
        impact, price = self._settings.impact, self._settings.price
        return {
            each.consumer: Offer(each.key, each.power_w, each.max_w, impact, price, each.urgent_w)
            for each in self._book
            if not each.committed
        }

    def step(self, capacity_w: float, now_s: float, aside: SetAside | None = None) -> None:
        """Forget offers that ran out, then offer what is left, first to whom the policy puts first.

        `aside` says how much is kept free for others than a consumer.
        """
        self._stepped_s = now_s
        for promise in list(self._book):
            if not promise.committed:
                self._lapse(promise, now_s)
        if not self._requests or capacity_w < MIN_POWER_W or not self._can_offer(capacity_w):
            return
        requests = self._open_requests(now_s)
        ordered = _high_first(self._policy.order(requests, now_s))
        parts = self._policy.order_parts(requests, now_s)
        if parts is not None:
            self._reclaim(parts, now_s)
        shares = self._shares(capacity_w)
        self._curtail(shares, now_s)
        self._standing = {each.consumer: each for each in self._book if not each.committed}
        self._nodes = Counts(map(node_of, self._standing))
        available_w = max(0.0, capacity_w - self._book.reserved_w)
        for whole, queue in ((True, ordered), (False, ordered if parts is None else _high_first(parts))):
            for seen in queue:
                if seen.consumer not in self._standing and not self._may_offer(seen, available_w):
                    continue  # most of a flood ends here
                share_w = (
                    shares[seen.consumer] - self._book.held_w(seen.consumer)
                    if seen.consumer in shares
                    else math.inf
                )
                kept_w = aside(seen.consumer, now_s) if aside else 0.0
                available_w -= self._make_offer(seen, available_w - kept_w, share_w, whole, now_s)

    def _can_offer(self, capacity_w: float) -> bool:
        """Whether there is power to offer, or to be had from others."""
        if self._policy.shares_power or capacity_w - self._book.reserved_w >= MIN_POWER_W:
            return True
        if self._policy.gathers and any(each.part and not each.committed for each in self._book):
            return True
        return any(seen.request.priority is Priority.HIGH for seen in self._requests.values())

    def _lapse(self, offer: Promise, now_s: float) -> None:
        seen = self._requests.get(offer.consumer)
        if seen is None or seen.request.id != offer.key:
            self._book.drop(offer)
        elif now_s >= offer.deadline_s:
            # Unused although it stood to the end: let others go first for a random while.
            self._book.drop(offer)
            seen.rest_until_s = now_s + self._rng.uniform(0.0, 1.0 if self._policy.gathers else REST_S)

    def _open_requests(self, now_s: float) -> list[SeenRequest]:
        found = []
        for seen in self._requests.values():
            offer = self._book.offer_to(seen.consumer)
            if seen.rest_until_s <= now_s if offer is None else offer.key == seen.request.id:
                found.append(seen)
        return found

    def _reclaim(self, parts: list[SeenRequest], now_s: float) -> None:
        """Take back parts that were of no use to their consumer, unless it is the first to get parts: for
        that one they stand on, so that they do not lapse one by one while it waits for the last."""
        first = parts[0].consumer if parts else ""
        kept = self._book.offer_to(first)
        if kept and kept.part and now_s < kept.since_s + GATHER_S:
            kept.deadline_s = now_s + OFFER_VALIDITY_S + OFFER_GRACE_S
        for offer in list(self._book):
            stale = not offer.committed and offer.part and now_s >= self._hold_until_s(offer)
            if stale and offer.consumer != first and offer.priority is not Priority.HIGH:
                self._book.drop(offer)

    def _hold_until_s(self, offer: Promise) -> float:
        seen = self._requests.get(offer.consumer)
        taken = seen is not None and seen.request.partial  # it will be, as soon as the whole is given up
        return offer.since_s + PART_HOLD_S + (PARTIAL_WAIT_S if taken else 0.0)

    def _make_offer(
        self, seen: SeenRequest, available_w: float, share_w: float, whole: bool, now_s: float
    ) -> float:
        """Offer to one request, the `whole` or also a part, or more than before; what that took of
        `available_w`."""
        request = seen.request
        offer = self._standing.get(seen.consumer)
        before_w = offer.max_w if offer else 0.0
        within_w = max(0.0, min(available_w + before_w, share_w))
        power_w = round_w(min(within_w, request.power_w))
        max_w = round_w(min(within_w, with_margin(power_w)))
        part = power_w < request.power_w
        if (part and whole) or power_w < MIN_POWER_W:
            power_w = max_w = 0.0
        urgent_w = self._urgent_w(seen, with_margin(request.power_w) - max_w)
        if offer is None:
            if max_w + urgent_w < MIN_POWER_W or not self._displace(seen):
                return 0.0
            offer = Promise(
                seen.consumer, request.id, State.OFFERED, 0.0, 0.0, 0.0, request.priority, seen.hops
            )
            self._book.add(offer)
            self._standing[seen.consumer] = offer
            self._nodes[node_of(seen.consumer)] += 1
        elif max_w <= before_w:
            offer.urgent_w = urgent_w if max_w == before_w else offer.urgent_w
            return 0.0
        brief = part and not self._policy.gathers
        offer.power_w, offer.max_w, offer.urgent_w, offer.part = power_w, max_w, urgent_w, part
        offer.since_s = now_s
        offer.deadline_s = now_s + (PARTIAL_OFFER_S if brief else OFFER_VALIDITY_S + OFFER_GRACE_S)
        return max_w - before_w

    def _urgent_w(self, seen: SeenRequest, short_w: float) -> float:
        """What interrupting others would add for a request of high priority, in W."""
        if seen.request.priority is not Priority.HIGH or short_w < MIN_POWER_W:
            return 0.0
        return round_w(min(short_w, sum(each.max_w for each in self._book.interruptible(seen.consumer))))

    def _may_offer(self, seen: SeenRequest, available_w: float) -> bool:
        """Whether there is power, and a place, for one more offer. There is a place for one of high priority
        where another has it, and for one to a node that has clearly fewer than another: nobody can occupy
        all places."""
        urgent = seen.request.priority is Priority.HIGH
        if not urgent and available_w < MIN_POWER_W:
            return False
        if len(self._standing) < self._settings.offers_max:
            return self._book.has_place_for(seen.consumer)
        return urgent or max(self._nodes.values()) > self._nodes[node_of(seen.consumer)] + 1

    def _displace(self, seen: SeenRequest) -> bool:
        """Make the place that `_may_offer` spoke of; whether that could be done."""
        if len(self._standing) < self._settings.offers_max:
            return True
        own = self._nodes[node_of(seen.consumer)]
        urgent = seen.request.priority is Priority.HIGH
        for offer in reversed(self._standing.values()):
            crowded = self._nodes[node_of(offer.consumer)] > own + 1
            if offer.priority < Priority.HIGH and (urgent or crowded):
                self._book.drop(offer)
                self._nodes[node_of(offer.consumer)] -= 1
                del self._standing[offer.consumer]
                return True
        return False

    def _shares(self, capacity_w: float) -> Mapping[str, float]:
        """The most each consumer should have, as far as the policy limits them.

        High priority is exempt, and so is who takes all or nothing: nobody gives way for a part that
        would not be taken, or while high priority waits and would have all that is given back.
        """
        if any(seen.request.priority is Priority.HIGH for seen in self._requests.values()):
            return {}
        claims: dict[str, float] = {}
        for promise in self._book:
            if promise.priority is Priority.HIGH:
                capacity_w -= promise.max_w
            elif promise.committed:
                claims[promise.consumer] = claims.get(promise.consumer, 0.0) + promise.max_w
        for seen in self._requests.values():
            if seen.request.partial and seen.request.priority is not Priority.HIGH:
                claims[seen.consumer] = claims.get(seen.consumer, 0.0) + with_margin(seen.request.power_w)
        return self._policy.shares(max(0.0, capacity_w), claims) or {}

    def _curtail(self, shares: Mapping[str, float], now_s: float) -> None:
        """Ask those who have more than their share to come down to it; a merge is waited for."""
        for consumer, share_w in shares.items():
            held = [each for each in self._book.of(consumer) if each.committed]
            if len(held) != 1 or held[0].state is not State.VALID:
                continue
            limit_w = round_w(max(MIN_POWER_W, share_w))
            if limit_w * (1 + MARGIN) < min(held[0].max_w, held[0].limit_w):
                held[0].limit_w = limit_w
                held[0].limit_by_s = min(held[0].limit_by_s, now_s + CURTAIL_S)


def _high_first(requests: list[SeenRequest]) -> list[SeenRequest]:
    return sorted(requests, key=lambda seen: seen.request.priority is not Priority.HIGH)
