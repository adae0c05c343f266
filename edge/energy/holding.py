"""A contract on the consumer's side: which suppliers have agreed, its confirmation deadline, its end.

Before its end the consumer asks for another term, and it goes on without a gap once all have agreed to that.
"""

import math
from dataclasses import replace

from .messages import Answer, Contract
from .rules import EPSILON_W, RENEW_LEAST_S, RENEW_RATIO


class Holding:
    """One contract, main or complementary."""

    def __init__(self, contract: Contract, confirm_by_s: float, ends_s: float = math.inf) -> None:
        self.contract = contract
        self.begins_s = -math.inf
        self.ready = False  # its supplier has the power for its begin
        self.valid_since_s = math.nan
        self.confirm_by_s = confirm_by_s
        self.ends_s = ends_s
        self._agreed: set[str] = set()
        self._renewed: set[str] = set()  # suppliers that have agreed to the term that is asked for
        self._asked_s: float | None = None  # since when another term is asked for
        self._limits: dict[str, float] = {}  # by supplier, the power to which it asks us to reduce
        self._known_as: dict[
            str, int
        ] = {}  # suppliers that may still list their share under another contract

    @classmethod
    def proposed(
        cls, contract: Contract, now_s: float, wait_s: float, begins_s: float = -math.inf
    ) -> "Holding":
        """A contract that its suppliers have not yet confirmed; it is void if they do not in `wait_s`."""
        holding = cls(contract, now_s + wait_s)
        holding.begins_s = begins_s
        return holding

    @property
    def silent(self) -> list[str]:
        """The suppliers that have not agreed."""
        return [part.supplier for part in self.contract.parts if part.supplier not in self._agreed]

    @property
    def confirmed(self) -> bool:
        """Whether all suppliers have agreed."""
        return self._agreed.issuperset([part.supplier for part in self.contract.parts])

    @property
    def active(self) -> bool:
        """Whether power flows under it."""
        return self.contract.valid and self.confirmed and not self.contract.in_s

    @property
    def due_s(self) -> float:
        """When it begins, is renewed, ends or is abandoned."""
        if not self.confirmed:
            return min(self.ends_s, self.confirm_by_s)
        if self.contract.in_s:
            return self.begins_s
        return self.ends_s if self._asked_s is not None else self._renew_s

    @property
    def _renew_s(self) -> float:
        ttl_s = self.contract.ttl_s
        return self.ends_s - max(RENEW_RATIO * ttl_s, min(RENEW_LEAST_S, ttl_s / 2))

    def hear(self, supplier: str, answers: tuple[Answer, ...]) -> bool:
        """Apply a supplier's answers to this contract; False if they end the supplier's share."""
        part = self.contract.part_of(supplier)
        if part is None:
            return True
        other = self._known_as.get(supplier)
        agreed = False
        for answer in answers:
            if answer.contract_id == self.contract.id:
                if not answer.agreed:
                    return False
                agreed = True
                if answer.term >= self.contract.term:
                    self._renewed.add(supplier)
                self._known_as.pop(supplier, None)
                limited = answer.limit_w < part.max_w - EPSILON_W
                if self.contract.in_s:
                    self.ready = not limited
                elif limited:
                    self._limits[supplier] = answer.limit_w
            elif answer.contract_id == other:
                agreed |= answer.agreed
        if agreed:
            self._agreed.add(supplier)
        return agreed or not (self.contract.valid and supplier in self._agreed)

    def validate(self, now_s: float) -> None:
        """Mark the contract as valid: all suppliers have confirmed and it starts."""
        self.contract = replace(self.contract, revision=self.contract.revision + 1, valid=True)
        self.valid_since_s = now_s
        self.ends_s = max(now_s, self.begins_s) + self.contract.ttl_s

    def begin(self, now_s: float) -> None:
        """The span of the contract begins: power flows from now on."""
        self.contract = self.contract.begun()
        self.valid_since_s = now_s
        self.ends_s = now_s + self.contract.ttl_s

    def renew(self, ttl_s: int, now_s: float) -> bool:
        """Ask for another term when it is time; returns whether all have agreed to it by now.

        The term counts from the moment at which it was asked for, so no supplier ends it sooner.
        """
        if self._asked_s is None:
            if now_s >= self._renew_s:
                self.ask_again(ttl_s, now_s)
            return False
        if not self._renewed.issuperset([part.supplier for part in self.contract.parts]):
            return False
        self._begin_term()
        return True

    def ask_again(self, ttl_s: int, now_s: float) -> None:
        """Ask for another term."""
        self.contract = self.contract.renewed(ttl_s)
        self._renewed.clear()
        self._asked_s = now_s

    def go_on(self) -> bool:
        """At its end: remove the suppliers that did not agree to another term; returns whether any did."""
        left = [part.supplier for part in self.contract.parts if part.supplier not in self._renewed]
        if self._asked_s is None or len(left) == len(self.contract.parts):
            return False
        for supplier in left:
            self._remove(supplier)
        self._begin_term()
        return True

    def _begin_term(self) -> None:
        assert self._asked_s is not None
        self.ends_s, self._asked_s = self._asked_s + self.contract.ttl_s, None

    def come_down(self) -> bool:
        """Reduce the shares as suppliers asked; returns whether there were any."""
        limits, self._limits = self._limits, {}
        for supplier, limit_w in limits.items():
            self.contract = self.contract.curtailed(supplier, limit_w)
        return bool(limits)

    def drop(self, supplier: str) -> bool:
        """Remove one supplier; returns whether an active contract goes on with the others."""
        if not self.active or len(self.contract.parts) < 2:
            return False
        self._remove(supplier)
        return True

    def _remove(self, supplier: str) -> None:
        self.contract = self.contract.without(supplier)
        self._agreed.discard(supplier)
        self._renewed.discard(supplier)
        self._known_as.pop(supplier, None)

    def use(self, power_w: float, shrink: bool) -> bool:
        """Restate the contract for a use of `power_w`; returns whether that changed it."""
        if not shrink and abs(power_w - self.contract.power_w) <= EPSILON_W:
            return False
        self.contract = self.contract.use(power_w, shrink)
        return True

    def join(self, other: "Holding") -> None:
        """Merge the shares of a complementary contract, to which its suppliers have already agreed."""
        for part in other.contract.parts:
            if part.supplier not in self._agreed:
                self._known_as[part.supplier] = other.contract.id
        self._agreed |= other._agreed
        self.contract = self.contract.merged(other.contract)
        self.ends_s = min(self.ends_s, other.ends_s)
