"""What the played building keeps and forecasts: energy, offers, forecasts in watts, and gossip."""

import math
import time
from typing import Any

from .building import VARIABLES, Building, minute_of

LEADS_MIN = (5, 10, 30, 60, 120, 240, 480, 960, 1440)
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
_NORMAL = (-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645)  # at these levels
_FATES = ("accepted", "refused", "elsewhere", "ended")


class Past(Building):
    """Answers from its history, and its forecasts."""

    def energy(self, query: dict[str, str]) -> dict[str, Any]:
        step = int(query.get("step", "15"))
        now = int(self.time_s // 60)
        first = minute_of(query["from"]) if "from" in query else now - 1440
        first -= first % step
        last = min(now, minute_of(query["to"]) if "to" in query else now)
        rows: list[dict[str, Any]] = []
        for minute in range(first, last - step, step):
            for name, kind, power_w in self.names():
                wh = round(self.power_of(name, kind, power_w, minute) * step / 60, 3)
                gives = kind != "load"
                if gives and kind != "pv":
                    wh = round(0.1 * wh, 3)
                shares = (("", 1.0),) if gives else (("", 1.0), ("pv_roof", 0.7), ("grid", 0.3))
                for partner, share in shares:
                    partner = partner and f"{self.node}.{partner}"
                    matches = query.get("twin", f"{self.node}.{name}") == f"{self.node}.{name}"
                    if wh * share > 0 and matches and query.get("partner", partner) == partner:
                        rows.append(
                            {
                                "start_s": 60 * minute,
                                "twin": f"{self.node}.{name}",
                                "partner": partner,
                                "drawn_wh": 0.0 if gives else round(share * wh, 3),
                                "given_wh": round(share * wh, 3) if gives else 0.0,
                                "quality": "filled" if name == "ventilation" else "measured",
                            }
                        )
        sums: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            total = sums.setdefault(
                (row["twin"], row["partner"]),
                {
                    **{key: row[key] for key in ("twin", "partner", "quality")},
                    "drawn_wh": 0.0,
                    "given_wh": 0.0,
                },
            )
            for key in ("drawn_wh", "given_wh"):
                total[key] = round(total[key] + row[key], 3)
        partners = [sums[key] for key in sorted(sums)]
        return {"from_s": 60 * first, "to_s": 60 * last, "step": step, "energies": rows, "partners": partners}

    def offers(self, query: dict[str, str]) -> dict[str, Any]:
        limit, skip = int(query.get("limit", "100")), int(query.get("cursor") or 0)
        names = self.names()
        suppliers = [name for name, kind, _ in names if kind != "load"]
        consumers = [name for name, kind, _ in names if kind == "load"]
        rows = []
        for i in range(70 if suppliers and consumers else 0):
            supplier, consumer = suppliers[i % len(suppliers)], consumers[i % len(consumers)]
            there = self.places()[-1] if i % 5 == 4 else self.node
            twins = f"{self.node}.{supplier}", f"{there}.{consumer}"
            if query.get("twin", twins[0]) in twins:
                rows.append(
                    {
                        "at_s": self.time_s - 95 * i - 20,
                        "ended_s": self.time_s - 95 * i - 17,
                        "supplier": twins[0],
                        "consumer": twins[1],
                        "local": "supplier",
                        "request": 900 - i,
                        "power_w": 240.0 + 35 * (i % 17),
                        "price": 0.1 * (i % 3),
                        "outcome": _FATES[i % 4],
                    }
                )
        left = skip + limit < len(rows)
        return {"offers": rows[skip : skip + limit], "next": str(skip + limit) if left else None}

    def quantiles_w(self, variable: str, minute: int, lead_min: int) -> list[int]:
        """A forecast in watts that was made after that minute."""
        now_w = self.powers_at(minute)[variable]
        then_w = self.powers_at(minute + lead_min)[variable]
        error_w = 0.1 * then_w * math.sin(minute / 61 + len(variable))
        spread_w = (0.05 + 0.004 * math.sqrt(lead_min)) * (then_w + 0.3 * now_w + 60)
        return [max(0, round(then_w + error_w + each * spread_w)) for each in _NORMAL]

    def watts(self, minute: int) -> dict[str, Any]:
        """The newest forecast; beyond an hour it is made each quarter of an hour."""
        whole = minute % 15 == 0
        return {
            "at": iso(minute),
            "levels": list(LEVELS),
            "quantiles_w": {
                v: {
                    str(lead): self.quantiles_w(v, minute, lead) if whole or lead <= 60 else None
                    for lead in LEADS_MIN
                }
                for v in VARIABLES
            },
        }

    def forecasts(self, query: dict[str, str]) -> dict[str, Any]:
        now = int(self.time_s // 60)
        first = minute_of(query["from"]) if "from" in query else now - 1439
        last = min(now, minute_of(query["to"]) if "to" in query else now)
        found = [
            {
                "at": iso(minute),
                "quantiles_w": [[self.quantiles_w(v, minute, lead) for lead in LEADS_MIN] for v in VARIABLES],
                "actual_w": [
                    [
                        round(self.powers_at(minute + lead)[v]) if minute + lead <= now else None
                        for lead in LEADS_MIN
                    ]
                    for v in VARIABLES
                ],
            }
            for minute in range(first + -first % 15, last + 1, 15)
        ]
        return {
            "scope": query.get("scope", "node"),
            "variables": list(VARIABLES),
            "leads_min": list(LEADS_MIN),
            "levels": list(LEVELS),
            "forecasts": found,
        }

    def gossip(self) -> dict[str, Any]:
        """Nothing on a node alone, or one that does not learn."""
        neighbours = self.places()[1:4]
        if not self.learns or not neighbours:
            return {"scopes": {}}
        share = 0.6 / len(neighbours)

        def by_variable(value: float) -> dict[str, float | None]:
            return {each: round(value - 0.01 * i, 4) for i, each in enumerate(VARIABLES)}

        def gain(n: int) -> dict[str, Any]:
            better = {"own_log_loss": 0.412, "log_loss": 0.361, "own_accuracy": 0.871, "accuracy": 0.893}
            return {"n": n, **better}

        contributors = {
            name: {
                "here": i != 2,
                "heard_min_ago": 1 + 70 * (i == 2),
                "model_age_min": 41.0 + 60 * i,
                "model": "markov",
                "missing": ["available"] if i == 1 else [],
                "distance_w": by_variable(210.0 + 90 * i),
                "model_weight": by_variable(share),
                "prediction_weight": None if i == 2 else by_variable(share),
            }
            for i, name in enumerate(neighbours)
        }
        scope = {
            "sent": {"models": 84, "predictions": 12_960},
            "received": {"models": 231, "predictions": 38_411},
            "settled": 0,
            "merged": 77,
            "adopted": 31,
            "refused": {"damaged": 2, "too old": 1} if self.troubles else {},
            "refused_why": {neighbours[0]: "its states have other limits"} if self.troubles else {},
            "waited_for_budget": 12 if self.troubles else 0,
            "bytes": {
                "per_hour": 200_000,
                "last_hour": 61_440,
                "sent": 5_160_960,
                "received": 14_192_640,
                "by_hour": {str(int(self.time_s // 3600)): 61_440},
            },
            "contributors": contributors,
            "own_weight": {"models": by_variable(0.45), "predictions": by_variable(0.5)},
            "last_merge": {
                "operators": dict.fromkeys(VARIABLES, "distance"),
                "minute": int(self.time_s // 60) - 22,
                "adopted": ["requested", "consumed"],
                "returned": [],
                "left_out": {},
            },
            "prediction_operators": {},
            "gain": {"all": gain(9000)}
            | {v: {h: gain(375) for h in ("5", "10", "30", "60")} for v in VARIABLES},
            "memory_bytes": 412_000,
        }
        return {"scopes": {"node": scope, "cluster": scope}}


def iso(minute: int) -> str:
    """A minute since 1970 as a node says it."""
    return time.strftime("%Y-%m-%dT%H:%M+00:00", time.gmtime(60 * minute))
