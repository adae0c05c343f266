"""What the played building says of its model, of statistics and of its configuration."""

import math
from typing import Any

from edge.config.changes import RUNNING
from edge.config.options import SECTIONS

from .building import VARIABLES
from .past import Past, iso

LIMITS_W = [0.001, 2000.0, 4000.0, 6000.0, 8000.0, 10000.0]
_SLOTS = 19
_KINDS = ("days", "variables", "horizons", "hours")
_HORIZONS_MIN = (5, 10, 30, 60)


class Learnt(Past):
    """Answers of a node that learns with Markov chains and networks."""

    def models(self, query: dict[str, str]) -> dict[str, Any]:
        slot = int(query.get("slot", "9"))
        counts = [[round(140 * math.exp(-1.4 * abs(i - j)) * (i < 6)) for j in range(7)] for i in range(7)]
        sums = [sum(row) + 1 for row in counts]
        chances = [
            [round((n + (i == j)) / sums[i], 5) for j, n in enumerate(row)] for i, row in enumerate(counts)
        ]
        days = [iso(int(self.time_s // 60) - 1440 * each)[:10] for each in range(21, 0, -1)]

        def matrix(rows: int, columns: int) -> list[list[float]]:
            return [
                [round(0.4 * math.sin(3 * i + 0.7 * j * i), 5) for j in range(columns)] for i in range(rows)
            ]

        return {
            "scope": query.get("scope", "node"),
            "variable": query.get("variable", "requested"),
            "model": "mixture",
            "limits_w": LIMITS_W,
            "minutes": 20_160,
            "last_minute": iso(int(self.time_s // 60)),
            "experts": {
                "plain": [0.2, 0.2, 0.25, 0.3],
                "chains": [0.3, 0.3, 0.25, 0.2],
                "networks": [0.5, 0.5, 0.5, 0.5],
            },
            "shares": None,
            "chains": {
                "contexts": 1,
                "window_days": 60,
                "days": days,
                "slots": [
                    {"slot": slot, "context": 0, "counts": counts, "foreign": None, "probabilities": chances}
                ],
                "by_day": [{"day": days[-1], "counts": [counts]}],
            },
            "networks": [
                {
                    "inputs": ["powers", "state", "time", "quarter"],
                    "trained": True,
                    "layers": [
                        {
                            "name": "lstm 1",
                            "kind": "lstm",
                            "w": matrix(30, 64),
                            "u": matrix(16, 64),
                            "b": matrix(2, 64)[1],
                        },
                        {
                            "name": "outputs",
                            "kind": "dense",
                            "w": matrix(16, 28),
                            "u": None,
                            "b": matrix(2, 28)[1],
                        },
                    ],
                }
            ],
        }

    def statistics(self, query: dict[str, str]) -> dict[str, Any]:
        merged = query.get("merge", "days").split(",")
        by = next((each for each in _KINDS if each not in merged), "hours")
        minute = int(self.time_s // 60)
        names: dict[str, list[dict[str, Any]]] = {
            "hours": [{"hour": hour} for hour in range(24)],
            "days": [{"day": iso(minute - 1440 * each)[:10]} for each in range(6, -1, -1)],
            "variables": [{"variable": each} for each in VARIABLES],
            "horizons": [{"horizon_min": each} for each in _HORIZONS_MIN],
        }
        rows = [self._statistic(i, each) for i, each in enumerate(names[by])]
        return {
            "scope": query.get("scope", "node"),
            "from": iso(minute - 10_080),
            "to": iso(minute),
            "rows": rows,
            "totals": [self._statistic(3, {}) | {"n": sum(each["n"] for each in rows)}],
        }

    @staticmethod
    def _statistic(number: int, name: dict[str, Any]) -> dict[str, Any]:
        hard = 0.1 * (1 + math.sin(number / 3))
        return {
            "model": "markov",
            "day": None,
            "variable": None,
            "horizon_min": None,
            "hour": None,
            **name,
            "n": 410 + 3 * number,
            "accuracy": 0.96 - hard,
            "persistence_accuracy": 0.94 - 1.3 * hard,
            "majority_accuracy": 0.5,
            "skill": 0.2,
            "log_loss": 0.3,
            "brier": 0.2,
            "state_difference": 0.12 + hard,
            "vector_difference": 0.04 + 0.3 * hard,
            "shannon_entropy": 4 * hard,
            "gini": 2 * hard,
            "promised": [0.1, 0.2, 0.3, 0.2, 0.1, 0.05, 0.05],
            "happened": [0.1, 0.2, 0.3, 0.2, 0.1, 0.05, 0.05],
        }

    def configuration(self) -> dict[str, Any]:
        tables = []
        for section, each in SECTIONS.items():
            if (each.optional and section != "community") or section in (
                "bus",
                "meter",
                "relay",
                "boundary",
                "member",
            ):
                continue
            values = self.settings.get(section, {})
            keys = [
                {
                    "key": option.key,
                    "type": option.type_words,
                    "value": values.get(option.key, None if option.required else _plain(option.default)),
                    "default": None if option.required else _plain(option.default),
                    "changed": option.key in values,
                    "running": option.key in RUNNING.get(section, ()),
                    "allowed": option.mark.words if option.mark else "",
                    "meaning": option.meaning,
                }
                for option in each.options
            ]
            tables.append(
                {
                    "section": section,
                    "name": "kitchen" if each.repeated else "",
                    "repeated": each.repeated,
                    "keys": keys,
                }
            )
        return {"node": self.node, "tables": tables, "refused": []}


def _plain(value: Any) -> Any:
    return (
        value
        if isinstance(value, int | float) and not hasattr(value, "name")
        else getattr(value, "name", str(value)).lower()
    )
