"""The supplying side of a prosumer: what it has, whom it promised how much (thesis 4.1.2, algorithm 4.8).

Invariant I1 is held here, alone and at every moment: the sum of all that is offered, pending and valid,
margins included, never exceeds the capacity. Nobody else can break it, whatever the network does.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .messages import Answer, Answers, Contract, Offer, Request, round_w
from .policies import ProducerPolicy, SeenRequest
from .rules import (
    EPSILON_W,
    MIN_OFFER_RATIO,
    MIN_POWER_W,
    OFFER_GRACE_S,
    OFFER_VALIDITY_S,
    PARTIAL_OFFER_S,
    RECONFIRM_S,
    REST_S,
    VALIDATION_GRACE_S,
    VALIDATION_S,
    with_margin,
)

REFUSALS_MAX = 16
_ANSWER_BYTES = 92  # the longest name, a number, a word


def table_bytes(promises: int) -> int:
    """The longest confirmation table of a supplier with that many promises."""
    return _ANSWER_BYTES * (promises + REFUSALS_MAX)


class State(StrEnum):
    """How far a promise has come."""

    OFFERED = "offered"
    PENDING = "pending"  # confirmed, the consumer has not validated yet
    VALID = "valid"


@dataclass(slots=True)
class Promise:
    """Power set aside for one consumer, `max_w` of it."""

    state: State
    key: int  # of the request while offered, of the contract afterwards
    power_w: float
    max_w: float
    deadline_s: float
    priority: int
    hops: int
    revision: int = 0


class Supplier:
    """Makes offers, confirms or refuses contracts, and sheds what it can no longer supply."""

    def __init__(
        self, name: str, policy: ProducerPolicy, rng: random.Random, *, impact: int, promises_max: int,
        offers_max: int,
    ) -> None:  # fmt: skip
        self.name = name
        self.capacity_w = 0.0
        self.promises: dict[str, Promise] = {}
        self.shed = 0  # contracts stopped for lack of power
        self._policy = policy
        self._rng = rng
        self._impact = impact
        self._promises_max = promises_max
        self._offers_max = offers_max
        self._requests: dict[str, SeenRequest] = {}
        self._refused: dict[str, int] = {}  # consumer -> contract refused, while it stands

    @property
    def reserved_w(self) -> float:
        """All that is promised, margins included, in W."""
        return sum(promise.max_w for promise in self.promises.values())

    @property
    def supplied_w(self) -> float:
        """What valid contracts take now, in W."""
        return sum(each.power_w for each in self.promises.values() if each.state is State.VALID)

    @property
    def available_w(self) -> float:
        """What is left to offer, in W."""
        return max(0.0, self.capacity_w - self.reserved_w)

    # ---- what it is told ----------------------------------------------------------------------

    def set_capacity(self, power_w: float) -> None:
        """The power it has now; contracts that no longer fit end at once."""
        self.capacity_w = max(0.0, power_w)
        if self.reserved_w > self.capacity_w + EPSILON_W:
            self._shed()

    def see_request(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer shows a request, or none any more."""
        if request is None:
            self._requests.pop(consumer, None)
            return
        promise = self.promises.get(consumer)
        if promise and promise.state is not State.OFFERED:
            del self.promises[consumer]  # who asks holds no contract any more
        seen = self._requests.get(consumer)
        if seen is None and len(self._requests) >= 4 * self._promises_max:
            return  # full: it will be seen again when it changes
        rest_s = seen.rest_until_s if seen and seen.request.id == request.id else 0.0
        self._requests[consumer] = SeenRequest(consumer, request, hops, now_s, rest_s)

    def see_contract(self, consumer: str, contract: Contract | None, hops: int, now_s: float) -> None:
        """A consumer shows its contract, or none any more."""
        part = contract.part_of(self.name) if contract else None
        promise = self.promises.get(consumer)
        if contract is None or part is None:
            self._refused.pop(consumer, None)
            if promise and (promise.state is not State.OFFERED or contract):
                del self.promises[consumer]
            return
        known = promise is not None and promise.state is not State.OFFERED and promise.key == contract.id
        if promise and known:
            self._follow(consumer, promise, contract, now_s)
        elif contract.valid:
            self._refuse(consumer, contract.id)  # never confirmed here, or forgotten
        else:
            self._decide(consumer, contract, hops, now_s)

    def lost(self, consumer: str) -> None:
        """A consumer has left the microgrid."""
        self._requests.pop(consumer, None)
        self._refused.pop(consumer, None)
        self.promises.pop(consumer, None)

    def stop(self) -> None:
        """End all supplies."""
        self.promises.clear()

    # ---- what it does -------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Forget what has run out, then offer what is left."""
        for consumer, promise in list(self.promises.items()):
            if now_s >= promise.deadline_s:
                del self.promises[consumer]
                if promise.state is State.OFFERED and consumer in self._requests:
                    # Unused although it stood to the end: let others go first for a random while, or
                    # suppliers that each hold a part of what two requests need block both for ever.
                    rest_s = self._rng.uniform(0.0, REST_S)
                    self._requests[consumer].rest_until_s = now_s + rest_s
            elif promise.state is State.OFFERED and not self._still_asked(consumer, promise):
                del self.promises[consumer]
        self._make_offers(now_s)

    def offers(self) -> dict[str, Offer]:
        """The offers that stand, by consumer."""
        return {
            consumer: Offer(each.key, each.power_w, each.max_w, self._impact)
            for consumer, each in self.promises.items()
            if each.state is State.OFFERED
        }

    def answers(self) -> Answers:
        """The confirmation table: contracts agreed to while they stand, and refused ones."""
        table = {
            consumer: Answer(each.key, True)
            for consumer, each in self.promises.items()
            if each.state is not State.OFFERED
        }
        table.update({consumer: Answer(key, False) for consumer, key in self._refused.items()})
        return table

    def pending(self) -> list[str]:
        """The consumers whose contracts are confirmed here but not known to be valid."""
        return [name for name, each in self.promises.items() if each.state is State.PENDING]

    def restore(self, promises: dict[str, Promise], now_s: float) -> None:
        """Take up contracts from before a restart that fit; their consumers must show them soon."""
        for consumer, promise in promises.items():
            if promise.max_w <= self.available_w + EPSILON_W and self._has_place():
                promise.deadline_s = now_s + RECONFIRM_S
                self.promises[consumer] = promise

    # ---- inside -------------------------------------------------------------------------------

    def _still_asked(self, consumer: str, promise: Promise) -> bool:
        seen = self._requests.get(consumer)
        return seen is not None and seen.request.id == promise.key

    def _make_offers(self, now_s: float) -> None:
        """Offer what is left, first to whom the policy puts first; offers that stand grow, never shrink."""
        available_w = self.available_w
        if available_w < MIN_POWER_W or not self._requests:
            return
        standing = sum(1 for each in self.promises.values() if each.state is State.OFFERED)
        for seen in self._policy.order(self._open_requests(now_s), now_s):
            offer = self.promises.get(seen.consumer)
            if offer is None and (standing >= self._offers_max or not self._has_place()):
                continue
            within_w = available_w + (offer.max_w if offer else 0.0)
            power_w = round_w(min(within_w, seen.request.power_w))
            max_w = round_w(min(within_w, with_margin(power_w)))
            if power_w < max(MIN_POWER_W, MIN_OFFER_RATIO * seen.request.power_w):
                continue
            if offer is None:
                standing += 1
            elif max_w <= offer.max_w:
                continue
            whole = power_w >= seen.request.power_w
            valid_s = OFFER_VALIDITY_S + OFFER_GRACE_S if whole else PARTIAL_OFFER_S
            self.promises[seen.consumer] = Promise(
                State.OFFERED,
                seen.request.id,
                power_w,
                max_w,
                now_s + valid_s,
                seen.request.priority,
                seen.hops,
            )
            available_w = within_w - max_w

    def _open_requests(self, now_s: float) -> Iterator[SeenRequest]:
        for seen in self._requests.values():
            promise = self.promises.get(seen.consumer)
            if promise is None:
                if seen.rest_until_s <= now_s:
                    yield seen
            elif promise.state is State.OFFERED and promise.key == seen.request.id:
                yield seen

    def _decide(self, consumer: str, contract: Contract, hops: int, now_s: float) -> None:
        part = contract.part_of(self.name)
        promise = self.promises.pop(consumer, None)
        if part is None or part.max_w > self.available_w + EPSILON_W or not self._has_place():
            self._refuse(consumer, contract.id)
            return
        self._refused.pop(consumer, None)
        priority = promise.priority if promise else 0
        deadline_s = now_s + VALIDATION_S + VALIDATION_GRACE_S
        max_w = min(part.max_w, self.available_w)
        self.promises[consumer] = Promise(
            State.PENDING, contract.id, part.power_w, max_w, deadline_s, priority, hops, contract.revision
        )

    def _follow(self, consumer: str, promise: Promise, contract: Contract, now_s: float) -> None:
        part = contract.part_of(self.name)
        if part is None or part.max_w > promise.max_w + EPSILON_W:
            del self.promises[consumer]  # it helps itself to more than was confirmed
            self._refuse(consumer, contract.id)
            return
        promise.power_w, promise.max_w = part.power_w, min(promise.max_w, part.max_w)
        promise.revision = contract.revision
        if contract.valid and promise.state is State.PENDING:
            promise.state = State.VALID
            promise.deadline_s = now_s + contract.ttl_s + OFFER_GRACE_S

    def _refuse(self, consumer: str, contract_id: int) -> None:
        if len(self._refused) < REFUSALS_MAX or consumer in self._refused:
            self._refused[consumer] = contract_id

    def _has_place(self) -> bool:
        return len(self.promises) < self._promises_max

    def _shed(self) -> None:
        """Offers go first, then the least urgent, farthest, largest supplies, until the rest fits."""

        def worth(item: tuple[str, Promise]) -> tuple[bool, int, int, float, str]:
            consumer, each = item
            return (each.state is not State.OFFERED, each.priority, -each.hops, -each.max_w, consumer)

        for consumer, promise in sorted(self.promises.items(), key=worth):
            if self.reserved_w <= self.capacity_w + EPSILON_W:
                return
            self.shed += promise.state is not State.OFFERED
            del self.promises[consumer]
