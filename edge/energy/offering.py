"""How a supplier makes offers: the requests it has seen and its offer to each (thesis, algorithm 4.8).

Full offers are made first, in the order of the policy. The remaining power is too little for any single
request and is offered in part. If each supplier gave its remainder to a different request, none would be
served. So a policy may define an order for partial offers that all suppliers share: the remainders gather at
one request, and a partial offer elsewhere is withdrawn when it has not led to a contract after a moment.
Under a policy without such an order partial offers expire soon. An open offer may be increased, or withdrawn
as a whole.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .asking import Asking
from .book import Book, Promise, State, node_of
from .members import Members
from .messages import Offer, Priority, Request, round_w
from .policies import ProducerPolicy, SeenRequest
from .rules import (
    CURTAIL_S,
    GATHER_S,
    MARGIN,
    MIN_POWER_W,
    OFFER_GRACE_S,
    OFFER_VALIDITY_S,
    OWED_S,
    PART_HOLD_S,
    PARTIAL_OFFER_S,
    PARTIAL_WAIT_S,
    REST_S,
    TAKE_S,
    with_margin,
)

SetAside = Callable[[str, float], float]  # consumer, now_s -> W


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierSettings:
    """The impact and price in a supplier's offers, and the sizes of its tables."""

    impact: int
    price: float
    promises: int
    offers: int


class OfferMaker:
    """Turns requests into offers, in the order of the supplier's policy."""

    def __init__(
        self,
        name: str,
        book: Book,
        settings: SupplierSettings,
        policy: ProducerPolicy,
        rng: random.Random,
        members: Members,
    ) -> None:
        self._node = node_of(name)
        self._members = members
        self._capacity_w = 0.0
        self._urgent: set[str] = set()  # consumers whose high priority counts, during a step
        self._book = book
        self._settings = settings
        self._policy = policy
        self._rng = rng
        self._requests = Asking(self._node, 4 * settings.promises, book, members)
        self._owed: dict[
            str, float
        ] = {}  # consumers that were interrupted for nothing, and until when they come first
        self._standing: dict[str, Promise] = {}  # offers by consumer, during a step
        self._nodes: Counter[str] = Counter()  # number of offers to each node
        self._stepped_s = 0.0

    def adjust(self, settings: SupplierSettings, policy: ProducerPolicy) -> None:
        """Other settings hold for offers from now on."""
        self._settings, self._policy = settings, policy

    @property
    def busy(self) -> bool:
        """Whether there are open requests."""
        return bool(self._requests)

    @property
    def wake_s(self) -> float:
        """When a partial offer may next be withdrawn; inf if there is none."""
        if not (self._policy.gathers and len(self._book)):
            return math.inf
        parts = [self._hold_until_s(each) for each in self._book if each.part and not each.committed]
        return min([at_s for at_s in parts if at_s > self._stepped_s], default=math.inf)

    def see(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer has published a request, or withdrawn it (None)."""
        if request is None:
            self.forget(consumer)
        else:
            self._requests.see(consumer, request, hops, now_s)

    def owe(self, consumers: Iterable[str], now_s: float) -> None:
        """The supply of these consumers was interrupted for nothing: they come first for a while."""
        self._owed.update(dict.fromkeys(consumers, now_s + OWED_S))

    def note_elsewhere(self, consumer: str) -> None:
        """A consumer has made a contract without this supplier: it had a use for its request."""
        offer = self._book.offer_to(consumer)
        if offer:
            offer.elsewhere = True

    def urgent_room_w(self, consumer: str, now_s: float) -> float:
        """The power up to which a high-priority contract of a consumer may interrupt others, in W.

        With it, all twins of its node together hold no more than a member's share of the capacity.
        """
        if node_of(consumer) == self._node:
            return math.inf
        if not self._members.may_hurry(consumer, now_s):
            return 0.0
        share_w = self._members.urgent_share * self._capacity_w
        return max(0.0, share_w - self._book.node_w(node_of(consumer)))

    def is_asked_by(self, consumer: str) -> bool:
        """Whether this consumer has an open request."""
        return consumer in self._requests

    def forget(self, consumer: str) -> None:
        """Drop the request of a consumer."""
        self._requests.forget(consumer)

    def offer_until_s(self, consumer: str) -> float:
        """Until when the offer to a consumer is valid; 0 without one."""
        offer = self._book.offer_to(consumer)
        return offer.deadline_s - OFFER_GRACE_S if offer else 0.0

    def offers(self) -> dict[str, Offer]:
        """The open offers, by consumer."""
        impact, price = self._settings.impact, self._settings.price
        return {
            each.consumer: Offer(each.key, each.power_w, each.max_w, impact, price, each.urgent_w)
            for each in self._book
            if not each.committed
        }

    def step(self, capacity_w: float, now_s: float, aside: SetAside | None = None) -> None:
        """Drop expired offers, then offer the free power in the order of the policy.

        `aside` gives the power that is set aside for consumers other than the one named.
        """
        self._stepped_s, self._capacity_w = now_s, capacity_w
        if self._owed:
            self._owed = {name: until_s for name, until_s in self._owed.items() if now_s < until_s}
        for promise in list(self._book):
            if not promise.committed:
                self._lapse(promise, now_s)
        if not self._requests or capacity_w < MIN_POWER_W:
            return
        self._urgent = self._urgent_consumers(now_s)
        self._give_way(now_s)
        if not self._can_offer(capacity_w):
            return
        requests = self._requests.to_serve(now_s)
        ordered = self._urgent_first(self._policy.order(requests, now_s))
        parts = self._policy.order_parts(requests, now_s)
        if parts is not None:
            self._reclaim(parts, now_s)
        shares = self._shares(capacity_w)
        self._curtail(shares, now_s)
        self._standing = {each.consumer: each for each in self._book if not each.committed}
        self._nodes = Counter(map(node_of, self._standing))
        available_w = max(0.0, capacity_w - self._book.reserved_w)
        gathering = ordered if parts is None else self._urgent_first(parts)
        for whole, queue in ((True, ordered), (False, gathering)):
            for seen in queue:
                if seen.consumer not in self._standing and not self._may_offer(seen, available_w, now_s):
                    continue  # a flood of requests mostly ends here
                share_w = (
                    shares[seen.consumer] - self._book.held_w(seen.consumer)
                    if seen.consumer in shares
                    else math.inf
                )
                kept_w = aside(seen.consumer, now_s) if aside else 0.0
                available_w -= self._make_offer(seen, available_w - kept_w, share_w, whole, now_s)

    def _can_offer(self, capacity_w: float) -> bool:
        """Whether there is free power, or power that can be taken from others."""
        if self._policy.shares_power or capacity_w - self._book.reserved_w >= MIN_POWER_W:
            return True
        if self._policy.gathers and any(each.part and not each.committed for each in self._book):
            return True
        return bool(self._urgent)

    def _urgent_consumers(self, now_s: float) -> set[str]:
        """The consumers whose request of high priority counts as such: their node is below its share."""
        high = [seen.consumer for seen in self._requests if seen.request.priority is Priority.HIGH]
        return {name for name in high if self.urgent_room_w(name, now_s) >= MIN_POWER_W}

    def _urgent_first(self, requests: list[SeenRequest]) -> list[SeenRequest]:
        """Requests whose high priority counts come first, then those that are owed, those in doubt last."""
        now_s = self._stepped_s
        if self._owed:
            requests = sorted(requests, key=lambda seen: seen.consumer not in self._owed)
        if self._members.any_doubted(now_s):
            requests = sorted(requests, key=lambda seen: self._members.is_doubted(seen.consumer, now_s))
        return sorted(requests, key=lambda seen: seen.consumer not in self._urgent)

    def _give_way(self, now_s: float) -> None:
        """Withdraw offers that others could use: those to members in doubt, and those not taken for long."""
        doubt = self._members.any_doubted(now_s)
        blocking = []
        for offer in self._book:
            if not offer.committed and node_of(offer.consumer) != self._node:
                doubted = doubt and self._members.is_doubted(offer.consumer, now_s)
                stale = now_s >= offer.since_s + TAKE_S and self._is_claimed_at_once(offer)
                if doubted or stale:
                    blocking.append((offer, stale))
        if not blocking:
            return
        waiting = {
            node_of(seen.consumer)
            for seen in self._requests
            if seen.rest_until_s <= now_s
            and self._is_waiting(seen.consumer)
            and not self._doubted(seen.consumer)
        }
        for offer, stale in blocking:
            if waiting - {node_of(offer.consumer)}:
                self._book.drop(offer)
                seen = self._requests.of(offer.consumer)
                if seen:
                    seen.rest_until_s = now_s + self._rng.uniform(0.0, REST_S)
                if stale:
                    self._members.waste(offer.consumer, offer.max_w, now_s, small=offer.part)

    def _is_claimed_at_once(self, offer: Promise) -> bool:
        """Whether an honest consumer takes the offer within moments, or has no use for it."""
        seen = self._requests.of(offer.consumer)
        return not offer.part or offer.consumer in self._urgent or (seen is not None and seen.request.partial)

    def _is_waiting(self, consumer: str) -> bool:
        offer = self._book.offer_to(consumer)
        return offer is None or offer.part

    def _doubted(self, consumer: str) -> bool:
        return self._members.is_doubted(consumer, self._stepped_s)

    def _lapse(self, offer: Promise, now_s: float) -> None:
        seen = self._requests.of(offer.consumer)
        if seen is None or seen.request.id != offer.key:
            self._book.drop(offer)
            if not offer.part and not offer.elsewhere:
                small = now_s < offer.since_s + TAKE_S
                self._members.waste(offer.consumer, offer.max_w, now_s, small=small)
        elif now_s >= offer.deadline_s:
            # It expired unused: serve other requests first for a random time.
            self._book.drop(offer)
            if self._is_claimed_at_once(offer):
                self._members.waste(offer.consumer, offer.max_w, now_s)
            else:
                self._members.waste_gathered(offer.consumer, offer.max_w, now_s)
            seen.rest_until_s = now_s + self._rng.uniform(0.0, 1.0 if self._policy.gathers else REST_S)

    def _reclaim(self, parts: list[SeenRequest], now_s: float) -> None:
        """Withdraw partial offers that did not lead to a contract.

        The offer to the first consumer in the order is kept open instead: its partial offers must not expire
        one by one while it waits for the last.
        """
        first = parts[0].consumer if parts else ""
        kept = self._book.offer_to(first)
        if kept and kept.part and now_s < kept.since_s + GATHER_S:
            kept.deadline_s = now_s + OFFER_VALIDITY_S + OFFER_GRACE_S
        for offer in list(self._book):
            stale = not offer.committed and offer.part and now_s >= self._hold_until_s(offer)
            if stale and offer.consumer != first and offer.consumer not in self._urgent:
                self._book.drop(offer)

    def _hold_until_s(self, offer: Promise) -> float:
        seen = self._requests.of(offer.consumer)
        taken = seen is not None and seen.request.partial  # it will accept a part after a while
        return offer.since_s + PART_HOLD_S + (PARTIAL_WAIT_S if taken else 0.0)

    def _make_offer(
        self, seen: SeenRequest, available_w: float, share_w: float, whole: bool, now_s: float
    ) -> float:
        """Make or increase the offer to one request; returns the power that this takes from `available_w`.

        With `whole` only an offer of the full request is made, otherwise also a partial one.
        """
        request = seen.request
        offer = self._standing.get(seen.consumer)
        before_w = offer.max_w if offer else 0.0
        within_w = max(0.0, min(available_w + before_w, share_w))
        power_w = round_w(min(within_w, request.power_w))
        max_w = round_w(min(within_w, with_margin(power_w)))
        part = power_w < request.power_w
        if (part and whole) or power_w < MIN_POWER_W:
            power_w = max_w = 0.0
        urgent_w = self._urgent_w(seen, with_margin(request.power_w) - max_w, max_w - before_w, now_s)
        if offer is None:
            if max_w + urgent_w < MIN_POWER_W or not self._displace(seen):
                return 0.0
            most = Priority.HIGH if seen.consumer in self._urgent else Priority.MEDIUM
            priority = min(request.priority, most)
            offer = Promise(seen.consumer, request.id, State.OFFERED, 0.0, 0.0, 0.0, priority, seen.hops)
            self._book.add(offer)
            self._standing[seen.consumer] = offer
            self._nodes[node_of(seen.consumer)] += 1
            self._members.offer(seen.consumer, now_s)
        elif max_w <= before_w:
            offer.urgent_w = urgent_w if max_w == before_w else offer.urgent_w
            return 0.0
        brief = part and not self._policy.gathers
        offer.power_w, offer.max_w, offer.urgent_w, offer.part = power_w, max_w, urgent_w, part
        offer.since_s = now_s
        offer.deadline_s = now_s + (PARTIAL_OFFER_S if brief else OFFER_VALIDITY_S + OFFER_GRACE_S)
        return max_w - before_w

    def _urgent_w(self, seen: SeenRequest, short_w: float, more_w: float, now_s: float) -> float:
        """The power that interruptions would add for a high-priority request, in W.

        `more_w`: what is about to be offered to it of the free power.
        """
        if seen.consumer not in self._urgent or short_w < MIN_POWER_W:
            return 0.0
        room_w = max(0.0, self.urgent_room_w(seen.consumer, now_s) - more_w)
        interruptible_w = sum(each.max_w for each in self._book.interruptible(seen.consumer))
        return round_w(min(short_w, interruptible_w, room_w))

    def _may_offer(self, seen: SeenRequest, available_w: float, now_s: float) -> bool:
        """Whether there is power and room for one more offer.

        When all places are taken, a high-priority request may displace another offer, and so may a request of
        a node that has clearly fewer offers than another. So no node can occupy all places.
        """
        urgent = seen.consumer in self._urgent
        if not urgent and available_w < MIN_POWER_W:
            return False
        if not self._members.may_get_offer(seen.consumer, now_s):
            if seen.held_back_id != seen.request.id:
                seen.held_back_id = seen.request.id
                self._members.hold_back(seen.consumer, now_s)
            return False
        if len(self._standing) < self._settings.offers:
            return self._book.has_place_for(seen.consumer)
        return urgent or max(self._nodes.values()) > self._nodes[node_of(seen.consumer)] + 1

    def _displace(self, seen: SeenRequest) -> bool:
        """Free a place as `_may_offer` describes; False if there is none."""
        if len(self._standing) < self._settings.offers:
            return True
        own = self._nodes[node_of(seen.consumer)]
        urgent = seen.consumer in self._urgent
        for offer in reversed(self._standing.values()):
            crowded = self._nodes[node_of(offer.consumer)] > own + 1
            if crowded or (urgent and offer.priority < Priority.HIGH):
                self._book.drop(offer)
                self._nodes[node_of(offer.consumer)] -= 1
                del self._standing[offer.consumer]
                return True
        return False

    def _shares(self, capacity_w: float) -> Mapping[str, float]:
        """The most power each consumer should have, as far as the policy limits it.

        High-priority requests are exempt, and so are requests that accept no part: no contract is reduced for
        an offer that would not be accepted. While a high-priority request waits there are no limits, because
        it would get all the power that is returned.
        """
        if self._urgent:
            return {}
        claims: dict[str, float] = {}
        for promise in self._book:
            if promise.priority is Priority.HIGH:
                capacity_w -= promise.max_w
            elif promise.committed:
                claims[promise.consumer] = claims.get(promise.consumer, 0.0) + promise.max_w
        for seen in self._requests:
            if seen.request.partial and seen.consumer not in self._urgent:
                claims[seen.consumer] = claims.get(seen.consumer, 0.0) + with_margin(seen.request.power_w)
        return self._policy.shares(max(0.0, capacity_w), claims) or {}

    def _curtail(self, shares: Mapping[str, float], now_s: float) -> None:
        """Ask consumers to cut contracts that exceed their share. Merging consumers are left alone."""
        for consumer, share_w in shares.items():
            held = [each for each in self._book.of(consumer) if each.committed]
            if len(held) != 1 or held[0].state is not State.VALID:
                continue
            limit_w = round_w(max(MIN_POWER_W, share_w))
            if limit_w * (1 + MARGIN) < min(held[0].max_w, held[0].limit_w):
                held[0].limit_w = limit_w
                held[0].limit_by_s = min(held[0].limit_by_s, now_s + CURTAIL_S)
