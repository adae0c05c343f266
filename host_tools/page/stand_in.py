"""A server that answers like a node, with generated data: for states of the dashboard that are hard to reach.

It serves the files of the dashboard with the headers of a node and the paths of /api/v1 that the pages ask
for. `twins` and `nodes` say how much there is; `faults` makes it answer late, wrongly or not at all.
"""

import gzip
import json
import math
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STATIC = Path(__file__).parents[2] / "edge" / "api" / "static"
POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
TOKEN = "a-token-of-the-test"
VARIABLES = ("requested", "produced", "consumed", "supplied", "missing", "available")
HORIZONS_MIN = (5, 10, 30, 60)
LIMITS_W = [0.001, 2000.0, 4000.0, 6000.0, 8000.0, 10000.0]
DEVICES = (
    ("pv_roof", "pv", 5400.0),
    ("lighting", "load", 1260.0),
    ("kitchen", "load", 1710.0),
    ("ventilation", "load", 640.0),
    ("heat_pump", "load", 2350.0),
    ("grid", "grid", 10_000.0),
    ("battery", "battery", 900.0),
    ("wallbox", "load", 3700.0),
)
PLACES = ("school", "gym", "afterschool", "underground", "townhall", "library", "workshop", "bakery")


@dataclass
class Faults:
    """What the server does wrong on purpose."""

    silent: bool = False  # the stream says nothing, no heartbeat either
    broken: bool = False  # every answer of the API is 503
    locked: bool = False  # reading needs a token
    refused: str = ""  # the detail of the problem that every change gets


@dataclass
class World:
    """The microgrid that is played."""

    twins: int = 4
    nodes: int = 4
    troubles: bool = False
    learns: bool = True
    now_s: float | None = None  # the moment at which it begins; None: by the clock of this machine
    stopped: set[str] = field(default_factory=set)
    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    node: str = "school"
    _began_s: float = field(default_factory=time.monotonic)
    _powers: dict[tuple[int, float, int], dict[str, float]] = field(default_factory=dict)

    @property
    def time_s(self) -> float:
        return time.time() if self.now_s is None else self.now_s + time.monotonic() - self._began_s

    def names(self) -> list[tuple[str, str, float]]:
        """Name, kind and power of every twin."""
        found = []
        for i in range(self.twins):
            name, kind, power_w = DEVICES[i % len(DEVICES)]
            turn = i // len(DEVICES)
            found.append((f"{name}_{turn + 1}" if turn else name, kind, power_w * (1 - 0.07 * turn)))
        return found + [
            (name, each.get("kind", "load"), each["power_w"]) for name, each in self.added.items()
        ]

    def places(self) -> list[str]:
        return [*PLACES, *(f"house{i:02}" for i in range(1, 40))][: self.nodes]

    def power_of(self, name: str, kind: str, power_w: float, minute: float) -> float:
        """Of a device at a minute of UTC: a school day, a roof in the sun; a battery and the grid are ready."""
        hour = minute % 1440 / 60
        noise = 0.1 * (math.sin(int(minute) * 12.9898 + 78.233 * len(name)) * 43758.5453 % 1 - 0.5)
        if name.startswith("pv"):
            sun = max(0.0, math.sin(math.pi * (hour - 6.5) / 12)) ** 1.3
            return power_w * sun * (0.9 + 0.1 * math.sin(minute / 37)) * (1 - abs(noise))
        if kind != "load":
            return power_w
        shift, late = {"k": (3.2, 14.5), "w": (9.0, 20.0), "v": (-1.0, 19.0)}.get(name[0], (0.0, 17.5))
        open_ = 1 / (1 + math.exp(-(hour - 7.5 - max(0, shift)) * 3)) - 1 / (1 + math.exp(-(hour - late) * 2))
        return (
            power_w
            * (0.08 + 0.9 * max(0.0, open_) * (0.85 + 0.15 * math.sin(minute / 23 + shift)))
            * (1 + noise)
        )

    def powers_at(self, minute: int, scale: float = 1.0) -> dict[str, float]:
        """The six variables at a minute of UTC."""
        key = (minute, scale, len(self.added))
        if key not in self._powers:
            self._powers[key] = self._powers_at(minute, scale)
        return self._powers[key]

    def _powers_at(self, minute: int, scale: float) -> dict[str, float]:
        now = [
            (name, kind, self.power_of(name, kind, power_w, minute)) for name, kind, power_w in self.names()
        ]
        need = sum(w for _, kind, w in now if kind == "load")
        produced = sum(w for _, kind, w in now if kind != "load")
        hour = minute % 1440 / 60
        lacks = max(0.0, 0.3 * need * math.exp(-((hour - 12.3) ** 2) * 60)) + (
            0.1 * need if 17.2 < hour < 17.4 else 0
        )
        missing = max(lacks, need - produced - 3000)
        consumed = need - missing
        supplied = min(produced, consumed + 0.16 * need + 300 * (self.nodes > 1))
        values = (need, produced, consumed, supplied, missing, max(0.0, produced - 1.05 * supplied))
        return dict(zip(VARIABLES, (round(scale * each, 1) for each in values), strict=True))

    def snapshot(self) -> dict[str, Any]:
        twins, flows, waiting = [], [], []
        now_s = self.time_s
        devices = [(n, k, self.power_of(n, k, w, now_s / 60)) for n, k, w in self.names()]
        suppliers = [
            (n, k, w) for n, k, w in devices if k in ("pv", "grid", "battery") and n not in self.stopped
        ]
        others = self.places()[1:]
        left_w = {n: w for n, _, w in suppliers}
        totals = dict.fromkeys(VARIABLES, 0.0)
        consumers = [(n, k, w) for n, k, w in devices if k == "load"]
        for i, (name, _, power_w) in enumerate(consumers):
            got_w, off = 0.0, name in self.stopped
            lacks = self.troubles and i in (2, 5)
            if not off and not lacks:
                for supplier, _, _ in suppliers:
                    part = min(left_w[supplier], power_w - got_w)
                    if part > 1:
                        left_w[supplier] -= part
                        got_w += part
                        flows.append(self._flow(supplier, name, part, now_s - 60 * (7 + i)))
                if got_w < power_w - 1 and others:
                    flows.append(
                        self._flow("pv_roof", name, power_w - got_w, now_s - 40, supplier_node=others[0])
                    )
                    got_w = power_w
            if not off and got_w < power_w - 1:
                waiting.append(
                    {
                        "twin": f"{self.node}.{name}",
                        "w": power_w - got_w,
                        "since_s": now_s - 95 - 300 * i,
                        "priority": "high" if i == 2 else "low",
                    }
                )
            totals["requested"] += 0 if off else power_w
            totals["consumed"] += got_w
            twins.append(self._twin(name, "", power_w, got_w, off, 95 + 300 * i if lacks else 0))
        if "grid" in left_w:
            for i, other in enumerate(others[:4]):
                part = min(left_w["grid"], 0.3 * (420 + 260 * i))
                if part > 1:
                    left_w["grid"] -= part
                    flows.append(self._flow("grid", "lighting", part, now_s - 400, consumer_node=other))
        for name, kind, power_w in [(n, k, w) for n, k, w in devices if k != "load"]:
            off = name in self.stopped
            gives = 0.0 if off else power_w - left_w[name]
            totals["produced"] += 0 if off else power_w
            totals["supplied"] += gives
            twins.append(self._twin(name, kind, power_w, gives, off, 0))
        totals["missing"] = totals["requested"] - totals["consumed"]
        totals["available"] = max(0.0, totals["produced"] - 1.05 * totals["supplied"])
        summed = {key: round(self.nodes * 0.8 * value, 1) for key, value in totals.items()}
        return {
            "at_s": round(now_s, 1),
            "node": self.node,
            "powers_w": {key: round(value, 1) for key, value in totals.items()},
            "flows": flows,
            "twins": twins,
            "waiting": waiting,
            "alerts": [
                {"code": each["code"], "text": each["text"], "twin": each["subject"]}
                for each in self.health()["troubles"]
            ],
            "ready_w": totals["produced"],
            "imported_w": round(sum(each["w"] for each in flows if each["supplier"].endswith(".grid")), 1),
            "exported_w": round(left_w.get("pv_roof", 0.0), 1),
            "microgrid": {
                "nodes": self.places(),
                "powers_w": summed if self.nodes > 1 else None,
                "nodes_summed": self.nodes,
            },
            "limits": [],
        }

    def _flow(
        self,
        supplier: str,
        consumer: str,
        w: float,
        since_s: float,
        supplier_node: str = "",
        consumer_node: str = "",
    ) -> dict[str, Any]:
        home, there = supplier_node or self.node, consumer_node or self.node
        return {
            "supplier": f"{home}.{supplier}",
            "consumer": f"{there}.{consumer}",
            "supplier_node": home,
            "consumer_node": there,
            "w": round(w, 1),
            "since_s": round(since_s, 1),
        }

    def _twin(
        self, name: str, kind: str, power_w: float, now_w: float, off: bool, waits_s: float
    ) -> dict[str, Any]:
        supplies = bool(kind)
        unknown = self.troubles and name == "ventilation"
        return {
            "name": f"{self.node}.{name}",
            "known": not unknown,
            "requested_w": None if unknown else 0.0 if supplies or off else round(power_w, 1),
            "consumed_w": 0.0 if supplies else round(now_w, 1),
            "produced_w": None if unknown else round(power_w, 1) if supplies and not off else 0.0,
            "supplied_w": round(now_w, 1) if supplies else 0.0,
            "reserved_w": round(now_w, 1) if supplies else 0.0,
            "offered_w": 0.0,
            "source": "" if kind == "load" else kind,
            "kind": kind or "load",
            "input": "m1.total",
            "power_w": 0.0,
            "price": 0.0,
            "stopped": off,
            "satisfied": not waits_s,
            "disabled": False,
            "waiting_s": 0.0 if off else waits_s,
            "gave_up": False,
            "response_s": None if waits_s else 0.0042,
            "unserved_w": 0.0,
            "validated": 12,
            "validated_across": 3,
            "shed": 0,
            "interrupted": 0,
            "events": 40,
            "refused_messages": 0,
            "unsealed_parts": 0,
            "priority": "low",
        }

    def series(self, query: dict[str, str]) -> dict[str, Any]:
        step = int(query.get("step", "1"))
        first, last = (_minute(query[key]) for key in ("from", "to"))
        now = int(self.time_s // 60)
        scale = self.nodes if query.get("scope") == "cluster" else 1.0
        columns: dict[str, list[float | None]] = {f"{each}_w": [] for each in VARIABLES}
        for minute in range(first, last, step):
            gap = minute > now or self.twins == 0 or 200 <= minute % 1440 < 215
            powers_w = self.powers_at(minute, scale)
            for each in VARIABLES:
                columns[f"{each}_w"].append(None if gap else powers_w[each])
        return {
            "scope": query.get("scope", "node"),
            "start_s": 60 * first,
            "start": first,
            "step": step,
            "columns": columns,
        }

    def events(self, query: dict[str, str]) -> dict[str, Any]:
        limit, skip = int(query.get("limit", "30")), int(query.get("cursor") or 0)
        rows = []
        now_s = self.time_s
        kinds = (
            ("start", "request", "device"),
            ("start", "contract", "confirmed"),
            ("update", "request", "device"),
            ("update", "contract", "device"),
            ("stop", "contract", "withdrawn"),
            ("expiry", "request", "tolerance"),
            ("merge", "contract", "merged"),
            ("start", "production", "device"),
            ("switch", "request", "device"),
        )
        for i in range(0 if self.twins == 0 else 90):
            names = self.names()
            name, _, power_w = names[(i * 3) % len(names)]
            kind, role, cause = kinds[i % len(kinds)]
            rows.append(
                {
                    "at_s": now_s - 37 * i - 5,
                    "twin": f"{self.node}.{name}",
                    "number": 1000 - i,
                    "kind": kind,
                    "role": role,
                    "power_w": round(power_w * 0.97, 1),
                    "cause": cause,
                    "begins_s": now_s - 37 * i - 600,
                    "ends_s": now_s - 37 * i - 5 if kind in ("stop", "expiry") else None,
                    "partner": f"{self.places()[-1]}.pv_roof" if role == "contract" else "",
                    "partners": 2 if i % 4 == 1 else 1,
                    "complementary": i % 11 == 3,
                    "origin": None,
                }
            )
        rows = [
            each
            for each in rows
            if (not query.get("twin") or each["twin"] == query["twin"])
            and (not query.get("kind") or each["kind"] == query["kind"])
        ]
        page = rows[skip : skip + limit]
        return {"events": page, "next": str(skip + limit) if skip + limit < len(rows) else None}

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
        troubles = (
            [
                {
                    "code": "neighbour_unreachable",
                    "subject": "gym",
                    "text": "gym: its broker at gym.local port 8883 is not reached: connection refused",
                },
                {
                    "code": "device_unknown",
                    "subject": "school.ventilation",
                    "text": "the power of ventilation (m4.total) has been unknown for 95 s",
                },
            ]
            if self.troubles
            else []
        )
        meters = [
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
                    "text": "it has no keys, no section [trust]: anybody who reaches it can lie to it and read what it sends",
                }
            ],
            "node": self.node,
            "version": "0.6.0",
            "release": "",
            "uptime_s": 86_400 * 3.2,
            "rss_mb": 31.4,
            "hwm_mb": 38.2,
            "reactions": 182_331,
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
            "last_minute": _iso(int(self.time_s // 60)),
            "trainings": 41,
            "rejected": 2,
            "last_training": {"steps": 4, "accepted": True, "loss_before": 0.9, "loss_after": 0.8},
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
                "at": _iso(minute),
                "model": "markov",
                "limits_w": [LIMITS_W] * 6,
                "likeliest": {},
                "probabilities": rows,
            }
            return (
                {query.get("scope", "node"): newest}
                if "scope" in query
                else {"node": newest, "cluster": newest}
            )
        found = []
        for minute in range(_minute(query["from"]), min(_minute(query["to"]), int(self.time_s // 60))):
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
            found.append({"at": _iso(minute), "model": "markov", "p": p, "actual": actual})
        return {
            "scope": query.get("scope", "node"),
            "variables": list(VARIABLES),
            "horizons_min": list(HORIZONS_MIN),
            "predictions": found,
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
                        }
                        for h in HORIZONS_MIN
                    }
                    for v in VARIABLES
                },
            }
        }
        return {"scope": "node", "from": "", "to": "", "models": models}

    def space(self, query: dict[str, str]) -> dict[str, Any]:
        lsas = []
        for place in self.places():
            for name, kind, power_w in self.names()[: self.twins if place == self.node else 2]:
                label = "PROD" if kind in ("pv", "grid", "battery") else "REQUEST"
                properties = [
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


def _minute(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() // 60)


def _iso(minute: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M+00:00", time.gmtime(60 * minute))


class StandIn:
    """The server, in threads of this process."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.faults = Faults()
        self.signed_in = False
        self.streams = 0
        self._cut = threading.Event()
        self.stopping = threading.Event()
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.bytes_sent = 0
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "StandIn":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def cut(self) -> None:
        """End the streams that are open."""
        self._cut.set()
        self._cut = threading.Event()

    @property
    def cutting(self) -> threading.Event:
        """Is set when the streams that are open now shall end."""
        return self._cut

    @property
    def scopes(self) -> list[str]:
        if self.signed_in:
            return ["read", "operate", "configure"]
        return [] if self.faults.locked else ["read"]


class _Handler(BaseHTTPRequestHandler):
    owner: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        if path == "/":
            self._file("index.html")
        elif path.startswith("/assets/"):
            self._file(path.removeprefix("/assets/"))
        else:
            self._api("GET")

    def do_POST(self) -> None:
        self._api("POST")

    do_PATCH = do_PUT = do_DELETE = lambda self: self._api(self.command)  # noqa: E731 - four methods, one way

    def _file(self, name: str) -> None:
        path = STATIC / name
        if "/" in name or not path.is_file():
            return self._send(404, {"title": "Not Found"})
        self._send(200, path.read_bytes(), TYPES[path.suffix])

    def _api(self, method: str) -> None:
        owner, world = self.owner, self.owner.world
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/api/v1")
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}") if size else {}
        world.requests.append(f"{method} {path}")
        if owner.faults.broken:
            return self._problem(503, "the node is being restarted")
        if path == "/session":
            return self._session(method, body)
        if "read" not in owner.scopes:
            return self._problem(401, "a token is needed")
        if method != "GET":
            return self._change(method, path, body)
        if path == "/stream":
            return self._stream()
        if query.get("format") == "csv":
            return self._send(200, b"time,requested_w\r\n", "text/csv")
        answers = {
            "/snapshot": world.snapshot,
            "/health": world.health,
            "/node": world.overview,
            "/meters": world.meters,
            "/microgrid": world.microgrid,
            "/learning": world.learning,
            "/scores": world.scores,
            "/series": lambda: world.series(query),
            "/events": lambda: world.events(query),
            "/predictions": lambda: world.predictions(query),
            "/space": lambda: world.space(query),
        }
        if path not in answers:
            return self._problem(404, f"there is no {path}")
        return self._send(200, answers[path]())

    def _session(self, method: str, body: dict[str, Any]) -> None:
        owner = self.owner
        if method == "POST":
            if body.get("token") != TOKEN:
                return self._problem(401, "the token is not known")
            owner.signed_in = True
        elif method == "DELETE":
            owner.signed_in = False
        by = "session" if owner.signed_in else ""
        self._send(
            200,
            {
                "scopes": owner.scopes,
                "role": "operator" if by else "member",
                "by": by,
                "node": owner.world.node,
                "version": "0.6.0",
                "release": "",
                "demo": False,
            },
        )

    def _change(self, method: str, path: str, body: dict[str, Any]) -> None:
        owner, world = self.owner, self.owner.world
        if not owner.signed_in:
            return self._problem(403, "this needs a token with the scope operate")
        if owner.faults.refused:
            return self._problem(422, owner.faults.refused, errors=[{"key": "power_w"}])
        words = [unquote(each) for each in path.strip("/").split("/")]
        name = words[1] if len(words) > 1 else ""
        match (method, words[0], words[2:]):
            case ("POST", "twins", []):
                world.added[body["name"]] = body
            case ("POST", "twins", ["stop"]):
                world.stopped.add(name)
            case ("POST", "twins", ["restart"]):
                world.stopped.discard(name)
            case ("PATCH", "twins", []):
                world.changed[name] = {**world.changed.get(name, {}), **body}
            case ("DELETE", "twins", []):
                world.added.pop(name, None)
            case ("DELETE", "neighbours", []):
                world.cut.add(words[1])
            case ("PUT", "neighbours", []):
                world.cut.discard(words[1])
            case _:
                return self._problem(404, f"there is no {path}")
        return self._send(200, {"name": name or body.get("name")})

    def _stream(self) -> None:
        owner = self.owner
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        number, cut = 0, owner.cutting
        owner.streams += 1
        try:
            while not owner.stopping.is_set() and not cut.is_set():
                if not owner.faults.silent:
                    number += 1
                    data = json.dumps(owner.world.snapshot())
                    self.wfile.write(f"id: {number}\nevent: snapshot\ndata: {data}\n\n: alive\n\n".encode())
                    self.wfile.flush()
                for _ in range(10):
                    if self._has_left() or cut.wait(0.1):
                        return
        except OSError:
            pass  # the page has closed it
        finally:
            owner.streams -= 1

    def _has_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _problem(self, status: int, detail: str, **more: Any) -> None:
        self._send(
            status,
            {"type": "about:blank", "title": "refused", "status": status, "detail": detail, **more},
            "application/problem+json",
        )

    def _send(self, status: int, content: Any, media: str = "application/json") -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        packed = gzip.compress(data, 9) if len(data) > 400 else data
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        if packed is not data:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        try:
            self.end_headers()
            self.wfile.write(packed)
            self.owner.bytes_sent += len(packed)
        except OSError:
            self.close_connection = True  # the page has gone
