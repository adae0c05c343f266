"""The microgrid around that building, and what its node says of itself: health, predictions, LSAs."""

import json
import math
from typing import Any

from .building import VARIABLES, minute_of
from .learnt import LIMITS_W
from .past import iso
from .shared import Shared

HORIZONS_MIN = (5, 10, 30, 60)


class World(Shared):
    """Answers of a node."""

    def microgrid(self) -> dict[str, Any]:
        places = [each for each in self.places() if each not in self.cut]
        parent = {
            name: places[max(0, (i - 1) // (2 if len(places) > 8 else 1))]
            for i, name in enumerate(places)
            if i
        }
        nodes, depth = [], {places[0]: 0}
        for i, name in enumerate(places):
            if i:
                depth[name] = depth[parent[name]] + 1
            near = depth[name] == 1
            powers_w = {
                key: round(value * (0.4 + 0.13 * (i % 7)), 1)
                for key, value in self.powers_at(700 + i).items()
            }
            via = name
            while i and depth[via] > 1:
                via = parent[via]
            nodes.append(
                {
                    "name": name,
                    "distance": depth[name],
                    "via": via if i else "",
                    "heard_s": 1.4 if near else None,
                    "neighbour": near,
                    "connected": (not (self.troubles and i == 1)) if near else None,
                    "powers_w": None if i == 3 and len(places) > 4 else powers_w,
                    "address": f"{name}.local" if near else "",
                }
            )
        links = [
            {"from": self.node, "to": name, "sends": not self.troubles, "hears": True}
            for name in places[1:]
            if depth[name] == 1
        ]
        return {"node": self.node, "nodes": nodes, "links": links}

    def health(self) -> dict[str, Any]:
        troubles = self.found_troubles()
        meters: list[dict[str, Any]] = [
            {
                "device": f"m{i + 1}",
                "reads": 4000,
                "good": 3990 - 200 * (self.troubles and i == 3),
                "errors": {},
                "failures_in_a_row": 5 if self.troubles and i == 3 else 0,
                "retry_in_s": 0.0,
                "refused": [],
                "undefined_powers": [],
            }
            for i in range(min(self.twins, 6))
        ]
        return {
            "status": "degraded" if troubles else "ok",
            "troubles": troubles,
            "warnings": []
            if self.twins
            else [
                {
                    "code": "no_trust",
                    "subject": self.node,
                    "text": "it has no keys, no section [trust]: anybody who reaches it can lie to it",
                }
            ],
            "node": self.node,
            "version": "0.6.0",
            "release": "",
            "uptime_s": 86_400 * 3.2,
            "rss_mb": 31.4,
            "hwm_mb": 38.2,
            "reactions": 182_331,
            "longest_reaction_ms": 12.4 if self.twins else None,
            "readings": 259_200,
            "readings_undefined": 12,
            "faults": 0,
            "failures": 0,
            "dropped": {"frames": 0, "links": 0, "readings": 0},
            "state_failures": 0,
            "invariants_checked": 86_400,
            "invariants_broken": 0,
            "links": {
                "inbox": {
                    "connected": True,
                    "received_frames": 20_131,
                    "received_bytes": 4_213_998,
                    "refused": 0,
                    "trouble": "",
                    "taken_over": False,
                    "delivery": "",
                },
                "neighbours": {
                    name: {
                        "connected": not self.troubles,
                        "sent_frames": 10_444,
                        "sent_bytes": 2_013_777,
                        "dropped": 0,
                        "reconnects": 1,
                        "trouble": "connection refused" if self.troubles else "",
                        "taken_over": False,
                        "delivery": "",
                    }
                    for name in self.places()[1:2]
                },
                "certificates": [],
            },
            "trust": {
                "authentic": True,
                "cluster": "local",
                "serial": 3,
                "ends_s": 1_830_000_000,
                "date_known": True,
                "members": self.places()[1:],
                "revocations": 0,
                "revoked": [],
                "refused": {},
            },
            "members": {},
            "unknown": [],
            "gateway": {},
            "meters": [
                {
                    "bus": "rs485",
                    "port": "/dev/ttyUSB0",
                    "open": True,
                    "trouble": "",
                    "meters": meters,
                    "relays": [],
                }
            ]
            if meters
            else [],
        }

    def meters(self) -> list[dict[str, Any]]:
        return [
            {
                "meter": f"m{i + 1}",
                "bus": "rs485",
                "address": i + 1,
                "profile": "sdm630" if i % 2 else "sdm120",
                "powers": {
                    "total": {
                        "power_w": None if self.troubles and i == 3 else round(power_w, 1),
                        "age_s": 95.0 if self.troubles and i == 3 else 0.7,
                    }
                },
                "record": {"l1.voltage_v": 231.2 + i, "frequency_hz": 50.01},
                "record_age_s": 12.0,
            }
            for i, (_, _, power_w) in enumerate(self.names()[:6])
        ]

    def overview(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "space": {
                "tick": 1,
                "lsas": [14 + self.twins, 256],
                "properties": [61 + 4 * self.twins, 1024],
                "heap_blocks": [420, 2048],
                "names": [77, 640],
            },
        }

    def learning(self) -> dict[str, Any]:
        file = {
            "file": "/var/lib/edge/history.sqlite",
            "bytes": 7_340_032,
            "written": 48_311,
            "waiting": 0,
            "lost": 0,
            "failures": 0,
            "set_aside": 0,
            "wrong_rows": 0,
        }
        if not self.learns:
            return {"scopes": {}, "history": file}
        scope = {
            "model": "markov",
            "powers_w": None,
            "limits_w": [LIMITS_W] * 6,
            "ready": True,
            "working": False,
            "minutes": 20_160,
            "last_minute": iso(int(self.time_s // 60)),
            "trainings": 41,
            "rejected": 2,
            "last_training": {"steps": 4, "accepted": True, "loss_before": 0.9, "loss_after": 0.8},
            "merges": 77,
            "gain": 0.051,
            "faults": 0,
            "trouble": "",
        }
        return {
            "variables": list(VARIABLES),
            "scopes": {"node": scope, "cluster": scope},
            "nodes_summed": self.nodes,
            "trouble": "",
            "work": {"waits_for": "", "pieces": 900, "cpu_s": 41.2, "longest_piece_ms": 8.1},
            "history": file,
        }

    def predictions(self, query: dict[str, str]) -> dict[str, Any]:
        if not self.learns:
            return {}
        if "from" not in query:
            minute = int(self.time_s // 60)
            rows = {
                each: {str(h): self._chances(each, minute, h) for h in HORIZONS_MIN} for each in VARIABLES
            }
            newest = {
                "at": iso(minute),
                "model": "markov",
                "limits_w": [LIMITS_W] * 6,
                "likeliest": {},
                "probabilities": rows,
                "watts": self.watts(minute),
            }
            return (
                {query.get("scope", "node"): newest}
                if "scope" in query
                else {"node": newest, "cluster": newest}
            )
        found = []
        for minute in range(minute_of(query["from"]), min(minute_of(query["to"]), int(self.time_s // 60))):
            p = [
                [[round(1000 * each) for each in self._chances(v, minute, h)] for h in HORIZONS_MIN]
                for v in VARIABLES
            ]
            actual = [
                [
                    _state(self.powers_at(minute + h)[v]) if minute + h <= self.time_s // 60 else None
                    for h in HORIZONS_MIN
                ]
                for v in VARIABLES
            ]
            found.append({"at": iso(minute), "model": "markov", "p": p, "actual": actual})
        return {
            "scope": query.get("scope", "node"),
            "variables": list(VARIABLES),
            "horizons_min": list(HORIZONS_MIN),
            "predictions": found,
        }

    def replay(self, query: dict[str, str]) -> dict[str, Any]:
        """As `predictions`, a little surer."""
        step = int(query.get("step", "15"))
        if "at" in query:
            query = {**query, "from": query["at"], "to": iso(minute_of(query["at"]) + 1)}
        told = self.predictions(query)
        watts = {each["at"]: each for each in self.forecasts(query)["forecasts"]}
        rows = []
        for each in told["predictions"][::step]:
            p = [[_surer(states) for states in horizons] for horizons in each["p"]]
            band = watts.get(each["at"], {}) if query.get("watts") == "yes" else {}
            rows.append(
                {
                    "at": each["at"],
                    "p": p,
                    "actual": each["actual"],
                    "made": each["p"],
                    "quantiles_w": band.get("quantiles_w"),
                    "actual_w": band.get("actual_w"),
                }
            )
        return {
            "scope": told["scope"],
            "model": "markov",
            "limits_w": [LIMITS_W] * 6,
            "variables": list(VARIABLES),
            "horizons_min": list(HORIZONS_MIN),
            "leads_min": [*HORIZONS_MIN, 120, 240, 480, 960, 1440],
            "levels": [0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95],
            "predictions": rows,
            "scores": {},
        }

    def _chances(self, variable: str, minute: int, horizon: int) -> list[float]:
        w = self.powers_at(minute + horizon // 2)[variable]
        spread = 260 + 22 * horizon
        weights = []
        for i in range(7):
            low, high = (0.0, 0.001) if i == 0 else (LIMITS_W[i - 1], LIMITS_W[i] if i < 6 else 12_000.0)
            weights.append(
                1e-6 + math.exp(-((((low + high) / 2 - w) / (spread + 900)) ** 2)) * (0.4 if i == 0 else 1)
            )
        return [each / sum(weights) for each in weights]

    def scores(self) -> dict[str, Any]:
        models = {
            "markov": {
                "limits_w": [LIMITS_W] * 6,
                "scores": {
                    v: {
                        str(h): {
                            "n": 9800,
                            "accuracy": 0.93 - 0.004 * h,
                            "persistence_accuracy": 0.92 - 0.007 * h,
                            "majority_accuracy": 0.51,
                            "log_loss": 0.3,
                            "brier": 0.2,
                            "skill": round(0.1 + 0.004 * h, 3),
                            "shannon_entropy": 0.62,
                            "gini": 0.31,
                            "vector_difference": 0.1,
                            "state_difference": 0.2,
                        }
                        for h in HORIZONS_MIN
                    }
                    for v in VARIABLES
                },
            }
        }
        return {"scope": "node", "from": "", "to": "", "models": models}

    def space(self, query: dict[str, str]) -> dict[str, Any]:
        lsas: list[dict[str, Any]] = []
        for place in self.places():
            for name, kind, power_w in self.names()[: self.twins if place == self.node else 2]:
                label = "PROD" if kind in ("pv", "grid", "battery") else "REQUEST"
                properties: list[dict[str, Any]] = [
                    {
                        "label": label,
                        "to": "",
                        "reach": None,
                        "version": 41,
                        "left_s": None,
                        "bytes": 66,
                        "value": {"power_w": power_w, "priority": 0},
                        "sealed": False,
                    }
                ]
                properties.append(
                    {
                        "label": "CONTRACT" if label == "REQUEST" else "CONFIRM",
                        "to": f"{place}.lighting",
                        "reach": None,
                        "version": 7,
                        "left_s": 12,
                        "bytes": 140,
                        "value": None,
                        "sealed": True,
                    }
                )
                lsas.append(
                    {
                        "name": f"{place}.{name}",
                        "kind": "prosumer",
                        "node": place,
                        "hops": self.places().index(place),
                        "version": 48,
                        "left_s": 21,
                        "properties": properties,
                    }
                )
        wanted = query.get("text", "").lower()
        lsas = [
            each
            for each in sorted(lsas, key=lambda each: each["name"])
            if wanted in json.dumps(each).lower()
            and (not query.get("label") or any(p["label"] == query["label"] for p in each["properties"]))
        ]
        skip, limit = int(query.get("cursor") or 0), int(query.get("limit", "40"))
        return {
            "lsas": lsas[skip : skip + limit],
            "next": str(skip + limit) if skip + limit < len(lsas) else None,
        }


def _state(power_w: float) -> int:
    return 1 + sum(power_w >= each for each in LIMITS_W)


def _surer(states: list[int]) -> list[int]:
    most = max(range(len(states)), key=states.__getitem__)
    return [round(each * 0.7) + (300 if i == most else 0) for i, each in enumerate(states)]
