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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .asking import Asking
from .book import Book, Promise, State, node_of
from .curtailing import curtail, shares
from .members import Members
from .messages import Offer, Priority, Request, round_w
from .places import Places
from .policies import ProducerPolicy, SeenRequest
from .rules import (
    MIN_POWER_W,
    OFFER_GRACE_S,
    OFFER_VALIDITY_S,
    OWED_S,
    PARTIAL_OFFER_S,
    with_margin,
)
from .withdrawing import Withdrawals

if TYPE_CHECKING:
    from .conditions import Conditions

SetAside = Callable[[str, float], float]  # consumer, now_s -> W


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierSettings:
    """The impact and price in a supplier's offers, and the sizes of its tables.

    `conditions`: whom it serves, and at which prices of a table; None: everybody at `price`.
    """

    impact: int
    price: float
    promises: int
    offers: int
    conditions: "Conditions | None" = None


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
        self._requests = Asking(self._node, 4 * settings.promises, book, members)
        self._owed: dict[
            str, float
        ] = {}  # consumers that were interrupted for nothing, and until when they come first
        self._withdrawals = Withdrawals(self._node, book, self._requests, members, rng)
        self._stepped_s = 0.0

    def adjust(self, settings: SupplierSettings, policy: ProducerPolicy) -> None:
        """Other settings hold for offers from now on."""
        self._settings, self._policy = settings, policy

    def may_offer(self, capacity_w: float) -> bool:
        """Whether a step may do something though nothing was received since the last: there are open
        requests, and power that is free, offered to others, or may be taken from them."""
        if not self._requests or capacity_w < MIN_POWER_W:
            return False
        if self._policy.shares_power or capacity_w - self._book.reserved_w >= MIN_POWER_W:
            return True
        return bool(self._requests.high or self._book.offer_count)

    @property
    def wake_s(self) -> float:
        """When a partial offer may next be withdrawn; inf if there is none."""
        if not (self._policy.gathers and len(self._book)):
            return math.inf
        parts = [each for each in self._book if each.part and not each.committed]
        until_s = map(self._withdrawals.hold_until_s, parts)
        return min([at_s for at_s in until_s if at_s > self._stepped_s], default=math.inf)

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
            each.consumer: Offer(
                each.key,
                each.power_w,
                each.max_w,
                impact,
                each.prices[0].price if each.prices else price,
                each.urgent_w,
                prices=each.prices,
            )
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
                self._withdrawals.lapse(promise, self._policy.gathers, self._urgent, now_s)
        if not self._requests or capacity_w < MIN_POWER_W:
            return
        self._urgent = self._urgent_consumers(now_s)
        self._withdrawals.give_way(self._urgent, now_s)
        if not self._can_offer(capacity_w):
            return
        requests = self._requests.to_serve(now_s)
        if conditions := self._settings.conditions:
            requests = conditions.served(requests, self._book, capacity_w, now_s)
        ordered = self._urgent_first(self._policy.order(requests, now_s))
        parts = self._policy.order_parts(requests, now_s)
        if parts is not None:
            self._withdrawals.reclaim(parts, self._urgent, now_s)
        # a waiting request of high priority would get all the power that is returned
        limits_w = {} if self._urgent else shares(self._policy, capacity_w, self._book, self._requests)
        for consumer, limit_w in limits_w.items():
            curtail([each for each in self._book.of(consumer) if each.committed], limit_w, now_s)
        places = Places(self._book, self._settings.offers)
        available_w = max(0.0, capacity_w - self._book.reserved_w)
        gathering = ordered if parts is None else self._urgent_first(parts)
        for whole, queue in ((True, ordered), (False, gathering)):
            for seen in queue:
                if seen.consumer not in places and not self._may_offer(seen, places, available_w, now_s):
                    continue  # a flood of requests mostly ends here
                share_w = limits_w.get(seen.consumer, math.inf)
                if share_w < math.inf:
                    share_w -= self._book.held_w(seen.consumer)
                kept_w = aside(seen.consumer, now_s) if aside else 0.0
                within_w = available_w - kept_w, share_w
                available_w -= self._make_offer(seen, places, *within_w, whole, now_s)

    def _can_offer(self, capacity_w: float) -> bool:
        """Whether there is free power, or power that can be taken from others."""
        if self._policy.shares_power or capacity_w - self._book.reserved_w >= MIN_POWER_W:
            return True
        if self._policy.gathers and any(each.part and not each.committed for each in self._book):
            return True
        return bool(self._urgent)

    def _urgent_consumers(self, now_s: float) -> set[str]:
        """The consumers whose request of high priority counts as such: their node is below its share."""
        return {name for name in self._requests.high if self.urgent_room_w(name, now_s) >= MIN_POWER_W}

    def _urgent_first(self, requests: list[SeenRequest]) -> list[SeenRequest]:
        """Requests whose high priority counts come first, then those that are owed, those in doubt last."""
        now_s = self._stepped_s
        if conditions := self._settings.conditions:
            requests = conditions.placed(requests)
        if self._owed:
            requests = sorted(requests, key=lambda seen: seen.consumer not in self._owed)
        if self._members.any_doubted(now_s):
            requests = sorted(requests, key=lambda seen: self._members.is_doubted(seen.consumer, now_s))
        return sorted(requests, key=lambda seen: seen.consumer not in self._urgent)

    def _may_offer(self, seen: SeenRequest, places: Places, available_w: float, now_s: float) -> bool:
        """Whether there is power and a place for one more offer."""
        urgent = seen.consumer in self._urgent
        if not urgent and available_w < MIN_POWER_W:
            return False
        if not self._members.may_get_offer(seen.consumer, now_s):
            if seen.held_back_id != seen.request.id:
                seen.held_back_id = seen.request.id
                self._members.hold_back(seen.consumer, now_s)
            return False
        return places.may_be_had_by(seen.consumer, urgent)

    def _make_offer(
        self,
        seen: SeenRequest,
        places: Places,
        available_w: float,
        share_w: float,
        whole: bool,
        now_s: float,
    ) -> float:
        """Make or increase the offer to one request; returns the power that this takes from `available_w`.

        With `whole` only an offer of the full request is made, otherwise also a partial one.
        """
        request = seen.request
        offer, urgent = places.of(seen.consumer), seen.consumer in self._urgent
        before_w = offer.max_w if offer else 0.0
        within_w = max(0.0, min(available_w + before_w, share_w))
        power_w = round_w(min(within_w, request.power_w))
        max_w = round_w(min(within_w, with_margin(power_w)))
        part = power_w < request.power_w
        if (part and whole) or power_w < MIN_POWER_W:
            power_w = max_w = 0.0
        urgent_w = self._urgent_w(seen, with_margin(request.power_w) - max_w, max_w - before_w, now_s)
        if offer is None:
            if max_w + urgent_w < MIN_POWER_W or not places.clear_for(seen.consumer, urgent):
                return 0.0
            priority = min(request.priority, Priority.HIGH if urgent else Priority.MEDIUM)
            offer = Promise(seen.consumer, request.id, State.OFFERED, 0.0, 0.0, 0.0, priority, seen.hops)
            if conditions := self._settings.conditions:
                offer.prices = conditions.quote(seen, self._book, self._capacity_w, now_s)
            places.add(offer)
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
