"""Lies about energy: what the twins of a member may say of what they need and give.

The liar is a real node, so it speaks like any member, with its own name and keys; only the consumers and
suppliers of its twins say what a lie tells them to. A lie is called with each twin when it begins.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from edge.energy.consumer import Consumer
from edge.energy.messages import Answer, Answers, Contract, Offer, Part, Priority, Request
from edge.energy.supplier import Supplier

Lie = Callable[[Any], None]  # begins at a prosumer twin
Plan = Callable[["LyingConsumer", float], None]  # is called at each step, with the time in s
Agrees = Callable[["LyingSupplier", Contract], bool | None]  # the answer to a contract, None: no answer


class LyingConsumer(Consumer):
    """A consumer that publishes what `plan` sets: `request` and `shown_main`."""

    def __init__(self, honest: Consumer, plan: "Plan") -> None:
        self.__dict__.update(honest.__dict__)
        self.plan = plan
        self.shown_main: Contract | None = None
        self.offers: dict[str, Offer] = {}
        self.answers: dict[str, tuple[Answer, ...]] = {}
        self.number = 1000
        self.asked_s = self.made_s = self.next_s = 0.0
        self.kept: tuple[Part, ...] = ()
        self.set_need(1.0)

    @property
    def main(self) -> Contract | None:
        return self.shown_main

    @property
    def extra(self) -> None:
        return None

    def see_offer(self, supplier: str, offer: Offer | None, hops: int, now_s: float) -> None:
        if offer is None:
            self.offers.pop(supplier, None)
        else:
            self.offers[supplier] = offer

    def deals_with(self, supplier: str) -> bool:
        return True

    def see_answers(self, supplier: str, answers: tuple[Answer, ...]) -> None:
        self.answers[supplier] = answers

    def step(self, now_s: float) -> None:
        self.plan(self, now_s)

    def next_number(self) -> int:
        """The id of its next message."""
        self.number += 1
        return self.number

    def agreed(self, supplier: str) -> bool:
        """Whether a supplier has confirmed the contract that it shows."""
        answers, shown = self.answers.get(supplier, ()), self.shown_main
        return any(shown is not None and each.contract_id == shown.id and each.agreed for each in answers)


class LyingSupplier(Supplier):
    """A supplier without power that offers all that is requested, for nothing, and answers as `agrees`."""

    def __init__(self, honest: Supplier, agrees: "Agrees") -> None:
        self.__dict__.update(honest.__dict__)
        self.agrees = agrees
        self.requests: dict[str, Request | None] = {}
        self.contracts: dict[str, Contract | None] = {}
        self.now_s = 0.0

    def see_request(self, consumer: str, request: Request | None, hops: int, now_s: float) -> bool:
        self.requests[consumer] = request
        return True

    def see_contract(self, consumer: str, complement: bool, contract: Contract | None, hops: int) -> bool:
        self.contracts[consumer] = contract
        return True

    def set_capacity(self, power_w: float) -> None:
        pass

    def step(self, now_s: float, civil_s: float | None = None) -> None:
        self.now_s = now_s

    def offers(self) -> dict[str, Offer]:
        asked = {name: each for name, each in self.requests.items() if each}
        return {name: Offer(each.id, each.power_w, each.power_w, 0) for name, each in list(asked.items())[:5]}

    def offer_until_s(self, consumer: str) -> float:
        return self.now_s + 8.0

    def answers(self) -> Answers:
        shown = {name: each for name, each in self.contracts.items() if each and each.part_of(self.name)}
        answers = {name: self.agrees(self, each) for name, each in shown.items()}
        return {name: (Answer(shown[name].id, yes),) for name, yes in answers.items() if yes is not None}


# ---- lies -------------------------------------------------------------------------------------------


def consuming(plan: Plan) -> Lie:
    """A lie of a consumer: `plan` is called at each of its steps."""

    def begin(twin: Any) -> None:
        twin.consumer = LyingConsumer(twin.consumer, plan)

    return begin


def supplying(agrees: Agrees) -> Lie:
    """A lie of a supplier: `agrees` tells its answer to a contract, None if it gives none."""

    def begin(twin: Any) -> None:
        twin.supplier = LyingSupplier(twin.supplier, agrees)

    return begin


def seize(power_w: float, priority: Priority = Priority.HIGH) -> Lie:
    """Request power and make a contract over all that is offered, interruptions included; keep it."""
    return consuming(_seize(power_w, priority))


def _seize(power_w: float, priority: Priority) -> Plan:
    def plan(liar: LyingConsumer, now_s: float) -> None:
        if liar.shown_main is None:
            if liar.request is None:
                liar.request = Request(liar.next_number(), power_w, priority, partial=True)
                liar.asked_s = now_s
            elif now_s >= liar.asked_s + 1.0:
                parts = [
                    Part(name, round((each.max_w + each.urgent_w) / 1.05, 3), each.max_w + each.urgent_w)
                    for name, each in liar.offers.items()
                    if each.request_id == liar.request.id
                ]
                liar.request = None
                if parts:
                    number = liar.next_number()
                    liar.shown_main = Contract(number, 0, False, 3600, priority, tuple(parts))
                    liar.made_s = now_s
        elif not liar.shown_main.valid:
            agreed = [part for part in liar.shown_main.parts if liar.agreed(part.supplier)]
            if agreed and now_s >= liar.made_s + 0.5:
                old = liar.shown_main
                liar.shown_main = Contract(old.id, old.revision + 1, True, 3600, priority, tuple(agreed))
            elif now_s >= liar.made_s + 3.0:
                liar.shown_main = None

    return plan


def forge(powers_w: Mapping[str, float]) -> Lie:
    """Publish a contract that no offer preceded, valid at first sight, with high priority."""

    def plan(liar: LyingConsumer, now_s: float) -> None:
        if liar.shown_main is None:
            parts = tuple(Part(name, each, round(1.05 * each, 3)) for name, each in powers_w.items())
            liar.shown_main = Contract(liar.next_number(), 0, True, 3600, Priority.HIGH, parts)

    return consuming(plan)


def never_confirm(power_w: float, renew_s: float, priority: Priority = Priority.HIGH) -> Lie:
    """Request power, take no offer, and request again under a new id."""

    def plan(liar: LyingConsumer, now_s: float) -> None:
        if liar.request is None or now_s >= liar.asked_s + renew_s:
            liar.request = Request(liar.next_number(), power_w, priority)
            liar.asked_s = now_s

    return consuming(plan)


def reopen(power_w: float, every_s: float, priority: Priority = Priority.HIGH) -> Lie:
    """Make contracts of what is offered, never validate them, and show each under a new id."""

    def plan(liar: LyingConsumer, now_s: float) -> None:
        if now_s < liar.next_s:
            return
        liar.next_s = now_s + every_s
        parts = tuple(Part(n, o.power_w, o.max_w) for n, o in liar.offers.items() if o.power_w)
        if parts:
            liar.kept = parts
        if liar.kept:
            liar.shown_main = Contract(liar.next_number(), 0, False, 3600, priority, liar.kept)
        liar.request = Request(liar.next_number(), power_w, priority)

    return consuming(plan)


def gather(power_w: float, priority: Priority = Priority.HIGH) -> Lie:
    """Request more than anybody has, long unserved, so that all remainders gather at it."""

    def plan(liar: LyingConsumer, now_s: float) -> None:
        if liar.request is None:
            liar.request = Request(
                liar.next_number(), power_w, priority, True, 1e8, priority is Priority.HIGH
            )

    return consuming(plan)


def hoard(
    power_w: float,
    *,
    drawn: float = 0.0,
    honest_s: float = 0.0,
    again_s: float = math.inf,
    first_w: float = 0.0,
    first_s: float = 0.0,
    priority: Priority = Priority.HIGH,
) -> Lie:
    """As `seize`, but keep it and draw a small share of it, `drawn`.

    All is drawn in the first `honest_s` of each contract. After `again_s` the contract is given up and
    another is made. For `first_s` it requests and draws `first_w` like an honest consumer.
    """
    take, begin = _seize(power_w, priority), _seize(first_w, priority)
    began_s: dict[LyingConsumer, float] = {}
    valid_s: dict[LyingConsumer, float] = {}

    def plan(liar: LyingConsumer, now_s: float) -> None:
        passed_s = now_s - began_s.setdefault(liar, now_s)
        if passed_s < first_s:
            begin(liar, now_s)
            return
        if first_s and passed_s < 2 * first_s and liar not in valid_s:
            valid_s[liar], liar.shown_main, liar.request = now_s, None, None
        take(liar, now_s)
        old = liar.shown_main
        if old is None or not old.valid:
            valid_s[liar] = now_s
            return
        held_s = now_s - valid_s[liar]
        if held_s >= again_s:
            liar.shown_main = liar.request = None
            return
        share = 1 / 1.05 if held_s < honest_s else drawn
        parts = tuple(Part(n.supplier, max(0.01, round(share * n.max_w, 3)), n.max_w) for n in old.parts)
        if parts != old.parts:
            liar.shown_main = Contract(old.id, old.revision + 1, True, 3600, old.priority, parts)

    return consuming(plan)


def never_validate(power_w: float, every_s: float, priority: Priority = Priority.HIGH) -> Lie:
    """As `seize`, but never validate the contract; make another after a while."""
    take = _seize(power_w, priority)

    def plan(liar: LyingConsumer, now_s: float) -> None:
        if liar.shown_main is None:
            if now_s >= liar.next_s:
                take(liar, now_s)
            if liar.shown_main is not None:
                liar.next_s = now_s + every_s
        elif now_s >= liar.made_s + 15.0:
            liar.shown_main = None

    return consuming(plan)
