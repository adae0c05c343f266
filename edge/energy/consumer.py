"""The consuming side of a prosumer: from a need to a valid contract (thesis 4.1.2, algorithm 4.7; 4.2)."""

import math
from collections.abc import Callable
from dataclasses import replace

from .messages import Answer, Contract, Offer, Part, Priority, Request, round_w
from .policies import ConsumerPolicy, SeenOffer
from .rules import (
    CONTRACT_S,
    EPSILON_W,
    MARGIN,
    MAX_PARTS,
    MIN_POWER_W,
    OFFER_VALIDITY_S,
    RECONFIRM_S,
    RESTATE_RATIO,
    VALIDATION_S,
    with_margin,
)


class Consumer:
    """Asks for what it needs, composes offers into a contract, validates it, and follows its use."""

    def __init__(
        self, name: str, policy: ConsumerPolicy, next_id: Callable[[], int], *, priority: Priority,
        offers_max: int, contract_s: float = CONTRACT_S,
    ) -> None:  # fmt: skip
        self.name = name
        self.need_w = 0.0
        self.request: Request | None = None
        self.contract: Contract | None = None
        self.unserved_since_s: float | None = None
        self.ended: str = ""  # why the last contract ended: "expiry" or "stop"
        self._policy = policy
        self._next_id = next_id
        self._priority = priority
        self._offers_max = offers_max
        self._contract_s = contract_s
        self._offers: dict[str, SeenOffer] = {}
        self._agreed: set[str] = set()
        self._confirm_by_s = 0.0
        self._ends_s = 0.0

    @property
    def satisfied(self) -> bool:
        """Whether a valid contract covers the need."""
        return self.contract is not None and self.contract.valid and self._all_agreed(self.contract)

    @property
    def supplied_w(self) -> float:
        """What its valid contract gives it now, in W."""
        return self.contract.power_w if self.contract and self.satisfied else 0.0

    @property
    def confirm_by_s(self) -> float:
        """When a contract that is not confirmed by all is given up, on the clock; inf when none is."""
        waits = self.contract is not None and not self._all_agreed(self.contract)
        return self._confirm_by_s if waits else math.inf

    # ---- what it is told ----------------------------------------------------------------------

    def set_need(self, power_w: float) -> None:
        """The power it needs now; a change of less than 1 % is noise of the meter and no news."""
        if power_w < MIN_POWER_W:
            self.need_w = 0.0
        elif abs(power_w - self.need_w) > RESTATE_RATIO * self.need_w:
            self.need_w = round_w(power_w)

    def see_offer(self, supplier: str, offer: Offer | None, hops: int, now_s: float) -> None:
        """A supplier shows an offer to us, or none any more."""
        if offer is None:
            self._offers.pop(supplier, None)
        elif supplier in self._offers or len(self._offers) < self._offers_max:
            self._offers[supplier] = SeenOffer(supplier, offer, hops, now_s + OFFER_VALIDITY_S)

    def see_answer(self, supplier: str, answer: Answer | None) -> None:
        """What a supplier's confirmation table says of us; None where we do not stand in it."""
        contract = self.contract
        if contract is None or contract.part_of(supplier) is None:
            return
        if answer is not None and answer.contract_id == contract.id:
            if answer.agreed:
                self._agreed.add(supplier)
            else:
                self._offers.pop(supplier, None)
                self._end("stop")
        elif contract.valid and supplier in self._agreed:
            self._end("stop")  # it confirmed once and does no more

    def lost(self, supplier: str) -> None:
        """A supplier has left the microgrid."""
        self._offers.pop(supplier, None)
        if self.contract and self.contract.part_of(supplier):
            self._end("stop")

    def restore(self, contract: Contract, now_s: float) -> None:
        """Take up a contract from before a restart; all its suppliers must confirm again soon."""
        self.contract = contract
        self._agreed.clear()
        self._confirm_by_s = now_s + RECONFIRM_S
        self._ends_s = now_s + contract.ttl_s

    # ---- what it does -------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Bring request and contract in line with the need and with what the suppliers said."""
        if self.contract:
            self._follow(self.contract, now_s)
        if self.need_w and self.contract is None:
            self._ask(now_s)
            self._choose(now_s)
        elif not self.need_w:
            self.request = None
        if self.satisfied or not self.need_w:
            self.unserved_since_s = None

    def stop(self) -> None:
        """Need nothing any more."""
        self.need_w = 0.0
        if self.contract:
            self._end("stop")
        self.request = None
        self.unserved_since_s = None

    def _follow(self, contract: Contract, now_s: float) -> None:
        agreed = self._all_agreed(contract)
        if now_s >= self._ends_s:
            self._end("expiry")
        elif self.need_w < MIN_POWER_W or self.need_w > contract.max_w + EPSILON_W:
            self._end("stop")  # gone, or risen beyond the margin: a new request follows
        elif not agreed:
            if now_s >= self._confirm_by_s:
                self._end("stop")
        elif not contract.valid:
            self.contract = replace(contract, revision=contract.revision + 1, valid=True)
            self._ends_s = now_s + contract.ttl_s
            self._restate(self.contract)
        else:
            self._restate(contract)

    def _restate(self, contract: Contract) -> None:
        """Tell the suppliers of a changed use; beyond 5 % less, give the reserve back (thesis 4.2)."""
        shrink = self.need_w < contract.power_w * (1 - MARGIN)
        if shrink or abs(self.need_w - contract.power_w) > EPSILON_W:
            self.contract = contract.use(self.need_w, shrink)

    def _ask(self, now_s: float) -> None:
        if self.unserved_since_s is None:
            self.unserved_since_s = now_s
        old = self.request
        if old is None or abs(old.power_w - self.need_w) > MARGIN * old.power_w:
            waited_s = now_s - self.unserved_since_s
            self.request = Request(self._next_id(), self.need_w, self._priority, waited_s)
            self._offers.clear()

    def _choose(self, now_s: float) -> None:
        """Compose offers, best first, until they meet the need; all or nothing."""
        request = self.request
        if request is None:
            return
        self._offers = {name: seen for name, seen in self._offers.items() if seen.expires_s > now_s}
        fitting = [seen for seen in self._offers.values() if seen.offer.request_id == request.id]
        missing_w = self.need_w
        parts: list[Part] = []
        for seen in self._policy.order(fitting):
            power_w = round_w(min(missing_w, seen.offer.power_w))
            if power_w < MIN_POWER_W or len(parts) == MAX_PARTS:
                break
            parts.append(Part(seen.supplier, power_w, min(seen.offer.max_w, round_w(with_margin(power_w)))))
            missing_w -= power_w
        if missing_w > EPSILON_W or not parts:
            return
        self.contract = Contract(self._next_id(), 0, False, round(self._contract_s), tuple(parts))
        self._confirm_by_s = now_s + VALIDATION_S
        self._ends_s = math.inf
        self.request = None
        self._offers.clear()
        self._agreed.clear()

    def _all_agreed(self, contract: Contract) -> bool:
        return all(part.supplier in self._agreed for part in contract.parts)

    def _end(self, why: str) -> None:
        self.contract = None
        self.ended = why
        self._agreed.clear()
