"""The supplying side of a prosumer: its capacity and its promises (thesis 4.1.2, algorithm 4.8).

Invariant I1 is kept here at every moment: the sum of all offers and contracts, margins included, never
exceeds the capacity. No other part of the system and nothing on the network can break it.
"""

import math
import random

from .ahead import Ahead
from .book import Book, Promise, State, node_of
from .claims import Refusals, Right
from .members import Members
from .messages import Answer, Answers, Contract, Offer, Priority, Request
from .offering import OfferMaker, SetAside, SupplierSettings
from .policies import ProducerPolicy
from .prices import averaged
from .published import Published, Shown
from .rules import (
    DOUBTED_S,
    EPSILON_W,
    MIN_POWER_W,
    RECONFIRM_S,
    VALIDATION_GRACE_S,
)
from .usage import Usage
from .yielding import Yielding

# No setting: those beyond it are only not served first again if the promise turns out to be for nothing.
DISPLACED_MAX = 32  # consumers of which a promise remembers that they gave way


class Supplier:
    """Makes offers, confirms or refuses contracts, and ends those it can no longer supply."""

    def __init__(
        self,
        name: str,
        settings: SupplierSettings,
        policy: ProducerPolicy,
        rng: random.Random,
        members: Members | None = None,
    ) -> None:
        """`members`: the records of the node, shared by its twins."""
        self.name = name
        self.members = members or Members(node_of(name))
        self.settings = settings
        self.capacity_w = 0.0
        self.book = Book(settings.promises, node_of(name))
        self.members.count(self.book)
        self.ahead = Ahead(name, self.book, self.members)  # what it has promised for later
        self.sold: SetAside | None = None  # what it keeps for those who bought it the day before
        self._offer_maker = OfferMaker(name, self.book, settings, policy, rng, self.members)
        self._published = Published(name, self.book)
        self._restored: list[str] = []  # consumers with promises from before a restart
        self._refused = Refusals(node_of(name))
        self._yielding = Yielding(self.book, self._refused, self.members)
        self._usage = Usage(self.book, self.members, self._offer_maker.owe)

    def adjust(self, settings: SupplierSettings, policy: ProducerPolicy) -> None:
        """Other settings hold from now on; promises go on."""
        self.settings = settings
        self._offer_maker.adjust(settings, policy)

    @property
    def reserved_w(self) -> float:
        """The sum of all promises, margins included, in W."""
        return self.book.reserved_w

    @property
    def committed_w(self) -> float:
        """The power that contracts may draw, without offers, in W."""
        return self.book.committed_w

    @property
    def offered_w(self) -> float:
        """The sum of the open offers, margins included, in W."""
        return self.book.offered_w

    @property
    def supplied_w(self) -> float:
        """The power that valid contracts use now, in W."""
        return self.book.supplied_w

    @property
    def shed(self) -> int:
        """The number of contracts that it ended for lack of power."""
        return self._yielding.shed

    @property
    def interrupted(self) -> int:
        """The number of those that it ended for contracts of high priority."""
        return self._yielding.interrupted

    @property
    def due_s(self) -> float:
        """When it must step at the latest, even if it receives nothing."""
        if self._offer_maker.may_offer(self.capacity_w):
            return 0.0
        moments = (min(each.deadline_s, each.limit_by_s) for each in self.book)
        return min(min(moments, default=math.inf), self.ahead.due_s)

    @property
    def wake_s(self) -> float:
        """When it needs a step between two ticks; inf if it does not."""
        return self._offer_maker.wake_s

    @property
    def available_w(self) -> float:
        """The power that can still be offered, in W."""
        return max(0.0, self.capacity_w - self.book.reserved_w)

    # ---- input -------------------------------------------------------------------------------

    def set_capacity(self, power_w: float) -> None:
        """Set the available power. Promises that no longer fit are ended at once, as few as possible."""
        self.capacity_w = max(0.0, power_w)
        self._yielding.shrink(self.capacity_w)

    def see_request(self, consumer: str, request: Request | None, hops: int, now_s: float) -> bool:
        """A consumer has published a request, or withdrawn it (None). Returns whether a step may do
        something about that."""
        later = request if request and request.run_s else None
        offered = self.book.offer_to(consumer) is not None or self.ahead.holds(consumer)
        self.ahead.see(consumer, later, hops, now_s)
        self._offer_maker.see(consumer, None if later else request, hops, now_s)
        return offered or later is not None or self._offer_maker.may_offer(self.capacity_w)

    def see_contract(self, consumer: str, complement: bool, contract: Contract | None, hops: int) -> bool:
        """A consumer has published its main or complementary contract, or withdrawn it (None). Returns
        whether that concerns this supplier.

        `step` decides on both together, so that a merge is handled as one change.
        """
        concerned = contract is not None and contract.part_of(self.name) is not None
        if contract and not concerned:
            self._offer_maker.note_elsewhere(consumer)
        named = contract if concerned else None
        return self._published.see(consumer, complement, named, hops, self.settings.promises)

    def lost(self, consumer: str) -> None:
        """A consumer has left the microgrid."""
        self._offer_maker.forget(consumer)
        self.ahead.forget(consumer)
        self._published.forget(consumer)
        for promise in self.book.of(consumer):
            self.book.drop(promise)
        self._refused.keep(consumer, set())

    def stop(self) -> None:
        """End all promises."""
        self.book.clear()
        self.ahead.clear()

    def promise(self, consumer: str, contract_id: int) -> Promise | None:
        """The promise for a contract, now or later; None without one."""
        return self.book.get(consumer, contract_id) or self.ahead.get(consumer, contract_id)

    def withdraw(self, promise: Promise) -> None:
        """End one promise; its consumer requests the power again."""
        self._yielding.end(promise)

    def unshown(self) -> list[str]:
        """Consumers with a promise from before a restart whose contract has not been seen since."""
        if self._restored:
            self._restored = [
                each for each in self._restored if each not in self._published and self.book.of(each)
            ]
        return self._restored

    def restore(self, promises: list[Promise], now_s: float) -> None:
        """Restore the promises from before a restart that fit. Their contracts must be seen again soon."""
        for promise in promises:
            if promise.max_w <= self.available_w + EPSILON_W and not self.book.full:
                promise.deadline_s, promise.restored = now_s + RECONFIRM_S, True
                self.book.add(promise)
                self._restored.append(promise.consumer)

    # ---- steps --------------------------------------------------------------------------------

    def step(self, now_s: float, civil_s: float | None = None) -> None:
        """Decide on published contracts, drop expired promises, then offer the free power.

        `civil_s`: the civil time, for offers of later spans; None: there are none.
        """
        for consumer, shown in self._published.news():
            for promise in self.book.of(consumer):  # it may end now
                self._usage.credit(promise, self.capacity_w, now_s)
            self._reconcile(consumer, shown, now_s)
        for promise in list(self.book):
            if promise.committed:
                self._usage.judge(promise, self.capacity_w, now_s)
        self.ahead.step(now_s)
        for promise in self.ahead.near(now_s):
            if self._has_room_for(promise):
                self._enter(promise)
        self._offer_maker.step(self.capacity_w, now_s, self._aside())
        if civil_s is not None:
            self.ahead.offer(self.settings.offers - self.book.offer_count, now_s, civil_s)

    def _aside(self) -> SetAside | None:
        later, sold = self.ahead.set_aside_w if len(self.ahead) else None, self.sold
        if later and sold:
            return lambda consumer, now_s: later(consumer, now_s) + sold(consumer, now_s)
        return later or sold

    def note_free(self, wall_s: float | None) -> None:
        """Record the free power for the forecast. Planned runs count as free: they may move tomorrow."""
        planned_w = sum(each.max_w for each in self.book if each.planned)
        self.ahead.note(self.capacity_w - self.book.committed_w + planned_w, wall_s)

    def offers(self) -> dict[str, Offer]:
        """The open offers, by consumer."""
        later = self.ahead.offers(self.settings.impact, self.settings.price)
        return self._offer_maker.offers() | later if later else self._offer_maker.offers()

    def offer_until_s(self, consumer: str) -> float:
        """Until when the offer to a consumer is valid; 0 without one."""
        return self._offer_maker.offer_until_s(consumer) or self.ahead.offer_until_s(consumer)

    def answers(self) -> Answers:
        """The confirmation table: agreed and refused contracts, by consumer."""
        table: Answers = {}
        for each in self.book:
            if each.committed:
                answer = Answer(each.key, True, each.limit_w, each.term)
                table[each.consumer] = (*table.get(each.consumer, ()), answer)
        for each in self.ahead:
            if each.committed:
                answer = Answer(each.key, True, MIN_POWER_W)  # it cannot begin yet
                table[each.consumer] = (*table.get(each.consumer, ()), answer)
        for consumer, contract_id in self._refused:
            table[consumer] = (*table.get(consumer, ()), Answer(contract_id, False))
        return table

    # ---- contracts ----------------------------------------------------------------------------

    def _enter(self, promise: Promise) -> None:
        """A promise for later moves into the book if there is power for it; it uses none yet."""
        self.ahead.take(promise.consumer, promise.key)
        if self._has_room_for(promise):
            promise.power_w = 0.0
            self.book.add(promise)

    def _has_room_for(self, promise: Promise) -> bool:
        fits = promise.max_w <= self.available_w + EPSILON_W
        fits = fits and self.members.may_hold(promise.consumer, promise.max_w)
        return fits and self.book.has_place_for(promise.consumer)

    def _is_ahead(self, consumer: str, contract: Contract, now_s: float) -> bool:
        """Whether a contract is one for later. One that begins moves into the book; it is refused if there is
        not power for all of it: its run would not begin with a part, but keep that part from others.
        """
        if self.book.get(consumer, contract.id):
            return False
        if contract.in_s:
            return self.ahead.hear(consumer, contract, now_s)
        promise = self.ahead.get(consumer, contract.id)
        if promise and contract.valid:
            promise.state = State.VALID
            self._enter(promise)
        return False

    def _reconcile(self, consumer: str, shown: Shown, now_s: float) -> None:
        """Update the book from the contracts that a consumer has published."""
        contracts = [contract for contract in shown.contracts if contract]
        ids = {contract.id for contract in contracts}
        self._refused.keep(consumer, ids)
        self.ahead.keep(consumer, ids)
        contracts = [each for each in contracts if not self._is_ahead(consumer, each, now_s)]
        ids = {contract.id for contract in contracts}
        right = Right()
        if any(self.book.get(consumer, contract_id) is None for contract_id in ids):
            offer = self.book.offered(consumer, now_s)
            if offer:
                right.add_offer(offer)
            self.book.accept(consumer)
        for promise in self.book.of(consumer):
            if promise.committed and promise.key not in ids:
                self.book.drop(promise)
                self._usage.ended(promise, now_s)
                if (promise.state is State.VALID and not promise.later) or promise.restored:
                    right.add_contract(promise)
        for contract in contracts:
            self._hear(consumer, contract, shown.hops, right, now_s)

    def _hear(self, consumer: str, contract: Contract, hops: int, right: Right, now_s: float) -> None:
        """Confirm, update or refuse one contract. What no offer preceded is refused.

        A new contract is never valid at first sight, whatever it says: its consumer cannot know yet that it
        is confirmed. The exception is one into which a valid one was merged.
        """
        part = contract.part_of(self.name)
        if part is None or (consumer, contract.id) in self._refused:
            return
        promise = self.book.get(consumer, contract.id)
        if promise and promise.limit_w + EPSILON_W < part.max_w > promise.max_w + EPSILON_W:
            return  # the consumer does not know yet that its share was reduced
        held_w = promise.max_w if promise else 0.0
        more_w, new = part.max_w - held_w, promise is None
        covered = right.covers(more_w, new) and self.members.may_hold(consumer, more_w)
        if not covered:
            self.members.refuse(consumer, now_s)
            if promise and more_w <= self.available_w:
                promise.limit_w = promise.max_w  # its answer asks the consumer to come down to it
                return
        priority = min(contract.priority, promise.priority if promise else right.priority)
        displaced: list[str] = []
        if covered and priority is Priority.HIGH:
            short_w = more_w - self.available_w
            if short_w > EPSILON_W and more_w <= self._offer_maker.urgent_room_w(consumer, now_s) + EPSILON_W:
                displaced = self._yielding.interrupt(short_w, consumer, self.capacity_w, now_s)
        free_w = self.available_w + held_w
        fits = part.max_w <= free_w + EPSILON_W and (not new or self.book.has_place_for(consumer))
        if not (covered and fits):
            if promise:
                self.book.drop(promise)
            self._refused.add(consumer, contract.id)
            return
        right.use(more_w)
        if promise is None:
            wait_s = DOUBTED_S if displaced else self.members.wait_s([consumer], now_s)
            deadline_s = now_s + wait_s + VALIDATION_GRACE_S
            promise = Promise(consumer, contract.id, State.PENDING, 0.0, 0.0, deadline_s, priority, hops)
            promise.since_s, promise.prices = now_s, right.prices
            self.book.add(promise)
        elif more_w > EPSILON_W and right.prices:
            promise.prices = averaged(((promise.prices, held_w), (right.prices, more_w)), 0.0)
        promise.power_w, promise.max_w = 0.0 if contract.in_s else part.power_w, min(part.max_w, free_w)
        promise.priority, promise.revision = priority, contract.revision
        promise.displaced = (*promise.displaced, *displaced)[:DISPLACED_MAX]
        if promise.max_w <= promise.limit_w + EPSILON_W:
            promise.limit_w = promise.limit_by_s = math.inf
        if contract.valid and promise.state is State.PENDING and (not new or right.valid):
            promise.state, promise.since_s = State.VALID, now_s
            promise.drawn_s = now_s
            promise.extend(contract, now_s)
        elif promise.later and not contract.in_s:
            promise.begin(contract, now_s)
        elif contract.valid and promise.state is State.VALID and contract.term > promise.term:
            promise.extend(contract, now_s)
        if not promise.later:
            self._usage.note(promise, now_s)
