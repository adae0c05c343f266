"""The supplying side of contracts for a later span (thesis 8.2.1): what is promised for a time to come.

A consumer asks for a run of some length that may begin within some time. A supplier that expects enough free
power, from what was free at that time of day before, offers the earliest begin. Runs that do not fit at the
same time are offered one after the other, which staggers them. Such an offer becomes a contract like any
other: made, confirmed and validated at once, for a span that begins later.

A forecast can be wrong, so no invariant rests on one. Shortly before its begin a promise moves into the book,
where it counts against the real capacity; what is not free yet is kept from new offers until then.
"""

import math
from collections.abc import Iterator

from .book import Book, Promise, State, crowds, node_of
from .forecast import FreePower
from .members import Members
from .messages import Contract, Offer, Priority, Request, round_w
from .policies import SeenRequest
from .rules import (
    CLAIM_S,
    EPSILON_W,
    NEAR_S,
    OFFER_GRACE_S,
    OFFER_VALIDITY_S,
    SLOT_S,
    VALIDATION_GRACE_S,
    with_margin,
)

# No setting: no member has more than half of the places; further runs are promised by other suppliers.
_PLACES = 16


class Ahead:
    """The promises of one supplier that have not begun: at most one for each consumer."""

    def __init__(self, supplier: str, book: Book, members: Members) -> None:
        """`book`: the promises that have begun, or are about to."""
        self._supplier = supplier
        self._book = book
        self._members = members
        self._requests: dict[str, SeenRequest] = {}
        self._promises: dict[str, Promise] = {}
        self._free = FreePower()

    def __len__(self) -> int:
        return len(self._promises)

    def __iter__(self) -> Iterator[Promise]:
        return iter(list(self._promises.values()))

    @property
    def due_s(self) -> float:
        """When `step` has something to do; inf if never."""
        for consumer, seen in self._requests.items():
            if consumer not in self._promises and seen.refused_id != seen.request.id:
                return 0.0
        return min((self._due_s(each) for each in self._promises.values()), default=math.inf)

    def note(self, free_w: float, civil_s: float | None) -> None:
        """Record the power that is free now, for the forecast; see `FreePower` for the time."""
        self._free.note(free_w, civil_s)

    def see(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer has published a request for a later span, or no such request (None)."""
        promise = self._promises.get(consumer)
        if promise and not promise.committed and (request is None or request.id != promise.key):
            promise.deadline_s = min(promise.deadline_s, now_s + VALIDATION_GRACE_S)  # a contract may follow
        if request is None:
            self._requests.pop(consumer, None)
        elif consumer in self._requests or self._has_place(consumer, self._requests):
            self._requests[consumer] = SeenRequest(consumer, request, hops, now_s)

    def holds(self, consumer: str) -> bool:
        """Whether something is offered or promised to a consumer."""
        return consumer in self._promises

    def get(self, consumer: str, contract_id: int) -> Promise | None:
        """The promise for a contract, or None."""
        promise = self._promises.get(consumer)
        return promise if promise and promise.committed and promise.key == contract_id else None

    def take(self, consumer: str, contract_id: int) -> Promise | None:
        """Remove the promise for a contract and return it: it moves into the book."""
        return self._promises.pop(consumer) if self.get(consumer, contract_id) else None

    def forget(self, consumer: str) -> None:
        """Drop what was asked by a consumer, and what was promised to it."""
        self._requests.pop(consumer, None)
        self._promises.pop(consumer, None)

    def clear(self) -> None:
        """End all promises."""
        self._promises.clear()

    def hear(self, consumer: str, contract: Contract, now_s: float) -> bool:
        """Apply a contract that has not begun, as its consumer shows it. False if none is promised."""
        promise, part = self._promises.get(consumer), contract.part_of(self._supplier)
        if promise is None or part is None or part.max_w > promise.max_w + EPSILON_W:
            return False
        if not promise.committed:
            if contract.valid:
                return False  # its consumer cannot know yet that it is confirmed
            promise.state, promise.key = State.PENDING, contract.id
            wait_s = self._members.wait_s([consumer], now_s)
            promise.deadline_s, promise.since_s = now_s + wait_s + VALIDATION_GRACE_S, now_s
        elif promise.key != contract.id:
            return False
        promise.max_w, promise.revision = part.max_w, contract.revision
        if contract.valid and promise.state is State.PENDING:
            promise.state, promise.deadline_s = State.VALID, promise.begins_s + CLAIM_S
        return True

    def keep(self, consumer: str, shown: set[int]) -> None:
        """Drop the promise for a contract that its consumer shows no longer."""
        promise = self._promises.get(consumer)
        if promise and promise.committed and promise.key not in shown:
            del self._promises[consumer]

    def step(self, now_s: float) -> None:
        """Drop what is over, and what could not begin for lack of power."""
        for promise in self:
            if now_s >= promise.deadline_s:
                del self._promises[promise.consumer]

    def near(self, now_s: float) -> list[Promise]:
        """Valid promises that begin soon, the first one first."""
        found = [each for each in self if each.state is State.VALID and now_s >= each.begins_s - NEAR_S]
        return sorted(found, key=lambda each: (each.begins_s, each.consumer))

    def set_aside_w(self, consumer: str, now_s: float) -> float:
        """The power kept from new offers to this consumer, for others that begin soon, in W."""
        return sum(each.max_w for each in self.near(now_s) if each.consumer != consumer)

    # ---- offers -------------------------------------------------------------------------------

    def offer(self, places: int, now_s: float, civil_s: float) -> None:
        """Answer requests with the earliest begin at which the power is expected; at most `places` offers."""
        open_offers = sum(not each.committed for each in self._promises.values())
        for consumer, seen in self._requests.items():
            if open_offers >= places:
                return
            if consumer not in self._promises and self._may_offer(seen, now_s):
                open_offers += self._offer(seen, now_s, civil_s)

    def offers(self, impact: int, price: float) -> dict[str, Offer]:
        """The open offers, by consumer."""
        return {
            each.consumer: Offer(each.key, each.power_w, each.max_w, impact, price, 0.0, each.in_s)
            for each in self._promises.values()
            if not each.committed
        }

    def offer_until_s(self, consumer: str) -> float:
        """Until when the offer to a consumer is valid; 0 without one."""
        promise = self._promises.get(consumer)
        return promise.deadline_s - OFFER_GRACE_S if promise and not promise.committed else 0.0

    def _may_offer(self, seen: SeenRequest, now_s: float) -> bool:
        if seen.refused_id == seen.request.id:
            return False
        if node_of(seen.consumer) != node_of(self._supplier):
            if with_margin(seen.request.power_w) > self._members.member_w:
                return False
            if not self._members.may_get_offer(seen.consumer, now_s):
                return False
        return self._has_place(seen.consumer, self._promises)

    def _offer(self, seen: SeenRequest, now_s: float, civil_s: float) -> bool:
        request, waited_s = seen.request, now_s - seen.seen_s
        in_s, latest_s = max(0.0, request.begin_in_s - waited_s), request.latest_in_s - waited_s
        while not self._fits(request, in_s, now_s, civil_s):
            in_s += SLOT_S
            if in_s > latest_s:
                seen.refused_id = request.id  # it asks again under another number
                return False
        power_w = request.power_w
        self._promises[seen.consumer] = Promise(
            consumer=seen.consumer,
            key=request.id,
            state=State.OFFERED,
            power_w=power_w,
            max_w=round_w(with_margin(power_w)),
            deadline_s=now_s + OFFER_VALIDITY_S + OFFER_GRACE_S,
            priority=min(request.priority, Priority.MEDIUM),
            hops=seen.hops,
            since_s=now_s,
            planned=True,
            later=True,
            in_s=round(in_s, 1),
            begins_s=now_s + in_s,
            ends_s=now_s + in_s + request.run_s,
        )
        self._members.offer(seen.consumer, now_s)
        return True

    def _fits(self, request: Request, in_s: float, now_s: float, civil_s: float) -> bool:
        """Whether the power, with its margin, is expected to be free for the whole run."""
        ends_in_s = in_s + request.run_s
        planned = [*self._promises.values(), *(each for each in self._book if each.planned)]
        while in_s < ends_in_s:
            at_s = now_s + in_s
            taken_w = sum(each.max_w for each in planned if each.begins_s <= at_s < each.ends_s)
            if self._free.count_on(civil_s + in_s, in_s) - taken_w < with_margin(request.power_w):
                return False
            in_s += SLOT_S
        return True

    def _has_place(self, consumer: str, table: dict[str, SeenRequest] | dict[str, Promise]) -> bool:
        count = len(table)
        return count < _PLACES and not crowds(consumer, table, count, _PLACES, node_of(self._supplier))

    def _due_s(self, promise: Promise) -> float:
        near_s = promise.begins_s - NEAR_S if promise.state is State.VALID else math.inf
        return min(promise.deadline_s, near_s)
