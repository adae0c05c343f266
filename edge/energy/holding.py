"""A contract on the consumer's side: which suppliers have agreed, its confirmation deadline, its end."""

import math
from dataclasses import replace

from .messages import Answer, Contract
from .rules import EPSILON_W


class Holding:
    """One contract, main or complementary."""

    def __init__(self, contract: Contract, confirm_by_s: float, ends_s: float = math.inf) -> None:
        self.contract = contract
        self.valid_since_s = math.nan
        self.confirm_by_s = confirm_by_s
        self.ends_s = ends_s
        self._agreed: set[str] = set()
        self._limits: dict[str, float] = {}  # by supplier, the power to which it asks us to reduce
        self._known_as: dict[
            str, int
        ] = {}  # suppliers that may still list their share under another contract

    @classmethod
    def proposed(cls, contract: Contract, now_s: float, wait_s: float) -> "Holding":
        """A contract that its suppliers have not yet confirmed; it is void if they do not in `wait_s`."""
        return cls(contract, now_s + wait_s)

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
        return self.contract.valid and self.confirmed

    @property
    def due_s(self) -> float:
        """When it ends or is abandoned."""
        return self.ends_s if self.confirmed else min(self.ends_s, self.confirm_by_s)

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
                self._known_as.pop(supplier, None)
                if answer.limit_w < part.max_w - EPSILON_W:
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
        self.ends_s = now_s + self.contract.ttl_s

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
        self.contract = self.contract.without(supplier)
        self._agreed.discard(supplier)
        self._known_as.pop(supplier, None)
        return True

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
