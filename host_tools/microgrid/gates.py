"""What is seen of gates while holons run: contracts that crossed them, and what passes now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .plan import DOWN, UP, BuildingPlan

Books = Mapping[str, dict[str, Any]]  # by node: GET /contracts


class Gate(NamedTuple):
    """The twins of a gate by name, in its holon and in the parent."""

    inside: str
    outside: str


def gates_of(plans: Iterable[BuildingPlan]) -> list[Gate]:
    """Those of all holons."""
    return [Gate(f"{each.machine}.{UP}", f"{each.name}.{DOWN}") for each in plans if each.machine]


class GateWatch:
    """Looks at the contracts of all nodes once a second."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self.gates = gates
        self._twins = frozenset(twin for gate in gates for twin in gate)
        self._crossed: dict[tuple[str, int], set[str]] = {}  # by consumer and contract: its gates
        self._passes: dict[str, dict[str, float]] = {}

    def look(self, books: Books) -> None:
        """`books`: of every node that answered."""
        for contract in (each for node in books.values() for each in node["consumed"]):
            gates = {part["supplier"] for part in contract["parts"]} & self._twins
            if contract["valid"] and gates and contract["consumer"] not in self._twins:
                self._crossed.setdefault((contract["consumer"], contract["id"]), set()).update(gates)
        self._passes = {
            gate.inside: {
                "in_w": round(sold_w(gate.inside, books), 3),
                "out_w": round(sold_w(gate.outside, books), 3),
            }
            for gate in self.gates
        }

    def findings(self) -> dict[str, Any]:
        """The entry in run.json: powers are those of the last look."""
        crossed = [gate for gates in self._crossed.values() for gate in gates]
        return {
            "contracts_across_gates": len(self._crossed),
            "gates": [
                {"name": gate.inside, "parent": gate.outside, "contracts": crossed.count(gate.inside)}
                | self._passes.get(gate.inside, {})
                for gate in self.gates
            ],
        }


def lines(found: dict[str, Any]) -> list[str]:
    """The same in words."""
    told = [f"{found['contracts_across_gates']} contracts of devices crossed gates"]
    for gate in found["gates"]:
        here, there = (gate[side].partition(".")[0] for side in ("name", "parent"))
        told.append(
            f"  {here}, in the parent {there}: {gate['contracts']} of them; now {gate['in_w']:,.0f} W "
            f"from the parent, {gate['out_w']:,.0f} W to it"
        )
    return told


def sold_w(twin: str, books: Books) -> float:
    """What a twin supplies now, by the books of its node."""
    promises = (each for node in books.values() for each in node["supplied"] if each["supplier"] == twin)
    powers_w = (each["power_w"] for each in promises if each["state"] == "valid" and _has_begun(each))
    return sum(powers_w, 0.0)


def bought_w(twin: str, books: Books) -> float:
    """What a twin may draw now, by the books of its node."""
    contracts = (each for node in books.values() for each in node["consumed"] if each["consumer"] == twin)
    begun = (each for each in contracts if each["valid"] and _has_begun(each))
    return sum((part["max_w"] for each in begun for part in each["parts"]), 0.0)


def _has_begun(each: dict[str, Any]) -> bool:
    return each["begins_in_s"] is None
