"""What the played building says of its community: credits, prices, storage, limits, orders, statement."""

from dataclasses import dataclass, field
from typing import Any

from .learnt import Learnt
from .past import iso

_RULES = {
    "name": "School quarter",
    "response": "price",
    "tolerance_wh": 0.1,
    "energy_mix": "green",
    "connection": "grid",
    "pricing": "dynamic",
    "sharing_key": "dynamic",
    "data": "exact",
    "emergency": "critical",
    "flexibility": "normal",
    "management": "internal",
}
_SCORED = {"supply_wh": 1.2, "consumption_wh": 0.0, "equity_wh": -0.1, "green_wh": 0.05}


@dataclass
class Shared(Learnt):
    """Answers of a node with a community and a regulator; of one without, where there are no twins."""

    ordered: dict[str, dict[str, Any]] = field(default_factory=dict)  # limits by source
    log: list[dict[str, Any]] = field(default_factory=list)

    def community(self) -> dict[str, Any]:
        empty: dict[str, Any] = dict.fromkeys(
            ("prosumers", "experience", "suppliers", "sharing", "storages", "donations")
        )
        if not self.twins:
            return {"rules": None, "comparison": None} | {key: [] for key in empty}
        others = [each for each in self.places()[1:] if each not in self.cut]
        hour_s = int(self.time_s // 3600 * 3600)
        return {
            "rules": _RULES,
            "prosumers": [self._prosumer(i, *each) for i, each in enumerate(self.names())],
            "experience": [
                {"member": name, "experienced_wh": round(12.5 - 7.0 * i, 2)}
                for i, name in enumerate(others[:4])
            ],
            "suppliers": [
                {
                    "supplier": f"{place}.{name}",
                    "capacity_w": power_w,
                    "left_w": round(0.31 * power_w, 1),
                    "impact": 2 if kind == "pv" else 3,
                    "slots": [
                        {"from_s": hour_s + 3600 * (each + (each > 0)), "rate": round(0.12 + 0.05 * each, 3)}
                        for each in range(4 if kind == "grid" else 1)
                    ],
                }
                for place in self.places()[:3]
                for name, kind, power_w in self.names()
                if kind in ("pv", "grid")
            ],
            "sharing": [
                {"member": name, "received_w": 0.0 if i else 640.0, "given_w": 320.0 - 40 * min(i, 7)}
                for i, name in enumerate(others[:8])
            ],
            "storages": [
                {
                    "twin": f"{self.node}.storage",
                    "common": True,
                    "capacity_wh": 10_000.0,
                    "reserve_wh": 500.0,
                    "level_wh": None if self.troubles else 6_240.0,
                    "charging_w": 0.0 if self.troubles else 1_210.0,
                    "giving_w": 0.0,
                    "taken_wh": 8_911.5,
                    "given_wh": 2_110.0,
                    "donors": 3,
                }
            ],
            "donations": [
                {"twin": f"{self.node}.{name}", "storage": f"{self.node}.storage", "given_wh": 3_104.25}
                for name, kind, _ in self.names()
                if kind == "pv"
            ],
            "comparison": {"nodes": self.nodes, "own_requested_w": 5_210.0, "mean_requested_w": 4_333.0},
        }

    def _prosumer(self, place: int, name: str, kind: str, power_w: float) -> dict[str, Any]:
        received_wh = 0.0 if kind in ("pv", "grid") else round(2.4 * power_w, 1)
        given_wh = round(1.9 * power_w, 1) if kind in ("pv", "grid") else 0.0
        return {
            "twin": f"{self.node}.{name}",
            "quota_w": None,
            "credit_wh": round(8.0 - 3.7 * (place % 5), 2),
            "award": _SCORED,
            "needed_wh": received_wh,
            "received_wh": received_wh,
            "given_wh": given_wh,
            "fed_in_wh": 0.0,
            "paid": round(0.00021 * received_wh, 6),
            "earned": round(0.00018 * given_wh, 6),
            "mean_price": 0.21 if received_wh else None,
        }

    def limits(self) -> dict[str, Any]:
        if not self.twins:
            found: dict[str, Any] = {
                "regulated": False,
                "failsafe": False,
                "controller": "",
                "imported_w": None,
            }
            return found | {"in_force": [], "ordered": [], "held_back": []}
        held = [
            {
                "direction": each["direction"],
                "power_w": each["power_w"],
                "scope": "connection",
                "source": f"api:{source}",
                "from_s": None,
                "until_s": self.time_s + each["lasts_s"] if each.get("lasts_s") else None,
                "measured_w": round(0.93 * each["power_w"], 1),
            }
            for source, each in self.ordered.items()
        ]
        if self.troubles:
            failsafe = {"scope": "connection", "source": "failsafe", "from_s": None, "until_s": None}
            held.append({"direction": "consume", "power_w": 4200.0, "measured_w": 4871.3, **failsafe})
        back = [{"twin": "wallbox", "reason": "limit", "left_w": 0.0, "review_s": 212.0}] if held else []
        return {
            "regulated": True,
            "in_force": held,
            "ordered": held,
            "failsafe": self.troubles,
            "controller": "mqtt:box" if self.troubles else "",
            "imported_w": 3905.2,
            "held_back": back,
        }

    def order(self, source: str, body: dict[str, Any]) -> None:
        """Somebody orders a limit."""
        self.ordered[source] = body
        self.log.insert(
            0, self._row(f"limit_{body['direction']}", f"api:{source}", body["power_w"], 0.0, None)
        )

    def release(self, source: str) -> None:
        """Its limits end."""
        self.ordered.pop(source, None)
        for each in self.log:
            each["finished_s"] = each["finished_s"] or round(self.time_s, 3)

    def orders(self, query: dict[str, str]) -> list[dict[str, Any]]:
        kept = [
            self._row("limit_consume", "mqtt:box", 4200.0, 7_500.0, 3_900.0),
            self._row("limit", "mqtt:box", 4200.0, 7_500.0, 3_900.0, "wallbox"),
            self._row("overproduction", "regulator", 3000.0, 90_000.0, 89_600.0, "pv_roof"),
        ]
        return [*self.log, *(kept if self.twins else [])][: int(query.get("limit", "20000"))]

    def _row(
        self,
        kind: str,
        source: str,
        limit_w: float,
        ago_s: float,
        end_s: float | None,
        subject: str = "connection",
    ) -> dict[str, Any]:
        created_s = round(self.time_s - ago_s, 3)
        return {
            "number": f"{created_s:.0f}-{len(self.log) + 1}",
            "created_s": created_s,
            "finished_s": None if end_s is None else round(self.time_s - end_s, 3),
            "kind": kind,
            "subject": subject,
            "source": source,
            "start_w": 6_013.4,
            "limit_w": limit_w,
            "after_w": None if end_s is None else 3_912.0,
            "highest_w": None if end_s is None else 4_031.7,
        }

    def statement(self, query: dict[str, str]) -> dict[str, Any]:
        month = iso(int(self.time_s // 60))[:7]
        twins = [
            {
                "twin": f"{self.node}.{name}",
                "drawn_wh": round(61.0 * power_w, 1) if kind == "load" else 0.0,
                "given_wh": round(48.0 * power_w, 1) if kind != "load" else 0.0,
                "paid": round(0.0128 * power_w, 4) if kind == "load" else 0.0,
                "earned": round(0.0093 * power_w, 4) if kind != "load" else 0.0,
                "quality": "filled" if i == 2 else "measured",
                "partners": [
                    {"partner": f"{place}.pv_roof", "drawn_wh": round(19.0 * power_w, 1), "given_wh": 0.0}
                    for place in self.places()[:2]
                    if kind == "load"
                ],
            }
            for i, (name, kind, power_w) in enumerate(self.names())
        ]
        wanted = query.get("month", month)
        span = {"from_s": int(self.time_s) - 18 * 86_400, "to_s": int(self.time_s)}
        line = {"member": self.node, "days": 9, "bought_wh": 41_200, "sold_wh": 63_900, "paid": -3.12}
        line |= {"more_wh": 9_800, "less_wh": 12_400, "paid_balancing": 0.84, "unknown_steps": 0}
        known = wanted == month
        lists = {"twins": twins if known else [], "market": [line] if known else []}
        return {"node": self.node, "month": wanted, **span, **lists}
