"""The consuming side of a prosumer: from a need to valid contracts (thesis 4.1.2, algorithm 4.7; 4.2).

At most one request is open at a time: for the whole need, or for the part that the main contract does not
cover.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .choosing import OffersInHand, choose_begin
from .events import Cause, EventKind
from .holding import Holding
from .holdings import Holdings, Tell
from .members import Members
from .messages import Answer, Contract, Offer, Part, Priority, Request, round_w
from .plans import Plan
from .policies import ConsumerPolicy, SeenOffer
from .requesting import OpenRequest
from .rules import (
    EPSILON_W,
    MERGE_S,
    MIN_POWER_W,
    PARTIAL_WAIT_S,
    PASSED_EPSILON_W,
    RESTATE_RATIO,
    URGENT_WAIT_S,
)
from .service import Service

if TYPE_CHECKING:
    from .haggling import Buying


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """How a consumer requests power. `tolerance_s`: how long it keeps requesting; 0: without limit.

    `merge_s`: age at which a complementary contract is merged into the main one. `passes_on`: it promises
    what it gets, with the margins, so only the agreed power covers its need, and it is exact.
    """

    priority: Priority
    partial: bool  # accepts less than it needs when no more is available
    tolerance_s: float
    contract_s: float
    offers: int
    request_hops: int = 0  # how far a request goes at first; 0: everywhere
    merge_s: float = MERGE_S
    passes_on: bool = False


class Consumer:
    """Requests what it needs, composes offers into contracts, validates them and tracks their use."""

    def __init__(
        self,
        settings: ConsumerSettings,
        policy: ConsumerPolicy,
        next_id: Callable[[], int],
        tell: Tell,
        members: Members | None = None,
    ) -> None:
        """`tell` is called when a contract starts, changes or ends; `members`: the records of the node, which
        its twins share.
        """
        self._members = members or Members("")
        self.settings = settings
        self.need_w = 0.0
        self.planned: Plan | None = None  # what it will need later, while it needs nothing now
        # the last contract, and all offers to choose from
        self.choice: tuple[int, tuple[SeenOffer, ...]] = (0, ())
        self._policy = policy
        self._next_id = next_id
        self._open = OpenRequest(next_id)
        self._holdings = Holdings(tell, settings.merge_s, self._members)
        self._service = Service()
        self._offers = OffersInHand(self._members)
        self._stepped_s = 0.0
        self.buying: Buying | None = None  # if it negotiates prices

    def adjust(self, settings: ConsumerSettings, policy: ConsumerPolicy) -> None:
        """Other settings hold from now on; contracts go on."""
        self.settings, self._policy = settings, policy
        self._service.given_up_w = 0.0
        self._open.withdraw()  # it is stated again

    # ---- contracts held -----------------------------------------------------------------------

    @property
    def main(self) -> Contract | None:
        """The main contract, valid or proposed."""
        return self._holdings.main.contract if self._holdings.main else None

    @property
    def extra(self) -> Contract | None:
        """The complementary contract, valid or proposed."""
        return self._holdings.extra.contract if self._holdings.extra else None

    @property
    def contracts(self) -> list[Contract]:
        """The main and the complementary contract, as far as they exist."""
        return [holding.contract for holding in self._holdings]

    @property
    def active(self) -> list[Contract]:
        """The contracts under which power flows."""
        return [holding.contract for holding in self._holdings.active]

    def concerned(self, contract: Contract) -> set[str]:
        """The twins that a contract concerns: its suppliers, and until it is valid all that made an offer."""
        found = {part.supplier for part in contract.parts}
        if self.choice[0] == contract.id and not contract.valid:
            found |= {seen.supplier for seen in self.choice[1]}
        return found

    # ---- its request --------------------------------------------------------------------------

    @property
    def request(self) -> Request | None:
        """What it requests now."""
        return self._open.request

    @property
    def request_hops(self) -> int:
        """How far its request goes now."""
        return self._open.hops(*self._reach)

    @property
    def wake_s(self) -> float:
        """When it next decides something even if it receives nothing; inf if never."""
        if self._open.request is None:
            return math.inf
        waits = [self._policy.patience_s]
        waits += [URGENT_WAIT_S] if self.settings.priority is Priority.HIGH else []
        waits += [PARTIAL_WAIT_S] if self.settings.partial else []
        return self._open.wake_s(waits, *self._reach)

    @property
    def _reach(self) -> tuple[int, float, float, float]:
        """Its first hops, the patience of its policy, since when it waits, and the time."""
        since_s = self._service.unserved_since_s
        waits_since_s = self._open.since_s if since_s is None else since_s
        return self.settings.request_hops, self._policy.patience_s, waits_since_s, self._stepped_s

    def ends_s(self, contract: Contract) -> float:
        """The end date of a contract that it holds; inf while it is not valid."""
        holding = self._holdings.of(contract)
        return holding.ends_s if holding else math.inf

    def since_s(self, contract: Contract) -> float | None:
        """Since when a contract that it holds is valid; None: not known, as it is from before a restart."""
        holding = self._holdings.of(contract)
        return None if holding is None or math.isnan(holding.valid_since_s) else holding.valid_since_s

    @property
    def begins_s(self) -> float | None:
        """When its valid contract for a later span begins; None without one."""
        main = self._holdings.main
        return main.begins_s if main and main.contract.valid and main.contract.in_s else None

    @property
    def satisfied(self) -> bool:
        """Whether active contracts cover the need."""
        tolerance_w = PASSED_EPSILON_W if self.settings.passes_on else EPSILON_W
        return 0.0 < self.need_w <= self._usable_w + tolerance_w

    @property
    def _usable_w(self) -> float:
        """The power that it may use under active contracts, in W."""
        if self.settings.passes_on:
            return sum(contract.agreed_w for contract in self.active)
        return sum(contract.max_w for contract in self.active)

    @property
    def supplied_w(self) -> float:
        """The power it gets under active contracts, in W."""
        return self._holdings.supplied_w

    @property
    def missing_w(self) -> float:
        """The power it needs and does not get, in W."""
        return max(0.0, self.need_w - min(self.supplied_w, self._usable_w))

    @property
    def overdue_s(self) -> float:
        """When the first unconfirmed contract must be abandoned (monotonic clock); inf without one."""
        waiting = [each.confirm_by_s for each in self._holdings if not each.confirmed]
        return min(waiting) if waiting else math.inf

    # ---- how it is served ---------------------------------------------------------------------

    @property
    def unserved_since_s(self) -> float | None:
        """Since when contracts do not cover its need; None while they do."""
        return self._service.unserved_since_s

    @property
    def unserved_w(self) -> float:
        """The largest power that was missing during the last such time, in W."""
        return self._service.unserved_w

    @property
    def response_s(self) -> float:
        """How long it took to meet the last need; nan before the first."""
        return self._service.response_s

    @property
    def gave_up(self) -> bool:
        """Whether it stopped requesting power because it was not served within the tolerance."""
        return self._service.given_up_w > 0.0

    @property
    def due_s(self) -> float:
        """When it must step at the latest, even if it receives nothing."""
        return 0.0 if self.request else self._holdings.due_s

    # ---- input -------------------------------------------------------------------------------

    def set_need(self, power_w: float) -> None:
        """Set the power it needs. A change of less than 1 % is meter noise and is ignored."""
        if power_w < MIN_POWER_W:
            self.need_w = 0.0
        elif self.settings.passes_on or abs(power_w - self.need_w) > RESTATE_RATIO * self.need_w:
            self.need_w = round_w(power_w)

    def see_offer(self, supplier: str, offer: Offer | None, hops: int, now_s: float) -> None:
        """A supplier has published an offer to this consumer, or withdrawn it (None)."""
        self._offers.see(supplier, offer, hops, self.settings.offers, now_s)

    @property
    def is_offered_all(self) -> bool:
        """Whether the offers in hand cover its request."""
        return self.request is not None and self._offers.cover(self.request)

    def deals_with(self, supplier: str) -> bool:
        """Whether one of its contracts, valid or proposed, has a part of this supplier."""
        return any(holding.contract.part_of(supplier) for holding in self._holdings)

    def see_answers(self, supplier: str, answers: tuple[Answer, ...]) -> None:
        """A supplier's answers to this consumer; empty if its confirmation table has none."""
        for holding in self._holdings:
            if not holding.hear(supplier, answers):
                self._offers.drop(supplier)
                if not holding.contract.valid:
                    self._members.break_word(supplier, self._stepped_s, small=True)
                self._holdings.lose(holding, supplier, Cause.WITHDRAWN)

    def see_free(self, available_w: float, now_s: float) -> None:
        """Set the free power of its node. An unserved need that it would cover is in alert (thesis 4.4.4)."""
        self._service.see_free(self.missing_w, available_w, now_s)

    def lost(self, supplier: str) -> None:
        """A supplier has left the microgrid."""
        self._offers.drop(supplier)
        for holding in self._holdings:
            if holding.contract.part_of(supplier):
                self._holdings.lose(holding, supplier, Cause.LOST)

    def restore(self, main: Contract, extra: Contract | None, now_s: float) -> None:
        """Restore contracts from before a restart. All their suppliers must confirm them again soon."""
        self._holdings.restore(main, extra, now_s)

    # ---- steps --------------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Update the request and the contracts from the need and the suppliers' answers."""
        self._stepped_s = now_s
        self._holdings.follow(
            self.need_w,
            self.planned is not None,
            self.settings.contract_s,
            self._service.waits_since_s,
            now_s,
        )
        self._holdings.use(self.need_w)
        self._holdings.merge(now_s)
        self._service.note(self.need_w, self.missing_w, self.satisfied, now_s)
        self._ask(now_s)
        self._choose(now_s)

    def stop(self) -> None:
        """End all contracts and withdraw the request."""
        self.need_w, self.planned = 0.0, None
        for holding in self._holdings:
            self._holdings.end(holding, EventKind.STOP, Cause.STOP_ORDER)
        self._open.withdraw()
        self._service.clear()

    # ---- inside -------------------------------------------------------------------------------

    def _ask(self, now_s: float) -> None:
        plan, priority = self.planned, self.settings.priority
        if plan is None or self.need_w:
            self._ask_now(now_s)
        elif self.main or now_s > plan.latest_s:
            self._open.withdraw()
        elif self._open.ask_ahead(plan, priority, now_s):
            self._offers.clear()

    def _ask_now(self, now_s: float) -> None:
        want_w, settings = self._wanted_w(now_s), self.settings
        if not want_w:
            self._open.withdraw()
        elif self._open.is_for(want_w):
            self._open.alert(self._service.alert_since_s, now_s)
        else:
            spare_w = round_w(max(0.0, want_w - self.missing_w))
            self._open.ask(want_w, spare_w, settings.priority, settings.partial, now_s)
            self._offers.clear()

    def _wanted_w(self, now_s: float) -> float:
        """The power to request: the whole need, or the part without a contract; 0: no request now."""
        service, main = self._service, self._holdings.main
        if service.unserved_since_s is None:
            return 0.0
        if service.gives_up(self.need_w, self.settings.tolerance_s, now_s):
            return 0.0
        if self._holdings.extra or (main and not main.active):
            return 0.0  # one request at a time
        return self._uncovered_w()

    def _choose(self, now_s: float) -> None:
        """Compose offers, best first, into a contract for the request."""
        request = self.request
        if request is None or not self._offers:
            return
        fitting = self._offers.fitting(request, now_s)
        if self.buying and not request.run_s:
            ordered, waited_s = self._policy.order(fitting, request.power_w), now_s - self._open.since_s
            if self.buying.holds(ordered, request, waited_s, now_s):
                return
        if request.run_s:
            contract, begins_s = self._contract_ahead(fitting, request, now_s)
        else:
            contract, begins_s = self._contract_now(fitting, request, now_s), -math.inf
        if contract is None:
            return
        wait_s = self._members.wait_s([part.supplier for part in contract.parts], now_s)
        self._holdings.add(Holding.proposed(contract, now_s, wait_s, begins_s))
        self.choice = contract.id, tuple(fitting)
        self._open.withdraw()
        self._offers.clear()

    def _contract_now(self, offers: list[SeenOffer], request: Request, now_s: float) -> Contract | None:
        want_w = min(request.power_w, self._uncovered_w())
        least_w = min(want_w, self.missing_w)  # the margin of the main contract may stay uncovered
        powers_w = want_w, least_w
        parts = self._offers.choose(offers, request, self._policy, powers_w, self._open.since_s, now_s)
        return self._contract(parts)

    def _contract_ahead(
        self, offers: list[SeenOffer], request: Request, now_s: float
    ) -> tuple[Contract | None, float]:
        """A contract for a later span, and when it begins."""
        chosen = choose_begin(offers, request, self._open.since_s, now_s)
        if chosen is None:
            return None, 0.0
        part, begins_s = chosen
        return self._contract([part], max(1, math.ceil(begins_s - now_s))), begins_s

    def _contract(self, parts: list[Part], in_s: int = 0) -> Contract | None:
        ttl_s = round(self.settings.contract_s)
        if not parts:
            return None
        return Contract(self._next_id(), 0, False, ttl_s, self.settings.priority, tuple(parts), 0, in_s)

    def _uncovered_w(self) -> float:
        covered_w = self.main.agreed_w if self.main else 0.0
        return round_w(max(0.0, self.need_w - covered_w))
