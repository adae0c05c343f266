"""Invariants between nodes (I2, I5, I6 of edge/energy/invariants.py), checked over the nodes' HTTP API.

Each node checks I1, I3 and I4 itself every second; its counters are added here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .gates import Gate, bought_w, sold_w

TOLERANCE_W = 0.01
_AGREE_WITHIN_S = 20.0  # I5: a contract that only one side holds must end within this time


@dataclass
class Audit:
    """Counts the checks and keeps a line for each that failed."""

    gates: Sequence[Gate] = ()
    checked: int = 0
    broken: list[str] = field(default_factory=list)
    _unmatched_since_s: dict[tuple[str, int, str], float] = field(default_factory=dict)
    _excess_since_s: dict[str, float] = field(default_factory=dict)  # by twin of a gate

    def look(self, contracts: dict[str, dict[str, Any]], now_s: float) -> None:
        """Compare both sides of all contracts; `contracts` is GET /contracts of every node that answered."""
        promises = {
            (each["consumer"], each["id"], each["supplier"]): each
            for books in contracts.values()
            for each in books["supplied"]
            if each["state"] != "offered"
        }
        unmatched = set()
        for books in contracts.values():
            self._one_contract_a_consumer(books["consumed"])
            for contract in books["consumed"]:
                if contract["valid"]:
                    for part in contract["parts"]:
                        key = (contract["consumer"], contract["id"], part["supplier"])
                        if key[2].partition(".")[0] in contracts and not self._match(
                            contract, part, promises.get(key)
                        ):
                            unmatched.add(key)
        self._age(unmatched, now_s)
        self._compare_gates(contracts, now_s)

    def finish(self, healths: list[dict[str, Any]]) -> tuple[int, int]:
        """The numbers of checks and of broken invariants, including the nodes' own counters."""
        for health in healths:
            self.checked += health["invariants_checked"]
            if health["invariants_broken"]:
                troubles = "; ".join(each["text"] for each in health["troubles"])
                self.broken.append(f"{health['node']}: {troubles}")
        return self.checked, len(self.broken)

    def _one_contract_a_consumer(self, consumed: list[dict[str, Any]]) -> None:
        names = [contract["consumer"] for contract in consumed]
        for name in set(names):
            self.checked += 1
            if names.count(name) > 2:
                self.broken.append(f"I2 {name} has {names.count(name)} contracts")

    def _match(self, contract: dict[str, Any], part: dict[str, Any], promise: dict[str, Any] | None) -> bool:
        self.checked += 1
        if promise is None:
            return False
        if promise["revision"] == contract["revision"]:
            self.checked += 1
            if abs(promise["power_w"] - part["power_w"]) > TOLERANCE_W:
                self.broken.append(
                    f"I6 {contract['consumer']} takes {part['power_w']} W of contract {contract['id']}, "
                    f"{part['supplier']} books {promise['power_w']} W"
                )
        return True

    def _age(self, unmatched: set[tuple[str, int, str]], now_s: float) -> None:
        for key in self._unmatched_since_s.keys() - unmatched:
            del self._unmatched_since_s[key]
        for key in unmatched:
            since_s = self._unmatched_since_s.setdefault(key, now_s)
            if now_s - since_s > _AGREE_WITHIN_S:
                self.broken.append(f"I5 {key[0]} holds contract {key[1]} that {key[2]} does not know")
                self._unmatched_since_s[key] = now_s

    def _compare_gates(self, contracts: dict[str, dict[str, Any]], now_s: float) -> None:
        """I6 at both sides of each gate, which checks it itself each second. Here the two sides answer one
        after the other, so a difference must last."""
        for gate in self.gates:
            for seller, buyer in (gate, gate[::-1]):
                if not {seller.partition(".")[0], buyer.partition(".")[0]} <= contracts.keys():
                    continue
                self.checked += 1
                sold, bought = sold_w(seller, contracts), bought_w(buyer, contracts)
                if sold <= bought + TOLERANCE_W:
                    self._excess_since_s.pop(seller, None)
                elif now_s - self._excess_since_s.setdefault(seller, now_s) > _AGREE_WITHIN_S:
                    self.broken.append(f"I6 {seller} supplies {sold} W, {buyer} may draw {bought} W")
                    self._excess_since_s[seller] = now_s
